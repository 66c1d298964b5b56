"""Faults as they would be in the databases, each of which the checker must find."""

import uuid
from dataclasses import dataclass

from lab.faults.checker import Checker
from lab.faults.history import World
from lab.faults.site import Site
from tools import run as start


@dataclass(frozen=True)
class Plant:
    """A fault as it would be in the databases, how it is undone, and what the checker has to say."""

    name: str
    database: str
    do: str
    undo: str
    said: str


def plants(world: World) -> list[Plant]:
    """One of each kind that the checker is for, at the first client."""
    client, history = world.clients[0], world.history
    kept = min(history.kept[client.pk])
    gone = min(history.due[client.pk])
    number, owner = min(history.taken.items(), default=(0, client.pk))
    event = f"client_id = {owner} AND seconds = {number}"
    twin = uuid.uuid4()
    return [
        Plant(
            "a kept call is lost", "default",
            f"CREATE TABLE planted AS SELECT * FROM calls_call WHERE id = '{kept}';"
            f"DELETE FROM calls_call WHERE id = '{kept}'",
            "INSERT INTO calls_call SELECT * FROM planted; DROP TABLE planted",
            "kept or held calls are lost",
        ),
        Plant(
            "a due call is back", "default",
            f"CREATE TABLE planted AS SELECT * FROM calls_call WHERE id = '{kept}';"
            f"UPDATE planted SET id = '{gone}'; INSERT INTO calls_call SELECT * FROM planted; DROP TABLE planted",
            f"DELETE FROM calls_call WHERE id = '{gone}'",
            "due calls are left",
        ),
        Plant(
            "an acknowledged event is no call", "default",
            f"CREATE TABLE planted AS SELECT * FROM calls_call WHERE {event}; DELETE FROM calls_call WHERE {event}",
            "INSERT INTO calls_call SELECT * FROM planted; DROP TABLE planted",
            "acknowledged events are no calls",
        ),
        Plant(
            "an event is a call twice", "default",
            f"CREATE TABLE planted AS SELECT * FROM calls_call WHERE {event}; UPDATE planted SET id = '{twin}';"
            " INSERT INTO calls_call SELECT * FROM planted; DROP TABLE planted",
            f"DELETE FROM calls_call WHERE id = '{twin}'",
            "events are calls twice",
        ),
        Plant(
            "a call is of no event", "default",
            f"CREATE TABLE planted AS SELECT * FROM calls_call WHERE {event}; UPDATE planted SET id = '{twin}',"
            " seconds = 86000; INSERT INTO calls_call SELECT * FROM planted; DROP TABLE planted",
            f"DELETE FROM calls_call WHERE id = '{twin}'",
            "calls are of no event",
        ),
        Plant(
            "a night runs twice", "default",
            "CREATE TABLE planted AS SELECT id, planned_on FROM retention_run ORDER BY created_at LIMIT 1;"
            "UPDATE retention_run SET planned_on = (SELECT max(planned_on) FROM retention_run)"
            " WHERE id IN (SELECT id FROM planted)",
            "UPDATE retention_run r SET planned_on = p.planned_on FROM planted p WHERE r.id = p.id; DROP TABLE planted",
            "runs of one night",
        ),
        Plant(
            "a certificate counts one more", "default",
            "UPDATE retention_certificate SET statement ="
            " regexp_replace(statement, '\"erased\":(\\d+)', '\"erased\":1\\1')"
            f" WHERE client_id = {client.pk} AND number = 1",
            "UPDATE retention_certificate SET statement ="
            " regexp_replace(statement, '\"erased\":1(\\d+)', '\"erased\":\\1')"
            f" WHERE client_id = {client.pk} AND number = 1",
            "certificate 1",
        ),
        Plant(
            "a certificate is missing", "default",
            f"CREATE TABLE planted AS SELECT * FROM retention_certificate WHERE client_id = {client.pk} AND number = 2;"
            f"DELETE FROM retention_certificate WHERE client_id = {client.pk} AND number = 2",
            "INSERT INTO retention_certificate SELECT * FROM planted; DROP TABLE planted",
            "certificates count",
        ),
        Plant(
            "an event of the trail is changed", "default",
            "UPDATE audit_event SET details = details || '{\"rows\": 1}' WHERE id ="
            " (SELECT min(id) FROM audit_event WHERE action = 'calls.erased')",
            "",
            "the trail",
        ),
        Plant(
            "the key of a person who stays is lost", "vault",
            f"UPDATE vault_caller SET content_key = NULL WHERE id = '{world.people[client.pk][1][1]}'",
            "",
            "",
        ),
    ]  # fmt: skip


def planted(world: World, site: Site, checker: Checker, findings: list[str]) -> list[tuple[str, bool]]:
    """Plant each, and say whether it was found beside what was there before."""
    found, before = [], set(findings)
    for plant in plants(world):
        database = start.DATABASES["VAULT_" if plant.database == "vault" else ""]
        site.postgres.sql(f"SET session_replication_role = replica; {plant.do};", database=database)
        now = set(checker.findings())
        found.append((plant.name, any(plant.said in said for said in now - before)))
        if plant.undo:
            site.postgres.sql(f"SET session_replication_role = replica; {plant.undo};", database=database)
        else:
            before = now
    return found
