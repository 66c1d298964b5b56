"""
Migration operations that put row security on a table, in the migration that creates it.

Three shapes: rows of an agency, rows of a client, and rows that may only be added. A policy asks a
`scope_*` function once a query, never once a row.
"""

# ruff: noqa: S608  names put into SQL are those of tables and columns, written in migrations

from typing import Any

from django.db.migrations.operations import RunSQL

_CLIENTS = "client_id = ANY (ARRAY(SELECT scope_clients('{permission}')))"
_NO_PERMISSION = "no_permission"


def _policies(
    table: str,
    *,
    read: str,
    write: str,
    insert: str | None = None,
    only_append: bool = False,
) -> str:
    statements = [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;",
        f"CREATE POLICY {table}_read ON {table} FOR SELECT USING ({read});",
        f"CREATE POLICY {table}_insert ON {table} FOR INSERT WITH CHECK ({insert or write});",
    ]
    if not only_append:
        statements += [
            f"CREATE POLICY {table}_update ON {table} FOR UPDATE USING ({write}) WITH CHECK ({write});",
            f"CREATE POLICY {table}_delete ON {table} FOR DELETE USING ({write});",
        ]
    return "\n".join(statements)


def _undo(table: str) -> str:
    names = ("read", "insert", "update", "delete")
    drops = [f"DROP POLICY IF EXISTS {table}_{name} ON {table};" for name in names]
    return "\n".join([*drops, f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;"])


class Policies(RunSQL):
    """Row security by written conditions; the shapes below cover most tables."""

    def __init__(
        self,
        table: str,
        *,
        read: str,
        write: str,
        insert: str | None = None,
        only_append: bool = False,
    ) -> None:
        self.table, self.read, self.write = table, read, write
        self.insert, self.only_append = insert, only_append
        super().__init__(
            _policies(table, read=read, write=write, insert=insert, only_append=only_append),
            _undo(table),
        )

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        kwargs = {
            "read": self.read,
            "write": self.write,
            "insert": self.insert,
            "only_append": self.only_append,
        }
        return (self.__class__.__qualname__, [self.table], kwargs)


def AgencyRows(table: str, *, client: bool = False, only_append: bool = False) -> Policies:  # noqa: N802  (reads as an operation of a migration)
    """
    Rows of the scope's agency, for its staff and jobs; with `client`, for a client's scope too.

    :param table: database table with a column `agency_id`.
    """
    kinds = "('staff', 'job', 'client')" if client else "('staff', 'job')"
    condition = f"agency_id = (SELECT scope_agency()) AND (SELECT scope_kind()) IN {kinds}"
    return Policies(table, read=condition, write=condition, only_append=only_append)


def ClientRows(  # noqa: N802  (reads as an operation of a migration)
    table: str,
    *,
    read: str | None,
    write: str | None,
    only_append: bool = False,
    insert: str | None = None,
) -> Policies:
    """
    Rows of clients: a person needs the named permission there; a client's and a job's scope always may.

    :param table: database table with columns `agency_id` and `client_id`.
    :param read: permission a person needs to see a row; None, no person ever does.
    :param write: permission a person needs to change a row; None, no person ever does.
    :param insert: permission a person needs to add a row, where it differs from `write`.
    """

    def condition(permission: str | None) -> str:
        clients = _CLIENTS.format(permission=permission or _NO_PERMISSION)
        return f"agency_id = (SELECT scope_agency()) AND {clients}"

    return Policies(
        table,
        read=condition(read),
        write=condition(write),
        insert=condition(insert) if insert else None,
        only_append=only_append,
    )


def HeldRows(table: str, permission: str) -> Policies:  # noqa: N802  (reads as an operation of a migration)
    """
    Rows of clients, and rows of the agency itself, whose client is empty.

    A client's are for a person who is granted the permission there, and for that client's scope; the agency's own for
    who signs off, and for the scope of client 0, which is what a public page of the agency works in. Jobs see both.

    :param table: database table with columns `agency_id` and `client_id`, the latter empty where no client is named.
    """
    own = (
        "client_id IS NULL AND ((SELECT scope_signs_off())"
        " OR ((SELECT scope_kind()) = 'client' AND (SELECT scope_client()) = 0))"
    )
    condition = (
        f"agency_id = (SELECT scope_agency()) AND ({_CLIENTS.format(permission=permission)} OR ({own}))"
    )
    return Policies(table, read=condition, write=condition)


class Holder(RunSQL):
    """
    The column `holder` of a table: its client's id, or the agency's below zero where there is no client.

    PostgreSQL fills it. With it, and the id, other rows of the same holder point here.
    """

    def __init__(self, table: str) -> None:
        self.table = table
        super().__init__(
            f"ALTER TABLE {table} ADD COLUMN holder bigint NOT NULL"
            f" GENERATED ALWAYS AS (coalesce(client_id, -agency_id)) STORED,"
            f" ADD CONSTRAINT {table}_of_holder UNIQUE (agency_id, holder, id);",
            f"ALTER TABLE {table} DROP COLUMN holder;",
        )

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return (self.__class__.__qualname__, [self.table], {})


class HolderKey(RunSQL):
    """A foreign key that stays with the holder: (agency_id, holder, column) meets the same three there."""

    def __init__(self, table: str, column: str, target: str, *, on_delete: str = "CASCADE") -> None:
        self.table, self.column, self.target, self.on_delete = table, column, target, on_delete
        name = f"{table}_{column}_same_holder"
        super().__init__(
            f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (agency_id, holder, {column})"
            f" REFERENCES {target} (agency_id, holder, id) ON DELETE {on_delete} DEFERRABLE INITIALLY DEFERRED;",
            f"ALTER TABLE {table} DROP CONSTRAINT {name};",
        )

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return (
            self.__class__.__qualname__,
            [self.table, self.column, self.target],
            {"on_delete": self.on_delete},
        )


class ClientKey(RunSQL):
    """A foreign key that stays inside the client: (agency_id, client_id, column) meets the same three there."""

    def __init__(
        self,
        table: str,
        column: str,
        target: str,
        *,
        on_delete: str = "NO ACTION",
        on_update: str = "NO ACTION",
    ) -> None:
        self.table, self.column, self.target = table, column, target
        self.on_delete, self.on_update = on_delete, on_update
        name = f"{table}_{column}_same_client"
        super().__init__(
            f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (client_id, {column}) "
            f"REFERENCES {target} (client_id, id) ON DELETE {on_delete} ON UPDATE {on_update} "
            "DEFERRABLE INITIALLY DEFERRED;",
            f"ALTER TABLE {table} DROP CONSTRAINT {name};",
        )

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return (
            self.__class__.__qualname__,
            [self.table, self.column, self.target],
            {"on_delete": self.on_delete, "on_update": self.on_update},
        )


class AgencyClientKey(RunSQL):
    """A row's client is one of its own agency: (agency_id, client_id) meets tenancy_client (agency_id, id)."""

    def __init__(self, table: str) -> None:
        self.table = table
        name = f"{table}_client_of_agency"
        super().__init__(
            f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (agency_id, client_id) "
            f"REFERENCES tenancy_client (agency_id, id) DEFERRABLE INITIALLY DEFERRED;",
            f"ALTER TABLE {table} DROP CONSTRAINT {name};",
        )

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return (self.__class__.__qualname__, [self.table], {})


class StatementKeys(RunSQL):
    """
    What `AgencyClientKey` and `ClientKey` promise, checked once a statement instead of once a row.

    For tables that are filled by thousands of rows at a time. The check looks at the statement's rows as a set,
    locks what they rest on as a foreign key would, and refuses in the statement itself, so that parents are written
    first and removed last. What is rested on refuses to leave, and to change its key, in the same way.

    :param few: column -> table it points into, where thousands of rows name a few of its rows.
    :param many: column -> table it points into, where each row names another one.
    """

    def __init__(
        self, table: str, *, few: dict[str, str] | None = None, many: dict[str, str] | None = None
    ) -> None:
        self.table, self.few, self.many = table, few or {}, many or {}
        targets = {**self.few, **self.many}
        super().__init__(
            "\n".join(
                [
                    _child_check(table, self.few, self.many),
                    _parent_check(table, "client_id", "tenancy_client"),
                    *(_parent_check(table, column, target) for column, target in targets.items()),
                ]
            ),
            "\n".join(
                [
                    f"DROP FUNCTION {table}_keys() CASCADE;",
                    *(
                        f"DROP FUNCTION {table}_{column}_rests() CASCADE;"
                        for column in ("client_id", *targets)
                    ),
                ]
            ),
        )

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return (self.__class__.__qualname__, [self.table], {"few": self.few, "many": self.many})


# Each row finds what it rests on by one probe of an index, whatever the planner believes of a set it has never seen.
_AS_OWNER = (
    "LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp"
    " SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off"
)


def _refuse(table: str, name: str, words: str) -> str:
    return (
        f"RAISE foreign_key_violation USING MESSAGE = '{table}: {words}',"
        f" TABLE = '{table}', CONSTRAINT = '{table}_{name}';"
    )


def _child_check(table: str, few: dict[str, str], many: dict[str, str]) -> str:
    checks = [
        f"""
        FOR named IN SELECT DISTINCT agency_id, client_id FROM fresh LOOP
            PERFORM FROM tenancy_client t WHERE t.agency_id = named.agency_id AND t.id = named.client_id
                FOR KEY SHARE;
            IF NOT FOUND THEN {_refuse(table, "client_of_agency", "no such client of the agency")} END IF;
        END LOOP;"""
    ]
    for column, target in few.items():
        refuse = _refuse(table, f"{column}_same_client", f"{column} is none of {target} of the client")
        checks.append(f"""
        FOR named IN SELECT DISTINCT client_id, {column} AS key FROM fresh WHERE {column} IS NOT NULL LOOP
            PERFORM FROM {target} t WHERE t.client_id = named.client_id AND t.id = named.key FOR KEY SHARE;
            IF NOT FOUND THEN {refuse} END IF;
        END LOOP;""")
    for column, target in many.items():
        refuse = _refuse(table, f"{column}_same_client", f"{column} is none of {target} of the client")
        met = f"t.client_id = f.client_id AND t.id = f.{column}"
        # What this transaction has added itself nobody else sees, so that only the others are locked.
        checks.append(f"""
        SELECT count(*) FILTER (WHERE t.id IS NULL), count(*) FILTER (WHERE t.xmin <> own) INTO missing, others
            FROM fresh f LEFT JOIN {target} t ON {met} WHERE f.{column} IS NOT NULL;
        IF missing = 0 AND others > 0 THEN
            SELECT others - count(*) INTO missing FROM (
                SELECT FROM fresh f JOIN {target} t ON {met} WHERE t.xmin <> own FOR KEY SHARE OF t) AS held;
        END IF;
        IF missing > 0 THEN {refuse} END IF;""")
    return f"""
    CREATE FUNCTION {table}_keys() RETURNS trigger {_AS_OWNER} AS $$
    DECLARE
        named record;
        missing bigint;
        others bigint;
        own xid := pg_current_xact_id()::xid;
    BEGIN{"".join(checks)}
        RETURN NULL;
    END $$;
    CREATE TRIGGER {table}_keys_insert AFTER INSERT ON {table} REFERENCING NEW TABLE AS fresh
        FOR EACH STATEMENT EXECUTE FUNCTION {table}_keys();
    CREATE TRIGGER {table}_keys_update AFTER UPDATE ON {table} REFERENCING NEW TABLE AS fresh
        FOR EACH STATEMENT EXECUTE FUNCTION {table}_keys();
    """


def _parent_check(table: str, column: str, target: str) -> str:
    """What rows of `table` rest on by `column` stays, with its key, while they are there."""
    if column == "client_id":
        owner, rests, name = (
            "agency_id",
            "c.agency_id = o.agency_id AND c.client_id = o.id",
            "client_of_agency",
        )
    else:
        owner, rests = "client_id", f"c.client_id = o.client_id AND c.{column} = o.id"
        name = f"{column}_same_client"
    refuse = _refuse(table, name, f"rows rest on this one of {target}")
    return f"""
    CREATE FUNCTION {table}_{column}_rests() RETURNS trigger {_AS_OWNER} AS $$
    BEGIN
        IF TG_OP = 'DELETE' THEN
            IF EXISTS (SELECT FROM gone o JOIN {table} c ON {rests}) THEN {refuse} END IF;
        ELSIF EXISTS (SELECT FROM {table} c WHERE {rests.replace("o.", "OLD.")}) THEN {refuse}
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER {table}_{column}_rests_delete AFTER DELETE ON {target} REFERENCING OLD TABLE AS gone
        FOR EACH STATEMENT EXECUTE FUNCTION {table}_{column}_rests();
    CREATE TRIGGER {table}_{column}_rests_update AFTER UPDATE ON {target}
        FOR EACH ROW WHEN ((OLD.{owner}, OLD.id) IS DISTINCT FROM (NEW.{owner}, NEW.id))
        EXECUTE FUNCTION {table}_{column}_rests();
    """


class AppendOnly(RunSQL):
    """A trigger that refuses UPDATE, DELETE and TRUNCATE to everybody, the owner too."""

    def __init__(self, table: str) -> None:
        self.table = table
        super().__init__(
            f"""
            CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION '{table} is append-only' USING ERRCODE = 'restrict_violation'; END $$;
            CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
                FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse();
            CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
                FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse();
            """,
            f"""
            DROP TRIGGER {table}_append_only ON {table};
            DROP TRIGGER {table}_no_truncate ON {table};
            DROP FUNCTION {table}_refuse();
            """,
        )

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return (self.__class__.__qualname__, [self.table], {})
