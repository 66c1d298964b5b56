"""What an agency wants a client's calls to reach."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from callprivacy.tenancy import rls


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0022_currency_and_number_format"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Goal",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("measure", models.CharField(choices=[("answered_share", "Share answered (percent)"), ("missed", "Calls missed"), ("calls", "Calls"), ("conversions", "Qualified calls"), ("conversion_rate", "Share qualified (percent)"), ("cost_each", "Cost per qualified call")], max_length=20)),
                ("missed", models.CharField(choices=[("below", "below"), ("above", "above")], max_length=5)),
                ("hundredths", models.BigIntegerField()),
                ("period", models.CharField(choices=[("week", "a week"), ("month", "a month")], max_length=5)),
                ("created_at", models.DateTimeField()),
                ("alerted_on", models.DateField(null=True)),
                ("agency", models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenancy.agency")),
                ("client", models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenancy.client")),
                ("created_by", models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL)),
            ],
            options={
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(fields=("client", "measure", "missed", "period"), name="analytics_goal_once_a_client"),
                    models.CheckConstraint(condition=models.Q(("hundredths__gte", 0)), name="analytics_goal_not_negative"),
                ],
            },
        ),
        rls.ClientRows("analytics_goal", read="view_analytics", write="view_analytics"),
        rls.AgencyClientKey("analytics_goal"),
    ]
