"""
Events that leave by policy: one guarded path, and a trigger that lets a DELETE pass for what went that path alone.

docs/adr/0145 says why each of the guards is there.
"""

import django.db.models.functions.datetime
from django.db import migrations, models

import callprivacy.audit.models
from callprivacy.tenancy import rls

# A year by the database's clock, not in days of a session's time zone.
_FLOOR = "interval '8760 hours'"

_LEAVE = f"""
CREATE FUNCTION audit_leave(
    mine bigint, through bigint, said text, signed bytea, who text, instant timestamptz
) RETURNS bigint LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    one_first bigint;
    seals bigint;
    counted bigint;
    youngest timestamptz;
    b_epoch integer := 0;
    b_xid xid8 := '0';
    b_id bigint := 0;
    size_before bigint := 0;
    final record;
    members jsonb := said::jsonb;
    removed bigint;
BEGIN
    IF mine IS NULL OR scope_kind() IS DISTINCT FROM 'job' OR scope_agency() IS DISTINCT FROM mine THEN
        RAISE insufficient_privilege USING MESSAGE = 'Only a job of the agency itself lets its events leave.';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('audit.seal', mine));

    SELECT coalesce(max(l.last_seal), 0) + 1 INTO one_first FROM audit_leaving l WHERE l.agency_id = mine;
    SELECT count(*), sum(s.count), max(s.sealed_at) INTO seals, counted, youngest
        FROM audit_seal s WHERE s.agency_id = mine AND s.number BETWEEN one_first AND through;
    IF through IS NULL OR seals = 0 OR seals <> through - one_first + 1 THEN
        RAISE restrict_violation USING MESSAGE = 'These are not the seals that follow what left before.';
    END IF;
    IF youngest IS NULL OR youngest > clock_timestamp() - {_FLOOR} THEN
        RAISE restrict_violation USING MESSAGE = 'A seal among these is not a year old.';
    END IF;

    IF one_first > 1 THEN
        SELECT s.epoch, s.until_xid, s.until_id, s.size INTO STRICT b_epoch, b_xid, b_id, size_before
            FROM audit_seal s WHERE s.agency_id = mine AND s.number = one_first - 1;
    END IF;
    SELECT s.epoch, s.until_xid, s.until_id, s.size, s.root INTO STRICT final
        FROM audit_seal s WHERE s.agency_id = mine AND s.number = through;
    IF final.size - size_before <> counted THEN
        RAISE restrict_violation USING MESSAGE = 'These seals do not add up.';
    END IF;
    IF members IS NULL OR signed IS NULL OR length(signed) <> 64
        OR (members ->> 'agency')::bigint IS DISTINCT FROM mine
        OR (members ->> 'first')::bigint IS DISTINCT FROM one_first
        OR (members ->> 'last')::bigint IS DISTINCT FROM through
        OR (members ->> 'events')::bigint IS DISTINCT FROM counted
        OR (members ->> 'size')::bigint IS DISTINCT FROM final.size
        OR (members ->> 'root') IS DISTINCT FROM encode(final.root, 'hex') THEN
        RAISE restrict_violation USING MESSAGE = 'The statement is not about these seals.';
    END IF;
    IF EXISTS (
        SELECT FROM audit_event e JOIN audit_reason r ON r.event_id = e.id
        WHERE e.agency_id = mine AND e.reason_hash <> ''
          AND (e.epoch, e.xid, e.id) >= (b_epoch, b_xid, b_id)
          AND (e.epoch, e.xid, e.id) < (final.epoch, final.until_xid, final.until_id)
    ) THEN
        RAISE restrict_violation USING MESSAGE = 'The words behind some of these events are still here.';
    END IF;

    INSERT INTO audit_leaving (agency_id, first_seal, last_seal, events, begin_epoch, begin_xid, begin_id,
                               until_epoch, until_xid, until_id, statement, signature, left_at, xid)
        VALUES (mine, one_first, through, counted, b_epoch, b_xid, b_id,
                final.epoch, final.until_xid, final.until_id, said, signed, clock_timestamp(), pg_current_xact_id());
    INSERT INTO audit_event (agency_id, actor_kind, actor_name, action, subject_kind, subject_id, at, details,
                             reason_hash, xid, epoch)
        VALUES (mine, 'job', who, 'trail.left', '', '', instant,
                jsonb_build_object('first_seal', one_first, 'last_seal', through, 'events', counted,
                                   'before', members ->> 'before'),
                '', pg_current_xact_id(), audit_current_epoch());
    DELETE FROM audit_event e WHERE e.agency_id = mine
        AND (e.epoch, e.xid, e.id) >= (b_epoch, b_xid, b_id)
        AND (e.epoch, e.xid, e.id) < (final.epoch, final.until_xid, final.until_id);
    GET DIAGNOSTICS removed = ROW_COUNT;
    IF removed <> counted THEN
        RAISE restrict_violation USING MESSAGE =
            format('%s events are there where these seals count %s.', removed, counted);
    END IF;
    RETURN removed;
END $$;
REVOKE ALL ON FUNCTION audit_leave(bigint, bigint, text, bytea, text, timestamptz) FROM PUBLIC;

CREATE FUNCTION audit_event_leaves() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM gone g WHERE NOT EXISTS (
            SELECT FROM audit_leaving l
            WHERE l.xid = pg_current_xact_id() AND l.agency_id = g.agency_id
              AND (g.epoch, g.xid, g.id) >= (l.begin_epoch, l.begin_xid, l.begin_id)
              AND (g.epoch, g.xid, g.id) < (l.until_epoch, l.until_xid, l.until_id)
        )
    ) THEN
        RAISE EXCEPTION 'audit_event is append-only' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION audit_event_leaves() FROM PUBLIC;

-- Before it, and also where a DELETE meets nothing: only a transaction in which something leaves may try.
CREATE FUNCTION audit_event_may_leave() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM audit_leaving l WHERE l.xid = pg_current_xact_id_if_assigned()) THEN
        RAISE EXCEPTION 'audit_event is append-only' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION audit_event_may_leave() FROM PUBLIC;

-- In this order, so that nothing is ever unguarded.
CREATE TRIGGER audit_event_may_leave BEFORE DELETE ON audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION audit_event_may_leave();
CREATE TRIGGER audit_event_leaves AFTER DELETE ON audit_event REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION audit_event_leaves();
CREATE OR REPLACE TRIGGER audit_event_append_only BEFORE UPDATE ON audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION audit_event_refuse();
"""
_STAY = """
CREATE OR REPLACE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE ON audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION audit_event_refuse();
DROP TRIGGER audit_event_leaves ON audit_event;
DROP TRIGGER audit_event_may_leave ON audit_event;
DROP FUNCTION audit_event_leaves();
DROP FUNCTION audit_event_may_leave();
DROP FUNCTION audit_leave(bigint, bigint, text, bytea, text, timestamptz);
"""

