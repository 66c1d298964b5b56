"""Trackers are asked for their calls as well: what opens their interfaces, each time they were asked, and what that brought."""

import callprivacy.vault.fields
import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models

from callprivacy.tenancy import rls


class Migration(migrations.Migration):

    dependencies = [
        ('calls', '0018_events_that_stay_out_are_counted'),
        ('tenancy', '0010_public_keys_of_requests'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Pull',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('is_on', models.BooleanField(default=True)),
                ('account', models.CharField(blank=True, max_length=64)),
                ('company', models.CharField(blank=True, max_length=64)),
                ('login', models.CharField(blank=True, max_length=128)),
                ('secret', callprivacy.vault.fields.StrictEncryptedField(null=True)),
                ('secret_set_at', models.DateTimeField(null=True)),
                ('only_known', models.BooleanField(default=False)),
                ('marker', models.CharField(blank=True, max_length=100)),
                ('covered_until', models.DateTimeField(null=True)),
                ('leased_until', models.DateTimeField(null=True)),
                ('rests_until', models.DateTimeField(null=True)),
                ('failures', models.PositiveSmallIntegerField(default=0)),
                ('last_error', models.CharField(blank=True, max_length=200)),
                ('hour', models.DateTimeField(null=True)),
                ('asked_in_hour', models.PositiveIntegerField(default=0)),
                ('day', models.DateField(null=True)),
                ('asked_in_day', models.PositiveIntegerField(default=0)),
                ('created_at', models.DateTimeField()),
                ('agency', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
                ('connection', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='calls.connection')),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='PullRun',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('test', 'Test'), ('hourly', 'Each hour'), ('nightly', 'Each night'), ('backfill', 'Backfill')], max_length=10)),
                ('period', models.CharField(max_length=40)),
                ('state', models.CharField(choices=[('draft', 'Waiting for you'), ('queued', 'Queued'), ('running', 'Running'), ('done', 'Done'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default='queued', max_length=10)),
                ('from_at', models.DateTimeField()),
                ('until_at', models.DateTimeField()),
                ('position', models.DateTimeField()),
                ('following', models.CharField(blank=True, max_length=210)),
                ('pages', models.PositiveIntegerField(default=0)),
                ('listed', models.PositiveIntegerField(default=0)),
                ('passed_over', models.PositiveIntegerField(default=0)),
                ('brought', models.PositiveIntegerField(default=0)),
                ('known', models.PositiveIntegerField(default=0)),
                ('stayed_out', models.PositiveIntegerField(default=0)),
                ('refused', models.PositiveIntegerField(default=0)),
                ('failure', models.CharField(blank=True, max_length=200)),
                ('created_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(null=True)),
                ('agency', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('pull', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='runs', to='calls.pull')),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.AddField(
            model_name='inbox',
            name='pull_run',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='calls.pullrun'),
        ),
        migrations.AddConstraint(
            model_name='pull',
            constraint=models.UniqueConstraint(fields=('client', 'id'), name='calls_pull_in_client'),
        ),
        migrations.AddIndex(
            model_name='pullrun',
            index=models.Index(condition=models.Q(('state__in', ['queued', 'running'])), fields=['agency', 'created_at'], name='calls_pullrun_open'),
        ),
        migrations.AddIndex(
            model_name='pullrun',
            index=models.Index(fields=['client', 'pull', '-created_at'], name='calls_pullrun_newest'),
        ),
        migrations.AddConstraint(
            model_name='pullrun',
            constraint=models.UniqueConstraint(fields=('client', 'id'), name='calls_pullrun_in_client'),
        ),
        migrations.AddConstraint(
            model_name='pullrun',
            constraint=models.UniqueConstraint(fields=('client', 'pull', 'kind', 'period'), name='calls_pullrun_once_a_period'),
        ),
        migrations.AddConstraint(
            model_name='pullrun',
            constraint=models.CheckConstraint(condition=models.Q(('until_at__gt', models.F('from_at'))), name='calls_pullrun_ends_after_it_begins'),
        ),
        migrations.AddConstraint(
            model_name='pull',
            constraint=models.UniqueConstraint(fields=('client', 'connection'), name='calls_pull_one_a_connection'),
        ),
        rls.ClientRows("calls_pull", read="manage_connections", write="manage_connections"),
        rls.ClientRows("calls_pullrun", read="manage_connections", write="manage_connections"),
        rls.AgencyClientKey("calls_pull"),
        rls.AgencyClientKey("calls_pullrun"),
        rls.ClientKey("calls_pull", "connection_id", "calls_connection"),
        rls.ClientKey("calls_pullrun", "pull_id", "calls_pull"),
        rls.ClientKey("calls_inbox", "pull_run_id", "calls_pullrun"),
    ]
