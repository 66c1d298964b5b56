"""
Whole sealed months leave by one guarded path; their roots stay, and whoever goes another way is refused or named.
"""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import DatabaseError, connection, connections
from pytest_django import Settings

from callprivacy.audit import leaves, merkle, selectors, services
from callprivacy.audit.models import Event, Leaving, Reason, Seal
from callprivacy.audit.services import sealing, sink
from callprivacy.tenancy.scope import client_scope, job_scope, staff_scope, token
from callprivacy.vault import signing
from tests import make
from tests.audit.trails import (
    JOB,
    both_find,
    export,
    seal,
    superuser,
    verify,
    verify_offline,
    write,
)
from tests.make import NOON
from tests.scale import some
from tools import verify_bundle
from tools.verify_evidence import included

pytestmark = pytest.mark.django_db(transaction=True)

MONTHS = [datetime(2023, month, 15, 12, tzinfo=UTC) for month in (1, 2, 3, 4)]
BEFORE = datetime(2023, 3, 1, 5, tzinfo=UTC)


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, settings: Settings) -> None:
    """Checkpoints of one test only."""
    settings.CALLPRIVACY_STATE = tmp_path / "state"


def age(days: int = 400) -> None:
    """Let every seal be older by the database's clock, as only a superuser can."""
    with superuser() as line:
        line.execute("UPDATE audit_seal SET sealed_at = sealed_at - make_interval(days => %s)", [days])


@pytest.fixture
def acme() -> int:
    """An agency with a seal a month, the four of them years old, and events that wait for theirs."""
    agency = make.agency("Acme", at=MONTHS[0])
    for month in MONTHS:
        write(agency.pk, 3, at=month)
        seal(agency.pk, at=month)
    age()
    write(agency.pk, 2)
    return agency.pk


def wish(last: int, first: int = 1) -> services.Wish:
    return services.Wish(first, last, BEFORE, 1000, 7)


def leave(agency_id: int, last: int = 2, first: int = 1) -> list[int]:
    with job_scope(agency_id=agency_id):
        return services.leave(agency_id=agency_id, wish=wish(last, first), by=JOB, at=NOON)


def events(agency_id: int) -> list[int]:
    with job_scope(agency_id=agency_id):
        return list(Event.objects.order_by("epoch", "xid", "id").values_list("pk", flat=True))


def seals(agency_id: int) -> list[Seal]:
    with job_scope(agency_id=agency_id):
        return list(Seal.objects.order_by("number"))


# --- What leaves, and what stays ---


def test_events_leave_and_both_verifiers_say_so_and_hold(acme: int, tmp_path: Path) -> None:
    before, kept = events(acme), seals(acme)

    gone = leave(acme)

    assert gone == before[:7]
    assert events(acme)[:-1] == before[7:]
    with job_scope(agency_id=acme):
        said = Event.objects.get(action="trail.left")
        assert said.details == {
            "first_seal": 1, "last_seal": 2, "events": 7, "before": "2023-03-01T05:00:00.000000Z",
        }  # fmt: skip
        left = selectors.left(acme)
        assert left is not None
        assert (left.events, left.last_seal, left.before) == (7, 2, BEFORE)
    assert [bytes(one.root) for one in seals(acme)] == [bytes(one.root) for one in kept]
    words = f"7 events under seals 1 to 2 left by policy, the last on {NOON.date()}; their roots are kept"
    found = verify(acme)
    assert (found.findings, found.notes, found.left, found.sealed) == ([], [words], 7, 6)
    offline = verify_offline(acme, tmp_path)
    assert (offline.findings, offline.left) == ([], 7)
    assert words in offline.notes
    assert verify_offline(acme, tmp_path, checkpoint=False).findings == []


def test_what_is_left_keeps_its_place_and_its_proofs(acme: int) -> None:
    """Roots and proofs come from the seals, which stay, and each grows into the next."""
    leave(acme)
    seal(acme)

    rows = seals(acme)
    hashes = [digest for one in rows for _, digest in one.listed()]
    for one in rows:
        grown = merkle.Frontier.load(one.size, bytes(one.peaks))
        assert grown.root() == merkle.root(hashes[: one.size]) == bytes(one.root)
        grown.extend(hashes[one.size :])
        assert grown.root() == bytes(rows[-1].root)
    with job_scope(agency_id=acme):
        third = selectors.events_between(acme, rows[1].until, rows[2].until).first()
    assert third is not None
    path = merkle.Tail(merkle.Frontier(), hashes).path(7)
    leaf = merkle.leaf_hash(leaves.canonical(third.as_leaf()))
    assert included(leaf, 7, rows[-1].size, path, bytes(rows[-1].root))
    assert b'{"n":8,"event"' in export(acme)


