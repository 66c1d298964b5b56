"""
Cells of reports with their row security, and the triggers that say in which hours they must be made anew.

The triggers lie on tables of other rooms; what they write is a row of this room, which its job finds by itself.
"""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

from callprivacy.tenancy import rls


_HOUR = "date_trunc('hour', to_timestamp(('x' || left(replace({id}::text, '-', ''), 12))::bit(48)::bigint / 1000.0), 'UTC')"


def _touch(name: str, table: str, columns: str, hours: str, verbs: str = "insert update delete") -> migrations.RunSQL:
    """
    After each statement: the hours of what came, went, or changed in one of these columns.

    :param hours: a query over `changed`, which has those columns, for agency, client and hour.
    """
    one, other = f"SELECT {columns} FROM fresh", f"SELECT {columns} FROM gone"
    changes = {
        "insert": (one, "NEW TABLE AS fresh"),
        "delete": (other, "OLD TABLE AS gone"),
        "update": (
            f"(({one} EXCEPT {other}) UNION ({other} EXCEPT {one}))",
            "OLD TABLE AS gone NEW TABLE AS fresh",
        ),
    }
    statements, undo = [], []
    for verb in verbs.split():
        query, tables = changes[verb]
        function = f"analytics_touch_{name}_{verb}"
        statements.append(f"""
            CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
            SET search_path = public, pg_temp AS $$
            BEGIN
                INSERT INTO analytics_touched (agency_id, client_id, hour)
                WITH changed AS ({query}) {hours};
                RETURN NULL;
            END $$;
            CREATE TRIGGER {function} AFTER {verb.upper()} ON {table} REFERENCING {tables}
                FOR EACH STATEMENT EXECUTE FUNCTION {function}();
        """)
        undo.append(f"DROP FUNCTION {function}() CASCADE;")
    return migrations.RunSQL("\n".join(statements), "\n".join(undo))


_OF_CALLER = (
    f"SELECT DISTINCT c.agency_id, c.client_id, {_HOUR.format(id='c.id')} FROM changed x"
    " JOIN calls_call c ON c.client_id = x.client_id AND c.caller_id = x.caller_id WHERE x.purpose = 'measure'"
)
_OF_REFERENCE = (
    f"SELECT DISTINCT r.agency_id, r.client_id, {_HOUR.format(id='r.call_id')} FROM changed x"
    " JOIN calls_callref r ON r.client_id = x.client_id AND r.digest = x.call_digest"
    " WHERE x.purpose = 'measure' AND x.scope = 'this_call'"
)
_OF_CALL = "SELECT DISTINCT agency_id, client_id, {hour} FROM changed"
_ALL = "SELECT DISTINCT agency_id, client_id, NULL::timestamptz FROM changed"


