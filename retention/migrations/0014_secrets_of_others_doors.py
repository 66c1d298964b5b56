from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('retention', '0013_which_months_of_the_trail_leave'),
    ]

    operations = [
        migrations.AlterField(
            model_name='rotation',
            name='kind',
            field=models.CharField(choices=[('master', 'Master key'), ('client', 'Keys of clients'), ('token', 'Token keys of clients'), ('signing', 'Signing keys'), ('connection', 'Secrets of connections'), ('api', 'Keys of the API'), ('endpoint', 'Secrets of endpoints'), ('django', 'Key of sessions and forms'), ('metrics', 'Token of the metrics'), ('backup', 'Recipients of backups'), ('database', 'Passwords of the databases'), ('sign_in', 'Secret of the sign-in provider'), ('mail', 'Password of the mail server'), ('mail_in', 'Secret of incoming mail'), ('texts', "Token of the texts' account"), ('queue', 'Password of the queue'), ('store', 'Key of stored files')], max_length=12),
        ),
        migrations.AlterField(
            model_name='secretlimit',
            name='kind',
            field=models.CharField(choices=[('master', 'Master key'), ('client', 'Keys of clients'), ('token', 'Token keys of clients'), ('signing', 'Signing keys'), ('connection', 'Secrets of connections'), ('api', 'Keys of the API'), ('endpoint', 'Secrets of endpoints'), ('django', 'Key of sessions and forms'), ('metrics', 'Token of the metrics'), ('backup', 'Recipients of backups'), ('database', 'Passwords of the databases'), ('sign_in', 'Secret of the sign-in provider'), ('mail', 'Password of the mail server'), ('mail_in', 'Secret of incoming mail'), ('texts', "Token of the texts' account"), ('queue', 'Password of the queue'), ('store', 'Key of stored files')], max_length=12),
        ),
    ]
