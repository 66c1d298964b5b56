from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("rights", "0027_planned_notifications"),
    ]

    operations = [
        migrations.AddField(
            model_name="clientfacts",
            name="sensitive",
            field=models.BooleanField(null=True),
        ),
    ]
