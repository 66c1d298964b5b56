"""
The catalogue lint: what PostgreSQL itself says of every table, policy, key, function, view and of our role.

Each rule asks the catalogue of the database that the migrations made, so a table that comes later is under it
without a word here; what is excepted is listed with its reason. Each rule is shown to find a planted fault.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
import pytest
from django.apps import apps
from django.db import connection, connections, models, transaction

from callprivacy.tenancy.models import AgencyOwned, ClientOwned, ScopedQuerySet
from tests.rules.test_fields import OURS

pytestmark = pytest.mark.django_db

# Tables that belong to no agency, and why nobody is told anything by them.
SHARED = {
    "tenancy.Agency": "the tenant itself; its policy compares the id",
    "tenancy.PublicKey": "asked before any scope is known: a random key, and whose it is",
    "accounts.User": "one sign-in may work for several agencies",
    "accounts.User_groups": "comes with Django, and takes no row",
    "accounts.User_user_permissions": "comes with Django, and takes no row",
    "accounts.PasswordHistory": "digests of one sign-in, whichever agencies it works for",
    "accounts.PasswordReminder": "one mail to one sign-in, however many agencies",
    "accounts.SignInMark": "keyed digests of browsers and networks of one sign-in, whichever agencies it works for",
    "accounts.SignInFailure": "counts before anybody is known; digests of names",
    "audit.Epoch": "lives of the whole cluster",
    "audit.HouseEvent": "what has no agency",
    "audit.Pulse": "a counter of the whole database",
    "retention.Backup": "dumps of the whole database, the operator's",
    "retention.Drill": "restores of the whole database, the operator's",
}
# Rows of one agency without Django's foreign keys: nothing on another table may touch the trail.
TRAIL = {"audit.Event", "audit.Leaving", "audit.Reason", "audit.Seal"}
# Grants take their columns from django-guardian's base and name agency and client themselves; the others are views.
GRANTS = {"accounts.ClientGrant", "accounts.ClientAccess", "calls.CallAccess"}
# Shared tables that still have policies.
SHARED_WITH_POLICIES = {"tenancy.Agency", "audit.Epoch", "audit.HouseEvent"}
# Rows that are only ever added.
APPEND_ONLY = {"audit_epoch", "audit_event", "audit_houseevent", "audit_leaving", "audit_seal"}
# What else guards them: an event goes by way of audit_leave alone, a seal has the database's own clock.
MORE_TRIGGERS = {
    "audit_event": {"audit_event_leaves", "audit_event_may_leave"},
    "audit_seal": {"audit_seal_dated"},
    "accounts_membership": {"accounts_membership_officer_by_two"},
}
# Rows that are added and go, but are never changed, and why.
NEVER_CHANGED = {
    "consent_consentevent": "what somebody said is not said otherwise afterwards; it goes with its evidence's date",
    "analytics_spend": "a budget that can be rewritten is none; rows go with the client",
    "rights_privacynotice": "what people read on a day is not rewritten; another wording is another version",
}
# Tables that are filled by thousands of rows at a time: their keys are checked once a statement (docs/adr/0139).
KEYS_BY_STATEMENT = {
    "analytics_cell",
    "analytics_touched",
    "calls_call",
    "calls_caller",
    "calls_callref",
    "calls_recording",
}
# Tables without a policy, so that no role but their owner has a row of theirs.
SEALED = {"tenancy_scopekey"}
# Conditions that name no scope function, and why they may.
OPEN_CONDITIONS = {
    ("audit_epoch", "SELECT"): "the number of the epoch is no secret",
    ("audit_epoch", "INSERT"): "false: only the owner adds one",
    ("audit_leaving", "INSERT"): "false: one function of the owner's adds them",
    ("audit_houseevent", "INSERT"): "anybody may be refused at the door; the transaction must be its own",
}
# Unique over all agencies, and why that tells a stranger nothing.
UNIQUE_OVER_ALL = {
    "accounts_user_email_key": "one person, one sign-in; sign-up is closed and the invitation says the same",
    "accounts_invitation_digest_key": "digest of 32 random bytes",
    "tenancy_agency_slug_key": "made by a service that asks whether a slug is free; never in an address",
    "tenancy_publickey_pkey": "random",
    "accounts_mark_once": "where one sign-in was, however many agencies; written for oneself alone",
    "accounts_reminder_once": "one mail to one sign-in, however many agencies; written by jobs alone",
    "accounts_signinfailure_pkey": "keyed digest; no row says whether a name exists",
    "calls_recording_call_id_key": "a call's id is random and its client's",
    "calls_transcript_call_id_key": "a call's id is random and its client's",
    "calls_refusal_once_a_line": "begins with the random id of an import of one client",
    "retention_runpart_once_a_category": "names a client behind a random run",
    "audit_epoch_pkey": "one cluster",
}


def ask(statement: LiteralString, *values: object, alias: str = "default") -> list[tuple[Any, ...]]:
    with connections[alias].cursor() as cursor:
        cursor.execute(statement, values or None)  # type: ignore[arg-type]  # values as they come
        return list(cursor.fetchall())


def _tables(*labels: str) -> set[str]:
    return {apps.get_model(label)._meta.db_table for label in labels}


def _scoped() -> list[type[models.Model]]:
    """Our models of `default` that belong to an agency."""
    return [model for model in OURS if model._meta.label not in SHARED and model._meta.app_label != "vault"]


def _is_client_level(model: type[models.Model]) -> bool:
    return issubclass(model, ClientOwned)


# --- Python's side ---


def unscoped(models_: list[type[models.Model]]) -> set[str]:
    """Models that are neither scoped nor listed as shared."""
    return {
        model._meta.label
        for model in models_
        if not issubclass(model, AgencyOwned | ClientOwned)
        and model._meta.label not in SHARED.keys() | TRAIL | GRANTS
        and model._meta.app_label != "vault"
    }


def test_every_model_is_scoped_or_shared_for_a_reason() -> None:
    assert unscoped(OURS) == set()


def test_a_model_that_is_neither_is_found() -> None:
    assert unscoped([apps.get_model("sessions.Session")]) == {"sessions.Session"}


def test_nothing_is_excepted_that_is_not_there() -> None:
    labels = {model._meta.label for model in OURS}
    assert (SHARED.keys() | TRAIL | GRANTS) - labels == set()


@pytest.mark.parametrize("model", _scoped(), ids=lambda model: model._meta.label)
def test_every_way_to_query_a_scoped_model_asks_for_the_scope(model: type[models.Model]) -> None:
    managers = [model._default_manager, model._base_manager]
    for manager in managers:
        assert isinstance(manager.get_queryset(), ScopedQuerySet), model._meta.label
    assert all(isinstance(manager.get_queryset(), ScopedQuerySet) for manager in model._meta.managers)


# --- Row security ---


def tables_without_row_security(allowed: set[str]) -> set[str]:
    """Tables in our schema without row security, but for those allowed."""
    rows = ask(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind IN ('r', 'p') AND NOT relrowsecurity"
    )
    return {name for (name,) in rows} - allowed


def _allowed_without() -> set[str]:
    packages = {model._meta.db_table for model in apps.get_models(include_auto_created=True)} - {
        model._meta.db_table for model in OURS
    }
    return packages | _tables(*(SHARED.keys() - SHARED_WITH_POLICIES)) | {"django_migrations"}


def test_every_table_of_ours_has_row_security() -> None:
    assert tables_without_row_security(_allowed_without()) == set()


@dataclass(frozen=True, slots=True)
class Policy:
    table: str
    command: str
    using: str | None
    check: str | None
    permissive: bool
    roles: str


def _policies() -> list[Policy]:
    rows = ask(
        "SELECT tablename, cmd, qual, with_check, permissive = 'PERMISSIVE', roles::text FROM pg_policies"
        " WHERE schemaname = 'public'"
    )
    return [Policy(*row) for row in rows]


def policy_faults() -> list[str]:
    """What is missing or too wide in the policies there are."""
    found: dict[str, dict[str, Policy]] = {}
    faults = []
    for policy in _policies():
        if policy.command in found.setdefault(policy.table, {}):
            faults.append(f"{policy.table}: two policies for {policy.command} add up")
        found[policy.table][policy.command] = policy
    rows = ask("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relrowsecurity")
    for (table,) in rows:
        commands = set() if table in SEALED else {"SELECT", "INSERT"}
        commands |= set() if table in APPEND_ONLY | SEALED else {"DELETE"}
        commands |= set() if table in APPEND_ONLY | SEALED | NEVER_CHANGED.keys() else {"UPDATE"}
        if set(found.get(table, {})) != commands:
            faults.append(f"{table}: policies for {sorted(found.get(table, {}))}, not {sorted(commands)}")
    for policy in (policy for of in found.values() for policy in of.values()):
        faults += _faults_of(policy)
    return faults


def _faults_of(policy: Policy) -> Iterator[str]:
    name = f"{policy.table} {policy.command}"
    if policy.command in {"SELECT", "UPDATE", "DELETE"} and not policy.using:
        yield f"{name}: no USING"
    if policy.command in {"INSERT", "UPDATE"} and not policy.check:
        yield f"{name}: no WITH CHECK"
    if policy.command == "UPDATE" and policy.using != policy.check:
        yield f"{name}: what may be changed is not what may come of it"
    for condition in filter(None, (policy.using, policy.check)):
        if (policy.table, policy.command) in OPEN_CONDITIONS:
            continue
        if "scope_" not in condition:
            yield f"{name}: names no scope"
        if policy.command != "SELECT" and re.search(r"\bOR\b.*'operator'", condition) and "audit" not in name:
            yield f"{name}: an operator may write it"


def test_every_command_has_its_policy_and_each_names_the_scope() -> None:
    assert policy_faults() == []


def client_policy_faults(tables: set[str]) -> list[str]:
    """Policies of client-level tables that do not look at the row's client."""
    return [
        f"{policy.table} {policy.command}"
        for policy in _policies()
        if policy.table in tables
        for condition in filter(None, (policy.using, policy.check))
        if "client_id" not in condition and "scope_knows_all_clients" not in condition
    ]


