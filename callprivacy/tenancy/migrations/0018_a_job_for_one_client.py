from django.db import migrations

_FUNCTION = """
CREATE OR REPLACE FUNCTION scope_clients(wanted text) RETURNS SETOF bigint LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    kind text := scope_kind();
    agency bigint := scope_agency();
    mine bigint := scope_client();
BEGIN
    IF kind = 'client' {narrowed} THEN
        RETURN QUERY SELECT c.id FROM tenancy_client c WHERE c.agency_id = agency AND c.id = mine;
    ELSIF kind = 'job' THEN
        RETURN QUERY SELECT c.id FROM tenancy_client c WHERE c.agency_id = agency;
    ELSIF kind = 'staff' THEN
        RETURN QUERY
            SELECT g.client_id FROM accounts_clientgrant g JOIN auth_permission p ON p.id = g.permission_id
            WHERE g.agency_id = agency AND g.user_id = scope_user() AND p.codename = wanted
              AND (g.ends_at IS NULL OR g.ends_at > now());
    END IF;
END $$;
"""


class Migration(migrations.Migration):
    """A job that works for one client reaches that client's rows alone."""

    dependencies = [("tenancy", "0017_public_keys_of_doors")]

    operations = [
        migrations.RunSQL(
            _FUNCTION.format(narrowed="OR (kind = 'job' AND mine IS NOT NULL)"), _FUNCTION.format(narrowed="")
        )
    ]
