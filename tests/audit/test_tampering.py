"""A database superuser with every trigger off changes the trail: both verifiers see it and say where."""

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pytest_django import Settings

from callprivacy.audit import leaves, merkle
from callprivacy.audit.leaves import LeavingMessage, Mark, SealMessage
from callprivacy.audit.models import Event, Seal, pack_leaves
from callprivacy.audit.services import sealing
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import signing
from tests import make
from tests.audit.trails import no_text_may_be_written, seal, superuser, verify, verify_offline, write
from tests.make import NOON
from tests.scale import tell, times

ROUNDS = times(1, 180)
"""How often each tampering is tried, at events and seals that chance picks."""


@dataclass
class Trail:
    """A sealed trail of Acme beside one of Globex, the superuser's line, and the dice."""

    line: psycopg.Connection
    acme: int
    globex: int
    chance: random.Random
    folder: Path

    def one(self, query: str, *values: object) -> int:
        row = self.line.execute(query.encode(), values).fetchone()
        assert row is not None
        return int(row[0])

    def any_event(self) -> int:
        """A sealed event of Acme."""
        query = "SELECT id FROM audit_event WHERE agency_id = %s AND id <= %s ORDER BY random() LIMIT 1"
        return self.one(query, self.acme, self.last_sealed)

    def any_seal(self) -> int:
        return self.one(
            "SELECT number FROM audit_seal WHERE agency_id = %s ORDER BY random() LIMIT 1", self.acme
        )

    @property
    def last_sealed(self) -> int:
        return self.one("SELECT max(last_event) FROM audit_seal WHERE agency_id = %s", self.acme)

    def keep(self) -> None:
        for table in ("audit_event", "audit_seal"):
            self.line.execute(f"CREATE TABLE kept_{table} AS TABLE {table}".encode())

    def bring_back(self) -> None:
        for table in ("audit_event", "audit_seal"):
            self.line.execute(
                f"TRUNCATE {table}; INSERT INTO {table} OVERRIDING SYSTEM VALUE TABLE kept_{table}".encode()
            )


@pytest.fixture
def trail(tmp_path: Path, settings: Settings) -> Iterator[Trail]:
    settings.CALLPRIVACY_STATE = tmp_path / "state"
    acme, globex = make.agency("Acme"), make.agency("Globex")
    for minute in range(7):
        write(acme.pk, 4, client_id=minute)
        write(globex.pk, 2)
        for agency in (acme, globex):
            seal(agency.pk, at=NOON + timedelta(minutes=minute))
    write(acme.pk, 2)
    with superuser() as line:
        found = Trail(line, acme.pk, globex.pk, random.Random(11), tmp_path)
        found.keep()
        no_text_may_be_written(line)
        line.execute("SELECT setseed(0.11)")
        yield found


# Each tampers once and returns what a finding must name: an event, a seal, or one of several.

type Names = set[str]


def edit_event(trail: Trail, change: str) -> Names:
    event = trail.any_event()
    trail.line.execute(f"UPDATE audit_event SET {change} WHERE id = %s".encode(), [event])
    return {f"event {event}"}


EVENT_CHANGES = (
    "at = at + interval '1 microsecond'", "action = 'call.erased'", "actor_kind = 'staff'",
    "actor_user_id = coalesce(actor_user_id, 0) + 1", "actor_name = actor_name || 'x'",
    "client_id = coalesce(client_id, 0) + 1", "subject_kind = subject_kind || 'x'",
    "subject_id = subject_id || '1'", "reason_hash = repeat('a', 64)",
    "details = details || '{\"number\": 77}'", "details = details || '{\"number\": 1.5}'",
    "details = '[]'",
    "epoch = epoch - 1", "at = 'infinity'", "at = at - interval '2100 years'",
    "details = ('{\"number\": 1' || repeat('0', 5000) || '}')::jsonb",
    "details = (repeat('{\"a\":', 2000) || '1' || repeat('}', 2000))::jsonb",
    "subject_id = '\\xff'::bytea::text",
)  # fmt: skip


def delete_event(trail: Trail) -> Names:
    event = trail.any_event()
    trail.line.execute("DELETE FROM audit_event WHERE id = %s", [event])
    return {f"event {event}"}


def insert_event(trail: Trail) -> Names:
    """A copy of a sealed event under a new id, dated back into the same transaction."""
    event = trail.any_event()
    new = trail.one(
        "INSERT INTO audit_event (agency_id, client_id, actor_kind, actor_user_id, actor_name, action,"
        " subject_kind, subject_id, at, details, reason_hash, xid, epoch)"
        " SELECT agency_id, client_id, actor_kind, actor_user_id, actor_name, 'call.forged',"
        " subject_kind, subject_id, at, details, reason_hash, xid, epoch"
        " FROM audit_event WHERE id = %s RETURNING id",
        event,
    )
    return {f"event {new}"}


