"""
Checking an agency's trail against its seals and the checkpoints kept outside: every event that was changed,
is missing, was added or stands elsewhere is named.

Events that left by policy are not missed: a signed statement says which, and their seals still give the roots.

`tools/verify_bundle.py` does the same from an export alone and shares no code with this.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from django.db import connection
from django.db.models import Max, QuerySet

from callprivacy.audit import leaves
from callprivacy.audit.leaves import START, LeavingMessage, Mark
from callprivacy.audit.merkle import HASH_SIZE, Frontier
from callprivacy.audit.models import Event, Leaving, Seal
from callprivacy.audit.selectors import UNREADABLE, events_between, read_row, trail_size
from callprivacy.audit.services import sink
from callprivacy.audit.services.recording import record
from callprivacy.audit.services.sealing import leaf_of
from callprivacy.lib.scope import Actor
from callprivacy.vault import signing

_CHUNK = 2000
EVENTS_WHILE_WAITING = 100_000


class TooLongError(RuntimeError):
    """A trail is too long to be verified while somebody waits."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not hold. `seal` and `event_id` say where, as far as it is known."""

    kind: str
    text: str
    seal: int | None = None
    event_id: int | None = None

    def __str__(self) -> str:
        return self.text


@dataclass(slots=True)
class Verification:
    """What was counted and found; no findings means that every sealed event is what it was."""

    agency_id: int
    events: int = 0
    sealed: int = 0
    seals: int = 0
    left: int = 0
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def unsealed(self) -> int:
        """Events that no seal covers yet."""
        return self.events - self.sealed

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


@dataclass(slots=True)
class Batch:
    """A seal (None for what is not sealed yet) and the events that stand in its span."""

    seal: Seal | None
    events: list[Event]


def batches(agency_id: int) -> Iterator[Batch]:
    """An agency's seals in order, each with the events of its span, then the unsealed ones in parts."""
    # Seals that are made meanwhile may cover events that are not read any more.
    newest = Seal.objects.filter(agency_id=agency_id).aggregate(number=Max("number"))["number"] or 0
    events = _each(partial(_events_behind, agency_id), _CHUNK)
    seals = _each(partial(_seals_behind, agency_id, newest), 20)
    waiting = next(events, None)
    for seal in seals:
        until = seal.until
        inside: list[Event] = []
        while waiting is not None and waiting.mark < until:
            inside.append(waiting)
            waiting = next(events, None)
        yield Batch(seal, inside)
    while waiting is not None:
        rest = [waiting]
        while len(rest) < _CHUNK and (waiting := next(events, None)) is not None:
            rest.append(waiting)
        if len(rest) == _CHUNK:
            waiting = next(events, None)
        yield Batch(None, rest)


def _events_behind(agency_id: int, last: Event | None) -> QuerySet[Event]:
    begin = START if last is None else Mark(last.epoch, last.xid, last.pk + 1)
    return events_between(agency_id, begin)


def _seals_behind(agency_id: int, newest: int, last: Seal | None) -> QuerySet[Seal]:
    behind = (
        Seal.objects.filter(agency_id=agency_id, number__lte=newest).defer("sealed_at").order_by("number")
    )
    return behind if last is None else behind.filter(number__gt=last.number)


def _each[Row: (Event, Seal)](behind: Callable[[Row | None], QuerySet[Row]], chunk: int) -> Iterator[Row]:
    """
    Read rows in their order. One that cannot be read comes with other values in its cells, so that it is named as
    changed, and what is behind it is read.

    :param behind: the rows behind one, or all of them.
    """
    last: Row | None = None
    while True:
        try:
            for row in behind(last).iterator(chunk_size=chunk):
                yield (last := row)
        except UNREADABLE:
            rows = behind(last)
            for pk in list(rows.values_list("pk", flat=True)[:chunk]):
                yield (last := read_row(rows, pk))
        else:
            return


