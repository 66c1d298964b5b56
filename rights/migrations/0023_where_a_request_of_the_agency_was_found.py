"""
At which clients something was found for a request of the agency's own. Row security shows a person only those of them
that are granted, and the request reaches all.
"""

from django.db import migrations

# Ids of clients, and nothing of what was found there; to officers and jobs of the request's own agency.
_FUNCTION = """
CREATE FUNCTION rights_clients_found(asked uuid) RETURNS SETOF bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT scope_signs_off() THEN
        RETURN;
    END IF;
    RETURN QUERY
        SELECT DISTINCT f.client_id
        FROM rights_submission s JOIN rights_finding f ON f.submission_id = s.id AND f.agency_id = s.agency_id
        WHERE s.id = asked AND s.agency_id = scope_agency() AND s.client_id IS NULL;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("rights", "0022_by_when_an_appeal_was_said")]

    operations = [migrations.RunSQL(_FUNCTION, "DROP FUNCTION rights_clients_found(uuid);")]
