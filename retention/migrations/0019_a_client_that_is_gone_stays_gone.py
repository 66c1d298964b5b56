"""Once a file was written anew, or what nobody read was counted, a client that leaves is not taken back."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("retention", "0018_steps_given_up_stay_counted")]

    operations = [
        migrations.AddField(
            model_name="offboarding",
            name="stays_shut",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
