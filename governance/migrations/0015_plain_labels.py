"""The labels of choices in plain words; the stored values stay."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('governance', '0014_vendors_that_come_back'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='doorhours',
            options={'base_manager_name': 'objects', 'verbose_name': 'access hours', 'verbose_name_plural': 'access hours'},
        ),
        migrations.AlterField(
            model_name='breach',
            name='kind',
            field=models.CharField(blank=True, choices=[('confidentiality', 'Unauthorized disclosure or access'), ('integrity', 'Unauthorized or accidental alteration'), ('availability', 'Loss of data or of access to it')], max_length=16),
        ),
        migrations.AlterField(
            model_name='breach',
            name='risk',
            field=models.CharField(blank=True, choices=[('unlikely', 'Unlikely to harm people'), ('risk', 'A risk to people'), ('high', 'A high risk to people')], max_length=10),
        ),
        migrations.AlterField(
            model_name='breach',
            name='state',
            field=models.CharField(choices=[('reported', 'Reported'), ('open', 'Open'), ('closed', 'Closed'), ('dismissed', 'Dismissed')], default='reported', max_length=10),
        ),
        migrations.AlterField(
            model_name='breachnotice',
            name='state',
            field=models.CharField(choices=[('due', 'Pending'), ('sent', 'Sent'), ('not_needed', 'Not required')], default='due', max_length=10),
        ),
        migrations.AlterField(
            model_name='breachnotice',
            name='to',
            field=models.CharField(choices=[('authority', 'Supervisory authority'), ('client', 'Client as controller'), ('people', 'Affected people'), ('state', 'Residents of a US state'), ('office', 'Attorney general or other US state office'), ('place', 'Recipients under another law')], max_length=10),
        ),
        migrations.AlterField(
            model_name='entry',
            name='flags',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('outside_hours', 'Outside access hours'), ('no_right', 'No access right'), ('left', 'Badge of a former member'), ('no_exit', 'No exit recorded'), ('unknown', 'Unknown badge'), ('no_badge', 'No badge'), ('no_host', 'Unknown host')], max_length=16), default=list),
        ),
        migrations.AlterField(
            model_name='vendor',
            name='role',
            field=models.CharField(choices=[('processor', 'Processor'), ('sub_processor', 'Sub-processor'), ('controller', 'Independent controller'), ('joint', 'Joint controller')], default='processor', max_length=16),
        ),
        migrations.AlterField(
            model_name='vendor',
            name='transfer',
            field=models.CharField(choices=[('none', 'No transfer out of the EEA or the UK'), ('adequacy', 'Adequacy decision (article 45)'), ('dpf', 'EU-US Data Privacy Framework'), ('clauses', 'Standard contractual clauses (article 46)'), ('rules', 'Binding corporate rules (article 47)'), ('unknown', 'Unknown')], default='unknown', max_length=12),
        ),
        migrations.AlterField(
            model_name='vendorreview',
            name='decision',
            field=models.CharField(choices=[('approved', 'Approved'), ('conditions', 'Approved with conditions'), ('refused', 'Rejected')], max_length=12),
        ),
    ]
