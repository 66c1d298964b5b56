"""
Two questions that row security alone cannot answer: the names of a person's own agencies, and how many calls another
person can see.

The second is a number, never a row, and only who manages people or clients is told.
"""

from django.db import migrations

_FUNCTIONS = """
CREATE FUNCTION agencies_named_of_user(person bigint) RETURNS TABLE (id bigint, name varchar)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT a.id, a.name FROM accounts_membership m JOIN tenancy_agency a ON a.id = m.agency_id
                 WHERE m.user_id = person AND m.state = 'active' ORDER BY a.name, a.id;
END $$;

CREATE FUNCTION count_calls_visible_to(person bigint, at_most integer) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    agency bigint := scope_agency();
    found bigint;
BEGIN
    IF NOT scope_knows_all_clients() OR NOT EXISTS (
        SELECT FROM accounts_membership m JOIN accounts_user u ON u.id = m.user_id
        WHERE m.agency_id = agency AND m.user_id = person AND m.state = 'active' AND u.is_active
    ) THEN
        RETURN 0;
    END IF;
    SELECT count(*) INTO found FROM (
        SELECT FROM calls_call c WHERE c.agency_id = agency AND c.client_id = ANY (ARRAY(
            SELECT g.client_id FROM accounts_clientgrant g JOIN auth_permission p ON p.id = g.permission_id
            WHERE g.agency_id = agency AND g.user_id = person AND p.codename = 'view_calls'
              AND (g.ends_at IS NULL OR g.ends_at > now())))
        LIMIT at_most
    ) seen;
    RETURN found;
END $$;
"""

_NO_FUNCTIONS = """
DROP FUNCTION count_calls_visible_to(bigint, integer);
DROP FUNCTION agencies_named_of_user(bigint);
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_invitation_sent_at")]

    operations = [migrations.RunSQL(_FUNCTIONS, _NO_FUNCTIONS)]
