"""
Migration operations that put row security on a table, in the migration that creates it.

Three shapes: rows of an agency, rows of a client, and rows that may only be added. A policy asks a
`scope_*` function once a query, never once a row.
"""

from __future__ import annotations

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


def AgencyRows(table: str, *, client: bool = False, only_append: bool = False) -> Policies:  # noqa: N802
    """
    Rows of the scope's agency, for its staff and jobs; with `client`, for a client's scope too.

    :param table: database table with a column `agency_id`.
    """
    kinds = "('staff', 'job', 'client')" if client else "('staff', 'job')"
    condition = f"agency_id = (SELECT scope_agency()) AND (SELECT scope_kind()) IN {kinds}"
    return Policies(table, read=condition, write=condition, only_append=only_append)


def ClientRows(  # noqa: N802
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
