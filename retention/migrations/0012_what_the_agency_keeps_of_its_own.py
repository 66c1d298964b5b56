"""Requests, training and entries of premises leave by policies and runs; what a run does with the agency's own rows."""

import django.db.models.deletion
import uuid
from django.db import migrations, models

from callprivacy.tenancy import rls

_IN_AGENCY = "agency_id = (SELECT scope_agency())"
_JOB = f"{_IN_AGENCY} AND (SELECT scope_kind()) = 'job'"
_READ = f"{_IN_AGENCY} AND ((SELECT scope_kind()) = 'job' OR (SELECT scope_signs_off()))"
# Who signs off sees whether anything of the agency's own is held, also by a hold at a client that is not granted.
_HELD = """
CREATE FUNCTION retention_house_held() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT FROM retention_hold h
        WHERE h.agency_id = scope_agency() AND h.keeps_house AND h.lifted_at IS NULL)
$$;
"""

class Migration(migrations.Migration):

    dependencies = [
        ('retention', '0011_managers_may_stop_a_clients_end'),
        ('tenancy', '0013_public_keys_of_clients_that_left'),
    ]

    operations = [
        migrations.AddField(
            model_name='hold',
            name='keeps_house',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AlterField(
            model_name='policy',
            name='category',
            field=models.CharField(choices=[('call', 'Call records, calls in'), ('call_out', 'Call records, calls out'), ('identity', 'Number and identity'), ('recording', 'Recordings'), ('transcript', 'Transcripts'), ('consent', 'Evidence of consent'), ('withdrawal', 'Evidence of withdrawal'), ('export', 'Exports'), ('inbox', 'Inbox'), ('trail', 'Staff trail'), ('request', 'Requests'), ('training', 'Training'), ('premises', 'Premises access')], max_length=12),
        ),
        migrations.AlterField(
            model_name='policychange',
            name='category',
            field=models.CharField(choices=[('call', 'Call records, calls in'), ('call_out', 'Call records, calls out'), ('identity', 'Number and identity'), ('recording', 'Recordings'), ('transcript', 'Transcripts'), ('consent', 'Evidence of consent'), ('withdrawal', 'Evidence of withdrawal'), ('export', 'Exports'), ('inbox', 'Inbox'), ('trail', 'Staff trail'), ('request', 'Requests'), ('training', 'Training'), ('premises', 'Premises access')], max_length=12),
        ),
        migrations.AlterField(
            model_name='runpart',
            name='category',
            field=models.CharField(choices=[('call', 'Call records, calls in'), ('call_out', 'Call records, calls out'), ('identity', 'Number and identity'), ('recording', 'Recordings'), ('transcript', 'Transcripts'), ('consent', 'Evidence of consent'), ('withdrawal', 'Evidence of withdrawal'), ('export', 'Exports'), ('inbox', 'Inbox'), ('trail', 'Staff trail'), ('request', 'Requests'), ('training', 'Training'), ('premises', 'Premises access')], db_default='call', default='call', max_length=12),
        ),
        migrations.CreateModel(
            name='HouseCertificate',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('number', models.PositiveIntegerField()),
                ('statement', models.TextField()),
                ('signature', models.CharField(max_length=128)),
                ('key_id', models.CharField(max_length=64)),
                ('issued_at', models.DateTimeField()),
                ('copies_gone_on', models.DateField()),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='house_certificates', to='retention.run')),
            ],
            options={
                'base_manager_name': 'objects',
                'constraints': [models.UniqueConstraint(fields=('agency', 'number'), name='retention_housecertificate_number'), models.UniqueConstraint(fields=('agency', 'run'), name='retention_housecertificate_one_a_run')],
            },
        ),
        migrations.CreateModel(
            name='HousePart',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('category', models.CharField(choices=[('call', 'Call records, calls in'), ('call_out', 'Call records, calls out'), ('identity', 'Number and identity'), ('recording', 'Recordings'), ('transcript', 'Transcripts'), ('consent', 'Evidence of consent'), ('withdrawal', 'Evidence of withdrawal'), ('export', 'Exports'), ('inbox', 'Inbox'), ('trail', 'Staff trail'), ('request', 'Requests'), ('training', 'Training'), ('premises', 'Premises access')], max_length=12)),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('observed', 'Counted only'), ('running', 'Erasing'), ('done', 'Done'), ('failed', 'Stopped by a fault')], default='waiting', max_length=10)),
                ('policy_version', models.PositiveIntegerField(default=0)),
                ('cutoff', models.DateTimeField()),
                ('keep_for_days', models.PositiveIntegerField()),
                ('rows_due', models.PositiveIntegerField()),
                ('rows_held', models.PositiveIntegerField(default=0)),
                ('rows_erased', models.PositiveIntegerField(default=0)),
                ('digest', models.BinaryField(db_default=b'\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00', default=b'\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00', max_length=32)),
                ('failures', models.PositiveSmallIntegerField(default=0)),
                ('started_at', models.DateTimeField(null=True)),
                ('leased_until', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='house_parts', to='retention.run')),
            ],
            options={
                'base_manager_name': 'objects',
                'constraints': [models.UniqueConstraint(fields=('agency', 'run', 'category'), name='retention_housepart_once_a_category')],
            },
        ),
        rls.Policies("retention_housepart", read=_READ, write=_JOB),
        rls.Policies("retention_housecertificate", read=_READ, write=_JOB),
        migrations.RunSQL(_HELD, "DROP FUNCTION retention_house_held();"),
    ]
