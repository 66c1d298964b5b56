"""
Claims of periods end: a clock's after a month, any other after three years. The demo's stays, as nobody asks for it again.
"""

from django.db import migrations, models

_FILL = """
UPDATE work_period SET ends_at = claimed_at + CASE
    WHEN job IN ('calls.drops', 'calls.sample_reveals', 'posture_weekly', 'retention.run')
        OR job LIKE 'retention.sweep_files/%' THEN interval '35 days'
    ELSE interval '1096 days' END
WHERE job <> 'dashboard.demo' AND ends_at IS NULL
"""


class Migration(migrations.Migration):
    dependencies = [("work", "0002_how_people_are_told")]

    operations = [
        migrations.AddField("period", "ends_at", models.DateTimeField(null=True)),
        migrations.RunSQL(_FILL, migrations.RunSQL.noop),
    ]
