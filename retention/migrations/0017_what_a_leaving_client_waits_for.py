"""What a leaving client waits for has an end: what came in to be read, and folders to be emptied."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("retention", "0016_what_came_after_the_file")]

    operations = [
        migrations.AddField(
            model_name="offboarding",
            name="waits_since",
            field=models.DateTimeField(null=True),
        ),
    ]
