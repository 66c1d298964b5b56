import django.contrib.postgres.fields
import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models

from callprivacy.tenancy import rls

_AGENCY = "agency_id = (SELECT scope_agency()) AND (SELECT scope_kind()) IN ('staff', 'job')"
_MANAGERS = "agency_id = (SELECT scope_agency()) AND (SELECT scope_knows_all_clients())"
# At its door a badge system is in the scope of client 0 of its agency, which finds its key and nothing else.
_DOOR = "agency_id = (SELECT scope_agency()) AND (SELECT scope_kind()) = 'client' AND (SELECT scope_client()) = 0"
# What was published stays as it was, whatever a service does.
_STAYS = """
CREATE FUNCTION governance_version_stays() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF OLD.published_at IS NOT NULL THEN
        RAISE EXCEPTION 'a published version of a course stays as it was';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER governance_version_stays BEFORE UPDATE ON governance_courseversion
    FOR EACH ROW EXECUTE FUNCTION governance_version_stays();
"""
_STAYS_NOT = """
DROP TRIGGER governance_version_stays ON governance_courseversion;
DROP FUNCTION governance_version_stays();
"""

# Who manages the agency has to find out what a breach touched at every client, also where no call is granted to them.
# So these functions count past row security, and tell nothing but counts and names that people gave to keys and ways in.
_IMPACT = """
CREATE FUNCTION governance_impact(since timestamptz, until timestamptz, wanted text[], person bigint, actor text)
RETURNS TABLE (is_all integer, client bigint, deed varchar, deeds bigint, taken bigint, people bigint, gone bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
SET plan_cache_mode = force_custom_plan SET work_mem = '64MB' SET jit = off AS $$
DECLARE mine bigint := scope_agency();
BEGIN
    IF NOT scope_knows_all_clients() THEN
        RETURN;
    END IF;
    -- Each call is looked up once, and what is different is counted by hashing: sorting names took most of the time.
    RETURN QUERY
        WITH read AS MATERIALIZED (
            SELECT e.client_id, e.action, count(*) AS deeds, sum((e.details ->> 'rows')::bigint) AS taken,
                   CASE WHEN e.subject_kind = 'calls.call' THEN e.subject_id::uuid END AS call_id
            FROM audit_event e
            WHERE e.agency_id = mine AND e.at >= since AND e.at < until AND e.action = ANY (wanted)
              AND (person IS NULL OR e.actor_user_id = person) AND (actor = '' OR e.actor_name = actor)
            GROUP BY 1, 2, 5
        ), named AS MATERIALIZED (
            SELECT r.*, c.caller_id FROM read r LEFT JOIN calls_call c ON c.client_id = r.client_id AND c.id = r.call_id
        ), lines AS (
            SELECT n.client_id, n.action, sum(n.deeds)::bigint AS deeds, coalesce(sum(n.taken), 0)::bigint AS taken,
                   count(n.call_id) FILTER (WHERE n.caller_id IS NULL) AS gone
            FROM named n GROUP BY 1, 2
        ), known AS (
            SELECT k.client_id, k.action, count(*) AS people
            FROM (SELECT DISTINCT n.client_id, n.action, n.caller_id FROM named n WHERE n.caller_id IS NOT NULL) k
            GROUP BY 1, 2
        )
        SELECT 0, l.client_id, l.action, l.deeds, l.taken, coalesce(k.people, 0), l.gone
        FROM lines l LEFT JOIN known k ON k.client_id = l.client_id AND k.action = l.action
        UNION ALL
        SELECT 1, NULL, NULL, 0, 0, count(*), 0
        FROM (SELECT DISTINCT n.caller_id FROM named n WHERE n.caller_id IS NOT NULL) a
        ORDER BY 1, 2 NULLS LAST, 3;
END $$;

CREATE FUNCTION governance_impact_of_way(way uuid, first uuid, last uuid)
RETURNS TABLE (client bigint, calls bigint, people bigint, recordings bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
SET plan_cache_mode = force_custom_plan AS $$
DECLARE its bigint;
BEGIN
    SELECT w.client_id INTO its FROM calls_connection w
    WHERE w.id = way AND w.agency_id = scope_agency() AND scope_knows_all_clients();
    RETURN QUERY
        SELECT its, count(*), count(DISTINCT c.caller_id), count(r.call_id)
        FROM calls_call c
        LEFT JOIN (
            SELECT DISTINCT g.call_id FROM calls_recording g
            WHERE g.client_id = its AND g.call_id >= first AND g.call_id < last
        ) r ON r.call_id = c.id
        WHERE c.client_id = its AND c.connection_id = way AND c.id >= first AND c.id < last;
END $$;

CREATE FUNCTION governance_touchers() RETURNS TABLE (kind text, id uuid, client varchar, name varchar)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT scope_knows_all_clients() THEN
        RETURN;
    END IF;
    RETURN QUERY
        SELECT found.kind, found.id, c.name, found.name
        FROM (
            SELECT 'key' AS kind, k.id, k.client_id, k.name FROM accounts_apikey k WHERE k.agency_id = scope_agency()
            UNION ALL
            SELECT 'way', w.id, w.client_id, w.name FROM calls_connection w WHERE w.agency_id = scope_agency()
        ) found JOIN tenancy_client c ON c.id = found.client_id
        ORDER BY 1, 3, 4;
END $$;
"""
_NO_IMPACT = """
DROP FUNCTION governance_touchers();
DROP FUNCTION governance_impact_of_way(uuid, uuid, uuid);
DROP FUNCTION governance_impact(timestamptz, timestamptz, text[], bigint, text);
"""


