"""What the trail shows: pages of events, the seal that vouches for each, and what waits for one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import DataError, connection, models
from django.db.models import BooleanField, Case, Q, QuerySet, When
from django.db.models.expressions import RawSQL

from callprivacy.audit.leaves import START, Mark
from callprivacy.audit.models import Event, Leaving, Reason, Seal

UNSEALED_ALARM = timedelta(minutes=5)
COUNTED_AT_MOST = 1000
NEVER: Final = datetime.max.replace(tzinfo=UTC)
"""Stands for an instant that cannot be read."""
UNREADABLE: Final = (DataError, ValueError, RecursionError)
"""What is raised where Python has no value for a cell: a time that is infinite, a number of 5,000 digits, a thousand
brackets, bytes that are no text."""
_A_TIME = datetime.min.replace(tzinfo=UTC), NEVER
_INSTEAD: Final[dict[type[Event | Seal], dict[str, Any]]] = {
    Event: {
        "at": NEVER, "details": {}, "actor_kind": "", "actor_name": "", "action": "", "subject_kind": "",
        "subject_id": "", "reason_hash": "",
    },
    Seal: {"signed_at": NEVER, "sealed_at": NEVER, "key_id": ""},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class EventFilter:
    """What to look for; whatever is None is not asked. `since` is inclusive, `until` exclusive."""

    client_id: int | None = None
    user_id: int | None = None
    actor_kind: str = ""
    action: str = ""
    subject_kind: str = ""
    subject_id: str = ""
    since: datetime | None = None
    until: datetime | None = None
    sealed: bool | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ends: the instant and id of its last event."""

    at: datetime
    event_id: int


@dataclass(frozen=True, slots=True)
class SealState:
    """How an agency's trail stands; `unsealed` is counted up to `COUNTED_AT_MOST`."""

    seal: Seal | None
    unsealed: int
    oldest_unsealed_at: datetime | None

    def is_alarming(self, at: datetime) -> bool:
        """Whether an event has waited for its seal for longer than it should."""
        return self.oldest_unsealed_at is not None and at - self.oldest_unsealed_at > UNSEALED_ALARM


def read_row[Row: (Event, Seal)](found: QuerySet[Row], pk: int) -> Row:
    """
    One of the rows. Where somebody wrote into a cell what no program of ours writes, another value stands for it,
    and `is_readable` says so.
    """
    try:
        return found.get(pk=pk)
    except UNREADABLE:
        instead = _INSTEAD[found.model]
        row = found.defer(*instead).get(pk=pk)
        for name, other in instead.items():
            try:
                setattr(row, name, found.values_list(name, flat=True).get(pk=pk))
            except UNREADABLE:
                row.is_readable = False
                setattr(row, name, other)
        return row


def read_rows[Row: (Event, Seal)](found: QuerySet[Row]) -> list[Row]:
    """The rows in their order, each as `read_row` has it."""
    try:
        return list(found)
    except UNREADABLE:
        whole = found.model.objects.all()
        return [read_row(whole, pk) for pk in list(found.values_list("pk", flat=True))]


def _at_or_behind(mark: Mark) -> RawSQL:
    """Events at a mark or behind it, as one comparison of rows that the index answers."""
    condition = "(audit_event.epoch, audit_event.xid, audit_event.id) >= (%s, %s::xid8, %s)"
    parameters = [mark.epoch, str(mark.xid), mark.event_id]
    return RawSQL(condition, parameters, output_field=BooleanField())  # noqa: S611  (parameters are bound)


def events_between(agency_id: int, begin: Mark, until: Mark | None = None) -> QuerySet[Event]:
    """An agency's events from one mark up to another, exclusive, in the order of the trail."""
    found = Event.objects.filter(_at_or_behind(begin), agency_id=agency_id)
    if until is not None:
        found = found.exclude(_at_or_behind(until))
    return found.order_by("epoch", "xid", "id")


def trail_size(agency_id: int) -> int:
    """How many events are under seals; by the size alone, since another cell of a seal may be unreadable."""
    sizes = Seal.objects.filter(agency_id=agency_id).order_by("-number").values_list("size", flat=True)
    return sizes.first() or 0


def sealed_until(agency_id: int) -> Mark:
    """The first mark that no seal covers yet."""
    seal = newest_seal(agency_id)
    return seal.until if seal else START