@pytest.mark.thorough
def test_sealing_goes_on_and_more_leaves_later(acme: int, tmp_path: Path) -> None:
    leave(acme)
    assert seal(acme) == 3
    write(acme, 2)
    assert seal(acme) == 2
    assert both_find(acme, tmp_path) == []

    with job_scope(agency_id=acme):
        later = services.Wish(3, 3, datetime(2023, 4, 1, tzinfo=UTC), 1000, 7)
        assert len(services.leave(agency_id=acme, wish=later, by=JOB, at=NOON)) == 3
    assert both_find(acme, tmp_path) == []
    assert verify(acme).left == 10


@pytest.mark.thorough
def test_a_second_time_nothing_leaves(acme: int, tmp_path: Path) -> None:
    leave(acme)
    before = events(acme)
    with pytest.raises(services.NotLeavingError):
        leave(acme)
    assert events(acme) == before
    assert both_find(acme, tmp_path) == []


@pytest.mark.thorough
def test_an_agency_beside_keeps_its_own(acme: int, tmp_path: Path) -> None:
    globex = make.agency("Globex", at=MONTHS[0]).pk
    write(globex, 4, at=MONTHS[0])
    seal(globex, at=MONTHS[0])
    before = events(globex)
    leave(acme)
    assert events(globex) == before
    assert both_find(globex, tmp_path) == []


@pytest.mark.thorough
def test_lost_checkpoints_are_written_anew_with_what_left(acme: int, tmp_path: Path) -> None:
    leave(acme)
    seal(acme)
    sink.path_of(acme).unlink()
    with job_scope(agency_id=acme):
        services.rebuild_checkpoints(agency_id=acme, by=JOB, at=NOON)
    assert both_find(acme, tmp_path) == []
    assert seal(acme) == 1


def test_the_last_seal_is_found_behind_many_leavings(acme: int) -> None:
    with job_scope(agency_id=acme):
        newest = selectors.newest_seal(acme)
    leave(acme)
    line = sink.path_of(acme).read_bytes().splitlines(keepends=True)[-1]
    with sink.path_of(acme).open("ab") as file:
        file.write(line * 40)
    assert newest is not None
    last = sink.last(acme)
    assert last is not None
    assert last.message == newest.message()


# --- Who may, and what may not leave ---


def call(
    agency_id: int, last: int, *, said: dict[str, Any] | None = None, of: int | None = None, first: int = 1
) -> None:
    """Ask the database's own function, as a seized app would; the statement fits unless it is said otherwise."""
    row = Seal.objects.filter(agency_id=agency_id, number=last).first()
    listed = Seal.objects.filter(agency_id=agency_id, number__gte=first, number__lte=last)
    members = {
        "agency": agency_id, "first": first, "last": last, "events": sum(one.count for one in listed),
        "size": row.size if row else 0, "root": bytes(row.root).hex() if row else "",
        "before": "2023-03-01T05:00:00.000000Z",
    } | (said or {})  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT audit_leave(%s, %s, %s, %s, 'seized', now())",
            [of or agency_id, last, leaves.canonical(members).decode(), bytes(64)],
        )


def refused(deed: Callable[[], object], words: str) -> None:
    with pytest.raises(DatabaseError, match=words):
        deed()


_INSERTED: LiteralString = (
    "INSERT INTO audit_leaving (agency_id, first_seal, last_seal, events, begin_epoch, begin_xid, begin_id,"
    " until_epoch, until_xid, until_id, statement, signature)"
    " SELECT agency_id, 1, 2, 7, 0, '0', 0, epoch, until_xid, until_id, '', '' FROM audit_seal WHERE number = 2"
)


def test_the_apps_role_removes_nothing_and_says_nothing_left(acme: int) -> None:
    before = events(acme)
    statements: list[LiteralString] = [
        "DELETE FROM audit_event",
        "UPDATE audit_event SET action = 'call.erased'",
        "TRUNCATE audit_event",
        "DELETE FROM audit_leaving",
        "UPDATE audit_seal SET sealed_at = '2001-01-01'",
        "ALTER TABLE audit_event DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "DROP TRIGGER audit_event_leaves ON audit_event",
        "DROP FUNCTION audit_event_leaves() CASCADE",
        "ALTER FUNCTION audit_leave(bigint, bigint, text, bytea, text, timestamptz) RESET search_path",
        "CREATE FUNCTION public.scope_kind() RETURNS text LANGUAGE sql AS 'SELECT NULL::text'",
        "CREATE TRIGGER mine BEFORE INSERT ON audit_seal FOR EACH ROW EXECUTE FUNCTION audit_seal_refuse()",
        "SELECT setval('audit_leaving_id_seq', 1000)",
        "MERGE INTO audit_event e USING audit_seal s ON s.agency_id = e.agency_id WHEN MATCHED THEN DELETE",
        _INSERTED,
    ]
    for statement in statements:

        def deed(statement: LiteralString = statement) -> None:
            with job_scope(agency_id=acme), connection.cursor() as cursor:
                cursor.execute(statement)

        refused(deed, "permission denied|must be (able|owner)|append-only")
    assert events(acme) == before


