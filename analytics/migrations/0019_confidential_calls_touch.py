"""A call that becomes confidential, or is so no more, touches its hour."""

from django.db import migrations

_COLUMNS = (
    "agency_id, client_id, id, caller_id, direction, outcome, seconds, source, campaign, medium, country, region,"
    " first_call, qualified, value_cents, tags"
)
_TOUCH = """
CREATE OR REPLACE FUNCTION analytics_touch_call_update() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO analytics_touched (agency_id, client_id, hour)
    WITH changed AS (
        (SELECT {columns} FROM fresh EXCEPT SELECT {columns} FROM gone)
        UNION (SELECT {columns} FROM gone EXCEPT SELECT {columns} FROM fresh)
    ) SELECT DISTINCT agency_id, client_id, date_trunc('hour', to_timestamp(
        ('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0), 'UTC') FROM changed;
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("analytics", "0018_days_as_they_stand"), ("calls", "0027_confidential_calls")]

    operations = [
        migrations.RunSQL(
            _TOUCH.format(columns=f"{_COLUMNS}, confidential"), _TOUCH.format(columns=_COLUMNS)
        ),
    ]
