"""A scope is entered by what the program signed, and holds for one transaction (docs/adr/0122)."""

from django.db import migrations

from callprivacy.vault.rls import KEYS, SEALS

_HEAD = "LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$"
# Whether the scope's person is an active member.
_MEMBER = """EXISTS (
                SELECT FROM accounts_membership m JOIN accounts_user u ON u.id = m.user_id
                WHERE m.agency_id = parts[2]::bigint AND m.user_id = parts[3]::bigint AND m.state = 'active'
                  AND u.is_active{more})"""

_READERS = f"""
CREATE OR REPLACE FUNCTION scope_kind() RETURNS text {_HEAD} BEGIN RETURN (scope_parts())[1]; END $$;
CREATE OR REPLACE FUNCTION scope_user() RETURNS bigint {_HEAD} BEGIN RETURN (scope_parts())[3]::bigint; END $$;
CREATE OR REPLACE FUNCTION scope_client() RETURNS bigint {_HEAD} BEGIN RETURN (scope_parts())[4]::bigint; END $$;

CREATE OR REPLACE FUNCTION scope_agency() RETURNS bigint {_HEAD}
DECLARE parts text[] := scope_parts();
BEGIN
    IF parts[1] = 'staff' AND NOT {_MEMBER.format(more="")} THEN
        RETURN NULL;
    END IF;
    RETURN parts[2]::bigint;
END $$;

CREATE OR REPLACE FUNCTION scope_clients(wanted text) RETURNS SETOF bigint {_HEAD}
DECLARE parts text[] := scope_parts();
BEGIN
    IF parts[1] = 'client' OR (parts[1] = 'job' AND parts[4] IS NOT NULL) THEN
        RETURN QUERY
            SELECT c.id FROM tenancy_client c WHERE c.agency_id = parts[2]::bigint AND c.id = parts[4]::bigint;
    ELSIF parts[1] = 'job' THEN
        RETURN QUERY SELECT c.id FROM tenancy_client c WHERE c.agency_id = parts[2]::bigint;
    ELSIF parts[1] = 'staff' THEN
        RETURN QUERY
            SELECT g.client_id FROM accounts_clientgrant g JOIN auth_permission p ON p.id = g.permission_id
            WHERE g.agency_id = parts[2]::bigint AND g.user_id = parts[3]::bigint AND p.codename = wanted
              AND (g.ends_at IS NULL OR g.ends_at > now())
              AND {_MEMBER.format(more="")};
    END IF;
END $$;
"""


def _asked(name: str, roles: str) -> str:
    return f"""
CREATE OR REPLACE FUNCTION {name}() RETURNS boolean {_HEAD}
DECLARE parts text[] := scope_parts();
BEGIN
    RETURN CASE parts[1]
        WHEN 'job' THEN true
        WHEN 'staff' THEN {_MEMBER.format(more=f" AND m.role IN ({roles})")}
        ELSE false
    END;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0023_going_live_takes_two_officers")]

    operations = [
        migrations.RunSQL(KEYS),
        migrations.RunSQL(SEALS),
        migrations.RunSQL(_READERS),
        migrations.RunSQL(_asked("scope_knows_all_clients", "'admin', 'officer'")),
        migrations.RunSQL(_asked("scope_signs_off", "'officer'")),
    ]