def test_tables_and_settings_of_a_session_do_not_change_what_the_guards_see(acme: int) -> None:
    """What a seized app may make for itself: temporary tables of the same names, another path, another clock."""
    with superuser() as line:
        line.execute("UPDATE audit_seal SET sealed_at = now() - interval '8759 hours' WHERE number = 2")
    before = events(acme)

    def deed() -> None:
        with job_scope(agency_id=acme):
            with connection.cursor() as cursor:
                cursor.execute("CREATE TEMP TABLE audit_seal_of_mine AS TABLE audit_seal")
                cursor.execute("UPDATE audit_seal_of_mine SET sealed_at = '2001-01-01'")
                cursor.execute("ALTER TABLE audit_seal_of_mine RENAME TO audit_seal")
                cursor.execute("SET LOCAL search_path = pg_temp, public")
                cursor.execute("SET LOCAL timezone = 'Pacific/Kiritimati'")
                cursor.execute("SET LOCAL intervalstyle = 'sql_standard'")
            call(acme, 2)

    refused(deed, "not a year old")
    assert events(acme) == before


def test_only_a_job_of_the_agency_itself_may(acme: int) -> None:
    globex = make.agency("Globex", at=MONTHS[0])
    before = events(acme)

    def by_another() -> None:
        with job_scope(agency_id=globex.pk):
            call(globex.pk, 2, of=acme)

    def by_a_client() -> None:
        with client_scope(agency_id=acme, client_id=1):
            call(acme, 2)

    def by_a_person() -> None:
        with staff_scope(agency_id=acme, user_id=1):
            call(acme, 2)

    def by_nobody() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT audit_leave(%s, 2, '{}', %s, 'x', now())", [acme, bytes(64)])

    for deed in (by_another, by_a_client, by_a_person, by_nobody):
        refused(deed, "Only a job")
    assert events(acme) == before


def test_nothing_leaves_before_it_is_a_year_old_by_the_databases_clock(acme: int) -> None:
    with superuser() as line:
        line.execute("UPDATE audit_seal SET sealed_at = now() - interval '8759 hours' WHERE number = 2")

    def deed() -> None:
        with job_scope(agency_id=acme):
            call(acme, 2)

    refused(deed, "not a year old")
    with job_scope(agency_id=acme):
        call(acme, 1)


def test_a_seal_takes_the_databases_clock_whatever_is_said(acme: int) -> None:
    """Neither is a fresh seal dated back, nor is one made today over what will be written tomorrow."""
    seal(acme)
    with job_scope(agency_id=acme):
        newest = selectors.newest_seal(acme)
        assert newest is not None
        newest.pk, newest.number = None, newest.number + 1
        newest.until_id, newest.sealed_at = newest.until_id + 1, NOON - timedelta(days=900)
        newest.until_xid -= 1
        newest.save(force_insert=True)
        newest.refresh_from_db()
        assert newest.sealed_at > NOON

    def ahead() -> None:
        with job_scope(agency_id=acme):
            newest.pk, newest.number = None, newest.number + 1
            newest.until_xid += 1_000_000
            newest.save(force_insert=True)

    refused(ahead, "covers what is not over")


@pytest.mark.parametrize(
    ("last", "said", "words"),
    some(
        [
            (9, {}, "not the seals that follow"),
            (0, {}, "not the seals that follow"),
            (2, {"first": 2}, "not about these"),
            (2, {"events": 8}, "not about these"),
            (2, {"root": "00"}, "not about these"),
            (2, {"agency": 0}, "not about these"),
            (2, {"last": 3}, "not about these"),
        ],
        one_in=7,
        each=lambda case: (case[2], str(case[1])),
    ),
)
def test_a_span_or_a_statement_that_does_not_fit_is_refused(
    acme: int, last: int, said: dict[str, Any], words: str
) -> None:
    before = events(acme)

    def deed() -> None:
        with job_scope(agency_id=acme):
            call(acme, last, said=said)

    refused(deed, words)
    assert events(acme) == before


def test_a_span_with_a_gap_is_refused(acme: int) -> None:
    with superuser() as line:
        line.execute("DELETE FROM audit_seal WHERE number = 2")

    def deed() -> None:
        with job_scope(agency_id=acme):
            call(acme, 3)

    refused(deed, "not the seals that follow")


