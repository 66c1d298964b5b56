"""Calls from an agent to a caller that a vendor connects without the number being seen."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import callprivacy.vault.fields
from callprivacy.tenancy import rls

_PROTECT = django.db.models.deletion.PROTECT


class Migration(migrations.Migration):
    dependencies = [
        ("consent", "0011_what_systems_wrote"),
        ("calls", "0010_keys_checked_once_a_statement"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="CallBack",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("agency", models.ForeignKey(db_constraint=False, db_index=False, on_delete=_PROTECT, related_name="+", to="tenancy.agency")),
                ("client", models.ForeignKey(db_constraint=False, db_index=False, on_delete=_PROTECT, related_name="+", to="tenancy.client")),
                ("caller_id", models.UUIDField()),
                ("user", models.ForeignKey(on_delete=_PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
                ("connection", models.ForeignKey(db_constraint=False, on_delete=_PROTECT, related_name="+", to="calls.connection")),
                ("tracking_number", models.ForeignKey(db_constraint=False, on_delete=_PROTECT, related_name="+", to="calls.trackingnumber")),
                ("agent_number", callprivacy.vault.fields.SealedField(null=True)),
                ("state", models.CharField(choices=[("waiting", "Waiting"), ("sent", "Sent"), ("done", "Done"), ("failed", "Failed"), ("cancelled", "Cancelled")], default="waiting", max_length=10)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("last_error", models.CharField(blank=True, max_length=200)),
                ("created_at", models.DateTimeField()),
                ("due_at", models.DateTimeField(null=True)),
                ("rang_at", models.DateTimeField(null=True)),
                ("connected_at", models.DateTimeField(null=True)),
            ],
            options={
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(condition=models.Q(("due_at__isnull", False)), fields=["agency", "due_at"], name="consent_callback_due"),
                    models.Index(fields=["client", "caller_id", "-created_at"], name="consent_callback_of_caller"),
                    models.Index(fields=["agency", "created_at"], name="consent_callback_oldest"),
                ],
            },
        ),
        rls.ClientRows("consent_callback", read="manage_consent", write="manage_consent"),
        rls.AgencyClientKey("consent_callback"),
        rls.ClientKey("consent_callback", "connection_id", "calls_connection"),
        rls.ClientKey("consent_callback", "tracking_number_id", "calls_trackingnumber"),
    ]
