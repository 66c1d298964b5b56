"""Indexes of what is asked for each minute, and of what leaves: unread and told since, done and over."""

from django.db import migrations, models

from callprivacy.lib.beside import AddIndexBeside


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("work", "0003_claims_end")]

    operations = [
        AddIndexBeside(
            "notification",
            models.Index(fields=["agency", "user"], condition=models.Q(read_at__isnull=True), name="work_notification_unread"),
        ),
        AddIndexBeside("notification", models.Index(fields=["agency", "at"], name="work_notification_told")),
        AddIndexBeside(
            "item",
            models.Index(fields=["agency", "closed_at"], condition=models.Q(closed_at__isnull=False), name="work_item_closed"),
        ),
        AddIndexBeside(
            "period",
            models.Index(fields=["agency", "ends_at"], condition=models.Q(ends_at__isnull=False), name="work_period_ends"),
        ),
    ]
