"""
What the door asks before any scope: which agencies a session opens, and where a person signs in otherwise.

A session that began at an agency's provider opens that agency alone, and only while the provider is the one that two
have agreed to. Every other session opens the agencies that do not ask for their provider. Each function tells of one
person's own memberships, and of nobody else's.
"""

from django.db import migrations

_HEAD = "LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$"

_MUST = f"""
CREATE FUNCTION must_use_provider(of_agency bigint, person bigint) RETURNS boolean {_HEAD}
BEGIN
    RETURN EXISTS (
        SELECT FROM accounts_signinprovider p
        WHERE p.agency_id = of_agency AND p.is_on AND p.is_required
          AND NOT (
            person = ANY (p.beside)
            AND EXISTS (
                SELECT FROM accounts_membership m
                WHERE m.agency_id = of_agency AND m.user_id = person AND m.state = 'active'
                  AND m.role IN ('admin', 'officer'))
            AND EXISTS (
                SELECT FROM mfa_authenticator f WHERE f.user_id = person AND f.type IN ('totp', 'webauthn'))));
END $$;
"""

_OPENED = f"""
CREATE FUNCTION agencies_opened_by(person bigint, through bigint, agreed timestamptz) RETURNS SETOF bigint {_HEAD}
BEGIN
    RETURN QUERY
        SELECT m.agency_id FROM accounts_membership m
        WHERE m.user_id = person AND m.state = 'active'
          AND CASE WHEN through IS NULL THEN NOT must_use_provider(m.agency_id, person)
              ELSE m.agency_id = through AND EXISTS (
                SELECT FROM accounts_signinprovider p
                WHERE p.agency_id = through AND p.is_on AND p.agreed_at = agreed) END
        ORDER BY m.agency_id;
END $$;
"""

_PROVIDERS = f"""
CREATE FUNCTION providers_of_user(person bigint) RETURNS TABLE (
    id bigint, name varchar, key varchar, is_required boolean, must boolean
) {_HEAD}
BEGIN
    RETURN QUERY
        SELECT a.id, a.name, p.key, p.is_required, must_use_provider(a.id, person)
        FROM accounts_membership m
        JOIN tenancy_agency a ON a.id = m.agency_id
        JOIN accounts_signinprovider p ON p.agency_id = a.id AND p.is_on
        WHERE m.user_id = person AND m.state = 'active'
        ORDER BY a.name, a.id;
END $$;
"""


def _asked(column: str, value: str) -> str:
    return f"""
DROP FUNCTION sign_in_asked_of(bigint[]);
CREATE FUNCTION sign_in_asked_of(people bigint[]) RETURNS TABLE (
    user_id bigint, agency_id bigint, agency varchar, time_zone varchar, profile varchar,
    min_length smallint, max_age_days smallint, grace_hours smallint{column}
) {_HEAD}
BEGIN
    RETURN QUERY
        SELECT m.user_id, a.id, a.name, a.time_zone, coalesce(p.profile, 'rotating'::varchar),
               coalesce(p.min_length, 12::smallint), coalesce(p.max_age_days, 90::smallint),
               coalesce(p.grace_hours, 72::smallint){value}
        FROM accounts_membership m JOIN tenancy_agency a ON a.id = m.agency_id
        LEFT JOIN accounts_signinpolicy p ON p.agency_id = a.id
        WHERE m.user_id = ANY (people) AND m.state = 'active'
        ORDER BY m.user_id, a.id;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0011_providers_of_agencies"), ("mfa", "0003_authenticator_type_uniq")]

    operations = [
        migrations.RunSQL(_MUST, "DROP FUNCTION must_use_provider(bigint, bigint);"),
        migrations.RunSQL(_OPENED, "DROP FUNCTION agencies_opened_by(bigint, bigint, timestamptz);"),
        migrations.RunSQL(_PROVIDERS, "DROP FUNCTION providers_of_user(bigint);"),
        migrations.RunSQL(
            _asked(", by_provider boolean", ", must_use_provider(a.id, m.user_id)"), _asked("", "")
        ),
    ]
