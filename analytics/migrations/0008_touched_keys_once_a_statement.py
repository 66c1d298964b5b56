"""
Touched hours come by hundreds with every batch of a file: their key is checked once a statement (docs/adr/0139).
"""

from django.db import migrations

from callprivacy.tenancy import rls

_KEY = rls.AgencyClientKey("analytics_touched")


class Migration(migrations.Migration):
    dependencies = [("analytics", "0007_hours_of_weekdays")]

    operations = [
        migrations.RunSQL(_KEY.reverse_sql, _KEY.sql),
        rls.StatementKeys("analytics_touched"),
    ]
