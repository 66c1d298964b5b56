"""Links in news by e-mail prove no more than the link behind which the address was given; of old ones nobody knows."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("consent", "0018_numbers_to_systems_and_narrow_writes")]

    operations = [
        migrations.AddField(
            model_name="subscription",
            name="strength",
            field=models.CharField(
                choices=[
                    ("A", "Proven number, key press or signature of the person"),
                    ("B", "Authenticated e-mail"),
                    ("C", "Number not proven, or attested by a list"),
                ],
                default="C",
                max_length=1,
            ),
        ),
    ]
