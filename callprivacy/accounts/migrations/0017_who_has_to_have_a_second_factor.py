"""Whether any agency of a person asks their role for a second factor; no agency learns which one does."""

from django.db import migrations

_ASKED = """
CREATE FUNCTION has_to_have_factor(person bigint) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM accounts_membership m JOIN accounts_signinpolicy p ON p.agency_id = m.agency_id
        WHERE m.user_id = person AND m.state = 'active' AND m.role = ANY (p.second_factor_roles)
          AND NOT must_use_provider(m.agency_id, person));
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0016_keys_are_ended_by_who_manages_people")]

    operations = [migrations.RunSQL(_ASKED, "DROP FUNCTION has_to_have_factor(bigint);")]
