"""Sources and mediums that are no common ones, for a person to confirm; what calls hold by now counts as confirmed."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from callprivacy.tenancy import rls

# What has as many digits as a telephone number is left to be asked about.
_CONFIRM_STORED = """
    INSERT INTO calls_knownvalue
        (agency_id, client_id, field, value, stored_as, first_seen_at, decided_at, filled_at)
    SELECT agency_id, client_id, field, value, value, now(), now(), now() FROM (
        SELECT agency_id, client_id, 'source' AS field, source AS value FROM calls_call GROUP BY 1, 2, 4
        UNION ALL SELECT agency_id, client_id, 'medium', medium FROM calls_call GROUP BY 1, 2, 4) AS stored
    WHERE value <> '' AND length(regexp_replace(value, '[^[:digit:]]', '', 'g')) < 7;
    -- The table's last key is added after this, which PostgreSQL refuses while rows wait for their check.
    SET CONSTRAINTS ALL IMMEDIATE;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("calls", "0025_first_of_two"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="KnownValue",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("field", models.CharField(max_length=10)),
                ("value", models.CharField(max_length=120)),
                ("stored_as", models.CharField(blank=True, max_length=120)),
                ("first_seen_at", models.DateTimeField()),
                ("decided_at", models.DateTimeField(null=True)),
                ("filled_at", models.DateTimeField(null=True)),
                (
                    "agency",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenancy.agency",
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenancy.client",
                    ),
                ),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"abstract": False, "base_manager_name": "objects"},
        ),
        migrations.AddConstraint(
            "knownvalue",
            models.UniqueConstraint(
                fields=("client", "field", "value"), name="calls_knownvalue_once_a_client"
            ),
        ),
        migrations.AddIndex(
            "knownvalue",
            models.Index(
                fields=["agency", "client"],
                condition=models.Q(decided_at__isnull=False, filled_at__isnull=True),
                name="calls_knownvalue_to_fill",
            ),
        ),
        migrations.AddIndex(
            "call",
            models.Index(
                fields=["client", "medium"],
                condition=models.Q(medium__startswith="New value "),
                name="calls_call_medium_waits",
            ),
        ),
        rls.ClientRows("calls_knownvalue", read="manage_connections", write="manage_connections"),
        rls.AgencyClientKey("calls_knownvalue"),
        migrations.RunSQL(_CONFIRM_STORED, migrations.RunSQL.noop),
    ]