def keep_still(agency_id: int) -> None:
    """
    Let nothing of the trail leave until the transaction is over, so that what is read piece by piece is one whole.

    Waits for what is just leaving, which may take longer than a lock is waited for elsewhere.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout'), set_config('lock_timeout', '2min', true)")
        before, _ = cursor.fetchone()
        cursor.execute(
            "SELECT pg_advisory_xact_lock_shared(hashtextextended('audit.leave', %s))", [agency_id]
        )
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [before])


def verify_agency(agency_id: int, *, progress: Callable[[int], Any] | None = None) -> Verification:
    """
    Verify an agency's whole trail, in the current scope; memory holds one seal's events at a time.

    :param progress: called with the number of events verified so far.
    """
    keep_still(agency_id)
    found = Verification(agency_id)
    known, why = _known(agency_id)
    chain = _Chain(found)
    chain.left = _Gone(chain, known).find()
    for batch in batches(agency_id):
        found.events += len(batch.events)
        if batch.seal is not None:
            chain.take(batch.seal, batch.events)
        for event in batch.events if batch.seal is None else ():
            if not event.is_readable:
                text = f"event {event.pk}: cannot be read, and stands under no seal"
                chain.add("unreadable", text, event_id=event.pk)
        if progress is not None:
            progress(found.events)
    _compare_with_checkpoints(chain, known, why)
    return found


def _known(agency_id: int) -> tuple[sink.Known | None, str]:
    """What the checkpoints know, or why that cannot be told."""
    try:
        return sink.read(agency_id), ""
    except sink.SinkError as error:
        return None, str(error)


def check_trail(*, agency_id: int, by: Actor, at: datetime) -> Verification:
    """
    Verify an agency's trail while somebody waits, and record what came out.

    :raises TooLongError: it would take too long; the command has the time.
    """
    if (size := trail_size(agency_id)) > EVENTS_WHILE_WAITING:
        raise TooLongError(f"{size:,} events take too long here. Run: manage.py verify_audit.")
    found = verify_agency(agency_id)
    record(
        "trail.verified", by=by, at=at, agency_id=agency_id,
        events=found.events, sealed=found.sealed, seals=found.seals, left=found.left, findings=len(found.findings),
    )  # fmt: skip
    return found


class _Chain:
    """Follows the chain seal by seal and writes down where it breaks."""

    def __init__(self, found: Verification) -> None:
        self.found = found
        self.number = 0
        self.previous = leaves.NO_PREVIOUS
        self.begin = START
        self.frontier = Frontier()
        self.messages: dict[int, bytes] = {}
        self.left: list[LeavingMessage] = []
        self.stretch = sink.Stretch()
        self.late: dict[int, Finding] = {}

    def add(self, kind: str, text: str, *, seal: int | None = None, event_id: int | None = None) -> None:
        self.found.findings.append(Finding(kind, text, seal, event_id))

    def take(self, seal: Seal, events: list[Event]) -> None:
        number, before = seal.number, len(self.found.findings)
        message = seal.message()
        try:
            written = message.to_bytes()
        except leaves.NotCanonicalError:
            written = b""
            self.add("seal_changed", f"seal {number}: holds a number that no seal has", seal=number)
        follows = number == self.number + 1
        if not follows:
            self.add(
                "seal_missing", f"seals {self.number + 1} to {number - 1}: missing", seal=self.number + 1
            )
        elif message.previous != self.previous:
            self.add("seal_changed", f"seal {number}: does not continue the seal before it", seal=number)
        checkpoint = sink.Checkpoint(message, bytes(seal.signature))
        late = bool(written) and checkpoint.is_late()
        if late:
            self.add("late", f"seal {number}: {_why_unsigned(seal.key_id, seal.signed_at)}", seal=number)
            self.late[number] = self.found.findings[-1]
        elif not sink.is_signed(written, checkpoint.signature, seal.key_id, at=seal.signed_at):
            self.add("signature", f"seal {number}: its signature is none of ours", seal=number)
        if seal.until <= self.begin:
            self.add("seal_changed", f"seal {number}: ends before it begins", seal=number)
        self._events(seal, events)
        self._root(seal, events, follows=follows)
        digest = hashlib.sha256(written).digest()
        self.messages[number] = digest
        self.number, self.previous, self.begin = number, digest, seal.until
        self.found.seals += 1
        self.found.sealed += len(events)
        if written:
            whole = len(self.found.findings) == before + late
            self._take_over(self.stretch.take(checkpoint, whole=whole), message)

    def _take_over(self, over: list[sink.Checkpoint], by: leaves.SealMessage) -> None:
        """What a key signed when it had come to its end is a note, where a seal of another key goes on from it."""
        if not over:
            return
        taken = {self.late.pop(one.message.number) for one in over}
        self.found.findings = [one for one in self.found.findings if one not in taken]
        first, last = over[0].message, over[-1].message
        keys = " and ".join(sorted({one.message.key_id for one in over}))
        self.found.notes.append(
            f"seals {first.number} to {last.number}: signed from {first.signed_at:%Y-%m-%d %H:%M} to"
            f" {last.signed_at:%Y-%m-%d %H:%M}, when key {keys} had come to its end; seal {by.number} of key"
            f" {by.key_id} goes on from them"
        )

    def _left_with(self, number: int) -> LeavingMessage | None:
        return next((one for one in self.left if one.first <= number <= one.last), None)

    def _events(self, seal: Seal, events: list[Event]) -> None:
        number = seal.number
        listed = seal.listed()
        if len(bytes(seal.leaves)) != seal.count * 40 or seal.count != len(listed):
            self.add(
                "seal_changed", f"seal {number}: says {seal.count} events, lists {len(listed)}", seal=number
            )
        if (left := self._left_with(number)) is not None:
            self._left_over(left, number, listed, events)
        else:
            self._compare(number, listed, events)

    def _left_over(
        self, left: LeavingMessage, number: int, listed: list[tuple[int, bytes]], events: list[Event]
    ) -> None:
        self.found.left += len(listed)
        for event in events:
            text = f"event {event.pk}: here, though it left by policy on {left.at:%Y-%m-%d} (seal {number})"
            self.add("left_over", text, seal=number, event_id=event.pk)

    def _compare(self, number: int, listed: list[tuple[int, bytes]], events: list[Event]) -> None:
        """The events have to be those that the seal lists, one by one; what differs is named."""
        here = [(event.pk, _leaf(event)) for event in events]
        if here == listed:
            return
        expected, there = dict(listed), {event_id for event_id, _ in here}
        for event_id, leaf in here:
            if event_id not in expected:
                self.add("added", f"event {event_id}: added (seal {number})", seal=number, event_id=event_id)
            elif leaf != expected[event_id]:
                self.add(
                    "changed", f"event {event_id}: changed (seal {number})", seal=number, event_id=event_id
                )
        self._missing(number, listed, there)
        right = [event_id for event_id, _ in listed if event_id in there]
        found = [event_id for event_id, _ in here if event_id in expected]
        for belongs, stands in zip(right, found, strict=False):
            if belongs != stands:
                text = f"event {stands}: stands where event {belongs} belongs (seal {number})"
                self.add("reordered", text, seal=number, event_id=stands)
                break

    def _missing(self, number: int, listed: list[tuple[int, bytes]], there: set[int]) -> None:
        for event_id, times in Counter(event_id for event_id, _ in listed).items():
            if event_id not in there:
                text = f"event {event_id}: missing (seal {number})"
            elif times > 1:
                text = f"seal {number}: lists event {event_id} in place of another, which is missing"
            else:
                continue
            self.add("missing", text, seal=number, event_id=event_id)

    def _root(self, seal: Seal, events: list[Event], *, follows: bool) -> None:
        number, listed = seal.number, seal.listed()
        grown = Frontier(self.frontier.size, list(self.frontier.peaks))
        grown.extend(leaf for _, leaf in listed)
        right = (seal.size, bytes(seal.root))
        if follows and (grown.size, grown.root()) != right:
            again = Frontier(self.frontier.size, list(self.frontier.peaks))
            again.extend(_leaf(event) for event in events)
            if self._left_with(number) is not None:
                text = f"seal {number}: its list of leaves does not give its root"
            elif (again.size, again.root()) == right:
                text = f"seal {number}: its list of leaves was changed; its events are right"
            else:
                text = f"seal {number}: events {seal.first_event} to {seal.last_event} do not give its root"
            self.add("root", text, seal=number)
        if listed and (seal.first_event, seal.last_event) != (listed[0][0], listed[-1][0]):
            self.add("seal_changed", f"seal {number}: names other events than it lists", seal=number)
        try:
            self.frontier = seal.frontier()
        except ValueError:
            self.add("seal_changed", f"seal {number}: its peaks are not those of its root", seal=number)
            self.frontier = grown


def _leaf(event: Event) -> bytes:
    try:
        return leaf_of(event)
    except (leaves.NotCanonicalError, AttributeError):
        return bytes(HASH_SIZE)


def _why_unsigned(key_id: str, at: datetime) -> str:
    if signing.is_over(key_id, at):
        return f"signed under {at:%Y-%m-%d %H:%M}, when its key {key_id} had come to its end"
    return "its signature is none of ours"


class _Gone:
    """
    Which events have left by policy: those that a signed statement names, about seals that are here.

    What the database says of it and what the checkpoints say are held against each other, and against the seals.
    """

    def __init__(self, chain: _Chain, known: sink.Known | None) -> None:
        self.chain, self.known = chain, known
        self.agency_id = chain.found.agency_id

    def find(self) -> list[LeavingMessage]:
        """The statements that hold, by their first seal; what does not is written down."""
        said: list[LeavingMessage] = []
        remembered = {one.message.to_bytes() for one in self.known.leavings} if self.known else set()
        for row in (
            Leaving.objects.filter(agency_id=self.agency_id).defer("left_at").order_by("first_seal", "pk")
        ):
            name = f"the leaving of seals {row.first_seal} to {row.last_seal}"
            message = self._signed(row, name)
            if message is None:
                continue
            if message.first != (said[-1].last + 1 if said else 1):
                self._add(f"{name}: does not follow what left before", row.first_seal)
            if self.known is not None and message.to_bytes() not in remembered:
                self._add(f"{name}: unknown to the checkpoints", row.first_seal)
            if not self._is_about_our_seals(message):
                self._add(f"{name}: is about other seals than these", row.first_seal)
                continue
            said.append(message)
        self._note(said)
        return said + self._only_remembered(said)

    def _add(self, text: str, seal: int) -> None:
        self.chain.add("leaving", text, seal=seal)

    def _note(self, said: list[LeavingMessage]) -> None:
        if said:
            count, last = sum(one.events for one in said), said[-1]
            self.chain.found.notes.append(
                f"{count:,} events under seals 1 to {last.last} left by policy, the last on {last.at:%Y-%m-%d};"
                f" their roots are kept"
            )

    def _signed(self, row: Leaving, name: str) -> LeavingMessage | None:
        try:
            message = row.message()
        except ValueError:
            self._add(f"{name}: its statement cannot be read", row.first_seal)
            return None
        if not sink.is_signed(message.to_bytes(), bytes(row.signature), message.key_id, at=message.at):
            self._add(f"{name}: {_why_unsigned(message.key_id, message.at)}", row.first_seal)
            return None
        told = (message.agency_id, message.first, message.last, message.events)
        if told != (row.agency_id, row.first_seal, row.last_seal, row.events):
            self._add(f"{name}: its row says other than what was signed", row.first_seal)
            return None
        return message

    def _is_about_our_seals(self, message: LeavingMessage) -> bool:
        last, before = self._seal(message.last), self._seal(message.first - 1)
        if last is None or (before is None and message.first > 1):
            return False
        size = before.size if before else 0
        return (bytes(last.root), last.size, last.size - size) == (
            message.root, message.size, message.events,
        )  # fmt: skip

    def _seal(self, number: int) -> Seal | None:
        return (
            Seal.objects.filter(agency_id=self.agency_id, number=number)
            .only("size", "root", "epoch", "until_xid", "until_id")
            .first()
        )

    def _only_remembered(self, said: list[LeavingMessage]) -> list[LeavingMessage]:
        """
        What the checkpoints say to have left and the database does not: the transaction was cut off, or a row is gone.
        """
        found: list[LeavingMessage] = []
        for message in (one.message for one in self.known.leavings) if self.known else ():
            done = max((one.last for one in said + found), default=0)
            if message.last <= done or not self._is_about_our_seals(message):
                continue
            name = f"the leaving of seals {message.first} to {message.last}"
            begin, until = self._seal(message.first - 1), self._seal(message.last)
            here = events_between(
                self.agency_id, begin.until if begin else START, until.until if until else Mark(0, 0, 0)
            ).count()
            if here == message.events or message.first <= done:
                text = f"{name}: said on {message.at:%Y-%m-%d} and cut off, the next run goes on"
                self.chain.found.notes.append(text)
                continue
            self._add(f"{name}: the database does not hold it, the checkpoints remember it", message.first)
            if not here:
                found.append(message)
        return found


def _compare_with_checkpoints(chain: _Chain, known: sink.Known | None, why: str) -> None:
    if known is None:
        chain.add("checkpoints", why)
        return
    for line in known.damaged:
        chain.add(
            "checkpoints",
            f"checkpoint line {line}: cannot be read, or is not signed by a key of ours before its end",
        )
    for number, checkpoint in sorted(known.seals.items()):
        if number > chain.number:
            newest = max(known.seals)
            text = f"seals {number} to {newest}: the tail was cut, the checkpoints remember seal {newest}"
            chain.add("tail_cut", text, seal=number)
            break
        digest = chain.messages.get(number)
        if digest is not None and digest != checkpoint.message.digest():
            text = f"seal {number}: not the one that the checkpoints remember, history was rewritten"
            chain.add("rewritten", text, seal=number)
    unknown = [number for number in chain.messages if number not in known.seals]
    if unknown:
        text = f"seals {min(unknown)} to {max(unknown)}: unknown to the checkpoints"
        chain.add("checkpoints", text, seal=min(unknown))
    if known.lost:
        chain.found.notes.append(
            f"seals {min(known.lost)} to {max(known.lost)} were lost in a declared restore"
        )