def newest_seal(agency_id: int) -> Seal | None:
    """An agency's newest seal."""
    newest = Seal.objects.filter(agency_id=agency_id).order_by("-number")
    return next(iter(read_rows(newest[:1])), None)


def seal_numbered(agency_id: int, number: int) -> Seal | None:
    return Seal.objects.filter(agency_id=agency_id, number=number).defer("leaves", "peaks").first()


def listed(agency_id: int, first: int, last: int) -> list[int]:
    """The ids of the events that the seals from one to another added, in the order of the trail."""
    seals = Seal.objects.filter(agency_id=agency_id, number__gte=first, number__lte=last).order_by("number")
    return [event_id for seal in seals.iterator(chunk_size=20) for event_id, _ in seal.listed()]


def left_to(agency_id: int) -> int:
    """The number of the seal up to which events have left; 0 where none has."""
    found = Leaving.objects.filter(agency_id=agency_id).aggregate(last=models.Max("last_seal"))["last"]
    return 0 if found is None else int(found)


@dataclass(frozen=True, slots=True)
class Left:
    """
    What has left of an agency's trail by policy: how many events, under the seals up to which one, and when last.

    :ivar before: from this instant on every event is here; None where what was said of it cannot be read.
    """

    events: int
    last_seal: int
    before: datetime | None
    at: datetime


def left(agency_id: int) -> Left | None:
    """What has left of an agency's trail; None where nothing has."""
    rows = Leaving.objects.filter(agency_id=agency_id)
    newest = rows.order_by("-last_seal").first()
    if newest is None:
        return None
    count = rows.aggregate(events=models.Sum("events"))["events"]
    try:
        before = newest.message().before
    except ValueError:
        before = None
    return Left(int(count), newest.last_seal, before, newest.left_at)


def events(agency_id: int, wanted: EventFilter) -> QuerySet[Event]:
    """An agency's events, newest first."""
    found = Event.objects.filter(agency_id=agency_id)
    if wanted.client_id is not None:
        found = found.filter(client_id=wanted.client_id)
    if wanted.user_id is not None:
        found = found.filter(actor_user_id=wanted.user_id)
    if wanted.actor_kind:
        found = found.filter(actor_kind=wanted.actor_kind)
    if wanted.action:
        found = found.filter(action=wanted.action)
    if wanted.subject_kind:
        found = found.filter(subject_kind=wanted.subject_kind)
    if wanted.subject_id:
        found = found.filter(subject_id=wanted.subject_id)
    if wanted.since is not None:
        found = found.filter(at__gte=wanted.since)
    if wanted.until is not None:
        found = found.filter(at__lt=wanted.until)
    if wanted.sealed is not None:
        unsealed = _at_or_behind(sealed_until(agency_id))
        found = found.exclude(unsealed) if wanted.sealed else found.filter(unsealed)
    return found.order_by("-at", "-id")


def page(
    agency_id: int,
    wanted: EventFilter,
    *,
    size: int,
    before: Cursor | None = None,
    after: Cursor | None = None,
) -> tuple[list[Event], bool, bool]:
    """
    A keyset page, newest first: events older than `before`, or the oldest that are newer than `after`.

    :returns: the events, whether there are newer ones, whether there are older ones.
    """
    found = events(agency_id, wanted)
    if after is not None:
        newer = Q(at__gt=after.at) | Q(at=after.at, id__gt=after.event_id)
        rows = read_rows(found.filter(newer, at__gte=after.at).order_by("at", "id")[: size + 1])
        return rows[:size][::-1], len(rows) > size, True
    if before is not None:
        older = Q(at__lt=before.at) | Q(at=before.at, id__lt=before.event_id)
        found = found.filter(older, at__lte=before.at)
    rows = read_rows(found[: size + 1])
    return rows[:size], before is not None, len(rows) > size


def words_kept(shown: Sequence[Event]) -> set[int]:
    """Ids of those events whose reason can still be opened. One query."""
    return set(
        Reason.objects.filter(event_id__in=[event.pk for event in shown]).values_list("event_id", flat=True)
    )


