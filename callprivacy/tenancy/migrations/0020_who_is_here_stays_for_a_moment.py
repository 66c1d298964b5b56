"""Who writes what a client that leaves is to be handed over holds the client, whatever it may change of it."""

from django.db import migrations

_IS_HERE = """
CREATE FUNCTION client_is_here(wanted bigint) RETURNS boolean LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM tenancy_client c WHERE c.id = wanted AND c.agency_id = scope_agency() FOR KEY SHARE;
    -- Asked behind the lock, by a statement of its own: who waited for it has an older look at the row.
    RETURN EXISTS (
        SELECT FROM tenancy_client c
        WHERE c.id = wanted AND c.agency_id = scope_agency() AND c.archived_at IS NULL
    );
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0019_days_of_releases")]

    operations = [migrations.RunSQL(_IS_HERE, "DROP FUNCTION client_is_here(bigint);")]
