"""A restriction that reaches further back touches the hours of these calls as well."""

from django.db import migrations

_BY_BOTH = """
CREATE OR REPLACE FUNCTION analytics_touch_restricted_update() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO analytics_touched (agency_id, client_id, hour)
    SELECT DISTINCT c.agency_id, c.client_id, date_trunc('hour', to_timestamp(
        ('x' || left(replace(c.id::text, '-', ''), 12))::bit(48)::bigint / 1000.0), 'UTC')
    FROM fresh f JOIN gone g ON g.id = f.id JOIN calls_call c ON c.client_id = f.client_id AND c.caller_id = f.id
    WHERE (f.restricted_at IS NULL) <> (g.restricted_at IS NULL)
       OR (f.restricted_at IS NOT NULL AND f.restricted_from <> g.restricted_from);
    RETURN NULL;
END $$;
"""
_BY_INSTANT = """
CREATE OR REPLACE FUNCTION analytics_touch_restricted_update() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO analytics_touched (agency_id, client_id, hour)
    SELECT DISTINCT c.agency_id, c.client_id, date_trunc('hour', to_timestamp(
        ('x' || left(replace(c.id::text, '-', ''), 12))::bit(48)::bigint / 1000.0), 'UTC')
    FROM fresh f JOIN gone g ON g.id = f.id JOIN calls_call c ON c.client_id = f.client_id AND c.caller_id = f.id
    WHERE (f.restricted_at IS NULL) <> (g.restricted_at IS NULL);
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0010_rows_that_leave_files"),
        ("calls", "0020_restricted_from_a_call_on"),
    ]

    operations = [migrations.RunSQL(_BY_BOTH, _BY_INSTANT)]
