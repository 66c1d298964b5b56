"""Admins and officers, who are told of alerts and of secrets past their age, see them, and may begin a rotation."""

from django.db import migrations

_AGENCY = "agency_id = (SELECT scope_agency()) AND (SELECT scope_kind()) IN ('staff', 'job')"
_GRANTED = "client_id = ANY (ARRAY(SELECT scope_clients('{}')))"
_MANAGERS = "(SELECT scope_knows_all_clients())"

_READ = f"{_AGENCY} AND (client_id IS NULL OR {_GRANTED.format('view_client')})"
_READ_NOW = f"{_AGENCY} AND (client_id IS NULL OR {_MANAGERS} OR {_GRANTED.format('view_client')})"
_INSERT = f"{_AGENCY} AND ((client_id IS NULL AND {_MANAGERS}) OR {_GRANTED.format('no_permission')})"
_INSERT_NOW = f"{_AGENCY} AND {_MANAGERS}"


def _conditions(read: str, insert: str) -> str:
    return (
        f"ALTER POLICY retention_alert_read ON retention_alert USING ({read});"
        f"ALTER POLICY retention_rotation_read ON retention_rotation USING ({read});"
        f"ALTER POLICY retention_rotation_insert ON retention_rotation WITH CHECK ({insert});"
    )


class Migration(migrations.Migration):
    dependencies = [("retention", "0005_who_is_told_of_a_change_may_stop_it")]

    operations = [migrations.RunSQL(_conditions(_READ_NOW, _INSERT_NOW), _conditions(_READ, _INSERT))]