class Migration(migrations.Migration):

    dependencies = [
        ('governance', '0002_training_and_premises'),
        ('tenancy', '0011_reviewed_vendors_and_keys_of_badge_systems'),
        ('calls', '0018_events_that_stay_out_are_counted'),
        ('accounts', '0009_second_factors_of_several_agencies'),
        ('audit', '0005_an_agencys_own_page'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='CoursePicture',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=60)),
                ('kind', models.CharField(max_length=20)),
                ('width', models.PositiveIntegerField()),
                ('height', models.PositiveIntegerField()),
                ('size', models.PositiveIntegerField()),
                ('added_at', models.DateTimeField()),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='CourseVersion',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('number', models.PositiveIntegerField()),
                ('title', models.CharField(max_length=120)),
                ('about', models.CharField(max_length=300)),
                ('minutes', models.PositiveSmallIntegerField(default=15)),
                ('valid_months', models.PositiveSmallIntegerField(default=12)),
                ('reviewed_on', models.DateField()),
                ('sources', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=300), default=list)),
                ('screens', models.JSONField(default=list)),
                ('questions', models.JSONField(default=list)),
                ('edited_at', models.DateTimeField()),
                ('published_at', models.DateTimeField(null=True)),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='OwnCourse',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=40)),
                ('created_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(null=True)),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='SiteKey',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=120)),
                ('key', models.CharField(max_length=64)),
                ('digest', models.BinaryField(max_length=32)),
                ('created_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField()),
                ('last_used_on', models.DateField(blank=True, null=True)),
                ('revoked_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'base_manager_name': 'objects',
            },
        ),
        migrations.AddField(
            model_name='badge',
            name='rooms',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=60), blank=True, db_default=[], default=list),
        ),
        migrations.AddField(
            model_name='entry',
            name='left_reference',
            field=models.CharField(blank=True, db_default='', max_length=80),
        ),
        migrations.AddField(
            model_name='entry',
            name='room',
            field=models.CharField(blank=True, db_default='', max_length=60),
        ),
        migrations.AddField(
            model_name='site',
            name='rooms',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=60), blank=True, db_default=[], default=list),
        ),
        migrations.AddConstraint(
            model_name='entry',
            constraint=models.UniqueConstraint(condition=models.Q(('left_reference', ''), _negated=True), fields=('agency', 'site', 'source', 'left_reference'), name='governance_entry_left_once'),
        ),
        # Two sites have two badge systems, which may call different events the same.
        migrations.RemoveConstraint(model_name='entry', name='governance_entry_once'),
        migrations.AddConstraint(
            model_name='entry',
            constraint=models.UniqueConstraint(condition=models.Q(('reference', ''), _negated=True), fields=('agency', 'site', 'source', 'reference'), name='governance_entry_once'),
        ),
        migrations.AddField(
            model_name='coursepicture',
            name='agency',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency'),
        ),
        migrations.AddField(
            model_name='courseversion',
            name='agency',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency'),
        ),
        migrations.AddField(
            model_name='courseversion',
            name='edited_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='owncourse',
            name='agency',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency'),
        ),
        migrations.AddField(
            model_name='owncourse',
            name='created_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='courseversion',
            name='course',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='versions', to='governance.owncourse'),
        ),
        migrations.AddField(
            model_name='coursepicture',
            name='course',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='pictures', to='governance.owncourse'),
        ),
        migrations.AddField(
            model_name='sitekey',
            name='agency',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency'),
        ),
        migrations.AddField(
            model_name='sitekey',
            name='created_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='sitekey',
            name='site',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='keys', to='governance.site'),
        ),
        migrations.AddConstraint(
            model_name='owncourse',
            constraint=models.UniqueConstraint(fields=('agency', 'name'), name='governance_owncourse_name'),
        ),
        migrations.AddConstraint(
            model_name='courseversion',
            constraint=models.UniqueConstraint(fields=('agency', 'course', 'number'), name='governance_courseversion_number'),
        ),
        migrations.AddConstraint(
            model_name='courseversion',
            constraint=models.UniqueConstraint(condition=models.Q(('published_at__isnull', True)), fields=('agency', 'course'), name='governance_courseversion_one_draft'),
        ),
        migrations.AddConstraint(
            model_name='courseversion',
            constraint=models.CheckConstraint(condition=models.Q(('valid_months__gte', 1), ('valid_months__lte', 36)), name='governance_courseversion_months'),
        ),
        migrations.AddConstraint(
            model_name='coursepicture',
            constraint=models.UniqueConstraint(fields=('agency', 'course', 'name'), name='governance_coursepicture_name'),
        ),
        migrations.AddConstraint(
            model_name='sitekey',
            constraint=models.UniqueConstraint(fields=('agency', 'key'), name='governance_sitekey_name'),
        ),
        rls.Policies("governance_owncourse", read=_AGENCY, write=_MANAGERS),
        rls.Policies(
            "governance_courseversion",
            read=f"{_AGENCY} AND (published_at IS NOT NULL OR (SELECT scope_knows_all_clients()))",
            write=_MANAGERS,
        ),
        migrations.RunSQL(_STAYS, _STAYS_NOT),
        rls.Policies("governance_coursepicture", read=_AGENCY, write=_MANAGERS),
        rls.Policies("governance_sitekey", read=f"({_MANAGERS}) OR ({_DOOR})", write=_MANAGERS),
        migrations.RunSQL(_IMPACT, _NO_IMPACT),
    ]