def reorder_events(trail: Trail) -> Names:
    """Two events change places: each takes the other's id."""
    one, two = trail.any_event(), trail.any_event()
    if one == two:
        return reorder_events(trail)
    trail.line.execute(
        "UPDATE audit_event SET id = CASE id WHEN %(one)s THEN -%(two)s ELSE -%(one)s END"
        " WHERE id IN (%(one)s, %(two)s)",
        {"one": one, "two": two},
    )
    trail.line.execute("UPDATE audit_event SET id = -id WHERE id < 0")
    return {f"event {one}", f"event {two}"}


def move_event_in_time(trail: Trail) -> Names:
    event = trail.any_event()
    trail.line.execute(
        "UPDATE audit_event SET xid = (xid::text::bigint + 3)::text::xid8 WHERE id = %s", [event]
    )
    return {f"event {event}"}


def give_away(trail: Trail) -> Names:
    """One event of Acme is said to be Globex's."""
    event = trail.any_event()
    trail.line.execute("UPDATE audit_event SET agency_id = %s WHERE id = %s", [trail.globex, event])
    return {f"event {event}"}


def take_over(trail: Trail) -> Names:
    """One event of Globex is said to be Acme's."""
    event = trail.one(
        "SELECT id FROM audit_event WHERE agency_id = %s AND id < %s ORDER BY random() LIMIT 1",
        trail.globex, trail.last_sealed,
    )  # fmt: skip
    trail.line.execute("UPDATE audit_event SET agency_id = %s WHERE id = %s", [trail.acme, event])
    return {f"event {event}"}


def truncate_tail(trail: Trail, first: int) -> Names:
    """The newest seals and all behind the last kept one are gone, as after an old backup."""
    trail.line.execute(
        "DELETE FROM audit_event WHERE agency_id = %(agency)s AND xid >= coalesce("
        "(SELECT until_xid FROM audit_seal WHERE agency_id = %(agency)s AND number = %(number)s - 1),"
        " '0'::xid8)",
        {"agency": trail.acme, "number": first},
    )
    trail.line.execute("DELETE FROM audit_seal WHERE agency_id = %s AND number >= %s", [trail.acme, first])
    return {f"seals {first} to 7"}


def delete_seal(trail: Trail) -> Names:
    number = trail.any_seal()
    trail.line.execute("DELETE FROM audit_seal WHERE agency_id = %s AND number = %s", [trail.acme, number])
    return {f"seals {number} to {number}", f"seal {number}", f"seals {number} to 7"}


def edit_seal(trail: Trail, change: str) -> Names:
    number = trail.any_seal()
    trail.line.execute(
        f"UPDATE audit_seal SET {change} WHERE agency_id = %s AND number = %s".encode(), [trail.acme, number]
    )
    return {f"seal {number}"}


SEAL_CHANGES = (
    "root = set_byte(root, 3, get_byte(root, 3) # 4)",
    "previous = set_byte(previous, 9, get_byte(previous, 9) # 1)",
    "signature = set_byte(signature, 40, get_byte(signature, 40) # 8)",
    "peaks = set_byte(peaks, 1, get_byte(peaks, 1) # 2)", "peaks = substr(peaks, 33)",
    "leaves = set_byte(leaves, 20, get_byte(leaves, 20) # 1)",
    "leaves = substr(leaves, 41)", "leaves = substr(leaves, 41) || substr(leaves, 1, 40)",
    "signed_at = signed_at - interval '1 day'", "signed_at = '-infinity'", "count = count + 1",
    "size = size + 1", "size = -1, peaks = root", "last_event = 9007199254740992", "until_id = 9007199254740992",
    "first_event = first_event + 1", "last_event = last_event - 1", "key_id = 'aaaaaaaaaaaaaaaa'",
    "until_id = until_id + 1", "until_xid = (until_xid::text::bigint - 1)::text::xid8",
)  # fmt: skip


def relabel(trail: Trail, *, after: bool) -> Names:
    """An event is gone, and its leaf goes by the id of the one before it or after it in the seal's list."""
    number = trail.any_seal()
    with job_scope(agency_id=trail.acme):
        listed = Seal.objects.get(number=number).listed()
    place = trail.chance.randrange(1, len(listed) - 1)
    event, leaf = listed[place]
    listed[place] = (listed[place + (1 if after else -1)][0], leaf)
    trail.line.execute("DELETE FROM audit_event WHERE id = %s", [event])
    trail.line.execute(
        "UPDATE audit_seal SET leaves = %s WHERE agency_id = %s AND number = %s",
        [pack_leaves(listed), trail.acme, number],
    )
    return {f"seal {number}"}


