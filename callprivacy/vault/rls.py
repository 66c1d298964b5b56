"""SQL by which a database believes the scopes that the program signs; both databases have it (docs/adr/0122)."""

from django.db.migrations import RunSQL

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

# Each pins its path or is parsed once, here: no path or type of the caller's own gets into what the owner runs.
_SEALS = """
CREATE FUNCTION scope_mac(said bytea, inner_pad bytea, outer_pad bytea) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN encode(sha256(outer_pad || sha256(inner_pad || said)), 'hex');

-- What a scope is sealed with: it is good in this transaction of this connection alone.
CREATE FUNCTION scope_seal(said text, inner_pad bytea, outer_pad bytea) RETURNS text LANGUAGE sql STABLE
    RETURN scope_mac(
        convert_to(said, 'UTF8') || int4send(pg_backend_pid()) || timestamptz_send(now()), inner_pad, outer_pad
    );
"""


def signed_scopes() -> list[RunSQL]:
    """The operations that give a database its keys, and what checks a scope by them."""
    return [RunSQL(_KEYS), RunSQL(_SEALS)]