# Whoever was granted everything on new tables reads here, no more, and uses no number of it either.
_NO_WRITES = """
DO $$
DECLARE grantee text;
BEGIN
    FOR grantee IN
        SELECT DISTINCT a.grantee::regrole::text FROM pg_class c, aclexplode(c.relacl) a
        WHERE c.oid IN ('audit_leaving'::regclass, 'audit_leaving_id_seq'::regclass)
          AND a.grantee NOT IN (0, c.relowner)
    LOOP
        EXECUTE format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON audit_leaving FROM %s', grantee);
        EXECUTE format('REVOKE ALL ON SEQUENCE audit_leaving_id_seq FROM %s', grantee);
    END LOOP;
END $$;
"""

_READ = "agency_id = (SELECT scope_agency()) AND (SELECT scope_kind()) IN ('staff', 'job')"


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0006_when_a_seal_was_stored"),
        ("tenancy", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Leaving",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("agency_id", models.BigIntegerField()),
                ("first_seal", models.BigIntegerField()),
                ("last_seal", models.BigIntegerField()),
                ("events", models.BigIntegerField()),
                ("begin_epoch", models.IntegerField()),
                ("begin_xid", callprivacy.audit.models.TransactionIdField()),
                ("begin_id", models.BigIntegerField()),
                ("until_epoch", models.IntegerField()),
                ("until_xid", callprivacy.audit.models.TransactionIdField()),
                ("until_id", models.BigIntegerField()),
                ("statement", models.TextField()),
                ("signature", models.BinaryField(max_length=64)),
                ("left_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "xid",
                    callprivacy.audit.models.TransactionIdField(
                        db_default=callprivacy.audit.models.CurrentTransaction()
                    ),
                ),
            ],
            options={
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("agency_id", "first_seal"), name="audit_leaving_first_in_agency"
                    ),
                    models.UniqueConstraint(
                        fields=("agency_id", "last_seal"), name="audit_leaving_last_in_agency"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("events__gte", 1),
                            ("first_seal__gte", 1),
                            ("last_seal__gte", models.F("first_seal")),
                        ),
                        name="audit_leaving_of_something",
                    ),
                ],
            },
        ),
        rls.Policies("audit_leaving", read=_READ, write="false", only_append=True),
        rls.AppendOnly("audit_leaving"),
        migrations.RunSQL(_NO_WRITES, migrations.RunSQL.noop),
        migrations.RunSQL(_LEAVE, _STAY),
    ]
