import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models

from callprivacy.tenancy import rls

_AGENCY = "agency_id = (SELECT scope_agency())"
# The records name what each client has set up, so they are for who signs off and is granted every client.
_RECORDS = f"{_AGENCY} AND ((SELECT scope_signs_off()) OR (SELECT scope_kind()) = 'job')"
_JOB = f"{_AGENCY} AND (SELECT scope_kind()) = 'job'"
_CLIENT = f"{_AGENCY} AND client_id = ANY (ARRAY(SELECT scope_clients('view_client')))"
_OFFICER = "(SELECT scope_signs_off())"
_IS_JOB = "(SELECT scope_kind()) = 'job'"
# Through a link it is noted that a binder was taken, in the scope of that client.
_LINK = "(SELECT scope_kind()) = 'client'"

# A snapshot is what the records said on that day. Nobody changes it, whatever the role.
_KEEP = """
CREATE FUNCTION dashboard_recordsnapshot_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'A snapshot of the records is not changed.' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER dashboard_recordsnapshot_taken BEFORE UPDATE ON dashboard_recordsnapshot
    FOR EACH ROW EXECUTE FUNCTION dashboard_recordsnapshot_refuse();
"""
_DROP = """
DROP TRIGGER dashboard_recordsnapshot_taken ON dashboard_recordsnapshot;
DROP FUNCTION dashboard_recordsnapshot_refuse();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('dashboard', '0001_how_duties_stand'),
        ('tenancy', '0012_public_keys_of_binders'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Binder',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('number', models.PositiveIntegerField()),
                ('state', models.CharField(choices=[('draft', 'Waiting for you'), ('queued', 'Queued'), ('running', 'Running'), ('done', 'Done'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default='queued', max_length=10)),
                ('part', models.CharField(blank=True, max_length=40)),
                ('done', models.PositiveSmallIntegerField(default=0)),
                ('parts', models.PositiveSmallIntegerField()),
                ('gaps', models.PositiveSmallIntegerField(default=0)),
                ('file_key', models.UUIDField(null=True)),
                ('result_key', models.UUIDField(null=True)),
                ('size', models.PositiveIntegerField(default=0)),
                ('digest', models.BinaryField(max_length=32, null=True)),
                ('key_id', models.CharField(blank=True, max_length=16)),
                ('created_at', models.DateTimeField()),
                ('due_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(null=True)),
                ('expires_at', models.DateTimeField(null=True)),
                ('withdrawn_at', models.DateTimeField(null=True)),
                ('agency', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
                ('created_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='BinderLink',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('digest', models.BinaryField(max_length=32)),
                ('made_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(null=True)),
                ('taken', models.PositiveIntegerField(default=0)),
                ('taken_at', models.DateTimeField(null=True)),
                ('agency', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('binder', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='links', to='dashboard.binder')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
                ('made_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='ClientStanding',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('duty', models.CharField(max_length=40)),
                ('state', models.CharField(choices=[('good', 'Good'), ('due', 'Due'), ('overdue', 'Overdue'), ('failing', 'Failing')], max_length=10)),
                ('count', models.PositiveIntegerField(default=0)),
                ('since', models.DateTimeField()),
                ('agency', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='ClientStandingDay',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('on', models.DateField()),
                ('due', models.PositiveSmallIntegerField()),
                ('overdue', models.PositiveSmallIntegerField()),
                ('failing', models.PositiveSmallIntegerField()),
                ('agency', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='RecordFacts',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('facts', models.JSONField()),
                ('read_at', models.DateTimeField()),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='RecordSnapshot',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('number', models.PositiveIntegerField()),
                ('record', models.JSONField()),
                ('digest', models.BinaryField(max_length=32)),
                ('taken_at', models.DateTimeField()),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('taken_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='RecordWords',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('contact', models.CharField(blank=True, max_length=300, verbose_name='name and contact of the agency')),
                ('representative', models.CharField(blank=True, max_length=300, verbose_name='representative in the Union')),
                ('officer', models.CharField(blank=True, max_length=300, verbose_name='data protection officer')),
                ('joint', models.CharField(blank=True, max_length=500, verbose_name='joint controllers')),
                ('recipients', models.TextField(blank=True, max_length=2000, verbose_name='who else receives data')),
                ('measures', models.TextField(blank=True, max_length=4000, verbose_name='measures outside this product')),
                ('purposes', models.JSONField(default=dict)),
                ('changed_at', models.DateTimeField()),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('changed_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.AddConstraint(
            model_name='binder',
            constraint=models.UniqueConstraint(fields=('client', 'number'), name='dashboard_binder_number'),
        ),
        migrations.AddConstraint(
            model_name='binder',
            constraint=models.UniqueConstraint(fields=('client', 'id'), name='dashboard_binder_in_client'),
        ),
        migrations.AddConstraint(
            model_name='binder',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'done'), _negated=True), ('expires_at__isnull', False), _connector='OR'), name='dashboard_binder_ends'),
        ),
        migrations.AddIndex(
            model_name='binderlink',
            index=models.Index(fields=['binder'], name='dashboard_binderlink_of'),
        ),
        migrations.AddConstraint(
            model_name='binderlink',
            constraint=models.UniqueConstraint(fields=('client', 'digest'), name='dashboard_binderlink_digest'),
        ),
        migrations.AddConstraint(
            model_name='clientstanding',
            constraint=models.UniqueConstraint(fields=('client', 'duty'), name='dashboard_clientstanding_once'),
        ),
        migrations.AddConstraint(
            model_name='clientstandingday',
            constraint=models.UniqueConstraint(fields=('client', 'on'), name='dashboard_clientstandingday_once'),
        ),
        migrations.AddConstraint(
            model_name='recordfacts',
            constraint=models.UniqueConstraint(fields=('agency',), name='dashboard_recordfacts_once'),
        ),
        migrations.AddConstraint(
            model_name='recordsnapshot',
            constraint=models.UniqueConstraint(fields=('agency', 'number'), name='dashboard_recordsnapshot_number'),
        ),
        migrations.AddConstraint(
            model_name='recordwords',
            constraint=models.UniqueConstraint(fields=('agency',), name='dashboard_recordwords_once'),
        ),
        # The job writes what it finds; who is granted the client reads it.
        rls.ClientRows("dashboard_clientstanding", read="view_client", write=None),
        rls.ClientRows("dashboard_clientstandingday", read="view_client", write=None),
        rls.Policies("dashboard_recordwords", read=_RECORDS, write=_RECORDS),
        rls.Policies("dashboard_recordfacts", read=_RECORDS, write=_JOB),
        rls.Policies("dashboard_recordsnapshot", read=_RECORDS, insert=_RECORDS, write=_JOB),
        migrations.RunSQL(_KEEP, _DROP),
        # Officers have one made and hand it out; the job builds it and clears it away.
        rls.Policies("dashboard_binder", read=_CLIENT, write=f"{_CLIENT} AND ({_OFFICER} OR {_IS_JOB})"),
        rls.Policies(
            "dashboard_binderlink", read=_CLIENT, write=f"{_CLIENT} AND ({_OFFICER} OR {_IS_JOB} OR {_LINK})"
        ),
        *[
            rls.AgencyClientKey(f"dashboard_{name}")
            for name in ("clientstanding", "clientstandingday", "binder", "binderlink")
        ],
        rls.ClientKey("dashboard_binderlink", "binder_id", "dashboard_binder", on_delete="CASCADE"),
    ]
