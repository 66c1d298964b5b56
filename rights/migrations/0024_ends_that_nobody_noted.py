"""Requests of which the last cases were closed at once had no end: it is when the last of them was closed."""

from django.db import migrations

_ENDS = """
    UPDATE rights_submission s SET ended_at = c.closed_at
    FROM (SELECT submission_id, max(closed_at) AS closed_at FROM rights_case GROUP BY 1 HAVING bool_and(closed_at IS NOT NULL)) c
    WHERE c.submission_id = s.id AND s.ended_at IS NULL
"""


class Migration(migrations.Migration):
    dependencies = [("rights", "0023_where_a_request_of_the_agency_was_found")]

    operations = [migrations.RunSQL(_ENDS, migrations.RunSQL.noop)]
