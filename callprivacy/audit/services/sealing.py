"""
Sealing: a signed root over everything an agency has done so far, every minute.

Only events whose transaction is certainly over are covered (`xid < pg_snapshot_xmin`), so that no later
commit can slip in between two sealed ones. One sealer an agency at a time; the seals form a chain.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from django.db import connection, transaction
from django.db.models import QuerySet

from callprivacy.audit import leaves
from callprivacy.audit.leaves import START, Mark, SealMessage
from callprivacy.audit.merkle import Frontier, leaf_hash
from callprivacy.audit.models import Epoch, Event, Leaving, Seal, pack_leaves
from callprivacy.audit.selectors import UNREADABLE, events_between, newest_seal
from callprivacy.audit.services import lineage, sink
from callprivacy.audit.services.recording import record
from callprivacy.audit.services.sink import Checkpoint, SinkError, Statement
from callprivacy.lib.scope import Actor
from callprivacy.vault import signing

EVENTS_A_SEAL = 20_000

type Listed = list[tuple[int, bytes]]


class RestoredError(RuntimeError):
    """
    Transaction ids have gone back: the database was restored and no new epoch was begun.

    :ivar sealed: the mark up to which seals go, which this server has not come to.
    """

    def __init__(self, sealed: Mark) -> None:
        super().__init__(
            "Transaction ids have gone back. Stop web, worker and beat, then run: manage.py after_restore."
        )
        self.sealed = sealed


class TailCutError(RuntimeError):
    """A checkpoint remembers seals that the database no longer has and that cannot be made again."""


class SealChangedError(RuntimeError):
    """The newest seal's peaks are not those of its size and root: somebody changed it; nothing is sealed after it."""


class UnreadableError(RuntimeError):
    """An event holds what no program of ours writes: somebody wrote past the product; nothing is sealed with it."""


def leaf_of(event: Event) -> bytes:
    """An event's leaf hash."""
    return leaf_hash(leaves.canonical(event.as_leaf()))


def seal_events(*, agency_id: int, at: datetime) -> int:
    """
    Seal what an agency has done since its last seal, in the scope's transaction; returns how many events.

    Another sealer at work is no error: 0. What a crash left between file and database is made good first.

    :raises SinkError: the seal cannot be kept outside the database; nothing is sealed.
    :raises RestoredError: the database was restored; `manage.py after_restore` declares it.
    :raises TailCutError: seals are gone that were made once.
    :raises SealChangedError: the newest seal's peaks are not those of its size and root.
    :raises UnreadableError: an event cannot be read.
    """
    with transaction.atomic():
        if not _lock(agency_id):
            return 0
        newest = _made_good(agency_id, newest_seal(agency_id))
        begin = newest.until if newest else START
        end = _horizon()
        if end < begin:
            raise RestoredError(begin)
        events, listed = _read(events_between(agency_id, begin, end)[:EVENTS_A_SEAL])
        if not events:
            return 0
        if len(events) == EVENTS_A_SEAL:
            end = Mark(events[-1].epoch, events[-1].xid, events[-1].pk + 1)
        message, frontier = _next(agency_id, newest, listed, end, at)
        checkpoint = Checkpoint(message, signing.sign(message.to_bytes()))
        _store(checkpoint, frontier, listed)
        sink.append_seal(checkpoint)
        return len(events)


def _read(found: QuerySet[Event]) -> tuple[list[Event], Listed]:
    try:
        events = list(found)
        return events, [(event.pk, leaf_of(event)) for event in events]
    except (*UNREADABLE, AttributeError):
        raise UnreadableError("An event cannot be read. Run: manage.py verify_audit.") from None


def _lock(agency_id: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended('audit.seal', %s))", [agency_id])
        row: tuple[bool] = cursor.fetchone()
    return row[0]


def ids_went_back(agency_id: int) -> bool:
    """Whether an agency's seals go up to transactions that this server has not come to, in the scope's transaction."""
    newest = newest_seal(agency_id)
    return newest is not None and _horizon() < newest.until


