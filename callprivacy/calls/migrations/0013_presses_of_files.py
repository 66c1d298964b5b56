"""Which keys only a file says were pressed; of those that are there nobody knows, and they are done with."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("calls", "0012_numbers_shown_for_vendors")]

    operations = [
        migrations.AddField(
            model_name="callpress", name="from_file", field=models.BooleanField(default=False)
        ),
    ]
