"""A message that a person sends again is tried for three days and kept for a week from then."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("consent", "0021_noes_end_files_of_calls")]

    operations = [
        migrations.AddField(
            model_name="webhookdelivery", name="retried_at", field=models.DateTimeField(null=True)
        ),
    ]
