"""Codes by mail and codes by phone are told apart, so that the ones do not use up the limit of the others."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("rights", "0006_board_of_many_clients")]

    operations = [
        migrations.AddField(
            model_name="housecode", name="by_mail", field=models.BooleanField(default=False)
        ),
    ]
