"""
What callers of a number heard gets a history that nobody rewrites, and a call remembers that an import brought it, so
that words which come for it later stay as its recording does.
"""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from callprivacy.tenancy import rls

# It may be ended once and struck out once. Nothing else of it changes, and only a job removes it.
_KEEP = """
CREATE FUNCTION calls_announcement_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND scope_kind() = 'job' THEN
        RETURN OLD;
    END IF;
    IF TG_OP = 'UPDATE'
        AND (NEW.id, NEW.agency_id, NEW.client_id, NEW.tracking_number_id, NEW.words, NEW.from_at, NEW.written_by_id,
             NEW.written_at)
            IS NOT DISTINCT FROM
            (OLD.id, OLD.agency_id, OLD.client_id, OLD.tracking_number_id, OLD.words, OLD.from_at, OLD.written_by_id,
             OLD.written_at)
        AND (OLD.until_at IS NULL OR NEW.until_at IS NOT DISTINCT FROM OLD.until_at)
        AND (OLD.struck_at IS NULL OR NEW.struck_at IS NOT DISTINCT FROM OLD.struck_at)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'what was announced is not rewritten' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER calls_announcement_kept BEFORE UPDATE OR DELETE ON calls_announcement
    FOR EACH ROW EXECUTE FUNCTION calls_announcement_keep();
"""
_NOT_KEPT = """
DROP TRIGGER calls_announcement_kept ON calls_announcement;
DROP FUNCTION calls_announcement_keep();
"""
_FILL = """
INSERT INTO calls_announcement
    (id, agency_id, client_id, tracking_number_id, words, from_at, until_at, written_at, struck_at)
SELECT gen_random_uuid(), n.agency_id, n.client_id, n.id, btrim(n.announcement),
    n.announced_from::timestamp AT TIME ZONE c.time_zone, NULL, n.created_at, NULL
FROM calls_trackingnumber n JOIN tenancy_client c ON c.id = n.client_id
WHERE btrim(n.announcement) <> '' AND n.announced_from IS NOT NULL;
UPDATE calls_call c SET came_late = TRUE
WHERE sequence = -1 OR EXISTS (SELECT FROM calls_recording r WHERE r.call_id = c.id AND r.came_late);
UPDATE calls_transcript t SET due_at = NULL
FROM calls_call c WHERE c.id = t.call_id AND c.came_late AND t.state <> 'gone' AND t.due_at IS NOT NULL;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('calls', '0010_keys_checked_once_a_statement'),
        ('tenancy', '0005_quarantine_and_stored_recordings'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='call',
            name='came_late',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.CreateModel(
            name='Announcement',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('words', models.TextField(max_length=1000)),
                ('from_at', models.DateTimeField()),
                ('until_at', models.DateTimeField(null=True)),
                ('written_at', models.DateTimeField()),
                ('struck_at', models.DateTimeField(null=True)),
                ('agency', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.agency')),
                ('client', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenancy.client')),
                ('tracking_number', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='announcements', to='calls.trackingnumber')),
                ('written_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'base_manager_name': 'objects',
                'constraints': [models.CheckConstraint(condition=models.Q(('until_at', None), ('until_at__gte', models.F('from_at')), _connector='OR'), name='calls_announcement_ends_after_it_begins'), models.UniqueConstraint(condition=models.Q(('struck_at', None), ('until_at', None)), fields=('client', 'tracking_number'), name='calls_announcement_one_goes_on')],
            },
        ),
        rls.ClientRows("calls_announcement", read="view_client", write="manage_connections"),
        rls.AgencyClientKey("calls_announcement"),
        rls.ClientKey("calls_announcement", "tracking_number_id", "calls_trackingnumber"),
        migrations.RunSQL(_FILL, migrations.RunSQL.noop),
        migrations.RunSQL(_KEEP, _NOT_KEPT),
    ]
