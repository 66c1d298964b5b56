"""Grants, memberships and invitations are changed by jobs and by who manages people or clients; nobody else."""

from django.db import migrations

_MANAGERS = "agency_id = (SELECT scope_agency()) AND (SELECT scope_knows_all_clients())"
_ANYBODY = "agency_id = (SELECT scope_agency()) AND (SELECT scope_kind()) IN ('staff', 'job')"
_TABLES = ("accounts_membership", "accounts_clientgrant", "accounts_invitation")


def _writes(condition: str) -> str:
    return "\n".join(
        f"ALTER POLICY {table}_insert ON {table} WITH CHECK ({condition});"
        f"ALTER POLICY {table}_update ON {table} USING ({condition}) WITH CHECK ({condition});"
        f"ALTER POLICY {table}_delete ON {table} USING ({condition});"
        for table in _TABLES
    )


def _invitations(condition: str) -> str:
    return f"ALTER POLICY accounts_invitation_read ON accounts_invitation USING ({condition});"


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.RunSQL(_writes(_MANAGERS), _writes(_ANYBODY)),
        migrations.RunSQL(_invitations(_MANAGERS), _invitations(_ANYBODY)),
    ]
