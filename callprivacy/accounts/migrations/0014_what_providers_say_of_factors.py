"""An agency may demand that its provider says that it asked for a second factor, and name what it calls that."""

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("accounts", "0013_second_factors_at_providers"),)

    operations = (
        migrations.AddField(
            "signinprovider",
            "classes",
            ArrayField(models.CharField(max_length=200), blank=True, db_default=[], default=list),
        ),
        migrations.AddField(
            "signinprovider", "wants_factor", models.BooleanField(db_default=False, default=False)
        ),
    )
