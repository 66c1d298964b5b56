from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('governance', '0010_hosts_see_their_visitors'),
    ]

    operations = [
        migrations.AlterField(
            model_name='breachnotice',
            name='to',
            field=models.CharField(choices=[('authority', 'Supervisory authority'), ('client', 'Client that is the controller'), ('people', 'The people concerned'), ('state', 'People of a US state'), ('office', 'Attorney general or another office of a US state'), ('place', 'Whom the law of a place names that has no rule here')], max_length=10),
        ),
    ]
