"""
Confidential calls: staff see them, and what belongs to them, only where a grant on the call names them.

The mark is a column of each table, so that a list pays for a look at one boolean a row; who is named is looked up once a
query, and only by a query that meets such a row (docs/adr/0160).
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from callprivacy.tenancy import rls

# Table -> whether its own trigger of keys has locked the call of an added row already (docs/adr/0139).
_CHILDREN = {
    "calls_callref": True,
    "calls_recording": True,
    "calls_transcript": False,
    "calls_callpress": False,
}
_VIEWED = (
    "agency_id = (SELECT scope_agency()) AND client_id = ANY (ARRAY(SELECT scope_clients('view_calls')))"
)
_OPEN = " AND (NOT confidential OR (SELECT scope_kind()) <> 'staff' OR {call} = ANY (ARRAY(SELECT scope_calls())))"
_OFFICERS = "((SELECT scope_kind()) <> 'staff' OR (SELECT scope_signs_off()))"
_AS_OWNER = "LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$"

_NAMED = f"""
-- The confidential calls that name the scope's person. A person who has left, or whose grant ended, has none.
CREATE FUNCTION scope_calls() RETURNS SETOF uuid STABLE {_AS_OWNER}
DECLARE parts text[] := scope_parts();
BEGIN
    IF parts[1] = 'staff' THEN
        RETURN QUERY
            SELECT g.call_id FROM calls_callgrant g JOIN auth_permission p ON p.id = g.permission_id
            WHERE g.agency_id = scope_agency() AND g.user_id = parts[3]::bigint AND p.codename = 'view_call'
              AND g.ends_at > now();
    END IF;
END $$;

-- How many calls are confidential at these clients, up to a limit, for whoever may view calls there.
CREATE FUNCTION count_confidential_calls(wanted bigint[], at_most integer) RETURNS bigint STABLE {_AS_OWNER}
BEGIN
    RETURN (SELECT count(*) FROM (
        SELECT FROM calls_confidentialcall k
        WHERE k.agency_id = scope_agency() AND k.lifted_at IS NULL AND k.client_id = ANY (wanted)
          AND k.client_id = ANY (ARRAY(SELECT scope_clients('view_calls')))
        LIMIT at_most
    ) AS found);
END $$;
"""

_MARK = f"""
CREATE FUNCTION calls_mark_confidential() RETURNS trigger {_AS_OWNER}
DECLARE
    changed calls_confidentialcall := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    marked boolean;
BEGIN
    -- Against rows that are being added to the call: they lock it as well, and look at the mark afterwards.
    PERFORM FROM calls_call c WHERE c.client_id = changed.client_id AND c.id = changed.call_id FOR UPDATE;
    marked := EXISTS (
        SELECT FROM calls_confidentialcall k
        WHERE k.client_id = changed.client_id AND k.call_id = changed.call_id AND k.lifted_at IS NULL);
    UPDATE calls_call SET confidential = marked
        WHERE client_id = changed.client_id AND id = changed.call_id AND confidential <> marked;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    {
    "".join(
        f'''
    UPDATE {table} SET confidential = marked WHERE client_id = changed.client_id AND call_id = changed.call_id;'''
        for table in _CHILDREN
    )
}
    IF marked THEN
        -- Files that were written before may hold the call; those that are being written begin anew.
        UPDATE calls_callexport SET expires_at = finished_at
            WHERE client_id = changed.client_id AND file_key IS NOT NULL AND expires_at > finished_at;
        UPDATE calls_callexport SET state = 'queued', due_at = now()
            WHERE client_id = changed.client_id AND state = 'running';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER calls_mark_confidential AFTER INSERT OR DELETE OR UPDATE OF lifted_at ON calls_confidentialcall
    FOR EACH ROW EXECUTE FUNCTION calls_mark_confidential();
"""


def _follow(table, is_locked):
    lock = """
    PERFORM FROM fresh f JOIN calls_call c ON c.client_id = f.client_id AND c.id = f.call_id FOR KEY SHARE OF c;"""
    # After the trigger of keys: triggers of one moment run in the order of their names.
    return f"""
CREATE FUNCTION {table}_with_call() RETURNS trigger {_AS_OWNER}
BEGIN{"" if is_locked else lock}
    IF EXISTS (
        SELECT FROM fresh f JOIN calls_confidentialcall k
        ON k.client_id = f.client_id AND k.call_id = f.call_id AND k.lifted_at IS NULL
    ) THEN
        UPDATE {table} t SET confidential = true FROM fresh f, calls_call c
            WHERE t.id = f.id AND c.client_id = f.client_id AND c.id = f.call_id AND c.confidential;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER {table}_with_call AFTER INSERT ON {table} REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION {table}_with_call();
"""


# As it was (accounts 0004), without the confidential calls that do not name the person.
_SEEN = f"""
CREATE OR REPLACE FUNCTION count_calls_visible_to(person bigint, at_most integer) RETURNS bigint STABLE {_AS_OWNER}
DECLARE
    agency bigint := scope_agency();
    found bigint;
BEGIN
    IF NOT scope_knows_all_clients() OR NOT EXISTS (
        SELECT FROM accounts_membership m JOIN accounts_user u ON u.id = m.user_id
        WHERE m.agency_id = agency AND m.user_id = person AND m.state = 'active' AND u.is_active
    ) THEN
        RETURN 0;
    END IF;
    SELECT count(*) INTO found FROM (
        SELECT FROM calls_call c WHERE c.agency_id = agency AND c.client_id = ANY (ARRAY(
            SELECT g.client_id FROM accounts_clientgrant g JOIN auth_permission p ON p.id = g.permission_id
            WHERE g.agency_id = agency AND g.user_id = person AND p.codename = 'view_calls'
              AND (g.ends_at IS NULL OR g.ends_at > now())))
        {{open}}
        LIMIT at_most
    ) seen;
    RETURN found;
