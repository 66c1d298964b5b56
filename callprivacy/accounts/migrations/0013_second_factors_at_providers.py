from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0012_which_agencies_a_sign_in_opens'),
    ]

    operations = [
        migrations.AddField(
            model_name='providerlink',
            name='with_factor',
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
