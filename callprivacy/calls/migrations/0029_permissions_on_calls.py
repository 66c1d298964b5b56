"""Who may view the calls of a client may view each of them, a confidential one if named for it, as Django and django-guardian ask."""

from django.db import migrations, models

_VIEW = """
CREATE VIEW calls_callaccess WITH (security_invoker=true) AS
SELECT concat(a.id, ' ', c.id) AS id, a.user_id, own.id AS permission_id, c.id AS call_id
FROM accounts_clientaccess a
JOIN auth_permission p ON p.id = a.permission_id AND p.codename = 'view_calls'
JOIN calls_call c ON c.client_id = a.client_id
JOIN (auth_permission own JOIN django_content_type t ON t.id = own.content_type_id)
    ON t.app_label = 'calls' AND t.model = 'call' AND own.codename = 'view_call'
WHERE NOT c.confidential OR EXISTS (
    SELECT FROM calls_callgrant n WHERE n.client_id = c.client_id AND n.call_id = c.id AND n.user_id = a.user_id
    AND n.permission_id = own.id AND n.ends_at > now()
);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0023_permissions_on_objects"),
        ("calls", "0028_rules_of_confidential_calls"),
    ]

    operations = [
        migrations.CreateModel(
            name="CallAccess",
            fields=[
                ("id", models.CharField(max_length=60, primary_key=True, serialize=False)),
            ],
            options={
                "abstract": False,
                "managed": False,
                "default_permissions": (),
                "base_manager_name": "objects",
            },
        ),
        migrations.RunSQL(_VIEW, "DROP VIEW calls_callaccess"),
    ]
