from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0007_how_people_sign_in_and_who_looks_over_grants")]

    operations = [
        migrations.AddField(
            model_name="membership",
            name="withheld_from",
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
