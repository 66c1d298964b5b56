from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('governance', '0011_laws_of_places_without_a_rule'),
    ]

    operations = [
        migrations.AddField(
            model_name='breach',
            name='account',
            field=models.BinaryField(null=True),
        ),
        migrations.AddField(
            model_name='breachnotice',
            name='told_at',
            field=models.DateTimeField(null=True),
        ),
    ]
