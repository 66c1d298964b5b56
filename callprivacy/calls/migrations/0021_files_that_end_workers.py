"""A file that ends each worker which reads it is set aside; how many it ended is kept with its import."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("calls", "0020_restricted_from_a_call_on")]

    operations = [
        migrations.AddField(
            "callimport", "tries", models.PositiveSmallIntegerField(default=0, db_default=0)
        ),
    ]
