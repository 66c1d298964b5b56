"""Until when somebody who is an officer or manager no more still counts for second signatures."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0020_links_for_a_new_password")]

    operations = [
        migrations.AddField(
            model_name="membership",
            name="officer_until",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="membership",
            name="manager_until",
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