def swap_signatures(trail: Trail) -> Names:
    one, two = trail.chance.sample(range(1, 8), 2)
    trail.line.execute(
        "UPDATE audit_seal s SET signature = o.signature FROM audit_seal o WHERE s.agency_id = o.agency_id"
        " AND s.agency_id = %s AND s.number + o.number = %s AND s.number IN (%s, %s)",
        [trail.acme, one + two, one, two],
    )
    return {f"seal {one}", f"seal {two}"}


def recompute_everything(trail: Trail, change: str, theirs: Ed25519PrivateKey | None) -> Names:
    """An event is changed and every hash behind it made to fit, without our key or with another one."""
    event = trail.any_event()
    trail.line.execute(f"{change} WHERE id = %s".encode(), [event])
    with job_scope(agency_id=trail.acme):
        seals = list(Seal.objects.order_by("number"))
        events = {one.pk: one for one in Event.objects.all()}
    frontier, previous, broken = merkle.Frontier(), leaves.NO_PREVIOUS, 0
    for one in seals:
        if event in dict(one.listed()):
            broken = one.number
        listed = [(key, sealing.leaf_of(events[key])) for key, _ in one.listed() if key in events]
        frontier.extend(digest for _, digest in listed)
        message = replace(
            one.message(), count=len(listed), size=frontier.size, root=frontier.root(), previous=previous,
            first_event=listed[0][0], last_event=listed[-1][0],
        )  # fmt: skip
        previous = message.digest()
        signature = bytes(one.signature)
        if theirs is not None and one.number >= broken > 0:
            message = replace(message, key_id=signing.key_id(theirs.public_key().public_bytes_raw()))
            previous, signature = message.digest(), theirs.sign(message.to_bytes())
        trail.line.execute(
            "UPDATE audit_seal SET count = %s, size = %s, root = %s, previous = %s, first_event = %s,"
            " last_event = %s, key_id = %s, signature = %s, peaks = %s, leaves = %s"
            " WHERE agency_id = %s AND number = %s",
            [message.count, message.size, message.root, message.previous, message.first_event,
             message.last_event, message.key_id, signature, frontier.dump(), pack_leaves(listed),
             trail.acme, one.number],
        )  # fmt: skip
    return {f"seal {broken}"}


def exchange_seals_of_agencies(trail: Trail) -> Names:
    """Acme's seals carry Globex's number line."""
    trail.line.execute("UPDATE audit_seal SET agency_id = -agency_id")
    trail.line.execute(
        "UPDATE audit_seal SET agency_id = CASE agency_id WHEN -%(acme)s THEN %(globex)s ELSE %(acme)s END",
        {"acme": trail.acme, "globex": trail.globex},
    )
    return {"seal 1"}


def remove_all(trail: Trail) -> Names:
    trail.line.execute("DELETE FROM audit_event WHERE agency_id = %s", [trail.acme])
    trail.line.execute("DELETE FROM audit_seal WHERE agency_id = %s", [trail.acme])
    return {"seals 1 to 7"}


TAMPERINGS: list[Callable[[Trail], Names]] = [
    *(partial(edit_event, change=change) for change in EVENT_CHANGES),
    delete_event, insert_event, reorder_events, move_event_in_time, give_away, take_over,
    *(partial(truncate_tail, first=first) for first in range(1, 8)),
    delete_seal,
    *(partial(edit_seal, change=change) for change in SEAL_CHANGES),
    swap_signatures,
    *(partial(relabel, after=after) for after in (False, True)),
    *(
        partial(recompute_everything, change=change, theirs=theirs)
        for change in ("DELETE FROM audit_event", "UPDATE audit_event SET action = 'call.erased'")
        for theirs in (None, Ed25519PrivateKey.generate())
    ),
    exchange_seals_of_agencies, remove_all,
]  # fmt: skip


def names(finding: str) -> Names:
    """The event, seal or seals that a finding begins with."""
    begins = re.match(r"(events? \d+|seals \d+ to \d+|seal \d+)", finding)
    return {begins[1]} if begins else set()


@pytest.mark.django_db(transaction=True)
def test_every_tampering_is_seen_and_named(trail: Trail) -> None:
    assert verify(trail.acme).findings == []
    assert verify_offline(trail.acme, trail.folder).findings == []

    for tamper in TAMPERINGS * ROUNDS:
        wanted = tamper(trail)
        here = [str(finding) for finding in verify(trail.acme).findings]
        offline = verify_offline(trail.acme, trail.folder).findings
        for found in (here, offline):
            named: Names = set().union(*(names(one) for one in found))
            assert named & wanted, f"{tamper}: {wanted} not in {found}"
        trail.bring_back()

    assert verify(trail.acme).findings == []
    tell(len(TAMPERINGS) * ROUNDS, "tamperings named")


