"""An answer that asks for a second yes, and the words that confirm a message."""

import django.db.models.deletion
from django.db import migrations, models

from callprivacy.tenancy import rls


class Migration(migrations.Migration):
    dependencies = [("consent", "0005_web_pages_and_subscriptions")]

    operations = [
        migrations.AddField(
            "invitation",
            "confirms",
            models.ForeignKey(
                db_constraint=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+",
                to="consent.invitation",
            ),
        ),
        migrations.AddField(
            "reply",
            "confirm_words",
            models.CharField(blank=True, db_default="", default="", max_length=320),
        ),
        rls.ClientKey("consent_invitation", "confirms_id", "consent_invitation", on_delete="CASCADE"),
    ]
