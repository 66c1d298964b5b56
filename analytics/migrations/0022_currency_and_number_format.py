"""A client's currency and number format; empty: as in its country."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("analytics", "0021_sums_that_protect_callers")]

    operations = [
        migrations.AddField(
            "reportrule", "currency", models.CharField(max_length=3, blank=True, default="", db_default="")
        ),
        migrations.AddField(
            "reportrule", "number_format", models.CharField(max_length=5, blank=True, default="", db_default="")
        ),
        migrations.AddConstraint(
            "reportrule",
            models.CheckConstraint(
                condition=models.Q(currency__regex=r"^([A-Z]{3})?$"), name="analytics_reportrule_currency"
            ),
        ),
    ]
