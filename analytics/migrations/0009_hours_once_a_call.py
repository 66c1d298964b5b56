"""
The hours of calls that come and go by thousands are counted as whole numbers; recordings that come with calls of the
same transaction touch none again, and what leaves touches no span that is final (docs/adr/0139).
"""

from django.db import migrations

_BEFORE = """
CREATE OR REPLACE FUNCTION analytics_touch_{name}_{verb}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO analytics_touched (agency_id, client_id, hour)
    SELECT DISTINCT agency_id, client_id, date_trunc('hour', to_timestamp(
        ('x' || left(replace({id}::text, '-', ''), 12))::bit(48)::bigint / 1000.0), 'UTC')
    FROM {rows};
    RETURN NULL;
END $$;
"""
_AFTER = """
CREATE OR REPLACE FUNCTION analytics_touch_{name}_{verb}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    {first}
    INSERT INTO analytics_touched (agency_id, client_id, hour)
    SELECT agency_id, client_id, to_timestamp(number * 3600)
    FROM (
        SELECT DISTINCT agency_id, client_id,
            ('x' || left({id}::text, 8) || substr({id}::text, 10, 4))::bit(48)::bigint / 3600000 AS number
        FROM {rows}
    ) AS hours
    {unless};
    RETURN NULL;
END $$;
"""
_NOT_AGAIN = "IF current_setting('callprivacy.calls_touch', true) = 'all' THEN RETURN NULL; END IF;"
_NOT_FINAL = """
    WHERE NOT EXISTS (
        SELECT FROM (
            SELECT is_final, ends_at FROM analytics_span s
            WHERE s.client_id = hours.client_id AND s.starts_at <= to_timestamp(number * 3600)
            ORDER BY s.starts_at DESC LIMIT 1
        ) AS span
        WHERE span.is_final AND span.ends_at >= to_timestamp((number + 1) * 3600)
    )
"""
_COMES = {"verb": "insert", "rows": "fresh", "unless": ""}
_GOES = {"verb": "delete", "rows": "gone", "unless": _NOT_FINAL}
_FUNCTIONS = (
    {"name": "call", "id": "id", "first": "", **_COMES},
    {"name": "call", "id": "id", "first": "", **_GOES},
    {"name": "recording", "id": "call_id", "first": _NOT_AGAIN, **_COMES},
    {"name": "recording", "id": "call_id", "first": "", **_GOES},
)


class Migration(migrations.Migration):
    dependencies = [("analytics", "0008_touched_keys_once_a_statement")]

    operations = [
        migrations.RunSQL(
            "".join(_AFTER.format(**values) for values in _FUNCTIONS),
            "".join(_BEFORE.format(**values) for values in _FUNCTIONS),
        ),
    ]
