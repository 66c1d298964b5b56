"""
How many reveals of a week's sample there are at each client. Row security shows a person only those of granted clients,
and the sample is the agency's.
"""

from django.db import migrations

# A count by client, and nothing of who showed which number for what; to officers and jobs of the agency.
_FUNCTION = """
CREATE FUNCTION calls_reveals_drawn(week date) RETURNS TABLE (client bigint, drawn bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT scope_signs_off() THEN
        RETURN;
    END IF;
    RETURN QUERY
        SELECT r.client_id, count(*) FROM calls_reveal r
        WHERE r.agency_id = scope_agency() AND r.sampled_on = week
        GROUP BY r.client_id;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("calls", "0023_files_that_end_workers")]

    operations = [migrations.RunSQL(_FUNCTION, "DROP FUNCTION calls_reveals_drawn(date);")]
