"""When a request came to its end; for how long it is kept from then on is retention's to say."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('rights', '0009_calls_of_others'),
    ]

    operations = [
        migrations.AddField(
            model_name='submission',
            name='ended_at',
            field=models.DateTimeField(null=True),
        ),
    ]
