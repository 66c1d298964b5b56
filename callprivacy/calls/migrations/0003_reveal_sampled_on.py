"""Which weekly sample a reveal was drawn for, so that the officers read the same rows whenever they look; and their order on the page."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("calls", "0002_order_in_64_bits")]

    operations = [
        migrations.AddField("reveal", "sampled_on", models.DateField(null=True)),
        migrations.AddIndex(
            "reveal",
            models.Index(
                fields=["agency", "sampled_on"],
                condition=models.Q(("sampled_on__isnull", False)),
                name="calls_reveal_sampled",
            ),
        ),
        migrations.AddIndex(
            "reveal", models.Index(fields=["agency", "event_id"], name="calls_reveal_newest")
        ),
    ]
