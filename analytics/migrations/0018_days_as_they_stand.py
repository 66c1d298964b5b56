"""
The days of the first page are counts of what is there now: unlike a span that is final, they follow what leaves, and
the agency's own zone.
"""

from django.db import migrations

_LEAVES = """
CREATE OR REPLACE FUNCTION analytics_touch_{name}_delete() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO analytics_touched (agency_id, client_id, hour)
    SELECT agency_id, client_id, to_timestamp(number * 3600)
    FROM (
        SELECT DISTINCT agency_id, client_id,
            ('x' || left({id}::text, 8) || substr({id}::text, 10, 4))::bit(48)::bigint / 3600000 AS number
        FROM gone
    ) AS hours
    WHERE {recent} NOT EXISTS (
        SELECT FROM (
            SELECT is_final, ends_at FROM analytics_span s
            WHERE s.client_id = hours.client_id AND s.starts_at <= to_timestamp(number * 3600)
            ORDER BY s.starts_at DESC LIMIT 1
        ) AS span
        WHERE span.is_final AND span.ends_at >= to_timestamp((number + 1) * 3600)
    );
    RETURN NULL;
END $$;
"""
# A day more than counts are kept, for where days begin.
_RECENT = "to_timestamp(number * 3600) > now() - interval '36 days' OR"
_TABLES = ({"name": "call", "id": "id"}, {"name": "recording", "id": "call_id"})

# Every half day, so that no day is passed over that is an hour shorter than others.
_ZONE = """
CREATE FUNCTION analytics_touch_agency_zone() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO analytics_touched (agency_id, client_id, hour)
    SELECT NEW.id, client.id, date_trunc('hour', now(), 'UTC') - back * interval '12 hours'
    FROM tenancy_client client, generate_series(0, 72) AS back
    WHERE client.agency_id = NEW.id AND EXISTS (SELECT FROM analytics_daycount WHERE client_id = client.id);
    RETURN NULL;
END $$;
CREATE TRIGGER analytics_touch_agency_zone AFTER UPDATE OF time_zone ON tenancy_agency
FOR EACH ROW WHEN (OLD.time_zone IS DISTINCT FROM NEW.time_zone) EXECUTE FUNCTION analytics_touch_agency_zone();
"""
_NO_ZONE = """
DROP TRIGGER analytics_touch_agency_zone ON tenancy_agency;
DROP FUNCTION analytics_touch_agency_zone();
"""


class Migration(migrations.Migration):
    dependencies = (("analytics", "0017_files_that_a_worker_reads"),)

    operations = (
        migrations.RunSQL(
            "".join(_LEAVES.format(**table, recent=_RECENT) for table in _TABLES),
            "".join(_LEAVES.format(**table, recent="") for table in _TABLES),
        ),
        migrations.RunSQL(_ZONE, _NO_ZONE),
    )
