"""The words behind a client's events may name a caller: a person reads them only with that client's grant."""

from django.db import migrations

_AGENCY = "agency_id = (SELECT scope_agency())"
_GRANTED = f"""{_AGENCY} AND (
    (SELECT scope_kind()) = 'job'
    OR ((SELECT scope_kind()) = 'staff' AND (
        client_id = ANY (ARRAY(SELECT scope_clients('view_calls')))
        OR (client_id < 0 AND (SELECT scope_knows_all_clients())))))"""
_ANYBODY = f"{_AGENCY} AND (SELECT scope_kind()) IN ('staff', 'job')"


def _read(condition: str) -> str:
    return f"ALTER POLICY audit_reason_read ON audit_reason USING ({condition});"


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]

    operations = [migrations.RunSQL(_read(_GRANTED), _read(_ANYBODY))]
