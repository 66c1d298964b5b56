from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("consent", "0016_ages_and_registers")]

    operations = [
        migrations.AddField(
            model_name="reply",
            name="sender_digest",
            field=models.BinaryField(max_length=32, null=True),
        ),
    ]
