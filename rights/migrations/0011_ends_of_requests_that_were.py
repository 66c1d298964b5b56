"""Requests that have a day on which they leave came to their end 24 months before it."""

from django.db import migrations

_FILL = """
    UPDATE rights_submission SET ended_at = (erase_on - interval '24 months')::date + time '12:00' AT TIME ZONE 'UTC'
    WHERE erase_on IS NOT NULL
"""
_BACK = """
    UPDATE rights_submission SET erase_on = (ended_at + interval '24 months')::date WHERE ended_at IS NOT NULL
"""


class Migration(migrations.Migration):

    dependencies = [
        ('rights', '0010_when_a_request_ended'),
    ]

    operations = [migrations.RunSQL(_FILL, _BACK)]