def test_an_event_more_or_less_than_was_sealed_stops_it(acme: int) -> None:
    with superuser() as line:
        line.execute("DELETE FROM audit_event WHERE id = (SELECT min(id) FROM audit_event)")

    def deed() -> None:
        with job_scope(agency_id=acme):
            call(acme, 2)

    refused(deed, "6 events are there where these seals count 7")


@pytest.mark.thorough
def test_a_leaving_whose_time_cannot_be_read_is_verified_all_the_same(acme: int) -> None:
    """What was signed says when it was; the row's own time is nobody's proof."""
    leave(acme)
    with superuser() as line:
        line.execute("UPDATE audit_leaving SET left_at = 'infinity'")

    assert verify(acme).holds


@pytest.mark.parametrize(
    "statement",
    some(
        [
            "repeat('[', 100000)",
            'replace(statement, \'"agency":\', \'"agency":1e999,"x":\')',
            'regexp_replace(statement, \'before":"[^"]*\', \'before":"0001-01-01T00:00:00+14:00\')',
            "'no statement'",
        ],
        one_in=4,
    ),
)
def test_a_statement_that_cannot_be_read_is_named(acme: int, statement: str) -> None:
    leave(acme)
    with superuser() as line:
        line.execute(f"UPDATE audit_leaving SET statement = {statement}".encode())

    named = [str(one) for one in verify(acme).findings]
    assert "the leaving of seals 1 to 2: its statement cannot be read" in named
    with job_scope(agency_id=acme):
        assert services.write_bundle(agency_id=acme, file=io.BytesIO(), at=NOON)


def test_what_was_changed_does_not_leave(acme: int) -> None:
    """It would take with it what tells of that."""
    with superuser() as line:
        line.execute(
            "UPDATE audit_event SET action = 'call.forged' WHERE id = (SELECT min(id) FROM audit_event)"
        )
    with pytest.raises(services.NotLeavingError, match="seal 1 are not what was sealed"):
        leave(acme)


def test_what_was_changed_with_its_leaf_does_not_leave_either(acme: int) -> None:
    """Who owns the database can write the list of leaves as well, and not the signed root."""
    with superuser() as line:
        line.execute(
            "UPDATE audit_event SET action = 'call.forged' WHERE id = (SELECT min(id) FROM audit_event)"
        )
    with job_scope(agency_id=acme):
        first = Seal.objects.get(number=1)
        forged_leaf = sealing.leaf_of(Event.objects.get(pk=first.first_event))
    with superuser() as line:
        line.execute(
            "UPDATE audit_seal SET leaves = %s || substr(leaves, 41) WHERE number = 1",
            [first.first_event.to_bytes(8, "big") + forged_leaf],
        )
    with pytest.raises(services.NotLeavingError, match="seal 1 are not what was sealed"):
        leave(acme)


def test_the_worker_does_not_sign_for_a_fresh_seal_that_a_superuser_dated_back(acme: int) -> None:
    """Neither by the database's clock nor, with another instant, under its signature."""
    seal(acme, at=NOON - timedelta(days=364))
    age()
    late = services.Wish(1, 5, NOON + timedelta(days=1), 1, 1)

    def deed() -> None:
        with job_scope(agency_id=acme):
            services.leave(agency_id=acme, wish=late, by=JOB, at=NOON)

    with pytest.raises(services.NotLeavingError, match="Seal 5 is not a year old"):
        deed()
    with superuser() as line:
        line.execute("UPDATE audit_seal SET signed_at = signed_at - interval '2 years' WHERE number = 5")
    with pytest.raises(services.NotLeavingError, match="seal 5 are not what was sealed"):
        deed()


def test_words_that_are_here_keep_their_event(tmp_path: Path) -> None:
    agency = make.agency("Acme", at=MONTHS[0]).pk
    with job_scope(agency_id=agency):
        services.record("run.started", by=JOB, at=MONTHS[0], reason="Because of an inquiry.")
    seal(agency, at=MONTHS[0])
    age()

    refused(lambda: leave(agency, 1), "words behind some")
    with job_scope(agency_id=agency):
        Reason.objects.filter(agency_id=agency).remove()
    leave(agency, 1)
    assert both_find(agency, tmp_path) == []


def test_what_happened_later_does_not_leave(acme: int) -> None:
    with pytest.raises(services.NotLeavingError, match="Seal 3 covers what happened later"):
        leave(acme, 3)


