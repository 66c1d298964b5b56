"""Indexes of the noes that began or ended since: they are looked for each minute, of every client."""

from django.db import migrations, models

from callprivacy.lib.beside import AddIndexBeside


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("vault", "0005_large_tables_are_vacuumed_early")]

    operations = [
        AddIndexBeside(
            "suppression", models.Index(fields=["client_id", "purpose", "since"], name="vault_suppression_newest")
        ),
        AddIndexBeside(
            "suppression",
            models.Index(
                fields=["client_id", "purpose", "ends_on"],
                condition=models.Q(ends_on__isnull=False),
                name="vault_suppression_ends",
            ),
        ),
    ]
