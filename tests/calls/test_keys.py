"""
Keys that triggers check once a statement keep what foreign keys kept: each refuses at both ends, for whoever writes,
the owner too, and also where two transactions meet.
"""

import os
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError
from psycopg.errors import ForeignKeyViolation

from callprivacy.calls.models import Call, CallRef, Recording
from callprivacy.calls.services import connections as ways
from callprivacy.tenancy.scope import job_scope
from tests import make
from tests.cast import Cast, assemble
from tests.make import NOON
from tests.scale import some

ANNA = "+12125550101"
# Parents first.
TABLES = ["calls_caller", "calls_call", "calls_callref", "calls_recording"]
# (table, column, what it points into): every key that is checked once a statement.
INSIDE = [
    ("calls_call", "caller_id", "calls_caller"),
    ("calls_call", "tracking_number_id", "calls_trackingnumber"),
    ("calls_call", "connection_id", "calls_connection"),
    ("calls_callref", "call_id", "calls_call"),
    ("calls_recording", "call_id", "calls_call"),
]


@dataclass(frozen=True)
class Rows:
    """The ids of one row of each table at one client."""

    client_id: int
    agency_id: int
    ids: dict[str, Any]


def _rows(cast: Cast, slug: str, *, recorded: bool = True) -> Rows:
    client = getattr(cast, slug)
    number = make.tracking_number(client, f"+1404555{client.pk % 10_000:04}")
    with job_scope(agency_id=client.agency_id):
        way = ways.create_connection(
            client=client, provider="callrail", name="Way", secret="a" * 32, by=make.JOB, at=NOON
        )
    call = make.call(client, ANNA, tracking_number=number, connection=way)
    recording_id = make.bare_recording(call).pk if recorded else None
    with job_scope(agency_id=client.agency_id):
        ref = CallRef.objects.create(
            agency_id=client.agency_id,
            client=client,
            provider="callrail",
            kind="id",
            digest=b"1" * 32,
            call=call,
        )
    return Rows(
        client.pk,
        client.agency_id,
        {
            "calls_caller": call.caller_id,
            "calls_trackingnumber": number.pk,
            "calls_connection": way.pk,
            "calls_call": call.pk,
            "calls_callref": ref.pk,
            "calls_recording": recording_id,
        },
    )


@pytest.fixture
def mine(cast: Cast) -> Rows:
    return _rows(cast, "dentist")


@pytest.fixture
def others(cast: Cast) -> Rows:
    """Of another client of the same agency."""
    return _rows(cast, "plumber", recorded=False)


# --- The app, inside its scope ----------------------------------------------------------------------------


def _new(table: str, rows: Rows, **changes: Any) -> None:
    """Add a row beside the one that is there, with other values in some columns."""
    ids = rows.ids
    ours = {"agency_id": rows.agency_id, "client_id": rows.client_id}
    with job_scope(agency_id=rows.agency_id):
        if table == "calls_call":
            given = {
                "caller_id": ids["calls_caller"],
                "tracking_number_id": ids["calls_trackingnumber"],
            } | changes
            Call.objects.create(
                **ours, pk=uuid.uuid4(), direction="inbound", outcome="missed", received_at=NOON, **given
            )
        elif table == "calls_callref":
            CallRef.objects.create(
                **ours, provider="callrail", kind="id", digest=uuid.uuid4().bytes, **changes
            )
        else:
            Recording.objects.create(**ours, provider="callrail", reference=b"\x01" + bytes(28), **changes)


@pytest.mark.parametrize(("table", "column", "target"), some(INSIDE, one_in=4))
def test_a_row_that_rests_on_nothing_does_not_come_in(
    mine: Rows, table: str, column: str, target: str
) -> None:
    with pytest.raises(IntegrityError, match=f"{column} is none of {target}"):
        _new(table, mine, **{column: uuid.uuid4()})


@pytest.mark.parametrize(("table", "column", "target"), INSIDE)
def test_a_row_does_not_rest_on_what_is_another_clients(
    mine: Rows, others: Rows, table: str, column: str, target: str
) -> None:
    with pytest.raises(IntegrityError, match=f"{column} is none of {target}"):
        _new(table, mine, **{column: others.ids[target]})


def test_what_rests_on_something_comes_in_and_names_nobody_where_it_may(mine: Rows) -> None:
    _new("calls_call", mine)
    _new("calls_call", mine, caller_id=None, tracking_number_id=None, connection_id=None)
    _new("calls_callref", mine, call_id=mine.ids["calls_call"])