class Migration(migrations.Migration):

    dependencies = [
        ('analytics', '0001_daily_totals'),
        ('calls', '0016_large_tables_are_vacuumed_early'),
        ('consent', '0020_agents_note_minors'),
        ('tenancy', '0010_public_keys_of_requests'),
    ]

    operations = [
        migrations.CreateModel(
            name='Span',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField()),
                ('grain', models.PositiveSmallIntegerField(choices=[(0, 'MONTH'), (1, 'WEEK'), (2, 'DAY'), (3, 'HOUR')])),
                ('is_hourly', models.BooleanField(db_default=True, default=True)),
                ('is_final', models.BooleanField(db_default=False, default=False)),
                ('left_out', models.PositiveIntegerField(null=True)),
                ('built_at', models.DateTimeField()),
                ('agency', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='Cell',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('sheet', models.PositiveSmallIntegerField(choices=[(0, 'GROUPS'), (1, 'TIME'), (2, 'DAYS'), (10, 'SOURCE'), (11, 'CAMPAIGN'), (12, 'MEDIUM'), (13, 'DIRECTION'), (14, 'OUTCOME'), (15, 'REGION'), (16, 'LENGTH'), (17, 'REPEATED'), (18, 'CONVERTED'), (19, 'KEPT')])),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField()),
                ('grain', models.PositiveSmallIntegerField(choices=[(0, 'MONTH'), (1, 'WEEK'), (2, 'DAY'), (3, 'HOUR')])),
                ('source', models.CharField(max_length=120, null=True)),
                ('campaign', models.CharField(max_length=120, null=True)),
                ('medium', models.CharField(max_length=60, null=True)),
                ('direction', models.CharField(max_length=10, null=True)),
                ('outcome', models.CharField(max_length=10, null=True)),
                ('region', models.CharField(max_length=11, null=True)),
                ('length', models.CharField(max_length=10, null=True)),
                ('repeated', models.CharField(max_length=8, null=True)),
                ('converted', models.CharField(max_length=3, null=True)),
                ('kept', models.CharField(max_length=10, null=True)),
                ('calls', models.PositiveIntegerField()),
                ('seconds', models.BigIntegerField()),
                ('value_cents', models.BigIntegerField()),
                ('callers', models.PositiveIntegerField()),
                ('agency', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
                ('span', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='cells', to='analytics.span')),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='Touched',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('hour', models.DateTimeField(null=True)),
                ('agency', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='Watch',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('looked_at', models.DateTimeField()),
                ('day', models.DateField()),
                ('agency', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='ReportRule',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('conversion', models.CharField(choices=[('answered', 'Answered, and long enough'), ('qualified', 'Marked as qualified by the tracker'), ('tagged', 'Carries one of these tags')], default='answered', max_length=10)),
                ('seconds', models.PositiveIntegerField(default=60, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(86400)], verbose_name='seconds that an answered call must last')),
                ('tags', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=60), blank=True, default=list)),
                ('k', models.PositiveSmallIntegerField(default=5, validators=[django.core.validators.MinValueValidator(3), django.core.validators.MaxValueValidator(1000)], verbose_name='callers that a figure needs')),
                ('changed_at', models.DateTimeField()),
                ('agency', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
            ],
            options={
                'base_manager_name': 'objects',
                'constraints': [models.UniqueConstraint(fields=('client',), name='analytics_reportrule_one_a_client'), models.CheckConstraint(condition=models.Q(('k__gte', 3)), name='analytics_reportrule_k')],
            },
        ),
        migrations.AddConstraint(
            model_name='span',
            constraint=models.UniqueConstraint(fields=('client', 'starts_at'), name='analytics_span_once_a_client'),
        ),
        migrations.AddConstraint(
            model_name='span',
            constraint=models.UniqueConstraint(fields=('client', 'id'), name='analytics_span_in_client'),
        ),
        migrations.AddIndex(
            model_name='cell',
            index=models.Index(fields=['client', 'sheet', 'starts_at'], name='analytics_cell_of_sheet'),
        ),
        migrations.AddIndex(
            model_name='cell',
            index=models.Index(fields=['client', 'span'], name='analytics_cell_of_span'),
        ),
        migrations.AddConstraint(
            model_name='cell',
            constraint=models.CheckConstraint(condition=models.Q(('callers__gte', 3)), name='analytics_cell_is_nobody'),
        ),
        migrations.AddIndex(
            model_name='touched',
            index=models.Index(fields=['client', 'hour'], name='analytics_touched_of_client'),
        ),
        migrations.AddConstraint(
            model_name='watch',
            constraint=models.UniqueConstraint(fields=('client',), name='analytics_watch_one_a_client'),
        ),
        rls.ClientRows("analytics_span", read="view_analytics", write=None),
        rls.AgencyClientKey("analytics_span"),
        rls.ClientRows("analytics_cell", read="view_analytics", write=None),
        rls.StatementKeys("analytics_cell", few={"span_id": "analytics_span"}),
        rls.ClientRows("analytics_reportrule", read="view_analytics", write="manage_consent"),
        rls.AgencyClientKey("analytics_reportrule"),
        rls.ClientRows("analytics_touched", read=None, write=None, insert=None),
        rls.AgencyClientKey("analytics_touched"),
        rls.ClientRows("analytics_watch", read=None, write=None, insert=None),
        rls.AgencyClientKey("analytics_watch"),
        _touch(
            "call",
            "calls_call",
            "agency_id, client_id, id, caller_id, direction, outcome, seconds, source, campaign, medium, country, region,"
            " first_call, qualified, value_cents, tags",
            _OF_CALL.format(hour=_HOUR.format(id="id")),
        ),
        _touch(
            "recording",
            "calls_recording",
            "agency_id, client_id, call_id, state",
            _OF_CALL.format(hour=_HOUR.format(id="call_id")),
        ),
        _touch(
            "decision",
            "consent_decision",
            "agency_id, client_id, call_id, purpose, allowed, basis",
            _OF_CALL.format(hour=_HOUR.format(id="call_id")) + " WHERE purpose = 'record'",
        ),
        _touch("state", "consent_consentstate", "client_id, caller_id, purpose, state", _OF_CALLER),
        _touch("event", "consent_consentevent", "client_id, call_digest, purpose, scope, kind", _OF_REFERENCE),
        _touch("declaration", "consent_declaration", "agency_id, client_id, basis, ended_at", _ALL),
        _touch("rule", "analytics_reportrule", "agency_id, client_id, conversion, seconds, tags, k", _ALL),
        _touch(
            "zone",
            "tenancy_client",
            "agency_id, id, time_zone",
            "SELECT DISTINCT agency_id, id, NULL::timestamptz FROM changed",
            "update",
        ),
    ]
