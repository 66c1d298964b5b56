import callprivacy.audit.models
import callprivacy.vault.fields
import django.db.models.functions.datetime
from django.db import migrations, models

from callprivacy.tenancy import rls

_EPOCH = """
INSERT INTO audit_epoch (number, started_at, why) VALUES (1, now(), 'The house was built');

CREATE FUNCTION audit_current_epoch() RETURNS integer LANGUAGE sql STABLE SET search_path = public, pg_temp AS
    $$ SELECT max(number) FROM audit_epoch $$;
"""

_IN_AGENCY = "agency_id = (SELECT scope_agency())"
_STAFF_OR_JOB = f"{_IN_AGENCY} AND (SELECT scope_kind()) IN ('staff', 'job')"
_JUST_WRITTEN = "xid = pg_current_xact_id_if_assigned()"
_CLIENT_OR_OPERATOR = f"""
    ({_IN_AGENCY} AND (SELECT scope_kind()) = 'client' AND client_id = (SELECT scope_client()))
    OR (SELECT scope_kind()) = 'operator'
"""
_HONEST = "xid = pg_current_xact_id() AND epoch = (SELECT audit_current_epoch())"

# Whoever was granted everything on new tables keeps reading and adding here, no more.
_NO_CHANGES = """
DO $$
DECLARE name text; grantee text;
BEGIN
    FOR name, grantee IN
        SELECT DISTINCT c.relname, a.grantee::regrole::text FROM pg_class c, aclexplode(c.relacl) a
        WHERE c.oid IN ('audit_event'::regclass, 'audit_seal'::regclass, 'audit_epoch'::regclass,
                        'audit_houseevent'::regclass)
          AND a.grantee NOT IN (0, c.relowner)
    LOOP
        EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON %I FROM %s', name, grantee);
    END LOOP;
END $$;
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [("tenancy", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Epoch",
            fields=[
                ("number", models.PositiveIntegerField(primary_key=True, serialize=False)),
                ("started_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("why", models.CharField(max_length=200)),
            ],
        ),
        migrations.RunSQL(_EPOCH, "DROP FUNCTION audit_current_epoch()"),
        migrations.CreateModel(
            name="Reason",
            fields=[
                ("event_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("agency_id", models.BigIntegerField()),
                (
                    "client_id",
                    models.BigIntegerField(
                        help_text="Whose key seals it: a client, or minus the agency's id."
                    ),
                ),
                ("words", callprivacy.vault.fields.SealedField()),
            ],
            options={"base_manager_name": "objects"},
        ),
        migrations.CreateModel(
            name="Event",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("agency_id", models.BigIntegerField()),
                ("client_id", models.BigIntegerField(null=True)),
                (
                    "actor_kind",
                    models.CharField(
                        choices=[
                            ("staff", "staff"),
                            ("client", "client"),
                            ("job", "job"),
                            ("operator", "operator"),
                        ],
                        max_length=10,
                    ),
                ),
                ("actor_user_id", models.BigIntegerField(null=True)),
                ("actor_name", models.CharField(max_length=100)),
                ("action", models.CharField(max_length=80)),
                ("subject_kind", models.CharField(blank=True, max_length=80)),
                ("subject_id", models.CharField(blank=True, max_length=80)),
                ("at", models.DateTimeField()),
                ("details", models.JSONField(default=dict)),
                ("reason_hash", models.CharField(blank=True, max_length=64)),
                (
                    "xid",
                    callprivacy.audit.models.TransactionIdField(
                        db_default=callprivacy.audit.models.CurrentTransaction()
                    ),
                ),
                ("epoch", models.IntegerField(db_default=callprivacy.audit.models.CurrentEpoch())),
            ],
            options={
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["agency_id", "epoch", "xid", "id"], name="audit_event_order"),
                    models.Index(fields=["agency_id", "at", "id"], name="audit_event_newest"),
                    models.Index(fields=["agency_id", "client_id", "at", "id"], name="audit_event_of_client"),
                    models.Index(
                        fields=["agency_id", "actor_user_id", "at", "id"], name="audit_event_of_person"
                    ),
                    models.Index(fields=["agency_id", "action", "at", "id"], name="audit_event_of_action"),
                    models.Index(
                        fields=["agency_id", "subject_kind", "subject_id", "at"],
                        name="audit_event_of_subject",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("action__regex", "^[a-z][a-z0-9_]*\\.[a-z][a-z0-9_]*$")),
                        name="audit_event_noun_verbed",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("reason_hash", ""), ("reason_hash__regex", "^[0-9a-f]{64}$"), _connector="OR"
                        ),
                        name="audit_event_reason_is_a_hash",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="HouseEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("action", models.CharField(max_length=80)),
                ("at", models.DateTimeField()),
                ("details", models.JSONField(default=dict)),
                (
                    "xid",
                    callprivacy.audit.models.TransactionIdField(
                        db_default=callprivacy.audit.models.CurrentTransaction()
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("action__regex", "^[a-z][a-z0-9_]*\\.[a-z][a-z0-9_]*$")),
                        name="audit_houseevent_noun_verbed",
                    )
                ]
            },
        ),
        migrations.CreateModel(
            name="Seal",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("agency_id", models.BigIntegerField()),
                ("number", models.BigIntegerField()),
                ("first_event", models.BigIntegerField()),
                ("last_event", models.BigIntegerField()),
                ("count", models.IntegerField()),
                ("size", models.BigIntegerField()),
                ("root", models.BinaryField(max_length=32)),
                ("previous", models.BinaryField(max_length=32)),
                ("epoch", models.IntegerField()),
                ("until_xid", callprivacy.audit.models.TransactionIdField()),
                ("until_id", models.BigIntegerField()),
                ("signed_at", models.DateTimeField()),
                ("key_id", models.CharField(max_length=16)),
                ("signature", models.BinaryField(max_length=64)),
                (
                    "peaks",
                    models.BinaryField(help_text="Roots of the full subtrees, 32 bytes each, largest first."),
                ),
                (
                    "leaves",
                    models.BinaryField(
                        help_text="40 bytes an event, in order: its id (big-endian) and its leaf hash."
                    ),
                ),
            ],
            options={
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("agency_id", "number"), name="audit_seal_number_in_agency"
                    ),
                    models.UniqueConstraint(
                        fields=("agency_id", "epoch", "until_xid", "until_id"),
                        name="audit_seal_until_in_agency",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("count__gte", 1)), name="audit_seal_covers_something"
                    ),
                ],
            },
        ),
        rls.Policies("audit_epoch", read="true", write="false", only_append=True),
        rls.Policies(
            "audit_event",
            # Who may add but not read the trail still gets back the row that was just written.
            read=f"({_STAFF_OR_JOB}) OR ({_JUST_WRITTEN} AND ({_CLIENT_OR_OPERATOR}))",
            write=f"{_HONEST} AND (({_STAFF_OR_JOB}) OR {_CLIENT_OR_OPERATOR})",
            only_append=True,
        ),
        rls.Policies(
            "audit_reason",
            read=_STAFF_OR_JOB,
            write=_IN_AGENCY + " AND (SELECT scope_kind()) = 'job'",
            insert=f"{_IN_AGENCY} AND (SELECT scope_kind()) IN ('staff', 'job', 'client')",
        ),
        rls.Policies(
            "audit_seal",
            read=_STAFF_OR_JOB,
            write=f"{_IN_AGENCY} AND (SELECT scope_kind()) = 'job'",
            only_append=True,
        ),
        rls.Policies(
            "audit_houseevent",
            read=f"(SELECT scope_kind()) = 'operator' OR {_JUST_WRITTEN}",
            write="xid = pg_current_xact_id()",
            only_append=True,
        ),
        rls.AppendOnly("audit_epoch"),
        rls.AppendOnly("audit_event"),
        rls.AppendOnly("audit_seal"),
        rls.AppendOnly("audit_houseevent"),
        migrations.RunSQL(_NO_CHANGES, migrations.RunSQL.noop),
    ]
