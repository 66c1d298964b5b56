"""When an hour was touched that waits to be counted, so that one that waits too long is seen."""

from datetime import timedelta

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("analytics", "0015_calls_by_day")]

    operations = [
        migrations.AddField(
            "touched",
            "due_at",
            models.DateTimeField(db_default=Now() + models.Value(timedelta(minutes=45))),
        ),
        migrations.AddIndex(
            "touched",
            models.Index(fields=["agency", "due_at"], name="analytics_touched_by_due"),
        ),
    ]
