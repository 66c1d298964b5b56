import django.contrib.postgres.fields
import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models

from callprivacy.tenancy import rls

_MANAGERS = "agency_id = (SELECT scope_agency()) AND (SELECT scope_knows_all_clients())"
# The page at a door finds its own link in the scope of client 0 of its agency, and nothing else.
_DOOR = "agency_id = (SELECT scope_agency()) AND (SELECT scope_kind()) = 'client' AND (SELECT scope_client()) = 0"


class Migration(migrations.Migration):

    dependencies = [
        ('governance', '0006_how_training_stands_and_hours_of_rooms'),
        ('tenancy', '0017_public_keys_of_doors'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='KioskLink',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('digest', models.BinaryField(max_length=32)),
                ('made_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField()),
                ('last_used_on', models.DateField(blank=True, null=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('made_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='kiosks', to='governance.site')),
            ],
            options={
                'base_manager_name': 'objects',
                'constraints': [models.UniqueConstraint(fields=('agency', 'digest'), name='governance_kiosklink_digest'), models.UniqueConstraint(condition=models.Q(('ended_at__isnull', True)), fields=('agency', 'site'), name='governance_kiosklink_one_a_site')],
            },
        ),
        migrations.AddField(
            model_name='entry',
            name='host_said',
            field=models.CharField(blank=True, db_default='', max_length=120),
        ),
        migrations.AddField(
            model_name='entry',
            name='number_digest',
            field=models.BinaryField(max_length=32, null=True),
        ),
        migrations.AlterField(
            model_name='entry',
            name='flags',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('outside_hours', 'Outside the hours'), ('no_right', 'Without a right'), ('left', 'Badge of somebody who left'), ('no_exit', 'Never left'), ('unknown', 'Unknown badge'), ('no_badge', 'Came without a badge'), ('no_host', 'Host not known here')], max_length=16), default=list, size=None),
        ),
        migrations.AddConstraint(
            model_name='entry',
            constraint=models.UniqueConstraint(condition=models.Q(('number_digest__isnull', False)), fields=('agency', 'site', 'number_digest'), name='governance_entry_number_once'),
        ),
        rls.Policies("governance_kiosklink", read=f"({_MANAGERS}) OR ({_DOOR})", write=_MANAGERS),
    ]
