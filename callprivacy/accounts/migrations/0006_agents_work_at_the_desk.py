"""
Who manages consent works at the desk, too; an agent works at the desk and manages consent no more.

Bundles that were given before are brought up to the table of bundles as it is now.
"""

from django.db import migrations

_HAVE = """
INSERT INTO auth_permission (name, content_type_id, codename)
    SELECT 'Answer calls', t.id, 'answer_calls' FROM django_content_type t
    WHERE t.app_label = 'tenancy' AND t.model = 'client'
    ON CONFLICT DO NOTHING;
INSERT INTO accounts_clientgrant
        (client_id, agency_id, user_id, permission_id, bundle, granted_by_id, granted_at, ends_at)
    SELECT g.client_id, g.agency_id, g.user_id, fresh.id, g.bundle, g.granted_by_id, g.granted_at, g.ends_at
    FROM accounts_clientgrant g
    JOIN auth_permission held ON held.id = g.permission_id AND held.codename = 'manage_consent'
    JOIN auth_permission fresh
        ON fresh.content_type_id = held.content_type_id AND fresh.codename = 'answer_calls'
    ON CONFLICT DO NOTHING;
DELETE FROM accounts_clientgrant g USING auth_permission p
    WHERE p.id = g.permission_id AND p.codename = 'manage_consent' AND g.bundle = 'agent';
"""
_HAVE_NOT = """
UPDATE accounts_clientgrant g SET permission_id = before.id
    FROM auth_permission held
    JOIN auth_permission before
        ON before.content_type_id = held.content_type_id AND before.codename = 'manage_consent'
    WHERE held.id = g.permission_id AND held.codename = 'answer_calls' AND g.bundle = 'agent';
DELETE FROM accounts_clientgrant g USING auth_permission p
    WHERE p.id = g.permission_id AND p.codename = 'answer_calls';
DELETE FROM auth_permission WHERE codename = 'answer_calls';
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_api_keys"), ("tenancy", "0006_answering_calls")]

    operations = [migrations.RunSQL(_HAVE, _HAVE_NOT)]
