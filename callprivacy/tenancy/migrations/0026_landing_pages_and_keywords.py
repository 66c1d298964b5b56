"""Whether a client's calls keep the page and the keyword that they came from."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0025_exact_reports")]

    operations = [
        migrations.AddField(
            "client",
            "keeps_attribution",
            models.BooleanField("keep landing pages and keywords", default=False, db_default=False),
        ),
    ]
