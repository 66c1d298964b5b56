"""What an officer alone decides for an agency, PostgreSQL asks for as well."""

from django.db import migrations

_SIGNS_OFF = """
CREATE FUNCTION scope_signs_off() RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    RETURN CASE scope_kind()
        WHEN 'job' THEN true
        WHEN 'staff' THEN EXISTS (
            SELECT FROM accounts_membership m
            WHERE m.agency_id = scope_agency() AND m.user_id = scope_user() AND m.state = 'active'
              AND m.role IN ('officer'))
        ELSE false
    END;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0007_a_sector_of_health")]

    operations = [migrations.RunSQL(_SIGNS_OFF, "DROP FUNCTION scope_signs_off();")]
