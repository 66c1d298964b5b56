from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0009_calls_that_went_out")]

    operations = [
        migrations.AlterField(
            model_name="publickey",
            name="purpose",
            field=models.CharField(
                choices=[
                    ("hook", "Webhook of a connection"),
                    ("invitation", "Invitation link"),
                    ("consent", "Consent page of a client"),
                    ("ask", "Personal link in an invitation"),
                    ("api", "Key of the API"),
                    ("request", "Requests page of a client or an agency"),
                    ("case", "Personal page of one request"),
                    ("approval", "Approval link for a client"),
                ],
                max_length=12,
            ),
        ),
    ]
