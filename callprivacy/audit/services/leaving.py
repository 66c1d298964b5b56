"""
Letting events leave by policy: whole seals, from the beginning on, of which the rows and roots stay.

The statement is signed, and on the disk outside the database, before the events are gone for anybody. The database
has one function that removes them, and guards of its own (docs/adr/0145); which seals are due is the caller's to know.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction

from callprivacy.audit import selectors
from callprivacy.audit.leaves import START, LeavingMessage, NotCanonicalError, canonical
from callprivacy.audit.merkle import Frontier
from callprivacy.audit.models import Reason, Seal
from callprivacy.audit.services import sealing, sink
from callprivacy.audit.services.sink import Checkpoint, Statement
from callprivacy.lib.scope import Actor
from callprivacy.vault import signing

FLOOR: Final = timedelta(days=365)
"""No event leaves that is younger: by what was signed when it was sealed, and in the database by its own clock."""


class NotLeavingError(RuntimeError):
    """These events may not leave: what is here is not what was sealed."""


class BusyError(NotLeavingError):
    """The trail is being verified or exported: nothing leaves from under who reads it."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Which seals' events leave, and by which policy. :ivar before: the end of the month, which all are before."""

    first: int
    last: int
    before: datetime
    keep_for_days: int
    version: int


@transaction.atomic
def leave(*, agency_id: int, wish: Wish, by: Actor, at: datetime) -> list[int]:
    """
    Let the events of some seals leave, in the scope's transaction; returns their ids.

    What was changed, added or is missing among them does not leave, for it would take with it what tells of that.

    :raises BusyError: it is being verified or exported just now.
    :raises NotLeavingError: these are not the next seals, or their events are not what was sealed.
    :raises SinkError: what is said cannot be kept outside the database.
    :raises DatabaseError: the database's own guards refuse.
    """
    _take_turn(agency_id)
    if wish.first != selectors.left_to(agency_id) + 1:
        raise NotLeavingError("Something left meanwhile.")
    ids = _ids(agency_id, wish, at)
    last = Seal.objects.defer("leaves", "peaks").get(agency_id=agency_id, number=wish.last)
    message = LeavingMessage(
        agency_id=agency_id,
        first=wish.first,
        last=wish.last,
        events=len(ids),
        size=last.size,
        root=bytes(last.root),
        before=wish.before,
        keep_for_days=wish.keep_for_days,
        version=wish.version,
        at=at,
        key_id=signing.key_id(signing.public_key()),
    )
    statement = Statement(message, signing.sign(message.to_bytes()))
    _remove(statement, by=by, at=at)
    # Behind the deletion, which may be refused, and before the commit: never is anything gone that is not said there.
    sink.append_leaving(statement)
    return ids


def said_before(agency_id: int) -> list[Statement]:
    """
    What the checkpoints say to have left although the events are here, as after a restore, in order.

    :raises SinkError: the checkpoints cannot be read.
    """
    done = selectors.left_to(agency_id)
    return [one for one in sink.leavings(agency_id) if one.message.last > done]


@transaction.atomic
def leave_again(*, agency_id: int, statement: Statement, by: Actor, at: datetime) -> int:
    """
    Let events that an old dump brought back leave once more, by what was said then; returns how many.

    0 where it is about other seals than these, or does not follow what left before.

    :raises NotLeavingError: their events are not what was sealed.
    :raises DatabaseError: the database's own guards refuse.
    """
    message = statement.message
    _take_turn(agency_id)
    seal = Seal.objects.filter(agency_id=agency_id, number=message.last).defer("leaves", "peaks").first()
    if (
        message.first != selectors.left_to(agency_id) + 1
        or seal is None
        or (bytes(seal.root), seal.size) != (message.root, message.size)
    ):
        return 0
    wish = Wish(message.first, message.last, message.before, message.keep_for_days, message.version)
    ids = _ids(agency_id, wish, at)
    # They were gone before their events were, and the dump brought them back as well.
    Reason.objects.filter(agency_id=agency_id, event_id__in=ids).remove()
    return _remove(statement, by=by, at=at)