def test_policies_of_client_level_rows_look_at_the_client() -> None:
    tables = {model._meta.db_table for model in OURS if _is_client_level(model)}
    assert client_policy_faults(tables) == []


def test_permissions_named_in_policies_exist() -> None:
    """A misspelt permission would refuse everybody, or hide that nobody is meant."""
    from callprivacy.tenancy.enums import Permission

    known = {permission.value for permission in Permission} | {"no_permission"}
    named = {
        name
        for policy in _policies()
        for condition in filter(None, (policy.using, policy.check))
        for name in re.findall(r"scope_clients\('(\w+)'", condition)
    }
    assert named
    assert named - known == set()


# --- Keys ---


def keys_by_statement() -> set[tuple[str, str, str]]:
    """
    (table, column, what it points into) of each key that triggers keep instead of PostgreSQL's own.

    Counted where both ends have theirs, switched on: the rows that come and change, what they rest on when it goes
    or changes its key. That each of them refuses is shown in tests/calls/test_keys.py.
    """
    rows = ask(
        "SELECT tgrelid::regclass::text, tgname, proname FROM pg_trigger JOIN pg_proc p ON p.oid = tgfoid"
        " WHERE NOT tgisinternal AND tgenabled = 'O' AND prosecdef"
    )
    there = {(table, trigger, function) for table, trigger, function in rows}
    children = {
        table for table, trigger, _ in there
        if trigger == f"{table}_keys_insert"
        and {(table, f"{table}_keys_{deed}", f"{table}_keys") for deed in ("insert", "update")} <= there
    }  # fmt: skip
    return {
        (child, column, target)
        for child in children
        for target, trigger, function in there
        if (column := function.removeprefix(f"{child}_").removesuffix("_rests"))
        and function == f"{child}_{column}_rests"
        and {(target, f"{function}_{deed}", function) for deed in ("delete", "update")} <= there
    }