@pytest.fixture
def owner(acme: int, databases: Any) -> Iterator[psycopg.Connection]:
    address = psycopg.conninfo.make_conninfo(
        databases.current.owner_urls["default"], dbname=connection.settings_dict["NAME"]
    )
    with psycopg.connect(address) as line:
        yield line
        line.rollback()


def test_the_owner_too_removes_only_what_leaves_in_this_very_transaction(
    acme: int, owner: psycopg.Connection
) -> None:
    def refuses(statement: LiteralString) -> None:
        with pytest.raises(psycopg.DatabaseError, match="append-only"), owner.transaction():
            owner.execute(statement)

    refuses("DELETE FROM audit_event")
    refuses("DELETE FROM audit_event WHERE id = (SELECT min(id) FROM audit_event)")
    refuses("DELETE FROM audit_event WHERE false")
    refuses("UPDATE audit_event SET action = 'call.erased'")
    leave(acme)
    refuses("DELETE FROM audit_event")
    refuses("DELETE FROM audit_leaving")
    refuses("UPDATE audit_leaving SET last_seal = 4")


def test_beside_what_leaves_nothing_goes_in_the_same_transaction(
    acme: int, owner: psycopg.Connection
) -> None:
    """By the owner, whose right it would be: what stands behind the span, and what is of another agency."""
    globex = make.agency("Globex", at=MONTHS[0]).pk
    message = forged(acme, 2)
    said = leaves.canonical(message.as_dict()).decode()

    def attempt(statement: str) -> None:
        with owner.transaction():
            owner.execute("SELECT agency FROM enter_scope(%s)", [token("job", acme, None, None)])
            owner.execute("SELECT audit_leave(%s, 2, %s, %s, 'x', now())", [acme, said, bytes(64)])
            owner.execute(statement.encode())

    for condition in ("action = 'call.revealed'", f"agency_id = {globex}"):
        with pytest.raises(psycopg.DatabaseError, match="append-only"):
            attempt(f"DELETE FROM audit_event WHERE {condition}")
    assert len(events(acme)) == 15


# --- A database superuser, with every trigger off ---


def _remove(line: psycopg.Connection, acme: int, last: int) -> None:
    line.execute(
        "DELETE FROM audit_event e USING audit_seal s WHERE s.agency_id = e.agency_id AND s.number = %s"
        " AND e.agency_id = %s AND (e.epoch, e.xid, e.id) < (s.epoch, s.until_xid, s.until_id)",
        [last, acme],
    )


def _row(line: psycopg.Connection, acme: int, message: leaves.LeavingMessage, signature: bytes) -> None:
    line.execute(
        "INSERT INTO audit_leaving (agency_id, first_seal, last_seal, events, begin_epoch, begin_xid, begin_id,"
        " until_epoch, until_xid, until_id, statement, signature)"
        " SELECT agency_id, %s, %s, %s, 0, '0', 0, epoch, until_xid, until_id, %s, %s FROM audit_seal"
        " WHERE agency_id = %s AND number = %s",
        [message.first, message.last, message.events, leaves.canonical(message.as_dict()).decode(), signature,
         acme, message.last],
    )  # fmt: skip


def forged(acme: int, last: int, key_id: str = "") -> leaves.LeavingMessage:
    with job_scope(agency_id=acme):
        one = Seal.objects.get(number=last)
    key = key_id or signing.key_id(signing.public_key())
    return leaves.LeavingMessage(
        acme, 1, last, one.size, one.size, bytes(one.root), BEFORE, 1000, 7, NOON, key
    )


def test_a_deletion_with_a_forged_event_is_named(acme: int, tmp_path: Path) -> None:
    gone = events(acme)[:7]
    with superuser() as line:
        _remove(line, acme, 2)
    with job_scope(agency_id=acme):
        services.record("trail.left", by=JOB, at=NOON, first_seal=1, last_seal=2, events=7)
    seal(acme)

    found = both_find(acme, tmp_path)
    for event in gone:
        seal_number = 1 if event in gone[:4] else 2
        assert found.count(f"event {event}: missing (seal {seal_number})") == 2


