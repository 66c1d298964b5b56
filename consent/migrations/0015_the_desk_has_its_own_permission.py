"""
Who answers calls writes what the desk writes, and nothing else: what an agent was told and did, and calls back.

What a withdrawal does at once is among it: it is queued, stops what runs, and answers our open questions.
"""

from django.db import migrations

_AGENCY = "agency_id = (SELECT scope_agency())"
_MANAGES = "client_id = ANY (ARRAY(SELECT scope_clients('manage_consent')))"
_ANSWERS = "client_id = ANY (ARRAY(SELECT scope_clients('answer_calls')))"
_BEFORE = f"{_AGENCY} AND {_MANAGES}"
_EITHER = f"{_AGENCY} AND ({_MANAGES} OR {_ANSWERS})"
_BY_AGENTS = f"{_AGENCY} AND ({_MANAGES} OR ({_ANSWERS} AND channel = 'agent'))"

# Table -> what is done with it at the desk, and the condition for it.
_TABLES = {
    "calls_caller": {"insert": _EITHER, "update": _EITHER},
    "consent_consentevent": {"insert": _BY_AGENTS},
    "consent_consentstate": {"insert": _EITHER, "update": _EITHER},
    "consent_withdrawal": {"insert": _BY_AGENTS},
    "consent_rejudgement": {"insert": _EITHER},
    "consent_menusession": {"update": _EITHER},
    "consent_vendortask": {"insert": _EITHER},
    "consent_invitation": {"read": _EITHER, "update": _EITHER},
    "consent_callback": {"read": _EITHER, "insert": _EITHER, "update": _EITHER, "delete": _EITHER},
}


def _alter(table: str, deed: str, condition: str) -> str:
    clauses = {
        "read": f"USING ({condition})",
        "insert": f"WITH CHECK ({condition})",
        "update": f"USING ({condition}) WITH CHECK ({condition})",
        "delete": f"USING ({condition})",
    }
    return f"ALTER POLICY {table}_{deed} ON {table} {clauses[deed]};"


def _every(condition: str | None = None) -> str:
    return "".join(
        _alter(table, deed, condition or now)
        for table, deeds in _TABLES.items()
        for deed, now in deeds.items()
    )


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_agents_work_at_the_desk"),
        ("calls", "0010_keys_checked_once_a_statement"),
        ("consent", "0014_minors_and_checked_lists"),
    ]

    operations = [migrations.RunSQL(_every(), _every(_BEFORE))]