@pytest.mark.django_db(transaction=True)
def test_a_change_behind_the_last_seal_is_not_vouched_for_and_the_count_says_so(trail: Trail) -> None:
    """What is not sealed yet only the trigger guards; nobody is told otherwise."""
    trail.line.execute(
        "UPDATE audit_event SET action = 'call.erased' WHERE agency_id = %s AND id > %s",
        [trail.acme, trail.last_sealed],
    )

    found = verify(trail.acme)
    assert found.holds
    assert found.unsealed == 2
    assert verify_offline(trail.acme, trail.folder).notes == [
        "2 events are not sealed yet; nothing vouches for them"
    ]


@pytest.mark.thorough
@pytest.mark.django_db(transaction=True)
def test_a_cut_tail_needs_the_checkpoint(trail: Trail) -> None:
    truncate_tail(trail, first=4)

    assert verify_offline(trail.acme, trail.folder, checkpoint=False).findings == []
    assert "tail was cut" in verify_offline(trail.acme, trail.folder).findings[0]


def test_the_message_knows_only_its_own_form() -> None:
    message = SealMessage(1, 1, 1, 2, 2, 2, bytes(32), bytes(32), Mark(1, 5, 0), NOON, "ab" * 8)
    members = message.as_dict()

    assert SealMessage.from_dict(members) == message
    for member in members:
        with pytest.raises(ValueError, match="Not a seal"):
            SealMessage.from_dict({key: value for key, value in members.items() if key != member})
    with pytest.raises(ValueError, match="another form"):
        SealMessage.from_dict({**members, "count": "2"})


@pytest.mark.parametrize(
    "changed",
    [{"events": "7"}, {"root": "AB" * 32}, {"more": 1}, {"first": 0}, {"first": 3}],
    ids=["a number as a text", "other letters", "one more", "from no seal", "ends before it begins"],
)
def test_what_is_said_of_a_leaving_has_one_form(changed: dict[str, object]) -> None:
    message = LeavingMessage(1, 1, 2, 7, 7, bytes(32), NOON, 1000, 7, NOON, "ab" * 8)
    members = message.as_dict()

    assert LeavingMessage.from_dict(members) == message
    with pytest.raises(ValueError, match="a member has another form"):
        LeavingMessage.from_dict(members | changed)


def test_a_leaving_that_was_spaced_or_ordered_anew_is_not_what_was_signed() -> None:
    message = LeavingMessage(1, 1, 2, 7, 7, bytes(32), NOON, 1000, 7, NOON, "ab" * 8)
    text = leaves.canonical(message.as_dict()).decode()

    assert LeavingMessage.from_json(text) == message
    for other in (text.replace(",", ", "), json.dumps(message.as_dict(), separators=(",", ":"))):
        with pytest.raises(ValueError, match="written in another form"):
            LeavingMessage.from_json(other)


@pytest.mark.parametrize("name", ["näme", 1, None])
def test_a_name_that_is_no_plain_text_is_not_hashed(name: object) -> None:
    """RFC 8785 sorts by UTF-16 and `json` by code point: of ASCII both are the same."""
    for value in ({name: 1}, {"inner": {name: 1}}):
        with pytest.raises(leaves.NotCanonicalError, match="not plain ASCII"):
            leaves.canonical(value)  # type: ignore[arg-type]  # what a caller's slip would hand over


def test_what_is_nested_deeper_than_64_objects_is_not_hashed() -> None:
    """Python gives up at a depth that depends on who calls."""

    def nested(depth: int) -> dict[str, object]:
        inner: dict[str, object] = {"a": 1}
        for _ in range(depth - 1):
            inner = {"a": inner}
        return inner

    assert leaves.canonical(nested(64)).count(b"{") == 64
    with pytest.raises(leaves.NotCanonicalError, match="deeper than 64"):
        leaves.canonical(nested(65))


@pytest.mark.parametrize("value", [0.5, 2**53, "\ud800", {1, 2}, b"x"], ids=repr)
def test_what_has_no_one_form_is_not_signed_in_a_list_either(value: object) -> None:
    assert (
        leaves.canonical_document({"b": [1, {"ä": None}], "a": ()}) == '{"a":[],"b":[1,{"ä":null}]}'.encode()
    )
    with pytest.raises(leaves.NotCanonicalError):
        leaves.canonical_document({"rows": [{"inner": [value]}]})


def test_lists_are_no_way_round_the_limit_of_nesting() -> None:
    inner: list[object] = []
    for _ in range(64):
        inner = [inner]
    with pytest.raises(leaves.NotCanonicalError, match="deeper than 64"):
        leaves.canonical_document({"a": inner})


def test_an_instant_says_its_zone_or_is_none() -> None:
    assert leaves.instant(datetime(2026, 11, 24, 12, tzinfo=UTC)) == "2026-11-24T12:00:00.000000Z"
    with pytest.raises(leaves.NotCanonicalError, match="without a zone"):
        leaves.instant(datetime(2026, 11, 24, 12))
