"""When an invitation's mail left, so that one that did not can be sent again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_managers_alone_change_people")]

    operations = [
        migrations.AddField("invitation", "sent_at", models.DateTimeField(blank=True, null=True)),
    ]
