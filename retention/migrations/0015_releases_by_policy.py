from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('retention', '0014_secrets_of_others_doors'),
        ('tenancy', '0019_days_of_releases'),
    ]

    operations = [
        migrations.AlterField(
            model_name='housepart',
            name='category',
            field=models.CharField(choices=[('call', 'Call records, calls in'), ('call_out', 'Call records, calls out'), ('identity', 'Number and identity'), ('recording', 'Recordings'), ('transcript', 'Transcripts'), ('consent', 'Evidence of consent'), ('withdrawal', 'Evidence of withdrawal'), ('export', 'Exports'), ('release', 'Releases'), ('inbox', 'Inbox'), ('trail', 'Staff trail'), ('request', 'Requests'), ('training', 'Training'), ('premises', 'Premises access')], max_length=12),
        ),
        migrations.AlterField(
            model_name='policy',
            name='category',
            field=models.CharField(choices=[('call', 'Call records, calls in'), ('call_out', 'Call records, calls out'), ('identity', 'Number and identity'), ('recording', 'Recordings'), ('transcript', 'Transcripts'), ('consent', 'Evidence of consent'), ('withdrawal', 'Evidence of withdrawal'), ('export', 'Exports'), ('release', 'Releases'), ('inbox', 'Inbox'), ('trail', 'Staff trail'), ('request', 'Requests'), ('training', 'Training'), ('premises', 'Premises access')], max_length=12),
        ),
        migrations.AlterField(
            model_name='policychange',
            name='category',
            field=models.CharField(choices=[('call', 'Call records, calls in'), ('call_out', 'Call records, calls out'), ('identity', 'Number and identity'), ('recording', 'Recordings'), ('transcript', 'Transcripts'), ('consent', 'Evidence of consent'), ('withdrawal', 'Evidence of withdrawal'), ('export', 'Exports'), ('release', 'Releases'), ('inbox', 'Inbox'), ('trail', 'Staff trail'), ('request', 'Requests'), ('training', 'Training'), ('premises', 'Premises access')], max_length=12),
        ),
        migrations.AlterField(
            model_name='runpart',
            name='category',
            field=models.CharField(choices=[('call', 'Call records, calls in'), ('call_out', 'Call records, calls out'), ('identity', 'Number and identity'), ('recording', 'Recordings'), ('transcript', 'Transcripts'), ('consent', 'Evidence of consent'), ('withdrawal', 'Evidence of withdrawal'), ('export', 'Exports'), ('release', 'Releases'), ('inbox', 'Inbox'), ('trail', 'Staff trail'), ('request', 'Requests'), ('training', 'Training'), ('premises', 'Premises access')], db_default='call', default='call', max_length=12),
        ),
    ]
