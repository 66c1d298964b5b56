"""
Who invited the people who are here, from the invitations that they accepted; and open invitations of officers wait.

Those whom an operator invited need no second signature.
"""

from django.db import migrations

_FILL = """
UPDATE accounts_membership m SET made_by_id = i.invited_by_id, made_at = i.accepted_at,
    signs_from = CASE WHEN m.role IN ('officer', 'admin') THEN i.accepted_at + interval '72 hours' END
FROM accounts_invitation i JOIN accounts_user u ON u.email = i.email
WHERE i.agency_id = m.agency_id AND u.id = m.user_id AND i.role = m.role AND i.accepted_at IS NOT NULL
  AND EXISTS (SELECT FROM accounts_membership o WHERE o.agency_id = i.agency_id AND o.user_id = i.invited_by_id);
UPDATE accounts_invitation i SET needs_second = true
WHERE i.role = 'officer' AND i.accepted_at IS NULL AND i.withdrawn_at IS NULL
  AND EXISTS (SELECT FROM accounts_membership o WHERE o.agency_id = i.agency_id AND o.user_id = i.invited_by_id);
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0018_second_signatures")]

    operations = [migrations.RunSQL(_FILL, migrations.RunSQL.noop)]
