from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('rights', '0021_by_when_it_was_said'),
    ]

    operations = [
        migrations.AddField(
            model_name='case',
            name='said_at',
            field=models.DateTimeField(null=True),
        ),
    ]
