"""A file that ends each worker which reads it is set aside; how many it ended is kept with its import."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("calls", "0022_when_a_tracker_said_so")]

    operations = [
        migrations.AddField(
            "callimport", "tries", models.PositiveSmallIntegerField(default=0, db_default=0)
        ),
    ]
