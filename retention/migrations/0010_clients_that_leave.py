"""Clients that leave: what is handed over, what is destroyed, and the signed statement of it."""

import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models

from callprivacy.tenancy import rls


class Migration(migrations.Migration):

    dependencies = [
        ('retention', '0009_news_for_systems'),
        ('tenancy', '0013_public_keys_of_clients_that_left'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Offboarding',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('state', models.CharField(choices=[('asked', 'Waits for a second person or a day'), ('writing', 'The file is being written'), ('written', 'The file waits to be handed over'), ('erasing', 'Erasing'), ('done', 'Done'), ('stopped', 'Stopped')], default='asked', max_length=10)),
                ('moved_to', models.URLField(blank=True, max_length=300)),
                ('with_numbers', models.BooleanField(default=False)),
                ('extent', models.JSONField(default=dict)),
                ('asked_at', models.DateTimeField()),
                ('due_at', models.DateTimeField(null=True)),
                ('agreed_at', models.DateTimeField(null=True)),
                ('file_key', models.UUIDField(null=True)),
                ('file_digest', models.CharField(blank=True, max_length=64)),
                ('file_rows', models.JSONField(default=dict)),
                ('link_digest', models.BinaryField(max_length=32, null=True)),
                ('link_until', models.DateTimeField(null=True)),
                ('taken_at', models.DateTimeField(null=True)),
                ('taken_by_link', models.BooleanField(default=False)),
                ('step', models.CharField(blank=True, max_length=12)),
                ('cursor', models.UUIDField(null=True)),
                ('erased', models.JSONField(default=dict)),
                ('leased_until', models.DateTimeField(null=True)),
                ('failures', models.PositiveSmallIntegerField(default=0)),
                ('last_error', models.CharField(blank=True, max_length=200)),
                ('statement', models.TextField(blank=True)),
                ('signature', models.CharField(blank=True, max_length=128)),
                ('key_id', models.CharField(blank=True, max_length=64)),
                ('finished_at', models.DateTimeField(null=True)),
                ('agency', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('agreed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('asked_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
            ],
            options={
                'base_manager_name': 'objects',
                'indexes': [models.Index(condition=models.Q(('state__in', ['asked', 'writing', 'erasing'])), fields=['agency', 'asked_at'], name='retention_offboarding_due')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state', 'stopped'), _negated=True), fields=('client',), name='retention_offboarding_once'), models.CheckConstraint(condition=models.Q(('agreed_by', None), models.Q(('agreed_by', models.F('asked_by')), _negated=True), _connector='OR'), name='retention_offboarding_second_person')],
            },
        ),
        rls.ClientRows("retention_offboarding", read="manage_retention", write="manage_retention"),
        rls.AgencyClientKey("retention_offboarding"),
    ]