def test_keys_are_checked_by_statement_where_that_was_argued_for() -> None:
    assert {table for table, _, _ in keys_by_statement()} == KEYS_BY_STATEMENT


def missing_client_keys(tables: set[str]) -> set[str]:
    """Tables without the composite key (agency_id, client_id)."""
    rows = ask(
        "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE contype = 'f' AND convalidated"
    )
    have = {
        table
        for table, text in rows
        if text.startswith("FOREIGN KEY (agency_id, client_id) REFERENCES tenancy_client(agency_id, id)")
    }
    by_statement = {
        table
        for table, column, target in keys_by_statement()
        if (column, target) == ("client_id", "tenancy_client")
    }
    return tables - have - by_statement


def _with_client_column() -> set[str]:
    return {
        model._meta.db_table
        for model in _scoped()
        if model._meta.label not in TRAIL
        and {"agency_id", "client_id"} <= {f.column for f in model._meta.fields}
    }


def test_rows_of_a_client_are_of_its_agency() -> None:
    assert _with_client_column() >= {model._meta.db_table for model in OURS if _is_client_level(model)}
    assert missing_client_keys(_with_client_column()) == set()


def keys_that_leave_the_client() -> list[str]:
    """Foreign keys between rows of clients that do not carry the client."""
    rows = ask(
        "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f'"
    )
    definitions = {(table, re.sub(r" (ON UPDATE|ON DELETE|DEFERRABLE).*", "", text)) for table, text in rows}
    by_statement = keys_by_statement()
    return [
        f"{model._meta.label}.{field.name}"
        for model in OURS
        if _is_client_level(model)
        for field in model._meta.fields
        if isinstance(field, models.ForeignKey)
        and _is_client_level(field.remote_field.model)
        and (
            model._meta.db_table,
            (
                f"FOREIGN KEY (client_id, {field.column}) REFERENCES"
                f" {field.remote_field.model._meta.db_table}(client_id, id)"
            ),
        )
        not in definitions
        and (model._meta.db_table, field.column, field.remote_field.model._meta.db_table) not in by_statement
    ]


