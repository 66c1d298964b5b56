from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("calls", "0020_restricted_from_a_call_on")]

    operations = [migrations.AddField("inbox", "said_at", models.DateTimeField(null=True))]
