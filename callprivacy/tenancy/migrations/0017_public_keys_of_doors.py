from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0016_public_keys_of_sign_in")]

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
                    ("premises", "Key of a badge system"),
                    ("binder", "Link to a binder of proof"),
                    ("handover", "Link to what a client that leaves is given"),
                    ("moved", "Page or link of a client that has left"),
                    ("sign_in", "Sign-in address of an agency"),
                    ("kiosk", "Page at a site's door"),
                ],
                max_length=12,
            ),
        ),
    ]
