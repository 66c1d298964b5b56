from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tenancy', '0010_public_keys_of_requests'),
    ]

    operations = [
        migrations.AddField(
            model_name='agency',
            name='needs_reviewed_vendors',
            field=models.BooleanField(db_default=False, default=False, verbose_name='connections open for reviewed vendors alone'),
        ),
        migrations.AddField(
            model_name='agency',
            name='reviewed_vendors',
            field=models.JSONField(blank=True, db_default=models.Value({}, models.JSONField()), default=dict, editable=False),
        ),
        migrations.AlterField(
            model_name='publickey',
            name='purpose',
            field=models.CharField(choices=[('hook', 'Webhook of a connection'), ('invitation', 'Invitation link'), ('consent', 'Consent page of a client'), ('ask', 'Personal link in an invitation'), ('api', 'Key of the API'), ('request', 'Requests page of a client or an agency'), ('case', 'Personal page of one request'), ('approval', 'Approval link for a client'), ('premises', 'Key of a badge system')], max_length=12),
        ),
    ]
