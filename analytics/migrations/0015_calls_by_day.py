"""
Calls counted by day, so that the first page adds up a few rows where it counted every call of four weeks.

The hours of the last weeks are touched, so that the job that makes cells counts their days.
"""

import django.db.models.deletion
from django.db import migrations, models

from callprivacy.tenancy import rls

_TOUCH = """
INSERT INTO analytics_touched (agency_id, client_id, hour)
SELECT DISTINCT agency_id, client_id, date_trunc('hour', to_timestamp(
    ('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0), 'UTC')
FROM calls_call
WHERE id >= (lpad(to_hex((extract(epoch FROM now() - interval '35 days') * 1000)::bigint), 12, '0')
    || '00000000000000000000')::uuid
"""


class Migration(migrations.Migration):
    dependencies = [("analytics", "0014_clients_whose_calls_are_counted")]

    operations = [
        migrations.CreateModel(
            name="DayCount",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("day", models.DateField()),
                ("calls", models.PositiveIntegerField()),
                ("answered", models.PositiveIntegerField()),
                ("withheld", models.PositiveIntegerField()),
                ("consent", models.PositiveIntegerField()),
                ("notice", models.PositiveIntegerField()),
                ("law", models.PositiveIntegerField()),
                ("agency", models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenancy.agency")),
                ("client", models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenancy.client")),
            ],
            options={"base_manager_name": "objects"},
        ),
        migrations.AddConstraint(
            model_name="daycount",
            constraint=models.UniqueConstraint(fields=("client", "day"), name="analytics_daycount_once_a_day"),
        ),
        rls.ClientRows("analytics_daycount", read="view_calls", write=None),
        rls.AgencyClientKey("analytics_daycount"),
        migrations.RunSQL(_TOUCH, migrations.RunSQL.noop),
    ]