def test_a_foreign_key_between_rows_of_clients_stays_inside_the_client() -> None:
    assert keys_that_leave_the_client() == []


def unique_over_all() -> set[str]:
    """Unique indexes that neither begin inside an agency nor are on a random or counted id alone."""
    rows = ask(
        "SELECT c.relname, i.relname, x.indisprimary, array_agg(a.attname::text ORDER BY k.n),"
        " array_agg(a.atttypid::regtype::text ORDER BY k.n)"
        " FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid,"
        " unnest(x.indkey) WITH ORDINALITY AS k(attnum, n) JOIN pg_attribute a ON a.attnum = k.attnum"
        " WHERE a.attrelid = x.indrelid AND x.indisunique AND c.relnamespace = 'public'::regnamespace"
        " GROUP BY 1, 2, 3"
    )
    ours = {model._meta.db_table for model in OURS}
    counted = {"id", "event_id"}
    return {
        index
        for table, index, primary, columns, types in rows
        if table in ours
        and not {"agency_id", "client_id"} & set(columns)
        and not (primary and len(columns) == 1 and (types == ["uuid"] or columns[0] in counted))
        and not ({"user_id"} & set(columns) and table.startswith("accounts_user_"))
        and index not in UNIQUE_OVER_ALL
    }


def test_unique_keys_carry_the_client_or_the_agency() -> None:
    assert unique_over_all() == set()


def test_a_grant_is_unique_within_its_client() -> None:
    """Its index has no agency: the client decides which that is, by the composite key above."""
    assert ask(
        "SELECT 1 FROM pg_indexes"
        " WHERE indexname = 'accounts_clientgrant_once' AND indexdef LIKE '%client_id%'"
    )


# --- Our role, functions, views ---


def role_faults(role: str, alias: str = "default") -> list[str]:
    """What a role may, is or owns that ours must not."""
    special = ask(
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication FROM pg_roles WHERE rolname = %s",
        role, alias=alias,
    )  # fmt: skip
    found = [] if special == [(False,) * 5] else [f"{role} may something special: {special}"]
    member = ask(
        "SELECT roleid::regrole::text FROM pg_auth_members WHERE member = %s::regrole", role, alias=alias
    )
    found += [f"{role} is also {other}" for (other,) in member]
    kinds: dict[str, LiteralString] = {
        "relation": "SELECT relname::text FROM pg_class WHERE relowner = %s::regrole",
        "function": "SELECT proname::text FROM pg_proc WHERE proowner = %s::regrole",
        "schema": "SELECT nspname::text FROM pg_namespace WHERE nspowner = %s::regrole",
        "type": "SELECT typname::text FROM pg_type WHERE typowner = %s::regrole",
        "database": "SELECT datname::text FROM pg_database WHERE datdba = %s::regrole",
    }
    for kind, statement in kinds.items():
        found += [f"{role} owns the {kind} {name}" for (name,) in ask(statement, role, alias=alias)]
    if ask("SELECT has_schema_privilege(%s, 'public', 'CREATE')", role, alias=alias) != [(False,)]:
        found.append(f"{role} may make tables")
    return found


