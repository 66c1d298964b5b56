"""Django and django-guardian read permissions from the grants; nothing else gives one."""

from django.db import migrations, models

# What counts is what `access.grants_of` finds. Who looks sees the rows that their scope lets them see.
_VIEW = """
CREATE VIEW accounts_clientaccess WITH (security_invoker=true) AS
SELECT g.id, g.user_id, g.permission_id, g.client_id
FROM accounts_clientgrant g
JOIN auth_permission p ON p.id = g.permission_id
JOIN accounts_user u ON u.id = g.user_id
JOIN accounts_membership m ON m.agency_id = g.agency_id AND m.user_id = g.user_id
WHERE u.is_active AND m.state = 'active' AND (g.ends_at IS NULL OR g.ends_at > now())
  AND (m.withheld_from IS NULL OR m.withheld_from > now() OR p.codename NOT IN
       ('reveal_numbers', 'export_calls', 'release_data', 'play_recordings', 'read_transcripts'));
"""
_SUPERUSERS = "UPDATE accounts_user SET is_superuser = false WHERE is_superuser"
_OTHER_SOURCES = (
    "accounts_user_groups",
    "accounts_user_user_permissions",
    "guardian_groupobjectpermission",
    "guardian_userobjectpermission",
)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0022_an_officer_has_two"),
        ("guardian", "0003_remove_groupobjectpermission_guardian_gr_content_ae6aec_idx_and_more"),
    ]

    operations = [
        migrations.CreateModel(
            name="ClientAccess",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
            ],
            options={
                "abstract": False,
                "managed": False,
                "default_permissions": (),
                "base_manager_name": "objects",
            },
        ),
        migrations.RunSQL(_VIEW, "DROP VIEW accounts_clientaccess"),
        migrations.RunSQL(_SUPERUSERS, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(("is_superuser", False)), name="accounts_user_no_superuser"
            ),
        ),
        *(
            migrations.RunSQL(
                f"DELETE FROM {table}; ALTER TABLE {table} ADD CONSTRAINT {table}_unused CHECK (false);",
                f"ALTER TABLE {table} DROP CONSTRAINT {table}_unused;",
            )
            for table in _OTHER_SOURCES
        ),
    ]
