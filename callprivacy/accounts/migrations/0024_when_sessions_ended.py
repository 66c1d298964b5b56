"""When every session of a person ended, and every one that began at a provider: what began before is not completed."""

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0023_permissions_on_objects")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="sessions_ended_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="providerlink",
            name="sessions_ended_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="providerlink",
            name="sessions",
            field=ArrayField(models.CharField(max_length=64), db_default=[], default=list, editable=False),
        ),
    ]
