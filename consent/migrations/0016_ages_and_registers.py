import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from callprivacy.tenancy import rls

_PURPOSES = [('measure', 'Track and count'), ('record', 'Record'), ('review', 'Play, read, listen live'), ('analyse', 'Analyse the content'), ('contact', 'Contact'), ('share', 'Share or sell')]
_SANE = models.Q(('months', None), models.Q(('months__gte', 1), ('months__lte', 120)), _connector='OR')

# Whoever may know of a client may know of its register; who manages the agency brings them.
_OF_CLIENT = "(client_id IS NULL OR client_id = ANY (ARRAY(SELECT scope_clients('view_client'))))"
_ANYBODY = "agency_id = (SELECT scope_agency()) AND (SELECT scope_kind()) IN ('staff', 'job', 'client')"
_MANAGERS = "agency_id = (SELECT scope_agency()) AND (SELECT scope_knows_all_clients())"


def _lists(read):
    return f"ALTER POLICY consent_numberlist_read ON consent_numberlist USING ({read});"


class Migration(migrations.Migration):
    """Consents expire by purpose, with the agency's months behind the client's; registers name their area codes."""

    dependencies = [
        ('consent', '0015_the_desk_has_its_own_permission'),
        ('tenancy', '0005_quarantine_and_stored_recordings'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        # Nobody could choose an age so far, so that there is no row to carry over.
        migrations.RemoveConstraint(model_name='consentage', name='consent_age_one_a_client'),
        migrations.RemoveConstraint(model_name='consentage', name='consent_age_is_sane'),
        migrations.AddField('consentage', 'purpose', models.CharField(choices=_PURPOSES, default='record', max_length=10), preserve_default=False),
        migrations.AddField('consentage', 'is_own', models.BooleanField(default=True)),
        migrations.AlterField('consentage', 'months', models.PositiveSmallIntegerField(null=True)),
        migrations.AddConstraint('consentage', models.UniqueConstraint(fields=('client', 'purpose'), name='consent_age_one_a_purpose')),
        migrations.AddConstraint('consentage', models.CheckConstraint(condition=_SANE, name='consent_age_is_sane')),
        migrations.CreateModel(
            name='AgencyAge',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('purpose', models.CharField(choices=_PURPOSES, max_length=10)),
                ('months', models.PositiveSmallIntegerField(null=True)),
                ('chosen_at', models.DateTimeField()),
                ('agency', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('chosen_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'base_manager_name': 'objects',
                'constraints': [
                    models.UniqueConstraint(fields=('agency', 'purpose'), name='consent_agencyage_one_a_purpose'),
                    models.CheckConstraint(condition=_SANE, name='consent_agencyage_is_sane'),
                ],
            },
        ),
        rls.Policies("consent_agencyage", read=_ANYBODY, write=_MANAGERS),
        # When a consent ends is its date and the months: a date stored beside them would be wrong after a change.
        migrations.RemoveIndex(model_name='consentstate', name='consent_state_expiring'),
        migrations.RemoveField(model_name='consentstate', name='expires_at'),
        migrations.AddIndex(
            model_name='consentstate',
            index=models.Index(condition=models.Q(('state', 'given')), fields=['client', 'purpose', 'since'], name='consent_state_ageing'),
        ),
        migrations.RemoveConstraint(model_name='numberlist', name='consent_numberlist_one_active'),
        migrations.AddField('numberlist', 'client', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
        migrations.AddField('numberlist', 'area_codes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=3), default=list)),
        migrations.AddField('numberlist', 'refusals', models.JSONField(default=list)),
        migrations.AddField('numberlist', 'answers', models.JSONField(default=dict)),
        migrations.AddConstraint(
            'numberlist',
            models.UniqueConstraint(condition=models.Q(('is_active', True)), fields=('agency', 'client', 'kind', 'name'), name='consent_numberlist_one_active', nulls_distinct=False),
        ),
        rls.AgencyClientKey("consent_numberlist"),
        migrations.RunSQL(_lists(f"{_ANYBODY} AND {_OF_CLIENT}"), _lists(_ANYBODY)),
    ]