@pytest.mark.parametrize("alias", ["default", "vault"])
def test_our_role_owns_nothing_and_may_nothing_special(alias: str) -> None:
    ((role,),) = ask("SELECT current_user::text", alias=alias)
    assert role_faults(role, alias) == []


@pytest.mark.parametrize("alias", ["default", "vault"])
def test_our_role_truncates_references_and_triggers_nothing(alias: str) -> None:
    rows = ask(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')"
        " AND (has_table_privilege(oid, 'TRUNCATE') OR has_table_privilege(oid, 'REFERENCES')"
        " OR has_table_privilege(oid, 'TRIGGER'))",
        alias=alias,
    )
    assert rows == []


def test_our_role_only_adds_to_the_trail() -> None:
    for table in APPEND_ONLY:
        assert ask(
            "SELECT has_table_privilege(%s, 'UPDATE'), has_table_privilege(%s, 'DELETE')", table, table
        ) == [(False, False)]
        triggers = ask(
            "SELECT tgname FROM pg_trigger"
            " WHERE tgrelid = %s::regclass AND NOT tgisinternal AND tgenabled = 'O'",
            table,
        )
        wanted = {f"{table}_append_only", f"{table}_no_truncate", *MORE_TRIGGERS.get(table, ())}
        assert {name for (name,) in triggers} == wanted


@pytest.mark.parametrize("alias", ["default", "vault"])
def test_nobody_but_our_two_roles_is_let_in(alias: str) -> None:
    """PUBLIC may neither read a table nor run a function of ours nor connect."""
    assert (
        ask(
            "SELECT relname FROM pg_class, aclexplode(relacl) WHERE relnamespace = 'public'::regnamespace"
            " AND grantee = 0",
            alias=alias,
        )
        == []
    )
    assert ask(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        " AND (proacl IS NULL OR EXISTS (SELECT FROM aclexplode(proacl) WHERE grantee = 0))",
        alias=alias,
    ) == []  # fmt: skip


@pytest.mark.parametrize(("alias", "other"), [("default", "vault"), ("vault", "default")])
def test_each_role_opens_its_own_database_alone(alias: str, other: str) -> None:
    parts = connections[alias].get_connection_params()
    name = connections[other].settings_dict["NAME"]
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(**{key: parts[key] for key in ("host", "port", "user", "password")}, dbname=name)


def careless_functions() -> set[str]:
    """
    Functions that our role owns or whose search path a caller could choose: SECURITY DEFINER ones, and those with types
    that are looked up once a session, which one of the owner's may call later.
    """
    rows = ask(
        "SELECT proname, proowner = current_user::regrole,"
        " coalesce('search_path=public, pg_temp' = ANY (proconfig), false)"
        " FROM pg_proc WHERE (prosecdef OR prosrc ~* 'declare') AND pronamespace = 'public'::regnamespace"
    )
    assert rows
    return {name for name, is_ours, pinned in rows if is_ours or not pinned}


def test_functions_that_see_everything_are_the_owners_and_pin_their_path() -> None:
    assert careless_functions() == set()