def _horizon() -> Mark:
    """The first mark that a running or coming transaction may still write."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_current_epoch(), pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        epoch, xid = cursor.fetchone()
    return Mark(epoch, xid, 0)


def _next(
    agency_id: int, newest: Seal | None, listed: Listed, until: Mark, at: datetime
) -> tuple[SealMessage, Frontier]:
    frontier = _frontier_after(newest) if newest else Frontier()
    frontier.extend(leaf for _, leaf in listed)
    message = SealMessage(
        agency_id=agency_id,
        number=newest.number + 1 if newest else 1,
        first_event=listed[0][0],
        last_event=listed[-1][0],
        count=len(listed),
        size=frontier.size,
        root=frontier.root(),
        previous=newest.message().digest() if newest else leaves.NO_PREVIOUS,
        until=until,
        signed_at=at,
        key_id=signing.key_id(signing.public_key()),
    )
    return message, frontier


def _frontier_after(seal: Seal) -> Frontier:
    try:
        return seal.frontier()
    except ValueError as error:
        text = f"Seal {seal.number} was changed: {error} Run: manage.py verify_audit."
        raise SealChangedError(text) from error


def _store(checkpoint: Checkpoint, frontier: Frontier, listed: Listed) -> Seal:
    message = checkpoint.message
    return Seal.objects.create(
        agency_id=message.agency_id,
        number=message.number,
        first_event=message.first_event,
        last_event=message.last_event,
        count=message.count,
        size=message.size,
        root=message.root,
        previous=message.previous,
        epoch=message.until.epoch,
        until_xid=message.until.xid,
        until_id=message.until.event_id,
        signed_at=message.signed_at,
        key_id=message.key_id,
        signature=checkpoint.signature,
        peaks=frontier.dump(),
        leaves=pack_leaves(listed),
    )


def _made_good(agency_id: int, newest: Seal | None) -> Seal | None:
    """
    Bring file and database together: a crash may have come between the two, a restore behind both.

    :raises SinkError: the file is gone, or is another one.
    :raises TailCutError: a seal in the file cannot be made again from the events that are there.
    """
    last = sink.last(agency_id)
    if newest is not None and last is not None and last.message.to_bytes() == newest.message().to_bytes():
        return newest
    known = sink.read(agency_id)
    # A key that was stolen may have come to its end since: what it sealed last waits for the seal that is made now.
    seals = known.seals | known.late
    number = newest.number if newest else 0
    if newest is not None and number not in seals:
        raise SinkError(
            f"{sink.path_of(agency_id)} does not know seal {number}: bring the folder back, or, when it is "
            f"lost for good, run: manage.py verify_audit --rebuild-checkpoints."
        )
    if newest is not None and seals[number].message.to_bytes() != newest.message().to_bytes():
        raise TailCutError(
            f"Seal {number} is not the one that the checkpoints remember. Run: manage.py verify_audit."
        )
    for later in sorted(other for other in seals if other > number):
        newest = _made_again(agency_id, newest, seals[later])
    return newest


def _made_again(agency_id: int, newest: Seal | None, checkpoint: Checkpoint) -> Seal:
    message = checkpoint.message
    begin = newest.until if newest else START
    _, listed = _read(events_between(agency_id, begin, message.until))
    if listed:
        again, frontier = _next(agency_id, newest, listed, message.until, message.signed_at)
        if (
            again.root == message.root
            and again.number == message.number
            and again.previous == message.previous
        ):
            return _store(checkpoint, frontier, listed)
    raise TailCutError(
        f"Seal {message.number} was made once and its events are gone or changed. Run: manage.py "
        f"verify_audit; after a restore: manage.py start_epoch."
    )


@transaction.atomic
def start_epoch(*, why: str, at: datetime, is_carried: bool = False) -> Epoch:
    """
    Begin the next epoch, as the owner, after a restore and before anything is let in.

    Waits until no transaction writes events; `declare_restore` then tells each agency's checkpoints. Where ids start
    over, nothing is let in before `lineage.join_again`: what says so by itself ends with the epoch.

    :param is_carried: whether some agency's seals say that ids start over (`ids_went_back`).
    """
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE audit_event IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute("SELECT audit_current_epoch() + 1")
        number = cursor.fetchone()[0]
    lineage.note_carried(sealed_in=number - 1 if is_carried else None)
    return Epoch.objects.create(number=number, started_at=at, why=why)


def declare_restore(*, agency_id: int, epoch: Epoch) -> int:
    """
    Sign into an agency's checkpoints that the seals after its last one were lost; returns how many were.

    :raises SinkError: it cannot be written.
    """
    newest = Seal.objects.filter(agency_id=agency_id).order_by("-number").first()
    after = newest.number if newest else 0
    known = sink.read(agency_id)
    lost = [number for number in known.seals | known.late if number > after]
    if lost:
        sink.append_epoch(
            agency_id=agency_id, epoch=epoch.number, after=after, started_at=leaves.instant(epoch.started_at)
        )
    return len(lost)


def rebuild_checkpoints(*, agency_id: int, by: Actor, at: datetime) -> int:
    """
    Write an agency's lost file of checkpoints anew from its seals; returns how many.

    Only for a file that is gone: what the old one knew beyond the database is lost with it, and the trail
    says so in an event of its own.

    :raises SinkError: there is a file, or the new one cannot be written.
    """
    if sink.path_of(agency_id).exists():
        raise SinkError(f"{sink.path_of(agency_id)} is there; only a lost file is written anew.")
    seals = Seal.objects.filter(agency_id=agency_id).order_by("number")
    left = Leaving.objects.filter(agency_id=agency_id).order_by("first_seal")
    with transaction.atomic():
        record("checkpoints.rebuilt", by=by, at=at, agency_id=agency_id, seals=seals.count())
        return sink.write_all(
            agency_id,
            (Checkpoint(seal.message(), bytes(seal.signature)) for seal in seals),
            _statements(left),
        )


def _statements(left: Iterable[Leaving]) -> Iterator[Statement]:
    for row in left:
        try:
            yield Statement(row.message(), bytes(row.signature))
        except ValueError as error:
            raise SinkError(f"What is said of {row} cannot be read. Run: manage.py verify_audit.") from error
