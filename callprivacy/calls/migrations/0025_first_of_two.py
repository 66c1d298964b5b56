"""How many rows of a file have a time that came twice in that night, and are read as its first."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("calls", "0024_where_a_sample_was_drawn")]

    operations = [
        migrations.AddField(
            "callimport", "first_of_two", models.PositiveIntegerField(default=0, db_default=0)
        ),
    ]
