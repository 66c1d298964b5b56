"""A file is written anew where something came after it, and the page says how much."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("retention", "0015_releases_by_policy")]

    operations = [
        migrations.AddField(
            model_name="offboarding",
            name="came_since",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
    ]
