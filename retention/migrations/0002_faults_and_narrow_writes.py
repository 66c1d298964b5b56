"""A part may end by a fault, an errand may lack its reference; runs are written by who runs jobs and by jobs."""

from django.db import migrations, models

import callprivacy.vault.fields

_MANAGERS = "agency_id = (SELECT scope_agency()) AND (SELECT scope_knows_all_clients())"
_ANYBODY = "agency_id = (SELECT scope_agency()) AND (SELECT scope_kind()) IN ('staff', 'job')"
_JOBS = (
    "agency_id = (SELECT scope_agency())"
    " AND client_id = ANY (ARRAY(SELECT scope_clients('no_permission')))"
)
_GRANTED = (
    "agency_id = (SELECT scope_agency())"
    " AND client_id = ANY (ARRAY(SELECT scope_clients('manage_retention')))"
)


def _writes(table: str, condition: str) -> str:
    return (
        f"ALTER POLICY {table}_insert ON {table} WITH CHECK ({condition});"
        f"ALTER POLICY {table}_update ON {table} USING ({condition}) WITH CHECK ({condition});"
        f"ALTER POLICY {table}_delete ON {table} USING ({condition});"
    )


class Migration(migrations.Migration):
    dependencies = [("retention", "0001_initial")]

    operations = [
        migrations.AddField("runpart", "failures", models.PositiveSmallIntegerField(default=0)),
        migrations.AlterField(
            "runpart",
            "state",
            models.CharField(
                choices=[
                    ("waiting", "Waiting"),
                    ("observed", "Counted only"),
                    ("running", "Erasing"),
                    ("done", "Done"),
                    ("failed", "Stopped by a fault"),
                ],
                default="waiting",
                max_length=10,
            ),
        ),
        migrations.AlterField("errand", "reference", callprivacy.vault.fields.SealedField(null=True)),
        migrations.RunSQL(_writes("retention_run", _MANAGERS), _writes("retention_run", _ANYBODY)),
        migrations.RunSQL(_writes("retention_runpart", _JOBS), _writes("retention_runpart", _GRANTED)),
    ]