def test_what_a_stolen_key_sealed_until_the_change_leaves_once_another_goes_on_from_it(
    acme: int, tmp_path: Path, settings: Settings
) -> None:
    old = f"{signing.public_key().hex()}@{MONTHS[1].isoformat()}"
    settings.CALLPRIVACY_SIGNING_KEY = Ed25519PrivateKey.generate().private_bytes_raw()
    settings.CALLPRIVACY_EARLIER_PUBLIC_KEYS = [old]
    with pytest.raises(services.NotLeavingError, match="under seal 2 are not what was sealed"):
        leave(acme)
    seal(acme)

    assert len(leave(acme)) == 7
    with job_scope(agency_id=acme):  # on from a seal of then
        later = services.Wish(3, 4, datetime(2023, 6, 1, tzinfo=UTC), 1000, 7)
        assert len(services.leave(agency_id=acme, wish=later, by=JOB, at=NOON)) == 6
    seal(acme)
    assert verify(acme).findings == []
    path = tmp_path / "bundle.jsonl"
    path.write_bytes(export(acme))
    pins = [old, signing.public_key().hex()]
    assert verify_bundle.verify(path, pins=pins, checkpoint=sink.path_of(acme))[0].findings == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_seal SET signature = set_byte(signature, 0, get_byte(signature, 0) # 1) WHERE number = 5",
        "UPDATE audit_seal SET leaves = set_byte(leaves, 9, get_byte(leaves, 9) # 1) WHERE number = 5",
        "UPDATE audit_seal SET peaks = set_byte(peaks, 0, get_byte(peaks, 0) # 1) WHERE number = 4",
        "UPDATE audit_seal SET signed_at = 'infinity' WHERE number = 5",
    ],
    ids=["signature", "leaves", "peaks", "unreadable"],
)
def test_what_a_stolen_key_sealed_stays_where_what_goes_on_from_it_does_not_hold(
    acme: int, settings: Settings, change: LiteralString
) -> None:
    old = f"{signing.public_key().hex()}@{MONTHS[1].isoformat()}"
    settings.CALLPRIVACY_SIGNING_KEY = Ed25519PrivateKey.generate().private_bytes_raw()
    settings.CALLPRIVACY_EARLIER_PUBLIC_KEYS = [old]
    seal(acme)
    with superuser() as line:
        line.execute(change)
    with pytest.raises(services.NotLeavingError, match="under seal 2 are not what was sealed"):
        leave(acme)


@pytest.mark.parametrize("by", [pytest.param("nobody", marks=pytest.mark.thorough), "another key"])
def test_a_statement_that_we_did_not_sign_covers_nothing(acme: int, tmp_path: Path, by: str) -> None:
    first = events(acme)[0]
    theirs = Ed25519PrivateKey.generate()
    message, signature = forged(acme, 2), bytes(64)
    if by == "another key":
        message = forged(acme, 2, signing.key_id(theirs.public_key().public_bytes_raw()))
        signature = theirs.sign(message.to_bytes())
    with superuser() as line:
        _remove(line, acme, 2)
        _row(line, acme, message, signature)

    found = both_find(acme, tmp_path)
    assert found.count(f"event {first}: missing (seal 1)") == 2
    assert "the leaving of seals 1 to 2: its signature is none of ours" in found
    assert "the leaving of seals 1 to 2: its signature is not of a trusted key" in found


def test_a_true_statement_does_not_stretch(acme: int, tmp_path: Path) -> None:
    leave(acme)
    tenth = events(acme)[2]
    with superuser() as line:
        _remove(line, acme, 3)
    assert both_find(acme, tmp_path).count(f"event {tenth}: missing (seal 3)") == 2

    with superuser() as line:
        line.execute("UPDATE audit_leaving SET last_seal = 3, events = 10")
    assert "the leaving of seals 1 to 3: its row says other than what was signed" in both_find(acme, tmp_path)
    with superuser() as line:
        line.execute(
            "UPDATE audit_leaving SET statement = replace(replace(statement, '\"last\":2', '\"last\":3'),"
            " '\"events\":7', '\"events\":10')"
        )
    found = both_find(acme, tmp_path)
    assert "the leaving of seals 1 to 3: its signature is none of ours" in found
    assert "the leaving of seals 1 to 3: its signature is not of a trusted key" in found


def test_what_is_put_back_where_it_left_is_named(acme: int, tmp_path: Path) -> None:
    with superuser() as line:
        line.execute("CREATE TABLE kept AS TABLE audit_event")
    gone = leave(acme)
    with superuser() as line:
        line.execute(
            "INSERT INTO audit_event OVERRIDING SYSTEM VALUE SELECT * FROM kept WHERE id = %s", [gone[0]]
        )

    words = f"event {gone[0]}: here, though it left by policy on {NOON.date()} (seal 1)"
    assert both_find(acme, tmp_path).count(words) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    some(
        [
            ("leaves = set_byte(leaves, 20, get_byte(leaves, 20) # 1)", "does not give its root"),
            ("root = set_byte(root, 3, get_byte(root, 3) # 4)", "seal 1: its signature"),
            ("count = count + 1", "seal 1: says 5 events"),
        ],
        one_in=3,
    ),
)
def test_a_seal_of_what_left_is_guarded_as_before(acme: int, tmp_path: Path, change: str, words: str) -> None:
    leave(acme)
    with superuser() as line:
        line.execute(f"UPDATE audit_seal SET {change} WHERE number = 1".encode())
    found = both_find(acme, tmp_path)
    assert sum(words in one for one in found) == 2


