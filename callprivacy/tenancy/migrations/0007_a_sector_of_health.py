"""Health becomes a trade of its own beside dentists: what is said may be about health in both."""

from django.db import migrations, models

_SECTORS = [
    ("home", "Home services"),
    ("dental", "Dental"),
    ("health", "Health: medicine, therapy, care"),
    ("legal", "Legal"),
    ("retail", "Retail"),
    ("auto", "Automotive"),
    ("property", "Property"),
    ("other", "Other"),
]


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0006_answering_calls")]

    operations = [
        migrations.AlterField(
            model_name="client",
            name="sector",
            field=models.CharField(choices=_SECTORS, default="other", max_length=20),
        ),
    ]
