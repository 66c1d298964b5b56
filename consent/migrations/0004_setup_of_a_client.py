"""Which steps of setting up a client a person has settled."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from callprivacy.tenancy import rls

_STEPS = [
    ("blueprint", "Blueprint"),
    ("engagement", "Engagement"),
    ("tracker", "Call tracker"),
    ("backfill", "Past calls"),
    ("numbers", "Numbers"),
    ("findings", "What was found"),
    ("people", "People"),
    ("words", "Words and snippet"),
    ("live", "Go live"),
]


class Migration(migrations.Migration):
    dependencies = [
        ("consent", "0003_tasks_of_a_number"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="SetupMark",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("agency", models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenancy.agency")),
                ("client", models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenancy.client")),
                ("step", models.CharField(choices=_STEPS, max_length=12)),
                ("note", models.CharField(blank=True, max_length=200)),
                ("marked_by", models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
                ("marked_at", models.DateTimeField()),
            ],
            options={
                "base_manager_name": "objects",
                "constraints": [models.UniqueConstraint(fields=("client", "step"), name="consent_setupmark_once")],
            },
        ),
        rls.ClientRows("consent_setupmark", read="view_client", write="manage_consent"),
        rls.AgencyClientKey("consent_setupmark"),
    ]
