"""How many links for a new password a person was sent; a newer one ends those before."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0019_who_invited_whom")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="password_links",
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False),
        ),
    ]