def test_of_a_thousand_rows_in_one_statement_one_is_enough_to_refuse_them(mine: Rows) -> None:
    ours = {"agency_id": mine.agency_id, "client_id": mine.client_id}
    rows = [
        Call(
            **ours, pk=uuid.uuid4(), direction="inbound", outcome="missed", received_at=NOON,
            caller_id=mine.ids["calls_caller"] if number != 700 else uuid.uuid4(),
        )
        for number in range(1000)
    ]  # fmt: skip
    with pytest.raises(IntegrityError, match="caller_id"), job_scope(agency_id=mine.agency_id):
        Call.objects.bulk_create(rows)


# --- The owner, whom no policy stops ----------------------------------------------------------------------


@pytest.fixture
def both() -> tuple[Rows, Rows]:
    """Committed rows of two clients."""
    cast = assemble()
    return _rows(cast, "dentist"), _rows(cast, "florist", recorded=False)


def _as_owner() -> psycopg.Connection:
    return psycopg.connect(os.environ["DATABASE_OWNER_URL"], options="-c lock_timeout=10s")


@pytest.fixture
def owned(both: tuple[Rows, Rows]) -> Iterator[psycopg.Connection]:
    """A connection as the owner."""
    with _as_owner() as line:
        line.autocommit = True
        yield line


_commits = pytest.mark.django_db(transaction=True)


@_commits
def test_a_client_is_one_of_the_rows_own_agency(both: tuple[Rows, Rows], owned: psycopg.Connection) -> None:
    mine, strangers = both
    for table in TABLES:
        # The hours that a row touches would refuse it as well, and do so first.
        touch = f"analytics_touch_{table.removeprefix('calls_')}_update"
        change = f"UPDATE {table} SET agency_id = %s WHERE id = %s"
        with owned.transaction(force_rollback=True):
            owned.execute(f"DROP TRIGGER IF EXISTS {touch} ON {table}")
            with pytest.raises(ForeignKeyViolation, match=f"{table}: no such client of the agency"):
                owned.execute(change, [strangers.agency_id, mine.ids[table]])


@_commits
def test_a_row_does_not_come_to_rest_on_nothing(both: tuple[Rows, Rows], owned: psycopg.Connection) -> None:
    mine, strangers = both
    for table, column, target in INSIDE:
        for key in (uuid.uuid4(), strangers.ids[target]):
            with pytest.raises(ForeignKeyViolation, match=f"{table}: {column} is none of {target}"):
                owned.execute(f"UPDATE {table} SET {column} = %s WHERE id = %s", [key, mine.ids[table]])


@_commits
def test_what_rows_rest_on_stays_with_its_key(both: tuple[Rows, Rows], owned: psycopg.Connection) -> None:
    mine, strangers = both
    for table, _column, target in INSIDE:
        with owned.transaction(force_rollback=True):
            _alone(owned, table, target, mine)
            _refuses(
                owned, target, mine.ids[target], f"{table}: rows rest on",
                id="gen_random_uuid()", client_id=str(strangers.client_id),
            )  # fmt: skip
            owned.execute(f"DELETE FROM {table} WHERE id = %s", [mine.ids[table]])
            owned.execute(f"DELETE FROM {target} WHERE id = %s", [mine.ids[target]])
    for tables in (TABLES, TABLES[:1], TABLES[:2], TABLES[:3]):
        with owned.transaction(force_rollback=True):
            for other in reversed(TABLES[len(tables) :]):
                owned.execute(f"DELETE FROM {other} WHERE client_id = %s", [mine.client_id])
            _refuses(
                owned, "tenancy_client", mine.client_id, "rows rest on this one of tenancy_client",
                id="-id", agency_id=str(strangers.agency_id),
            )  # fmt: skip


def _refuses(line: psycopg.Connection, target: str, key: object, words: str, **changes: str) -> None:
    """Neither removing the row nor changing a part of its key is let through."""
    for statement in (
        f"DELETE FROM {target} WHERE id = %s",
        *(f"UPDATE {target} SET {column} = {value} WHERE id = %s" for column, value in changes.items()),
    ):
        with pytest.raises(ForeignKeyViolation, match=words), line.transaction():
            line.execute(statement, [key])


