"""Admins and officers, who are told of every change that waits for its hour, see it and may stop it."""

from django.db import migrations

_AGENCY = "agency_id = (SELECT scope_agency()) AND (SELECT scope_kind()) IN ('staff', 'job')"
_GRANTED = "client_id = ANY (ARRAY(SELECT scope_clients('{}')))"
_MANAGERS = "(SELECT scope_knows_all_clients())"

_READ = f"{_AGENCY} AND (client_id IS NULL OR {_GRANTED.format('view_client')})"
_WRITE = f"{_AGENCY} AND ((client_id IS NULL AND {_MANAGERS}) OR {_GRANTED.format('manage_retention')})"
_READ_NOW = f"{_AGENCY} AND (client_id IS NULL OR {_MANAGERS} OR {_GRANTED.format('view_client')})"
_WRITE_NOW = f"{_AGENCY} AND ({_MANAGERS} OR {_GRANTED.format('manage_retention')})"


def _conditions(read: str, write: str) -> str:
    table = "retention_policychange"
    return (
        f"ALTER POLICY {table}_read ON {table} USING ({read});"
        f"ALTER POLICY {table}_update ON {table} USING ({write}) WITH CHECK ({write});"
    )


class Migration(migrations.Migration):
    dependencies = [("retention", "0004_policies_holds_and_what_is_watched")]

    operations = [migrations.RunSQL(_conditions(_READ_NOW, _WRITE_NOW), _conditions(_READ, _WRITE))]
