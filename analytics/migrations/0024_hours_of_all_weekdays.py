"""
Hours of weekdays, and parts of the day, are told of whole months whose days are told in part, too (docs/adr/0152).

What was told of hours before is removed and every client's cells are made again; months whose calls have begun to
expire tell hours no longer.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("analytics", "0023_goals")]

    operations = [
        migrations.AddField("cell", "part", models.PositiveSmallIntegerField(null=True)),
        migrations.RunSQL(
            """
            DELETE FROM analytics_cell WHERE sheet IN (3, 103, 203);
            UPDATE analytics_span SET is_slotted = FALSE;
            INSERT INTO analytics_touched (agency_id, client_id, hour)
            SELECT DISTINCT agency_id, client_id, NULL::timestamptz FROM analytics_span;
            """,
            migrations.RunSQL.noop,
        ),
    ]