def seals_of(agency_id: int, shown: Sequence[Event]) -> dict[int, Seal]:
    """Event id -> the seal that covers it, for events of one page; unsealed ones are left out. One query."""
    if not shown:
        return {}
    lowest = min(event.mark for event in shown)
    highest = max(event.mark for event in shown)
    first = _first_until_behind(agency_id, lowest)
    if first is None:
        return {}
    last = _first_until_behind(agency_id, highest)
    seals = Seal.objects.filter(agency_id=agency_id, number__gte=first)
    if last is not None:
        seals = seals.filter(number__lte=last)
    ordered = read_rows(seals.defer("leaves", "peaks").order_by("number"))
    covered: dict[int, Seal] = {}
    for event in shown:
        covering = next((seal for seal in ordered if event.mark < seal.until), None)
        if covering is not None:
            covered[event.pk] = covering
    return covered


def _first_until_behind(agency_id: int, mark: Mark) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT number FROM audit_seal WHERE agency_id = %s"
            " AND (epoch, until_xid, until_id) > (%s, %s::xid8, %s)"
            " ORDER BY epoch, until_xid, until_id LIMIT 1",
            [agency_id, mark.epoch, str(mark.xid), mark.event_id],
        )
        row = cursor.fetchone()
    return None if row is None else int(row[0])


def seal_state(agency_id: int) -> SealState:
    """How an agency's trail stands: its newest seal, and what waits for the next."""
    seal = newest_seal(agency_id)
    waiting = events_between(agency_id, seal.until if seal else START)
    # What cannot be read, written past the product, hides from nobody how long the others wait.
    at = Case(When(at__range=_A_TIME, then="at"))
    instants = list(waiting.values_list(at, flat=True)[:COUNTED_AT_MOST])
    return SealState(seal, len(instants), min(filter(None, instants), default=None))


_ACTORS: Final = {
    "accounts.purge_sign_ins": "the clock (sign-ins)",
    "approval": "a client's approval link",
    "binder": "an evidence pack's link",
    "calls.process_inbox": "a tracker's event",
    "calls.run_import": "an import",
    "calls.sample_reveals": "the weekly sample",
    "calls.write_export": "an export",
    "consent.codes": "a code by text or phone",
    "consent.email": "an email",
    "consent.preferences": "the preferences page",
    "consent.web": "the consent form",
    "dashboard.demo": "the demo",
    "dashboard.remove_demo": "the demo",
    "handover": "a handover link",
    "import_calls": "a command (import)",
    "retention.run": "the retention run",
    "retention.sweep": "the retention run",
    "rights.portal": "the requests page",
    "rotate_keys": "a command (new keys)",
    "twilio.sms": "a text message",
    "twilio.voice": "the phone menu",
    "verify_audit": "a command (verify)",
}
_KEYS: Final = {"api": "an API key", "kiosk": "a kiosk", "premises": "a badge system"}
"""Names that an id follows."""


def actor_in_words(name: str, *, is_job: bool) -> str:
    """What acted where no person did, such as "the requests page" or "a job (erase people)"."""
    kind, _, own = name.partition(":")
    if own and kind in _KEYS:
        return _KEYS[kind]
    if name in _ACTORS or not is_job:
        return _ACTORS.get(name, name)
    return f"a job ({name.rpartition('.')[2].replace('_', ' ')})"


def actions(agency_id: int) -> list[str]:
    """Every kind of deed that the agency's trail knows, by skipping through the index."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH RECURSIVE kinds AS ("
            " (SELECT action FROM audit_event WHERE agency_id = %(agency)s ORDER BY action LIMIT 1)"
            " UNION ALL SELECT (SELECT e.action FROM audit_event e WHERE e.agency_id = %(agency)s"
            " AND e.action > kinds.action ORDER BY e.action LIMIT 1)"
            " FROM kinds WHERE kinds.action IS NOT NULL"
            ") SELECT action FROM kinds WHERE action IS NOT NULL",
            {"agency": agency_id},
        )
        return [row[0] for row in cursor.fetchall()]


def find_event(agency_id: int, event_id: int) -> Event | None:
    return next(iter(read_rows(Event.objects.filter(agency_id=agency_id, pk=event_id))), None)


def last_event_of(agency_id: int, action: str) -> Event | None:
    """The newest event of one kind, such as the last verification."""
    newest = Event.objects.filter(agency_id=agency_id, action=action).order_by("-at", "-id")
    return next(iter(read_rows(newest[:1])), None)