def test_the_last_seal_of_what_left_is_guarded_too(acme: int, tmp_path: Path) -> None:
    leave(acme)
    with superuser() as line:
        line.execute("UPDATE audit_seal SET root = set_byte(root, 3, get_byte(root, 3) # 4) WHERE number = 2")
    found = both_find(acme, tmp_path)
    assert "the leaving of seals 1 to 2: is about other seals than these" in found
    assert "the leaving of seals 1 to 2: is about other seals than these; their events are missing" in found


def test_a_removed_row_of_what_left_is_named(acme: int, tmp_path: Path) -> None:
    leave(acme)
    with superuser() as line:
        line.execute("DELETE FROM audit_leaving")
    found = both_find(acme, tmp_path)
    assert "the leaving of seals 1 to 2: the database does not hold it, the checkpoints remember it" in found
    assert "the leaving of seals 1 to 2: the bundle does not hold it, a checkpoint remembers it" in found


def leave_twice(acme: int) -> None:
    """Seals 1 to 2, and then 3 by itself."""
    leave(acme)
    with job_scope(agency_id=acme):
        later = services.Wish(3, 3, datetime(2023, 4, 1, tzinfo=UTC), 1000, 7)
        services.leave(agency_id=acme, wish=later, by=JOB, at=NOON)


def test_a_gap_between_what_left_is_named(acme: int) -> None:
    leave_twice(acme)
    with superuser() as line:
        line.execute("DELETE FROM audit_leaving WHERE first_seal = 1")

    named = [str(one) for one in verify(acme).findings]
    assert "the leaving of seals 3 to 3: does not follow what left before" in named
    assert sum("missing (seal 1)" in one for one in named) == 4


@pytest.mark.thorough
def test_what_left_under_a_seal_that_is_gone_is_not_vouched_for(acme: int) -> None:
    """Neither what the seal ended, nor what began behind it."""
    leave_twice(acme)
    with superuser() as line:
        line.execute("DELETE FROM audit_seal WHERE number = 2")

    named = [str(one) for one in verify(acme).findings]
    assert "the leaving of seals 1 to 2: is about other seals than these" in named
    assert "the leaving of seals 3 to 3: is about other seals than these" in named
    assert sum("missing (seal 1)" in one for one in named) == 4
    assert sum("missing (seal 3)" in one for one in named) == 3


def test_a_statement_that_cannot_be_read_covers_nothing(acme: int) -> None:
    leave(acme)
    sink.path_of(acme).write_bytes(
        b"".join(
            line
            for line in sink.path_of(acme).read_bytes().splitlines(keepends=True)
            if not line.startswith(b'{"leaving"')
        )
    )
    with superuser() as line:
        line.execute("UPDATE audit_leaving SET statement = statement || ' '")

    named = [str(one) for one in verify(acme).findings]
    assert "the leaving of seals 1 to 2: its statement cannot be read" in named
    assert sum("missing (seal 1)" in one for one in named) == 4


def test_one_event_put_back_does_not_excuse_those_that_are_gone(acme: int) -> None:
    """The row of what left is removed, and too few events are here for a restore to have brought them."""
    with superuser() as line:
        line.execute("CREATE TABLE kept AS TABLE audit_event")
    gone = leave(acme)
    with superuser() as line:
        line.execute("DELETE FROM audit_leaving")
        line.execute(
            "INSERT INTO audit_event OVERRIDING SYSTEM VALUE SELECT * FROM kept WHERE id = %s", [gone[0]]
        )

    named = [str(one) for one in verify(acme).findings]
    assert "the leaving of seals 1 to 2: the database does not hold it, the checkpoints remember it" in named
    assert [f"event {event}: missing" in " ".join(named) for event in gone] == [False] + 6 * [True]


def test_what_the_checkpoints_do_not_know_is_named(acme: int, tmp_path: Path) -> None:
    """With our key, but without our disk: whoever has one of both is found out."""
    message = forged(acme, 2)
    with superuser() as line:
        _remove(line, acme, 2)
        _row(line, acme, message, signing.sign(message.to_bytes()))
    assert [str(one) for one in verify(acme).findings] == [
        "the leaving of seals 1 to 2: unknown to the checkpoints"
    ]
    report = verify_offline(acme, tmp_path)
    assert report.findings == []
    assert any("unknown to these checkpoints" in one for one in report.notes), (
        "it may be older than the statement"
    )
    write(acme, 1)
    seal(acme, at=NOON + timedelta(days=2))
    report = verify_offline(acme, tmp_path)
    assert report.findings == ["the leaving of seals 1 to 2: unknown to the checkpoints"]


