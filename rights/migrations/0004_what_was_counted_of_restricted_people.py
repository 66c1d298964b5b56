"""Totals that count a person's calls are made anew when the person's data are restricted, and when that is lifted."""

from django.db import migrations

_TOUCH = """
CREATE FUNCTION rights_touch_restricted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO analytics_touched (agency_id, client_id, hour) VALUES (NEW.agency_id, NEW.client_id, NULL);
    RETURN NULL;
END $$;
CREATE TRIGGER rights_touch_restricted AFTER UPDATE OF restricted_at ON calls_caller FOR EACH ROW
    WHEN (OLD.restricted_at IS DISTINCT FROM NEW.restricted_at) EXECUTE FUNCTION rights_touch_restricted();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0002_cells"),
        ("calls", "0017_people_whose_data_are_restricted"),
        ("rights", "0003_requests_pages_and_notices"),
    ]

    operations = [migrations.RunSQL(_TOUCH, "DROP FUNCTION rights_touch_restricted() CASCADE;")]
