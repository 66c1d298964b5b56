from django.db import migrations


class Migration(migrations.Migration):
    """A state by a form whose number nobody proved is claimed; the events stay as they were written."""

    dependencies = [
        ('consent', '0031_claimed_consent_and_guardians'),
    ]

    operations = [
        migrations.RunSQL(
            """
            UPDATE consent_consentstate s SET strength = 'D' FROM consent_consentevent e
            WHERE e.client_id = s.client_id AND e.id = s.event_id AND e.strength = 'C' AND e.channel IN ('web', 'portal')
            """,
            migrations.RunSQL.noop,
        ),
    ]
