"""How many of a list were left out since the law takes the question for advertising."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("consent", "0022_messages_sent_again")]

    operations = [
        migrations.AddField(
            model_name="invitationbatch", name="left_by_law", field=models.PositiveIntegerField(default=0)
        ),
    ]
