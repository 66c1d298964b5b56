"""Exact reports become a permission of their own."""

from django.db import migrations

_BEFORE = (
    ("view_client", "View client"),
    ("view_calls", "View calls"),
    ("reveal_numbers", "Reveal numbers"),
    ("play_recordings", "Play recordings"),
    ("read_transcripts", "Read transcripts"),
    ("export_calls", "Export calls"),
    ("answer_calls", "Answer calls"),
    ("manage_consent", "Manage consent"),
    ("manage_retention", "Manage retention"),
    ("handle_requests", "Handle requests"),
    ("view_analytics", "View analytics"),
)
_AFTER = (
    ("release_data", "Release data"),
    ("manage_connections", "Manage connections"),
)


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0024_signed_scopes")]

    operations = [
        migrations.AlterModelOptions(
            name="client",
            options={
                "base_manager_name": "objects",
                "default_permissions": (),
                "permissions": (*_BEFORE, ("view_exact_reports", "View exact reports"), *_AFTER),
            },
        ),
    ]
