"""The labels of choices in plain words; the stored values stay."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('retention', '0022_who_proposes_does_not_agree'),
    ]

    operations = [
        migrations.AlterField(
            model_name='leftover',
            name='state',
            field=models.CharField(choices=[('open', 'Not confirmed deleted'), ('asked', 'Deletion step open'), ('gone', 'Deleted')], default='open', max_length=10),
        ),
    ]
