"""
Sums are told in lists of their own, which protect each caller's part (docs/adr/0152).

Sums that were stored without it are removed, and every client's cells are made anew: until then its sums are suppressed,
and so they stay where calls have left already.
"""

import django.core.validators
from django.db import migrations, models

from analytics.enums import Sheet, Sum

_TOUCH_RULE = """
CREATE OR REPLACE FUNCTION analytics_touch_rule_update() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO analytics_touched (agency_id, client_id, hour)
    WITH changed AS (
        (SELECT {columns} FROM fresh EXCEPT SELECT {columns} FROM gone)
        UNION (SELECT {columns} FROM gone EXCEPT SELECT {columns} FROM fresh)
    ) SELECT DISTINCT agency_id, client_id, NULL::timestamptz FROM changed;
    RETURN NULL;
END $$;
"""
_COLUMNS = "agency_id, client_id, conversion, seconds, tags, k"


class Migration(migrations.Migration):
    dependencies = [("analytics", "0020_rules_of_exact_reports")]

    operations = [
        migrations.AddField(
            model_name="reportrule",
            name="p",
            field=models.PositiveSmallIntegerField(
                "percent by which nobody may find out another caller's part of a sum",
                default=15,
                db_default=15,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(100),
                ],
            ),
        ),
        migrations.AlterField("cell", "seconds", models.BigIntegerField(null=True)),
        migrations.AlterField("cell", "value_cents", models.BigIntegerField(null=True)),
        migrations.AlterField(
            "cell",
            "sheet",
            models.PositiveSmallIntegerField(
                choices=[(one + more, f"{one.name} {more.name}") for more in Sum for one in Sheet]
            ),
        ),
        migrations.RunSQL(_TOUCH_RULE.format(columns=f"{_COLUMNS}, p"), _TOUCH_RULE.format(columns=_COLUMNS)),
        migrations.RunSQL(
            """
            UPDATE analytics_cell SET seconds = NULL, value_cents = NULL;
            INSERT INTO analytics_touched (agency_id, client_id, hour)
            SELECT DISTINCT agency_id, client_id, NULL::timestamptz FROM analytics_span;
            """,
            migrations.RunSQL.noop,
        ),
    ]