def careless_views() -> set[str]:
    """Views that ask as their owner, whom row security does not hold, and materialised ones, which have none."""
    rows = ask(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND (relkind = 'm' OR"
        " relkind = 'v' AND NOT coalesce('security_invoker=true' = ANY (reloptions), false))"
    )
    return {name for (name,) in rows}


def test_every_view_asks_as_who_looks() -> None:
    assert careless_views() == set()


# --- The lint finds what is planted ---


@pytest.fixture
def owner(databases: Any) -> Iterator[Any]:
    """A connection as the owner, whose changes are rolled back, and through which the lint asks."""
    pair = databases.current
    with psycopg.connect(pair.owner_urls["default"]) as line:
        yield line
        line.rollback()


@pytest.fixture
def as_owner(owner: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    def through(statement: LiteralString, *values: object, alias: str = "default") -> list[tuple[Any, ...]]:
        return list(owner.execute(statement, values or None).fetchall())

    monkeypatch.setitem(globals(), "ask", through)
    owner.execute("SET LOCAL lock_timeout = '5s'")
    return owner


def test_a_table_without_row_security_is_found(as_owner: Any) -> None:
    as_owner.execute("CREATE TABLE calls_planted (id uuid PRIMARY KEY, number text)")
    assert tables_without_row_security(_allowed_without()) == {"calls_planted"}


def test_policies_that_are_missing_or_too_wide_are_found(as_owner: Any) -> None:
    as_owner.execute(
        "CREATE TABLE calls_planted (id uuid PRIMARY KEY, agency_id bigint, client_id bigint);"
        "ALTER TABLE calls_planted ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY a ON calls_planted FOR SELECT USING (true);"
        "CREATE POLICY b ON calls_planted FOR INSERT WITH CHECK (agency_id = (SELECT scope_agency()));"
        "CREATE POLICY c ON calls_planted FOR UPDATE USING (agency_id = (SELECT scope_agency()));"
    )
    faults = policy_faults()
    assert "calls_planted SELECT: names no scope" in faults
    assert "calls_planted UPDATE: no WITH CHECK" in faults
    assert any(fault.startswith("calls_planted: policies for") for fault in faults)
    assert "calls_planted INSERT" in client_policy_faults({"calls_planted"})
    assert missing_client_keys({"calls_planted"}) == {"calls_planted"}


def test_a_unique_key_over_all_agencies_is_found(as_owner: Any) -> None:
    as_owner.execute("SET LOCAL lock_timeout = '5s'; CREATE UNIQUE INDEX planted ON work_period (job)")
    assert unique_over_all() == {"planted"}


def test_a_function_without_a_pinned_path_is_found(as_owner: Any) -> None:
    as_owner.execute(
        "CREATE FUNCTION planted() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT 1::bigint'"
    )
    as_owner.execute(
        "CREATE FUNCTION planted_inside() RETURNS bigint LANGUAGE plpgsql AS"
        " $$ DECLARE one bigint := 1; BEGIN RETURN one; END $$"
    )
    assert careless_functions() >= {"planted", "planted_inside"}


def test_a_view_that_asks_as_its_owner_is_found(as_owner: Any) -> None:
    as_owner.execute(
        "CREATE VIEW planted AS SELECT * FROM calls_call;"
        "CREATE VIEW planted_well WITH (security_invoker=true) AS SELECT * FROM calls_call;"
        "CREATE MATERIALIZED VIEW planted_twice AS SELECT 1 AS one"
    )
    assert careless_views() == {"planted", "planted_twice"}


def test_a_foreign_key_that_leaves_the_client_is_found(as_owner: Any) -> None:
    ((name,),) = ask(
        "SELECT conname::text FROM pg_constraint WHERE contype = 'f' AND conrelid = 'retention_holdcall'::regclass"
        " AND pg_get_constraintdef(oid) LIKE 'FOREIGN KEY (client_id, hold_id)%'"
    )
    as_owner.execute(
        f"ALTER TABLE retention_holdcall DROP CONSTRAINT {name},"
        " ADD FOREIGN KEY (hold_id) REFERENCES retention_hold(id)"
    )
    assert keys_that_leave_the_client() == ["retention.HoldCall.hold"]


def test_a_role_that_may_more_is_found(as_owner: Any) -> None:
    """The owner itself is such a role, and the superuser that made it."""
    ((owner,), (superuser,)) = (
        as_owner.execute("SELECT current_user::text").fetchone(),
        as_owner.execute("SELECT rolname::text FROM pg_roles WHERE rolsuper ORDER BY oid LIMIT 1").fetchone(),
    )
    faults = role_faults(owner)
    assert any("owns the relation calls_call" in fault for fault in faults)
    assert any("may make tables" in fault for fault in faults)
    assert any("may something special" in fault for fault in role_faults(superuser))


def test_the_database_shows_nothing_without_a_scope(cast: Any) -> None:
    """Every table with policies, asked as our role without a scope: no row, though there are some."""
    rows = ask("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relrowsecurity")
    for (table,) in rows:
        if table == "audit_epoch":
            continue
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {table}")
            assert cursor.fetchone() == (0,), table
