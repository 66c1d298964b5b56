"""A tracker may take a person out of a call that is held here: then ours waits, and is found when the hold ends."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("calls", "0008_references_are_seen_with_their_calls")]

    operations = [
        migrations.AddField(
            model_name="call", name="redact_due_at", field=models.DateTimeField(null=True)
        ),
        migrations.AddIndex(
            model_name="call",
            index=models.Index(
                condition=models.Q(("redact_due_at__isnull", False)),
                fields=["agency", "redact_due_at"],
                name="calls_call_redact_due",
            ),
        ),
    ]
