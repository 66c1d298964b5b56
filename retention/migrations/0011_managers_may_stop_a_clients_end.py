"""
Who manages the agency is told of a client's end that one officer alone asked for, sees it and may stop it: they write a
row into no state in which anything is erased.
"""

from django.db import migrations

_AGENCY = "agency_id = (SELECT scope_agency())"
_GRANTED = "client_id = ANY (ARRAY(SELECT scope_clients('manage_retention')))"
_MANAGERS = "((SELECT scope_kind()) = 'staff' AND (SELECT scope_knows_all_clients()))"
_BEFORE = "state IN ('asked', 'writing', 'written', 'stopped')"

_ONLY_GRANTED = f"{_AGENCY} AND {_GRANTED}"
_READ = f"{_AGENCY} AND ({_GRANTED} OR {_MANAGERS})"
_WRITE = f"{_AGENCY} AND ({_GRANTED} OR ({_MANAGERS} AND {_BEFORE}))"


def _conditions(read: str, write: str) -> str:
    table = "retention_offboarding"
    return (
        f"ALTER POLICY {table}_read ON {table} USING ({read});"
        f"ALTER POLICY {table}_update ON {table} USING ({write}) WITH CHECK ({write});"
    )


class Migration(migrations.Migration):
    dependencies = [("retention", "0010_clients_that_leave")]

    operations = [migrations.RunSQL(_conditions(_READ, _WRITE), _conditions(_ONLY_GRANTED, _ONLY_GRANTED))]
