"""A scope is entered by what the program signed, and holds for one transaction (docs/adr/0137)."""

from django.db import migrations

_KEYS = """
-- Number 0 is the database's own key, which nobody knows; the others are the program's (callprivacy/tenancy/scope.py).
CREATE TABLE tenancy_scopekey (
    number smallint PRIMARY KEY,
    inner_pad bytea NOT NULL CHECK (length(inner_pad) = 64),
    outer_pad bytea NOT NULL CHECK (length(outer_pad) = 64)
);
-- Without a policy no role but the owner reads or writes a row, whatever it is granted.
ALTER TABLE tenancy_scopekey ENABLE ROW LEVEL SECURITY;

DO $$
DECLARE
    key bytea := sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
    inner_pad bytea := decode(repeat('36', 64), 'hex');
    outer_pad bytea := decode(repeat('5c', 64), 'hex');
BEGIN
    FOR place IN 0..31 LOOP
        inner_pad := set_byte(inner_pad, place, get_byte(inner_pad, place) # get_byte(key, place));
        outer_pad := set_byte(outer_pad, place, get_byte(outer_pad, place) # get_byte(key, place));
    END LOOP;
    INSERT INTO tenancy_scopekey VALUES (0, inner_pad, outer_pad);
END $$;
"""

# Each pins its path or is parsed once, here: a path or a type of the caller's own must not get into what the owner runs.
_SEALS = """
CREATE FUNCTION scope_mac(said bytea, inner_pad bytea, outer_pad bytea) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN encode(sha256(outer_pad || sha256(inner_pad || said)), 'hex');

-- What a scope is sealed with: it is good in this transaction of this connection alone.
CREATE FUNCTION scope_seal(said text, inner_pad bytea, outer_pad bytea) RETURNS text LANGUAGE sql STABLE
    RETURN scope_mac(
        convert_to(said, 'UTF8') || int4send(pg_backend_pid()) || timestamptz_send(now()), inner_pad, outer_pad
    );

-- Kind, agency, user and client of the scope, or nothing. It is no SECURITY DEFINER: asked by the program's role, it
-- reads no key. The first use of an expression in a transaction costs most, so that there are few.
CREATE FUNCTION scope_parts() RETURNS text[] LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
    entered text := current_setting('callprivacy.scope', true);
    own record;
BEGIN
    SELECT k.inner_pad, k.outer_pad INTO own FROM tenancy_scopekey k WHERE k.number = 0;
    RETURN CASE WHEN right(entered, 64) = scope_seal(left(entered, -65), own.inner_pad, own.outer_pad)
        THEN string_to_array(left(entered, -65), ' ', '') END;
END $$;

-- Enters the scope that the program signed, until the transaction ends; or that of the client whose public key it
-- signed, which is client 0's where there is no such key. Digests are compared: how long it takes tells nothing.
CREATE FUNCTION enter_scope(token text, OUT agency bigint, OUT client bigint) LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    said text := left(token, -65);
    parts text[] := string_to_array(said, ' ', '');
BEGIN
    PERFORM FROM tenancy_scopekey k WHERE k.number > 0 AND sha256(convert_to(right(token, 64), 'UTF8'))
        = sha256(convert_to(scope_mac(convert_to(said, 'UTF8'), k.inner_pad, k.outer_pad), 'UTF8'));
    IF NOT FOUND THEN
        RAISE insufficient_privilege USING MESSAGE = 'No key of this database signed the scope; run the release step.';
    END IF;
    IF to_timestamp(parts[1]::bigint) <= now() THEN
        RAISE insufficient_privilege USING MESSAGE = 'The scope was signed too long ago; compare the clocks.';
    END IF;
    said := substr(said, length(parts[1]) + 2);
    IF parts[2] = 'key' THEN
        SELECT coalesce(k.agency_id, 0), coalesce(k.client_id, 0) INTO agency, client
        FROM (VALUES (1)) AS always LEFT JOIN tenancy_publickey k
            ON k.key = substr(said, length(parts[3]) + 6) AND k.purpose = parts[3];
        said := format('client %s  %s', agency, client);
    END IF;
    PERFORM set_config('callprivacy.scope', said || ' ' || scope_seal(said, k.inner_pad, k.outer_pad), true)
        FROM tenancy_scopekey k WHERE k.number = 0;
END $$;
"""

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
        migrations.RunSQL(_KEYS),
        migrations.RunSQL(_SEALS),
        migrations.RunSQL(_READERS),
        migrations.RunSQL(_asked("scope_knows_all_clients", "'admin', 'officer'")),
        migrations.RunSQL(_asked("scope_signs_off", "'officer'")),
    ]
