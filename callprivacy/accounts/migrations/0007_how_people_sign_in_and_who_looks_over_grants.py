"""
What an agency asks of passwords, second factors and sessions; passwords from before; who looks over grants.

A person of several agencies meets the strictest of their rules, and the door knows no agency yet: one function tells
what each agency of a person asks, and nothing else of it.
"""

import callprivacy.accounts.models
import django.contrib.postgres.fields
import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models

from callprivacy.tenancy import rls

_MANAGERS = "agency_id = (SELECT scope_agency()) AND (SELECT scope_knows_all_clients())"
_MEMBERS = "agency_id = (SELECT scope_agency()) AND (SELECT scope_kind()) IN ('staff', 'job')"
_JOBS = "agency_id = (SELECT scope_agency()) AND (SELECT scope_kind()) = 'job'"

_FUNCTION = """
CREATE FUNCTION sign_in_asked_of(people bigint[]) RETURNS TABLE (
    user_id bigint, agency_id bigint, agency varchar, time_zone varchar, profile varchar,
    min_length smallint, max_age_days smallint, grace_hours smallint
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY
        SELECT m.user_id, a.id, a.name, a.time_zone, coalesce(p.profile, 'rotating'::varchar),
               coalesce(p.min_length, 12::smallint), coalesce(p.max_age_days, 90::smallint),
               coalesce(p.grace_hours, 72::smallint)
        FROM accounts_membership m JOIN tenancy_agency a ON a.id = m.agency_id
        LEFT JOIN accounts_signinpolicy p ON p.agency_id = a.id
        WHERE m.user_id = ANY (people) AND m.state = 'active'
        ORDER BY m.user_id, a.id;
END $$;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0006_agents_work_at_the_desk'),
        ('tenancy', '0010_public_keys_of_requests'),
    ]

    operations = [
        migrations.AddField(
            model_name='user',
            name='password_due_at',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='user',
            name='password_due_why',
            field=models.CharField(blank=True, choices=[('age', 'It is as old as the agency lets one become'), ('rule', "The agency's rule asks for more than it holds"), ('known', 'There is evidence that somebody else knows it')], db_default='', default='', editable=False, max_length=8),
        ),
        migrations.AlterField(
            model_name='membership',
            name='state',
            field=models.CharField(choices=[('active', 'Active'), ('suspended', 'Suspended'), ('left', 'Left')], default='active', max_length=10),
        ),
        migrations.CreateModel(
            name='AccessReview',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('period', models.CharField(max_length=20)),
                ('started_at', models.DateTimeField()),
                ('answer_by', models.DateTimeField()),
                ('closed_at', models.DateTimeField(null=True)),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('started_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='FactorReset',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('asked_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField()),
                ('decided_at', models.DateTimeField(null=True)),
                ('agreed', models.BooleanField(null=True)),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('asked_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('decided_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='GrantUse',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('last_on', models.DateField()),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('client', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.client')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='PasswordDay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('on', models.DateField()),
                ('people', models.PositiveIntegerField(default=0)),
                ('soon', models.PositiveIntegerField(default=0)),
                ('overdue', models.PositiveIntegerField(default=0)),
                ('without_factor', models.PositiveIntegerField(default=0)),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='PasswordHistory',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('password', models.CharField(max_length=128)),
                ('replaced_at', models.DateTimeField()),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='PasswordReminder',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('due_at', models.DateTimeField()),
                ('days', models.PositiveSmallIntegerField()),
                ('created_at', models.DateTimeField()),
                ('mail_due_at', models.DateTimeField(null=True)),
                ('sent_at', models.DateTimeField(null=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='ReviewLine',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('bundle', models.CharField(choices=[('admin', 'Admin'), ('officer', 'Compliance officer'), ('account_manager', 'Account manager'), ('analyst', 'Analyst'), ('reviewer', 'Reviewer'), ('agent', 'Agent'), ('approver', 'Client-side approver'), ('call_centre_head', 'Call-centre head')], max_length=20)),
                ('granted_at', models.DateTimeField()),
                ('last_on', models.DateField(null=True)),
                ('answer', models.CharField(choices=[('open', 'Not answered'), ('kept', 'Goes on'), ('ended', 'Ended'), ('lapsed', 'Ended: nobody answered'), ('gone', 'Was gone already')], default='open', max_length=8)),
                ('answered_at', models.DateTimeField(null=True)),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('answered_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('client', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.client')),
                ('review', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='lines', to='accounts.accessreview')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='SignInPolicy',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('profile', models.CharField(choices=[('rotating', 'Rotating: composed, and changed every 60 to 90 days'), ('nist', 'NIST: longer, never changed without a reason')], default='rotating', max_length=10)),
                ('min_length', models.PositiveSmallIntegerField(default=12)),
                ('max_age_days', models.PositiveSmallIntegerField(default=90)),
                ('grace_hours', models.PositiveSmallIntegerField(default=72)),
                ('second_factor_roles', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=20), blank=True, default=list)),
                ('confirm', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=10), blank=True, default=callprivacy.accounts.models._every_deed)),
                ('confirm_minutes', models.PositiveSmallIntegerField(default=60)),
                ('idle_minutes', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('longest_hours', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('keeper', models.CharField(blank=True, max_length=300, verbose_name='password manager')),
                ('review_months', models.PositiveSmallIntegerField(default=3)),
                ('review_days', models.PositiveSmallIntegerField(default=14)),
                ('unused_days', models.PositiveSmallIntegerField(default=60)),
                ('changed_at', models.DateTimeField()),
                ('agency', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='sign_in_policy', to='tenancy.agency')),
                ('changed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='VendorSeat',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('vendor', models.CharField(max_length=60)),
                ('email', models.EmailField(max_length=254)),
                ('name', models.CharField(blank=True, max_length=120)),
                ('account', models.CharField(blank=True, max_length=200)),
                ('role', models.CharField(blank=True, max_length=60)),
                ('imported_at', models.DateTimeField()),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('client', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.client')),
                ('imported_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.AddConstraint(
            model_name='accessreview',
            constraint=models.UniqueConstraint(fields=('agency', 'period'), name='accounts_review_once_a_period'),
        ),
        migrations.AddConstraint(
            model_name='accessreview',
            constraint=models.UniqueConstraint(condition=models.Q(('closed_at__isnull', True)), fields=('agency',), name='accounts_review_open_once'),
        ),
        migrations.AddConstraint(
            model_name='factorreset',
            constraint=models.UniqueConstraint(condition=models.Q(('decided_at__isnull', True)), fields=('agency', 'user'), name='accounts_factorreset_open_once'),
        ),
        migrations.AddConstraint(
            model_name='factorreset',
            constraint=models.CheckConstraint(condition=models.Q(('agreed__isnull', True), ('agreed', False), models.Q(('decided_by', models.F('asked_by')), _negated=True), _connector='OR'), name='accounts_factorreset_by_two'),
        ),
        migrations.AddConstraint(
            model_name='grantuse',
            constraint=models.UniqueConstraint(fields=('agency', 'user', 'client'), name='accounts_grantuse_once'),
        ),
        migrations.AddConstraint(
            model_name='passwordday',
            constraint=models.UniqueConstraint(fields=('agency', 'on'), name='accounts_passwordday_once'),
        ),
        migrations.AddIndex(
            model_name='passwordhistory',
            index=models.Index(fields=['user', '-replaced_at'], name='accounts_history_of_user'),
        ),
        migrations.AddIndex(
            model_name='passwordreminder',
            index=models.Index(condition=models.Q(('mail_due_at__isnull', False)), fields=['mail_due_at'], name='accounts_reminder_mail_due'),
        ),
        migrations.AddConstraint(
            model_name='passwordreminder',
            constraint=models.UniqueConstraint(fields=('user', 'due_at', 'days'), name='accounts_reminder_once'),
        ),
        migrations.AddConstraint(
            model_name='reviewline',
            constraint=models.UniqueConstraint(fields=('agency', 'review', 'user', 'client'), name='accounts_reviewline_once'),
        ),
        migrations.AddConstraint(
            model_name='signinpolicy',
            constraint=models.CheckConstraint(condition=models.Q(('min_length__gte', 8), ('min_length__lte', 64)), name='accounts_policy_length'),
        ),
        migrations.AddConstraint(
            model_name='signinpolicy',
            constraint=models.CheckConstraint(condition=models.Q(('max_age_days__gte', 60), ('max_age_days__lte', 90)), name='accounts_policy_age'),
        ),
        migrations.AddConstraint(
            model_name='vendorseat',
            constraint=models.UniqueConstraint(fields=('agency', 'vendor', 'email', 'account'), name='accounts_vendorseat_once'),
        ),
        rls.Policies("accounts_signinpolicy", read=_MEMBERS, write=_MANAGERS),
        rls.Policies("accounts_passwordday", read=_MANAGERS, write=_JOBS),
        rls.Policies("accounts_factorreset", read=_MANAGERS, write=_MANAGERS),
        rls.Policies("accounts_grantuse", read=_MANAGERS, write=_JOBS),
        rls.Policies("accounts_accessreview", read=_MANAGERS, write=_MANAGERS),
        rls.Policies("accounts_reviewline", read=_MANAGERS, write=_MANAGERS),
        rls.Policies("accounts_vendorseat", read=_MANAGERS, write=_MANAGERS),
        rls.AgencyClientKey("accounts_grantuse"),
        rls.AgencyClientKey("accounts_reviewline"),
        rls.AgencyClientKey("accounts_vendorseat"),
        migrations.RunSQL(_FUNCTION, "DROP FUNCTION sign_in_asked_of(bigint[]);"),
    ]
