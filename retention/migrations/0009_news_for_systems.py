import django.db.models.deletion
import uuid
from django.db import migrations, models

from callprivacy.tenancy import rls

_OFFICERS = "agency_id = (SELECT scope_agency()) AND (SELECT scope_knows_all_clients())"


class Migration(migrations.Migration):

    dependencies = [
        ('retention', '0008_secrets_of_the_house_and_early_vacuums'),
        ('tenancy', '0011_reviewed_vendors_and_keys_of_badge_systems'),
    ]

    operations = [
        migrations.AddField(
            model_name='alertendpoint',
            name='news_from',
            field=models.DateTimeField(null=True),
        ),
        migrations.CreateModel(
            name='News',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(max_length=40)),
                ('key', models.CharField(blank=True, max_length=80)),
                ('at', models.DateTimeField()),
                ('due_at', models.DateTimeField(null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('last_status', models.CharField(blank=True, max_length=120)),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
            ],
            options={
                'verbose_name_plural': 'news',
                'base_manager_name': 'objects',
                'indexes': [models.Index(condition=models.Q(('due_at__isnull', False)), fields=['agency', 'due_at'], name='retention_news_due'), models.Index(fields=['agency', '-at'], name='retention_news_newest')],
                'constraints': [models.UniqueConstraint(fields=('agency', 'kind', 'key', 'at'), name='retention_news_once')],
            },
        ),
        rls.Policies("retention_news", read=_OFFICERS, write=_OFFICERS),
    ]
