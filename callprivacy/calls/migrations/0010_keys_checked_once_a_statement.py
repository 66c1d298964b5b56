"""
Callers, calls, references and recordings come by thousands: their keys are checked once a statement, as one set, where
nine foreign keys asked once a row, and took a third of an import's time (docs/adr/0139).
"""

from django.db import migrations

from callprivacy.tenancy import rls

_TABLES = {
    "calls_caller": {},
    "calls_call": {
        "caller_id": "calls_caller",
        "tracking_number_id": "calls_trackingnumber",
        "connection_id": "calls_connection",
    },
    "calls_callref": {"call_id": "calls_call"},
    "calls_recording": {"call_id": "calls_call"},
}


def _without_foreign_keys(table, targets):
    keys = [rls.AgencyClientKey(table), *(rls.ClientKey(table, *pair) for pair in targets.items())]
    return [migrations.RunSQL(key.reverse_sql, key.sql) for key in keys]


class Migration(migrations.Migration):
    dependencies = [("calls", "0009_redaction_waits_for_holds")]

    operations = [
        *(key for table, targets in _TABLES.items() for key in _without_foreign_keys(table, targets)),
        rls.StatementKeys("calls_caller"),
        rls.StatementKeys(
            "calls_call",
            few={"tracking_number_id": "calls_trackingnumber", "connection_id": "calls_connection"},
            many={"caller_id": "calls_caller"},
        ),
        rls.StatementKeys("calls_callref", many={"call_id": "calls_call"}),
        rls.StatementKeys("calls_recording", many={"call_id": "calls_call"}),
    ]
