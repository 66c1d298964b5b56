"""When a database was last put back from an old copy: until now each later epoch of the trail began for that."""

from django.db import migrations, models

_SO_FAR = """
UPDATE audit_pulse SET restored_at = (
    SELECT started_at FROM audit_epoch WHERE number > 1 ORDER BY number DESC LIMIT 1
)
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0008_which_transaction_was_newest")]

    operations = [
        migrations.AddField(
            model_name="pulse",
            name="restored_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.RunSQL(_SO_FAR, migrations.RunSQL.noop),
    ]
