"""Grants that show a client's calls show its exact reports, too."""

from django.db import migrations

_HAVE = """
INSERT INTO auth_permission (name, content_type_id, codename)
    SELECT 'View exact reports', t.id, 'view_exact_reports' FROM django_content_type t
    WHERE t.app_label = 'tenancy' AND t.model = 'client'
    ON CONFLICT DO NOTHING;
INSERT INTO accounts_clientgrant
        (client_id, agency_id, user_id, permission_id, bundle, granted_by_id, granted_at, ends_at)
    SELECT g.client_id, g.agency_id, g.user_id, fresh.id, g.bundle, g.granted_by_id, g.granted_at, g.ends_at
    FROM accounts_clientgrant g
    JOIN auth_permission held ON held.id = g.permission_id AND held.codename = 'view_calls'
    JOIN auth_permission fresh
        ON fresh.content_type_id = held.content_type_id AND fresh.codename = 'view_exact_reports'
    ON CONFLICT DO NOTHING;
"""
_HAVE_NOT = """
DELETE FROM accounts_clientgrant g USING auth_permission p
    WHERE p.id = g.permission_id AND p.codename = 'view_exact_reports';
DELETE FROM auth_permission WHERE codename = 'view_exact_reports';
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0024_when_sessions_ended"), ("tenancy", "0025_exact_reports")]

    operations = [migrations.RunSQL(_HAVE, _HAVE_NOT)]
