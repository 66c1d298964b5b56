"""Whether two have agreed in each other agency of a person; no agency learns which ones there are."""

from django.db import migrations

_AGREED = """
CREATE FUNCTION factors_agreed_elsewhere(person bigint, here bigint, since timestamptz) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN NOT EXISTS (
        SELECT FROM accounts_membership m
        WHERE m.user_id = person AND m.agency_id <> here AND m.state = 'active'
          AND NOT EXISTS (
            SELECT FROM accounts_factorreset r
            WHERE r.agency_id = m.agency_id AND r.user_id = person AND r.agreed AND r.decided_at > since));
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0008_what_is_withheld_from_whom")]

    operations = [
        migrations.RunSQL(_AGREED, "DROP FUNCTION factors_agreed_elsewhere(bigint, bigint, timestamptz);")
    ]
