"""By which rules of a client its calls become confidential."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from callprivacy.tenancy import rls

_OFFICERS = (
    "agency_id = (SELECT scope_agency()) AND client_id = ANY (ARRAY(SELECT scope_clients('view_calls')))"
    " AND ((SELECT scope_kind()) <> 'staff' OR (SELECT scope_signs_off()))"
)
_OTHER = {"on_delete": django.db.models.deletion.PROTECT, "related_name": "+"}


class Migration(migrations.Migration):
    dependencies = [
        ("calls", "0027_confidential_calls"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ConfidentialRule",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "cause",
                    models.CharField(
                        choices=[
                            ("officer", "An officer decided"),
                            ("health", "Health words in the transcript"),
                            ("minor", "The caller is a minor"),
                            ("employee", "An employee's own number"),
                            ("litigation", "A legal hold keeps it"),
                        ],
                        max_length=12,
                    ),
                ),
                ("switched_at", models.DateTimeField()),
                (
                    "agency",
                    models.ForeignKey(db_constraint=False, db_index=False, to="tenancy.agency", **_OTHER),
                ),
                (
                    "client",
                    models.ForeignKey(db_constraint=False, db_index=False, to="tenancy.client", **_OTHER),
                ),
                ("switched_by", models.ForeignKey(null=True, to=settings.AUTH_USER_MODEL, **_OTHER)),
            ],
            options={
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(fields=("client", "cause"), name="calls_confidentialrule_once"),
                    models.CheckConstraint(
                        condition=models.Q(("cause", "officer"), _negated=True),
                        name="calls_confidentialrule_is_no_person",
                    ),
                ],
            },
        ),
        rls.Policies("calls_confidentialrule", read=_OFFICERS, write=_OFFICERS),
        rls.AgencyClientKey("calls_confidentialrule"),
    ]
