from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('rights', '0020_objections_that_wait_for_a_number'),
    ]

    operations = [
        migrations.AddField(
            model_name='submission',
            name='said_at',
            field=models.DateTimeField(null=True),
        ),
    ]
