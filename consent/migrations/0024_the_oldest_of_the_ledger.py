"""An index of the ledger by when it happened: what is past its date is looked for each few minutes, of every client."""

from django.db import migrations, models

from callprivacy.lib.beside import AddIndexBeside


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("consent", "0023_who_was_left_out_by_law")]

    operations = [
        AddIndexBeside(
            "consentevent", models.Index(fields=["client", "happened_at"], name="consent_event_oldest")
        ),
    ]
