"""
A system is told callers' numbers where an officer said so. Whether a call may be recorded is written by jobs, whether
it may be heard or read by who hears and reads; the law, its registers and the agency's ages by officers.
"""

from django.db import migrations, models

_MANAGERS = "agency_id = (SELECT scope_agency()) AND (SELECT scope_knows_all_clients())"
_OFFICERS = f"{_MANAGERS} AND (SELECT scope_signs_off())"
_AGENCY = "agency_id = (SELECT scope_agency())"
_CLIENTS = "client_id = ANY (ARRAY(SELECT scope_clients('{}')))"
_BY_JOBS = f"{_AGENCY} AND {_CLIENTS.format('no_permission')}"
_BY_VIEWERS = f"{_AGENCY} AND {_CLIENTS.format('view_calls')}"
_USES = (
    f"{_AGENCY} AND ({_CLIENTS.format('no_permission')} OR (purpose = 'review' AND"
    f" ({_CLIENTS.format('play_recordings')} OR {_CLIENTS.format('read_transcripts')})))"
)
_OF_OFFICERS = ("consent_rulepack", "consent_numberlist", "consent_rulesignoff", "consent_agencyage")


def _writes(table: str, condition: str, delete: str = "") -> str:
    return (
        f"ALTER POLICY {table}_insert ON {table} WITH CHECK ({condition});"
        f"ALTER POLICY {table}_update ON {table} USING ({condition}) WITH CHECK ({condition});"
        f"ALTER POLICY {table}_delete ON {table} USING ({delete or condition});"
    )


class Migration(migrations.Migration):
    dependencies = [
        ("consent", "0017_whose_a_mail_may_be"),
        ("tenancy", "0008_officers_sign_off"),
    ]

    operations = [
        migrations.AddField(
            "webhookendpoint", "with_number", models.BooleanField(db_default=False, default=False)
        ),
        migrations.RunSQL(
            _writes("consent_decision", _USES, _BY_JOBS),
            _writes("consent_decision", _BY_VIEWERS),
        ),
        *(migrations.RunSQL(_writes(table, _OFFICERS), _writes(table, _MANAGERS)) for table in _OF_OFFICERS),
    ]
