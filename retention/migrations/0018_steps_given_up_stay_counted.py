"""Steps at vendors that were given up stay counted where the worker was killed before the statement."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("retention", "0017_what_a_leaving_client_waits_for")]

    operations = [
        migrations.AddField(
            model_name="offboarding",
            name="given_up",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
    ]
