from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("calls", "0021_announcements_on_recordings")]

    operations = [migrations.AddField("inbox", "said_at", models.DateTimeField(null=True))]
