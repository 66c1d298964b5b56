"""The page and the keyword that a call came from, of clients that keep them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("calls", "0029_permissions_on_calls"), ("tenancy", "0026_landing_pages_and_keywords")]

    operations = [
        migrations.AddField(
            "call", "landing_page", models.CharField(blank=True, db_default="", max_length=120)
        ),
        migrations.AddField("call", "keyword", models.CharField(blank=True, db_default="", max_length=120)),
    ]
