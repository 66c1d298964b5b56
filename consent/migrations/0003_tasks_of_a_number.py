"""A vendor is asked about one tracking number, too: to announce, to stop recording, to send it to our menu."""

import django.db.models.deletion
from django.db import migrations, models

from callprivacy.tenancy import rls

_STEPS = [
    ("stop_recording", "Stop the running recording"),
    ("delete_recording", "Delete a recording"),
    ("redact_caller", "Redact the caller"),
    ("turn_off_recording", "Turn recording off for the number"),
    ("turn_off_monitoring", "Turn listening in off"),
    ("move_to_menu", "Move the number to our phone menu"),
    ("announce", "Announce the recording before the call connects"),
    ("stop_texts", "Stop texting"),
    ("remove_from_ads", "Remove from an advertiser's list"),
]


class Migration(migrations.Migration):
    dependencies = [
        ("calls", "0006_recordings_decided"),
        ("consent", "0002_effects_of_packs_and_sign_offs"),
    ]

    operations = [
        migrations.AddField(
            "vendortask",
            "tracking_number",
            models.ForeignKey(
                db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+",
                to="calls.trackingnumber",
            ),
        ),
        migrations.AlterField("vendortask", "step", models.CharField(choices=_STEPS, max_length=20)),
        migrations.RemoveConstraint("vendortask", "consent_vendortask_once"),
        migrations.AddConstraint(
            "vendortask",
            models.UniqueConstraint(
                condition=models.Q(("destination__isnull", True)),
                fields=("client", "step", "connection", "tracking_number", "event_id", "recording_id"),
                name="consent_vendortask_once",
                nulls_distinct=False,
            ),
        ),
        rls.ClientKey("consent_vendortask", "tracking_number_id", "calls_trackingnumber"),
    ]