END $$;
"""
_OPEN_TO = """AND (NOT c.confidential OR c.id = ANY (ARRAY(
            SELECT n.call_id FROM calls_callgrant n JOIN auth_permission p ON p.id = n.permission_id
            WHERE n.agency_id = agency AND n.user_id = person AND p.codename = 'view_call' AND n.ends_at > now())))"""


def _read(table, more=""):
    return f"ALTER POLICY {table}_read ON {table} USING ({_VIEWED}{more});"


_TABLES = {"calls_call": "id", **dict.fromkeys(_CHILDREN, "call_id")}
_SELF = {"on_delete": django.db.models.deletion.PROTECT, "related_name": "+"}
_OURS = [
    ("id", models.BigAutoField(primary_key=True, serialize=False)),
    ("agency", models.ForeignKey(db_constraint=False, db_index=False, to="tenancy.agency", **_SELF)),
    ("client", models.ForeignKey(db_constraint=False, db_index=False, to="tenancy.client", **_SELF)),
]


def _call(**more):
    return models.ForeignKey(
        db_constraint=False,
        db_index=False,
        on_delete=django.db.models.deletion.CASCADE,
        to="calls.call",
        **more,
    )


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("accounts", "0022_an_officer_has_two"),
        ("calls", "0026_known_values"),
        ("tenancy", "0024_signed_scopes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        *(
            migrations.AddField(name, "confidential", models.BooleanField(db_default=False, default=False))
            for name in ("call", "callref", "recording", "transcript", "callpress")
        ),
        migrations.CreateModel(
            name="ConfidentialCall",
            fields=[
                *_OURS,
                ("call", _call(related_name="+")),
                (
                    "cause",
                    models.CharField(
                        choices=[
                            ("officer", "An officer decided"),
                            ("health", "Health words in the transcript"),
                            ("minor", "The caller is a minor"),
                            ("employee", "An employee's own number"),
                            ("litigation", "A legal hold keeps it"),
                        ],
                        max_length=12,
                    ),
                ),
                ("marked_by", models.ForeignKey(null=True, to=settings.AUTH_USER_MODEL, **_SELF)),
                ("marked_at", models.DateTimeField()),
                ("lifted_by", models.ForeignKey(null=True, to=settings.AUTH_USER_MODEL, **_SELF)),
                ("lifted_at", models.DateTimeField(null=True)),
            ],
            options={
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("lifted_at", None)),
                        fields=("client", "call"),
                        name="calls_confidentialcall_once",
                    )
                ],
                "indexes": [models.Index(fields=["client", "call"], name="calls_confidentialcall_of_call")],
            },
        ),
        migrations.CreateModel(
            name="CallGrant",
            fields=[
                *_OURS,
                ("granted_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("content_object", _call(db_column="call_id", related_name="grants")),
                ("granted_by", models.ForeignKey(null=True, to=settings.AUTH_USER_MODEL, **_SELF)),
                (
                    "permission",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="auth.permission"),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "base_manager_name": "objects",
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("client", "content_object", "user", "permission"), name="calls_callgrant_once"
                    )
                ],
                "indexes": [models.Index(fields=["agency", "user"], name="calls_callgrant_of_user")],
            },
        ),
        migrations.RunSQL(
            _NAMED,
            "DROP FUNCTION scope_calls(); DROP FUNCTION count_confidential_calls(bigint[], integer);",
        ),
        # Which calls are confidential, and why, is for officers; how many there are a function says.
        rls.Policies(
            "calls_confidentialcall",
            read=f"{_VIEWED} AND {_OFFICERS}",
            write=f"{_VIEWED} AND {_OFFICERS}",
        ),
        # Nobody names themselves for a call that they do not see: the call's own policy is asked.
        rls.Policies(
            "calls_callgrant",
            read=f"{_VIEWED} AND ({_OFFICERS} OR user_id = (SELECT scope_user()))",
            write=f"{_VIEWED} AND {_OFFICERS} AND ((SELECT scope_kind()) <> 'staff' OR user_id <> (SELECT scope_user())"
            " OR EXISTS (SELECT FROM calls_call c WHERE c.client_id = calls_callgrant.client_id AND c.id = call_id))",
        ),
        *(rls.AgencyClientKey(table) for table in ("calls_confidentialcall", "calls_callgrant")),
        *(
            rls.ClientKey(table, "call_id", "calls_call", on_delete="CASCADE", on_update="CASCADE")
            for table in ("calls_confidentialcall", "calls_callgrant")
        ),
        migrations.RunSQL(_MARK, "DROP FUNCTION calls_mark_confidential() CASCADE;"),
        *(
            migrations.RunSQL(_follow(table, is_locked), f"DROP FUNCTION {table}_with_call() CASCADE;")
            for table, is_locked in _CHILDREN.items()
        ),
        migrations.RunSQL(_SEEN.format(open=_OPEN_TO), _SEEN.format(open="")),
        *(
            migrations.RunSQL(_read(table, _OPEN.format(call=call)), _read(table))
            for table, call in _TABLES.items()
        ),
    ]