def _alone(owned: psycopg.Connection, table: str, target: str, mine: Rows) -> None:
    """Take away what else rests on the target or on the row, so that one key alone is asked."""
    for other in reversed(TABLES):
        needed = {table, target} | (
            {"calls_call"} if table in {"calls_recording", "calls_callref"} else set()
        )
        if other not in needed and not (other == "calls_caller" and "calls_call" in needed):
            owned.execute(f"DELETE FROM {other} WHERE id = %s", [mine.ids[other]])


@_commits
def test_what_a_statement_moves_whole_may_change_its_key(
    both: tuple[Rows, Rows], owned: psycopg.Connection
) -> None:
    mine, _ = both
    owned.execute(
        "WITH refs AS (UPDATE calls_callref SET call_id = %(new)s WHERE call_id = %(old)s),"
        " recordings AS (UPDATE calls_recording SET call_id = %(new)s WHERE call_id = %(old)s)"
        " UPDATE calls_call SET id = %(new)s WHERE id = %(old)s",
        {"new": uuid.uuid4(), "old": mine.ids["calls_call"]},
    )


@pytest.mark.thorough
@_commits
@pytest.mark.parametrize(("table", "column", "target"), some([INSIDE[0], INSIDE[1], INSIDE[3]], one_in=3))
def test_who_comes_while_it_is_being_removed_is_refused(
    both: tuple[Rows, Rows], owned: psycopg.Connection, table: str, column: str, target: str
) -> None:
    mine, _ = both
    owned.execute("DELETE FROM calls_recording")
    owned.execute("DELETE FROM calls_callref")
    if target != "calls_call":
        owned.execute("DELETE FROM calls_call")
    answer: list[BaseException | None] = []
    with _as_owner() as remover:
        remover.execute(f"DELETE FROM {target} WHERE id = %s", [mine.ids[target]])
        waiting = _in_thread(lambda: _insert(owned, table, column, mine.ids[target], mine), answer)
        _wait_until_blocked()
        remover.commit()
    waiting.join(10)

    assert isinstance(answer[0], ForeignKeyViolation)


@_commits
@pytest.mark.parametrize(("table", "column", "target"), some([INSIDE[0], INSIDE[1], INSIDE[3]], one_in=3))
def test_what_somebody_has_just_come_to_rest_on_is_not_removed(
    both: tuple[Rows, Rows], owned: psycopg.Connection, table: str, column: str, target: str
) -> None:
    mine, _ = both
    owned.execute("DELETE FROM calls_recording")
    owned.execute("DELETE FROM calls_callref")
    if target != "calls_call":
        owned.execute("DELETE FROM calls_call")
    answer: list[BaseException | None] = []
    with _as_owner() as comer:
        _insert(comer, table, column, mine.ids[target], mine)
        waiting = _in_thread(
            lambda: owned.execute(f"DELETE FROM {target} WHERE id = %s", [mine.ids[target]]), answer
        )
        _wait_until_blocked()
        comer.commit()
    waiting.join(10)

    assert isinstance(answer[0], ForeignKeyViolation)


def _insert(line: psycopg.Connection, table: str, column: str, key: object, mine: Rows) -> None:
    if table == "calls_call":
        line.execute(
            "INSERT INTO calls_call (id, agency_id, client_id, direction, outcome, source, campaign, medium, country,"
            f" region, tags, sequence, received_at, caller_withheld, {column})"
            " VALUES (gen_random_uuid(), %s, %s, 'inbound', 'missed', '', '', '', '', '', '{}', -1, now(), false, %s)",
            [mine.agency_id, mine.client_id, key],
        )
    else:
        line.execute(
            "INSERT INTO calls_callref (agency_id, client_id, provider, kind, digest, call_id)"
            " VALUES (%s, %s, 'callrail', 'id', sha256('late'), %s)",
            [mine.agency_id, mine.client_id, key],
        )


def _in_thread(deed: Any, answer: list[BaseException | None]) -> threading.Thread:
    def act() -> None:
        try:
            deed()
        except BaseException as error:  # noqa: BLE001  the test looks at it
            answer.append(error)
        else:
            answer.append(None)

    thread = threading.Thread(target=act)
    thread.start()
    return thread


def _wait_until_blocked() -> None:
    """Until somebody waits for a lock."""
    with _as_owner() as line:
        for _ in range(200):
            found = line.execute(
                "SELECT 1 FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            ).fetchone()
            if found is not None:
                return
            line.rollback()
            threading.Event().wait(0.05)
    raise AssertionError("Nobody waits.")
