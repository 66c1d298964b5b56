"""Since when the mail of a notification has been due, which its tries do not move."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("work", "0004_what_is_looked_for")]

    operations = [
        migrations.AddField("notification", "mail_due_since", models.DateTimeField(null=True)),
    ]
