"""The labels of choices in plain words; the stored values stay."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("rights", "0028_sensitive_data_of_a_client"),
    ]

    operations = [
        migrations.AlterField(
            model_name="identity",
            name="state",
            field=models.CharField(
                choices=[
                    ("claimed", "Claimed"),
                    ("proven", "Verified"),
                    ("doubtful", "Under review"),
                    ("refused", "Not verified"),
                ],
                default="claimed",
                max_length=10,
            ),
        ),
    ]
