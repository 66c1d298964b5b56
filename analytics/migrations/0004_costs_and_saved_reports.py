"""What campaigns cost, reports that people keep, and who is sent which. A private report is its owner's alone."""

import django.db.models.deletion
import django.db.models.functions.text
import uuid
from django.conf import settings
from django.db import migrations, models

from callprivacy.tenancy import rls

_GRANTED = "agency_id = (SELECT scope_agency()) AND client_id = ANY (ARRAY(SELECT scope_clients('view_analytics')))"
_MINE = "(SELECT scope_kind()) = 'job' OR {} = (SELECT scope_user())"
_OWN = f"{_GRANTED} AND ({_MINE.format('owner_id')})"
# Whoever owns a report may end its mails: it is no longer shared, or gone.
_MAIL = (
    f"{_GRANTED} AND ({_MINE.format('user_id')} OR EXISTS (SELECT 1 FROM analytics_savedreport r"
    " WHERE r.id = report_id AND r.owner_id = (SELECT scope_user())))"
)


class Migration(migrations.Migration):

    dependencies = [
        ('analytics', '0003_releases'),
        ('tenancy', '0010_public_keys_of_requests'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='SavedReport',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=120)),
                ('query', models.CharField(max_length=2000)),
                ('is_shared', models.BooleanField(default=False)),
                ('created_at', models.DateTimeField()),
                ('agency', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='ReportMail',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('every', models.CharField(choices=[('day', 'Every morning'), ('week', 'Every Monday'), ('month', 'On the first of each month')], max_length=5)),
                ('due_at', models.DateTimeField()),
                ('claimed_until', models.DateTimeField(null=True)),
                ('sent_at', models.DateTimeField(null=True)),
                ('agency', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('report', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='mails', to='analytics.savedreport')),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='CampaignCost',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('day', models.DateField()),
                ('campaign', models.CharField(max_length=120)),
                ('cents', models.BigIntegerField()),
                ('agency', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
            ],
            options={
                'base_manager_name': 'objects',
                'constraints': [models.UniqueConstraint(models.F('client'), models.F('day'), django.db.models.functions.text.Lower('campaign'), name='analytics_campaigncost_once_a_day'), models.CheckConstraint(condition=models.Q(('cents__gte', 0)), name='analytics_campaigncost_not_negative')],
            },
        ),
        migrations.CreateModel(
            name='CostImport',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('state', models.CharField(choices=[('draft', 'Waiting for you'), ('done', 'Taken in'), ('cancelled', 'Discarded')], default='draft', max_length=10)),
                ('rows', models.JSONField(default=list)),
                ('count', models.PositiveIntegerField()),
                ('replaced', models.PositiveIntegerField(default=0)),
                ('cents', models.BigIntegerField()),
                ('first_on', models.DateField()),
                ('last_on', models.DateField()),
                ('created_at', models.DateTimeField()),
                ('decided_at', models.DateTimeField(null=True)),
                ('agency', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'base_manager_name': 'objects',
                'indexes': [models.Index(fields=['client', '-created_at'], name='analytics_costimport_newest')],
            },
        ),
        migrations.AddConstraint(
            model_name='savedreport',
            constraint=models.UniqueConstraint(fields=('client', 'id'), name='analytics_savedreport_in_client'),
        ),
        migrations.AddConstraint(
            model_name='savedreport',
            constraint=models.UniqueConstraint(fields=('client', 'owner', 'name'), name='analytics_savedreport_name_of_owner'),
        ),
        migrations.AddIndex(
            model_name='reportmail',
            index=models.Index(fields=['agency', 'due_at'], name='analytics_reportmail_due'),
        ),
        migrations.AddConstraint(
            model_name='reportmail',
            constraint=models.UniqueConstraint(fields=('client', 'report', 'user'), name='analytics_reportmail_once'),
        ),
        rls.Policies(
            "analytics_savedreport",
            read=f"{_GRANTED} AND (is_shared OR {_MINE.format('owner_id')})",
            write=_OWN,
        ),
        rls.AgencyClientKey("analytics_savedreport"),
        rls.Policies("analytics_reportmail", read=_MAIL, write=_MAIL, insert=f"{_GRANTED} AND ({_MINE.format('user_id')})"),
        rls.AgencyClientKey("analytics_reportmail"),
        rls.ClientKey("analytics_reportmail", "report_id", "analytics_savedreport", on_delete="CASCADE"),
        rls.ClientRows("analytics_campaigncost", read="view_analytics", write="view_analytics"),
        rls.AgencyClientKey("analytics_campaigncost"),
        rls.ClientRows("analytics_costimport", read="view_analytics", write="view_analytics"),
        rls.AgencyClientKey("analytics_costimport"),
    ]
