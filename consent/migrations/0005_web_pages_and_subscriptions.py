"""A client's public page and its key; addresses at which people want to be told of changes."""

import uuid

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import callprivacy.vault.fields
from callprivacy.tenancy import rls


def _ours():
    return [
        ("agency", models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenancy.agency")),
        ("client", models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenancy.client")),
    ]


class Migration(migrations.Migration):
    dependencies = [("consent", "0004_setup_of_a_client")]

    operations = [
        migrations.CreateModel(
            name="WebPage",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                *_ours(),
                ("key", models.CharField(max_length=64)),
                ("origins", django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=200), blank=True, default=list, size=None)),
                ("swap_url", models.URLField(blank=True, max_length=500)),
                ("swap_integrity", models.CharField(blank=True, max_length=120)),
                ("swap_needs_consent", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField()),
                ("key_changed_at", models.DateTimeField()),
            ],
            options={
                "base_manager_name": "objects",
                "constraints": [models.UniqueConstraint(fields=("client",), name="consent_webpage_one_a_client")],
            },
        ),
        migrations.CreateModel(
            name="Subscription",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                *_ours(),
                ("caller_id", models.UUIDField()),
                ("address", callprivacy.vault.fields.SealedField()),
                ("language", models.CharField(choices=[("en", "English"), ("es", "Spanish")], default="en", max_length=2)),
                ("on_change", models.BooleanField(default=False, verbose_name="when my choices change")),
                ("on_notice", models.BooleanField(default=False, verbose_name="when a notice that I agreed to changes")),
                ("created_at", models.DateTimeField()),
                ("asked_at", models.DateTimeField(null=True)),
                ("confirmed_at", models.DateTimeField(null=True)),
                ("told_at", models.DateTimeField()),
                ("due_at", models.DateTimeField(null=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
            ],
            options={
                "base_manager_name": "objects",
                "indexes": [models.Index(fields=["agency", "due_at"], name="consent_subscription_due")],
                "constraints": [
                    models.UniqueConstraint(fields=("client", "caller_id"), name="consent_subscription_one_a_caller")
                ],
            },
        ),
        rls.ClientRows("consent_webpage", read="view_client", write="manage_consent"),
        rls.AgencyClientKey("consent_webpage"),
        rls.ClientRows("consent_subscription", read="manage_consent", write="manage_consent"),
        rls.AgencyClientKey("consent_subscription"),
    ]
