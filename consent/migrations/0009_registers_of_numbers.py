import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models

from callprivacy.tenancy import rls

# Registers are read at every door of the agency's, and brought by who manages it.
_MANAGERS = "agency_id = (SELECT scope_agency()) AND (SELECT scope_knows_all_clients())"
_STAFF = "agency_id = (SELECT scope_agency()) AND (SELECT scope_kind()) IN ('staff', 'job')"
_ANYBODY = "agency_id = (SELECT scope_agency()) AND (SELECT scope_kind()) IN ('staff', 'job', 'client')"


def _lists(*, read, write):
    return (
        f"ALTER POLICY consent_numberlist_read ON consent_numberlist USING ({read});"
        f"ALTER POLICY consent_numberlist_insert ON consent_numberlist WITH CHECK ({write});"
        f"ALTER POLICY consent_numberlist_update ON consent_numberlist USING ({write}) WITH CHECK ({write});"
        f"ALTER POLICY consent_numberlist_delete ON consent_numberlist USING ({write});"
    )


class Migration(migrations.Migration):
    """Registers of numbers are read by a job, and numbers go out to a vendor that knows which were reassigned."""

    dependencies = [
        ('consent', '0008_withdrawals'),
        ('tenancy', '0005_quarantine_and_stored_recordings'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(_lists(read=_ANYBODY, write=_MANAGERS), _lists(read=_STAFF, write=_STAFF)),
        migrations.AddField('numberlist', 'state', models.CharField(choices=[('draft', 'Waiting for you'), ('queued', 'Queued'), ('running', 'Running'), ('done', 'Done'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default='queued', max_length=10)),
        migrations.AddField('numberlist', 'file_key', models.UUIDField(null=True)),
        migrations.AddField('numberlist', 'line', models.PositiveBigIntegerField(default=0)),
        migrations.AddField('numberlist', 'invalidated', models.PositiveIntegerField(default=0)),
        migrations.AddField('numberlist', 'failure', models.CharField(blank=True, max_length=200)),
        migrations.AddField('numberlist', 'due_at', models.DateTimeField(null=True)),
        migrations.AddField('numberlist', 'finished_at', models.DateTimeField(null=True)),
        migrations.AddField('numberlist', 'ended_at', models.DateTimeField(null=True)),
        migrations.AddField('numberlist', 'emptied_at', models.DateTimeField(null=True)),
        migrations.AddIndex(
            'numberlist',
            models.Index(condition=models.Q(('due_at__isnull', False)), fields=['agency', 'due_at'], name='consent_numberlist_due'),
        ),
        migrations.AddIndex(
            'listcheck',
            models.Index(condition=models.Q(('due_at__isnull', False)), fields=['agency', 'due_at'], name='consent_listcheck_due'),
        ),
        migrations.CreateModel(
            name='NumbersOut',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('state', models.CharField(choices=[('draft', 'Waiting for you'), ('queued', 'Queued'), ('running', 'Running'), ('done', 'Done'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default='queued', max_length=10)),
                ('file_key', models.UUIDField(null=True)),
                ('rows', models.PositiveIntegerField(default=0)),
                ('created_at', models.DateTimeField()),
                ('due_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('expires_at', models.DateTimeField(null=True)),
                ('agency', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
                ('created_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'base_manager_name': 'objects',
                'indexes': [
                    models.Index(fields=['client', '-created_at'], name='consent_numbersout_newest'),
                    models.Index(condition=models.Q(('due_at__isnull', False)), fields=['agency', 'due_at'], name='consent_numbersout_due'),
                ],
            },
        ),
        rls.ClientRows("consent_numbersout", read="reveal_numbers", write="reveal_numbers"),
        rls.AgencyClientKey("consent_numbersout"),
    ]
