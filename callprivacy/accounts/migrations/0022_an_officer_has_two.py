"""The database refuses an officer's invitation that one person alone confirmed or accepted."""

from django.db import migrations, models

# What operators sent before officers took two people waits for an admin, where one is there.
_OPERATORS = """
UPDATE accounts_invitation i SET needs_second = true
WHERE i.role = 'officer' AND NOT i.needs_second AND i.accepted_at IS NULL AND i.withdrawn_at IS NULL
  AND EXISTS (SELECT FROM accounts_membership m JOIN accounts_user u ON u.id = m.user_id
              WHERE m.agency_id = i.agency_id AND m.role IN ('officer', 'admin') AND m.state = 'active' AND u.is_active);
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0021_who_was_an_officer_lately")]

    operations = [
        migrations.AddConstraint(
            model_name="invitation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("confirmed_at", None), ("confirmed_by", None)),
                    models.Q(
                        ("confirmed_at__isnull", False),
                        models.Q(("confirmed_by", None), ("invited_by", None), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="accounts_invitation_confirmed",
            ),
        ),
        migrations.AddConstraint(
            model_name="invitation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("needs_second", False),
                    ("accepted_at", None),
                    ("confirmed_at__isnull", False),
                    _connector="OR",
                ),
                name="accounts_invitation_has_two",
            ),
        ),
        migrations.RunSQL(_OPERATORS, migrations.RunSQL.noop),
    ]
