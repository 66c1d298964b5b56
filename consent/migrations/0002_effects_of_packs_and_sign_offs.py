"""
What a pack of rules would change is counted by a job; counsel approves rules. The law is read by every scope of the
agency, public doors too, and written by who manages it and by jobs.
"""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from callprivacy.tenancy import rls

_MANAGERS = "agency_id = (SELECT scope_agency()) AND (SELECT scope_knows_all_clients())"
_STAFF = "agency_id = (SELECT scope_agency()) AND (SELECT scope_kind()) IN ('staff', 'job')"
_ANYBODY = "agency_id = (SELECT scope_agency()) AND (SELECT scope_kind()) IN ('staff', 'job', 'client')"


def _packs(*, read: str, write: str) -> str:
    return (
        f"ALTER POLICY consent_rulepack_read ON consent_rulepack USING ({read});"
        f"ALTER POLICY consent_rulepack_insert ON consent_rulepack WITH CHECK ({write});"
        f"ALTER POLICY consent_rulepack_update ON consent_rulepack USING ({write}) WITH CHECK ({write});"
        f"ALTER POLICY consent_rulepack_delete ON consent_rulepack USING ({write});"
    )


class Migration(migrations.Migration):
    dependencies = [
        ("consent", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField("rulepack", "due_at", models.DateTimeField(null=True)),
        migrations.AddField("rulepack", "counted_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "rulepack",
            "activated_by",
            models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddIndex(
            "rulepack",
            models.Index(
                condition=models.Q(("due_at__isnull", False)),
                fields=["agency", "due_at"],
                name="consent_rulepack_due",
            ),
        ),
        migrations.CreateModel(
            name="PackEffect",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("agency", models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenancy.agency")),
                ("client", models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenancy.client")),
                ("pack", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="effects", to="consent.rulepack")),
                ("counted", models.PositiveIntegerField(default=0)),
                ("newly_allowed", models.PositiveIntegerField(default=0)),
                ("newly_withheld", models.PositiveIntegerField(default=0)),
                ("cursor", models.UUIDField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "base_manager_name": "objects",
                "constraints": [models.UniqueConstraint(fields=("client", "pack"), name="consent_packeffect_once")],
            },
        ),
        migrations.CreateModel(
            name="RuleSignOff",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("agency", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenancy.agency")),
                ("rule_id", models.CharField(max_length=60)),
                ("rule_digest", models.CharField(max_length=64)),
                ("counsel", models.CharField(max_length=120)),
                ("signed_on", models.DateField()),
                ("recorded_by", models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
                ("recorded_at", models.DateTimeField()),
            ],
            options={
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(fields=("agency", "rule_id", "rule_digest"), name="consent_rulesignoff_once")
                ],
            },
        ),
        rls.ClientRows("consent_packeffect", read="view_client", write=None),
        rls.AgencyClientKey("consent_packeffect"),
        rls.Policies("consent_rulesignoff", read=_STAFF, write=_MANAGERS),
        migrations.RunSQL(_packs(read=_ANYBODY, write=_MANAGERS), _packs(read=_STAFF, write=_STAFF)),
    ]