def test_a_checkpoint_that_was_changed_says_nothing(acme: int, tmp_path: Path) -> None:
    leave(acme)
    path = sink.path_of(acme)
    path.write_bytes(path.read_bytes().replace(b'"events":7', b'"events":8'))
    found = both_find(acme, tmp_path)
    assert any("checkpoint line" in one for one in found)
    assert any("signature is not of a trusted key" in one for one in found)


def test_a_restore_that_nobody_trusted_declared_forgets_nothing(acme: int, tmp_path: Path) -> None:
    leave(acme)
    with superuser() as line:
        line.execute("DELETE FROM audit_leaving")
    epoch = {
        "v": 1,
        "agency": acme,
        "epoch": 2,
        "after": 0,
        "started_at": "2026-01-01T00:00:00Z",
        "key": "0" * 16,
    }
    with sink.path_of(acme).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"epoch": epoch, "signature": "00" * 64}) + "\n")

    found = verify_offline(acme, tmp_path).findings

    assert any("the declaration of a restore is not signed by a trusted key" in one for one in found)
    assert "the leaving of seals 1 to 2: the bundle does not hold it, a checkpoint remembers it" in found


# --- Cut off ---


def test_a_fault_behind_the_statement_takes_nothing_and_the_next_run_goes_on(
    acme: int, tmp_path: Path
) -> None:
    before = events(acme)

    def cut_off() -> None:
        with job_scope(agency_id=acme):
            services.leave(agency_id=acme, wish=wish(2), by=JOB, at=NOON)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cut_off()
    assert events(acme) == before
    found = verify(acme)
    assert found.findings == []
    assert found.notes == [
        f"the leaving of seals 1 to 2: said on {NOON.date()} and cut off, the next run goes on"
    ]
    offline = verify_offline(acme, tmp_path)
    assert offline.findings == []
    assert any(f"said on {NOON.date()}, and its events are here" in note for note in offline.notes)
    assert seal(acme) == 2

    leave(acme)
    assert both_find(acme, tmp_path) == []
    assert len(verify(acme).notes) == 1


_KILLED = """
import os, signal, sys, django
django.setup()
from datetime import datetime
from pathlib import Path
from django.conf import settings
settings.CALLPRIVACY_STATE = Path(sys.argv[2])
from callprivacy.audit import services
from callprivacy.audit.services import leaving, sink
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope
real = sink.append_leaving
def killed(statement):
    real(statement)
    os.kill(os.getpid(), signal.SIGKILL)
leaving.sink.append_leaving = killed
at = datetime.fromisoformat(sys.argv[3])
wish = services.Wish(1, 2, datetime.fromisoformat("2023-03-01T05:00:00+00:00"), 1000, 7)
with job_scope(agency_id=int(sys.argv[1])):
    services.leave(agency_id=int(sys.argv[1]), wish=wish, by=Actor.job("tests"), at=at)
"""


@pytest.mark.thorough
def test_a_kill_between_statement_and_commit_takes_nothing(
    acme: int, tmp_path: Path, settings: Settings
) -> None:
    before = events(acme)
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(acme), str(settings.CALLPRIVACY_STATE), NOON.isoformat()],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "callprivacy.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(sink.leavings(acme)) == 1
    connections.close_all()

    assert events(acme) == before
    assert both_find(acme, tmp_path) == []
    leave(acme)
    assert both_find(acme, tmp_path) == []


# --- After a restore ---


def test_what_an_old_dump_brought_back_leaves_again(acme: int, tmp_path: Path) -> None:
    with superuser() as line:
        line.execute("CREATE TABLE kept AS TABLE audit_event")
    gone = leave(acme)
    with superuser() as line:
        line.execute("DELETE FROM audit_leaving")
        line.execute(
            "INSERT INTO audit_event OVERRIDING SYSTEM VALUE SELECT * FROM kept WHERE id = ANY(%s)", [gone]
        )
    with job_scope(agency_id=acme):
        (statement,) = services.said_before(acme)
        assert services.leave_again(agency_id=acme, statement=statement, by=JOB, at=NOON) == 7
        assert services.said_before(acme) == []
        assert services.leave_again(agency_id=acme, statement=statement, by=JOB, at=NOON) == 0
    assert both_find(acme, tmp_path) == []
    assert Leaving._meta.db_table == "audit_leaving"


@pytest.mark.parametrize("text", some(["", "{}", "[]", "1", '{"v":1}', "null"], one_in=3))
def test_a_statement_knows_only_its_own_form(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (a text that is no JSON says so in its own words)
        leaves.LeavingMessage.from_json(text)
