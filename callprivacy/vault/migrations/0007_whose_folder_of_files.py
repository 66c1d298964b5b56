from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("vault", "0006_refusals_that_changed")]

    operations = [
        migrations.CreateModel(
            name="FolderMark",
            fields=[
                ("folder", models.CharField(max_length=10, primary_key=True, serialize=False)),
                ("mark", models.UUIDField()),
                ("made_at", models.DateTimeField()),
            ],
        ),
    ]
