"""Whether a person gave the same sentence before, without reading everything that person ever showed."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("calls", "0004_call_by_source_and_campaign")]

    operations = [
        migrations.AddIndex(
            "reveal",
            models.Index(fields=["agency", "user", "reason_digest", "at"], name="calls_reveal_same_reason"),
        ),
    ]
