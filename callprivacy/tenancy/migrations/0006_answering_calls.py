"""Working at the desk becomes a permission of its own."""

from django.db import migrations

_BEFORE = (
    ("view_client", "View client"),
    ("view_calls", "View calls"),
    ("reveal_numbers", "Reveal numbers"),
    ("play_recordings", "Play recordings"),
    ("read_transcripts", "Read transcripts"),
    ("export_calls", "Export calls"),
)
_AFTER = (
    ("manage_consent", "Manage consent"),
    ("manage_retention", "Manage retention"),
    ("handle_requests", "Handle requests"),
    ("view_analytics", "View analytics"),
    ("release_data", "Release data"),
    ("manage_connections", "Manage connections"),
)


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0005_quarantine_and_stored_recordings")]

    operations = [
        migrations.AlterModelOptions(
            name="client",
            options={
                "base_manager_name": "objects",
                "default_permissions": (),
                "permissions": (*_BEFORE, ("answer_calls", "Answer calls"), *_AFTER),
            },
        ),
    ]