def _take_turn(agency_id: int) -> None:
    """
    Wait for whoever seals the agency's trail, or lets a part of it leave.

    :raises BusyError: it is being read as a whole, which may take minutes.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended('audit.leave', %s))", [agency_id])
        if cursor.fetchone() != (True,):
            raise BusyError("The trail is being verified or exported.")
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('audit.seal', %s))", [agency_id])


def _ids(agency_id: int, wish: Wish, at: datetime) -> list[int]:
    """
    The events of these seals, in order: each looked at against its leaf, and the leaves against what was signed.

    Nothing is taken from the database that whoever owns it could have written: neither a seal's age nor what it lists.
    """
    before = selectors.seal_numbered(agency_id, wish.first - 1)
    over = _taken_over(agency_id, wish.first - 1, wish.last)
    begin, frontier = START, Frontier()
    if before is not None:
        begin, frontier = before.until, _frontier(before, over)
    seals = Seal.objects.filter(agency_id=agency_id, number__gte=wish.first, number__lte=wish.last)
    ids: list[int] = []
    for seal in seals.order_by("number").iterator(chunk_size=20):
        events = list(selectors.events_between(agency_id, begin, seal.until))
        listed = [(event.pk, sealing.leaf_of(event)) for event in events]
        frontier.extend(leaf for _, leaf in listed)
        if listed != seal.listed() or not _is_signed(seal, frontier, over):
            raise NotLeavingError(f"The events under seal {seal.number} are not what was sealed.")
        if seal.signed_at > at - FLOOR:
            raise NotLeavingError(f"Seal {seal.number} is not a year old.")
        if any(event.at >= wish.before for event in events):
            raise NotLeavingError(f"Seal {seal.number} covers what happened later.")
        ids += [event.pk for event in events]
        begin = seal.until
    return ids


def _taken_over(agency_id: int, first: int, last: int) -> set[int]:
    """The seals of a key that had come to its end from which a seal of another key goes on, by their numbers."""
    stretch, found = sink.Stretch(), set[int]()
    if not signing.ends():
        return found
    before: Seal | None = None
    seals = Seal.objects.filter(agency_id=agency_id, number__gte=first).order_by("number")
    try:
        for seal in seals.iterator(chunk_size=20):
            whole = not stretch.waiting or (before is not None and _grows(before, seal))
            taken = stretch.take(Checkpoint(seal.message(), bytes(seal.signature)), whole=whole)
            found |= {one.message.number for one in taken}
            if seal.number >= last and not stretch.waiting:
                break
            before = seal
    except (*selectors.UNREADABLE, NotCanonicalError):
        # Nothing goes on behind a seal that cannot be read; whether it is itself among these is told with its events.
        return found
    return found


def _grows(before: Seal, seal: Seal) -> bool:
    """Whether what a seal lists gives its root, on the tree of the one before."""
    try:
        frontier = before.frontier()
    except ValueError:
        return False
    frontier.extend(leaf for _, leaf in seal.listed())
    return (frontier.size, frontier.root()) == (seal.size, bytes(seal.root))


def _frontier(seal: Seal, over: set[int]) -> Frontier:
    """
    The tree as a seal left it.

    :raises NotLeavingError: it is not what was signed.
    """
    try:
        frontier = seal.frontier()
    except ValueError:
        frontier = Frontier()
    if not _is_signed(seal, frontier, over):
        raise NotLeavingError(f"Seal {seal.number} is not what was signed.")
    return frontier


def _is_signed(seal: Seal, frontier: Frontier, over: set[int]) -> bool:
    """Whether one of our keys has signed the seal, in its time or taken over since, and over this very tree."""
    checkpoint = Checkpoint(seal.message(), bytes(seal.signature))
    return (frontier.size, frontier.root()) == (seal.size, bytes(seal.root)) and (
        checkpoint.is_signed() or (seal.number in over and checkpoint.is_late())
    )


def _remove(statement: Statement, *, by: Actor, at: datetime) -> int:
    message = statement.message
    said = canonical(message.as_dict()).decode()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT audit_leave(%s, %s, %s, %s, %s, %s)",
            [message.agency_id, message.last, said, statement.signature, by.name, at],
        )
        return int(cursor.fetchone()[0])
