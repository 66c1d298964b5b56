"""Of a client that leaves: when its extent was counted, what was closed, and what went with its rows."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("retention", "0019_a_client_that_is_gone_stays_gone")]

    operations = [
        migrations.AddField(
            model_name="offboarding",
            name="counted_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="offboarding",
            name="closed",
            field=models.JSONField(db_default={}, default=dict),
        ),
        migrations.AddField(
            model_name="offboarding",
            name="among",
            field=models.JSONField(db_default={}, default=dict),
        ),
    ]
