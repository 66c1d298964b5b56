"""Who restricts the use of their calls, or lifts it, touches the hours of these calls."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0004_costs_and_saved_reports"),
        ("calls", "0017_people_whose_data_are_restricted"),
    ]

    operations = [
        migrations.RunSQL(
            """
            CREATE FUNCTION analytics_touch_restricted_update() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
            SET search_path = public, pg_temp AS $$
            BEGIN
                INSERT INTO analytics_touched (agency_id, client_id, hour)
                SELECT DISTINCT c.agency_id, c.client_id, date_trunc('hour', to_timestamp(
                    ('x' || left(replace(c.id::text, '-', ''), 12))::bit(48)::bigint / 1000.0), 'UTC')
                FROM fresh f JOIN gone g ON g.id = f.id JOIN calls_call c ON c.client_id = f.client_id AND c.caller_id = f.id
                WHERE (f.restricted_at IS NULL) <> (g.restricted_at IS NULL);
                RETURN NULL;
            END $$;
            CREATE TRIGGER analytics_touch_restricted_update AFTER UPDATE ON calls_caller
                REFERENCING OLD TABLE AS gone NEW TABLE AS fresh
                FOR EACH STATEMENT EXECUTE FUNCTION analytics_touch_restricted_update();
            """,
            "DROP FUNCTION analytics_touch_restricted_update() CASCADE;",
        ),
    ]
