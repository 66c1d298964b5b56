"""
The people whom a client's ledger knows: how far consent reaches, one person's page, and all that is known of one.

Nothing here opens a number or evidence. A list is a page by key, and counts walk an index.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from django.db import connection
from django.db.models import Count, Exists, OuterRef, Prefetch, Q, QuerySet

from callprivacy.audit import selectors as audit
from callprivacy.calls.models import Call, Caller, caller_label
from callprivacy.lib import scope as lib_scope
from callprivacy.lib.status import Progress, Reader, Thing, words_for
from callprivacy.tenancy.models import Client
from callprivacy.vault import selectors as vault
from callprivacy.vault.models import Tombstone
from consent.enums import (
    NO_KINDS,
    NO_STATES,
    YES_KINDS,
    Channel,
    EventKind,
    InvitationState,
    Purpose,
    ReplyState,
    Scope,
    State,
    Strength,
    grade_of,
)
from consent.models import (
    ConsentEvent,
    ConsentState,
    Decision,
    Invitation,
    NoticeVersion,
    Reply,
    TermsDocument,
    VendorTask,
    Withdrawal,
)
from consent.selectors import ages, pages, withdrawals
from consent.selectors.vendors import vendor_of

PAGE: Final = 50
EVENTS_A_PAGE: Final = 50
CALLS_SHOWN: Final = 10
WITHDRAWALS_SHOWN: Final = 20
# A pack of evidence holds no more of either; it says so where there is more.
EVENTS_AT_MOST: Final = 5_000
DECISIONS_AT_MOST: Final = 5_000

GROUPS: Final[dict[str, tuple[str, tuple[State, ...]]]] = {
    "given": ("Given", (State.GIVEN,)),
    "claimed": ("Claimed", (State.GIVEN,)),
    "noticed": ("Notice only", (State.NOTICED,)),
    "withdrawn": ("Opted out", (State.WITHDRAWN, State.REFUSED)),
    "expired": ("Expired", (State.EXPIRED, State.INVALIDATED)),
    "nothing": ("No record", (State.NONE,)),
}
_CLAIMED: Final = "claimed"
"""Given for a number that nobody proved."""
_GROUP_OF: Final = {
    state: name for name, (_, states) in GROUPS.items() for state in states if name != _CLAIMED
}

_CALLERS = """
    SELECT wanted.id, (SELECT count(*) FROM calls_caller k WHERE k.client_id = wanted.id)
    FROM unnest(%s::bigint[]) AS wanted(id)
"""


# --- How far consent reaches ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    title: str
    count: int
    percent: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """How the callers of one client stand with one purpose; the parts make up all callers that are kept."""

    client: Client
    purpose: Purpose
    total: int
    parts: tuple[Part, ...]

    def count(self, name: str) -> int:
        """How many are in one part."""
        return next(part.count for part in self.parts if part.name == name)


def coverage(clients: Sequence[Client], *, purposes: Collection[Purpose]) -> list[Coverage]:
    """
    Each client's callers by where they stand with each purpose, in the clients' order; two queries.

    A person whose calls are erased is counted while the evidence is kept.
    """
    ids = [client.pk for client in clients]
    counted: dict[tuple[int, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    rows = ConsentState.objects.filter(client_id__in=ids, purpose__in=list(purposes))
    for client_id, purpose, state, strength, count in (
        rows.order_by().values_list("client_id", "purpose", "state", "strength").annotate(count=Count("pk"))
    ):
        counted[client_id, purpose][_group_of(State(state), strength)] += count
    callers = _count_callers(ids)
    return [
        _coverage(client, purpose, counted[client.pk, purpose], callers.get(client.pk, 0))
        for client in clients
        for purpose in Purpose
        if purpose in purposes
    ]


def _group_of(state: State, strength: str) -> str:
    return _CLAIMED if state is State.GIVEN and strength == Strength.D else _GROUP_OF[state]


def _count_callers(client_ids: Sequence[int]) -> dict[int, int]:
    lib_scope.require()
    with connection.cursor() as cursor:
        cursor.execute(_CALLERS, [list(client_ids)])
        return dict(cursor.fetchall())


def _coverage(client: Client, purpose: Purpose, counted: dict[str, int], callers: int) -> Coverage:
    said = sum(counted.values())
    total = max(callers, said)
    numbers = {**{name: counted.get(name, 0) for name in GROUPS}, "nothing": total - said}
    parts = tuple(
        Part(name, title, numbers[name], round(100 * numbers[name] / total) if total else 0)
        for name, (title, _) in GROUPS.items()
    )
    return Coverage(client, purpose, total, parts)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What of consent waits at the clients, and the client where the most of it does."""

    replies: int
    reply_client: Client | None
    withdrawals: int
    tasks_late: int


def waiting(clients: Sequence[Client], *, at: datetime) -> Waiting:
    """Messages that wait for a person, withdrawals on their way, and vendors past their date; three queries."""
    by_id = {client.pk: client for client in clients}
    replies = Reply.objects.filter(client_id__in=list(by_id), state=ReplyState.WAITING).order_by()
    by_client = list(replies.values_list("client_id").annotate(count=Count("pk")).order_by("-count"))
    tasks = VendorTask.objects.open().filter(client_id__in=list(by_id), target_at__lt=at)
    return Waiting(
        replies=sum(count for _, count in by_client),
        reply_client=by_id[by_client[0][0]] if by_client else None,
        withdrawals=Withdrawal.objects.open().filter(client_id__in=list(by_id)).count(),
        tasks_late=tasks.count(),
    )


# --- Callers by where they stand ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CallerRow:
    """A caller in a list: the stable name, and the status of the purpose asked for."""

    client: Client
    caller_id: uuid.UUID
    state: State = State.NONE
    since: datetime | None = None
    strength: str = ""

    @property
    def name(self) -> str:
        return name_of(self.caller_id)

    @property
    def title(self) -> str:
        """The state in words."""
        return _in_words(self.state, self.strength)


def _in_words(state: State, strength: str) -> str:
    if _group_of(state, strength) == _CLAIMED:
        return "Claimed: number not verified"
    return str(state.label)


def callers(client: Client, *, purpose: Purpose, group: str) -> QuerySet[Caller] | QuerySet[ConsentState]:
    """
    A client's callers with a status for a purpose, but for those who had their use restricted.

    :param group: a name of `GROUPS`; of callers without a record, they themselves, else their states.
    """
    if group == "nothing":
        states = ConsentState.objects.for_client(client).filter(caller_id=OuterRef("pk"), purpose=purpose)
        silent = Caller.objects.for_client(client).filter(~Exists(states), restricted_at__isnull=True)
        return silent.select_related("client").order_by("-pk")
    rows = ConsentState.objects.for_client(client).filter(purpose=purpose, state__in=GROUPS[group][1])
    rows = rows.exclude(caller_id__in=_restricted(client))
    if group == _CLAIMED:
        rows = rows.filter(strength=Strength.D)
    elif State.GIVEN in GROUPS[group][1]:
        rows = rows.exclude(strength=Strength.D)
    return rows.select_related("client").order_by("-pk")


def caller_lines(rows: Iterable[Caller | ConsentState]) -> list[CallerRow]:
    return [
        CallerRow(row.client, row.pk)
        if isinstance(row, Caller)
        else CallerRow(row.client, row.caller_id, State(row.state), row.since, row.strength)
        for row in rows
    ]


def _restricted(client: Client) -> QuerySet[Caller, uuid.UUID]:
    """Who had their use restricted: they are kept, and stand on no list."""
    return Caller.objects.for_client(client).filter(restricted_at__isnull=False).values_list("pk", flat=True)


def name_of(caller_id: uuid.UUID) -> str:
    """A person's stable name at a client, "Caller K7-42Q"; also of who is erased."""
    return f"Caller {caller_label(caller_id)}"


# --- One caller ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Erased:
    """That a person was erased, when, and until when the evidence stays; dates are None where no tombstone says so."""

    on: date | None
    kept_until: date | None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom the ledger or the list of calls knows; `caller` is None once the person is erased."""

    client: Client
    caller_id: uuid.UUID
    caller: Caller | None
    erased: Erased | None

    @property
    def name(self) -> str:
        """The stable name, also of who is erased."""
        return name_of(self.caller_id)


def find_person(client: Client, caller_id: uuid.UUID) -> Person | None:
    """One person of a client, erased ones with evidence too; None for nobody."""
    caller = Caller.objects.for_client(client).filter(pk=caller_id).first()
    if caller is not None:
        caller.client = client
        if vault.content_keys({client.pk: [caller_id]}):
            return Person(client, caller_id, caller, None)
    elif not ConsentEvent.objects.for_client(client).filter(caller_id=caller_id).exists():
        return None
    return Person(client, caller_id, None, erased_of(client, [caller_id])[caller_id])


def erased_of(client: Client, caller_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Erased]:
    """Caller id -> when that person was erased and until when it is remembered; one query."""
    rows = Tombstone.objects.filter(client_id=client.pk, erased_caller_id__in=list(caller_ids))
    known = {row.erased_caller_id: Erased(row.created_at.date(), row.ends_on) for row in rows}
    return {caller_id: known.get(caller_id, Erased(None, None)) for caller_id in caller_ids}


def remembered(clients: Sequence[Client], number: str) -> dict[int, dict[uuid.UUID, Erased]]:
    """Client id -> who was erased that had this number (E.164), newest first; two queries. For officers."""
    found = vault.tombstones([client.pk for client in clients], number)
    return {
        client_id: {row.erased_caller_id: Erased(row.created_at.date(), row.ends_on) for row in rows}
        for client_id, rows in found.items()
    }


@dataclass(frozen=True, slots=True)
class Standing:
    """
    Where a person stands with one purpose.

    :ivar by_number: the number said no, before this caller was known. :ivar ends_at: when a consent ends by its age.
    """

    purpose: Purpose
    state: State
    since: datetime | None
    strength: str
    by_number: bool = False
    ends_at: datetime | None = None

    @property
    def title(self) -> str:
        """The state in words."""
        return "Opted out" if self.by_number else _in_words(self.state, self.strength)

    @property
    def tone(self) -> str:
        """How a label looks."""
        if self.state in NO_STATES:
            return "bad"
        if _group_of(self.state, self.strength) == _CLAIMED:
            return "warn"
        return {State.GIVEN: "good", State.NOTICED: "info", State.EXPIRED: "warn"}.get(self.state, "neutral")


def standings(client: Client, caller_id: uuid.UUID, *, on: date) -> list[Standing]:
    """Where a person stands with every purpose, by the ledger and by the list of numbers that said no; four queries."""
    by_age = ages.of_client(client)
    rows = {row.purpose: row for row in ConsentState.objects.for_client(client).filter(caller_id=caller_id)}
    refused = vault.suppressed_callers(client.pk, [caller_id], on=on).get(caller_id, {})
    found = []
    for purpose in Purpose:
        row, since = rows.get(purpose), refused.get(purpose)
        said_no = row is not None and row.state in NO_STATES
        if since is not None and not said_no and (row is None or row.since <= since):
            found.append(Standing(purpose, State.WITHDRAWN, since, "", by_number=True))
        elif row is None:
            found.append(Standing(purpose, State.NONE, None, ""))
        else:
            age = by_age.get(purpose) if row.state == State.GIVEN else None
            ends_at = None if age is None else age.ends_at(row.since)
            found.append(Standing(purpose, State(row.state), row.since, row.strength, ends_at=ends_at))
    return found


@dataclass(frozen=True, slots=True)
class Line:
    """One event as the timeline shows it."""

    event: ConsentEvent
    who: str

    @property
    def title(self) -> str:
        """What happened, in words: "Withdrawn: Record"."""
        purpose, kind = Purpose(self.event.purpose), EventKind(self.event.kind)
        return f"{kind.label}: {purpose.label}"

    @property
    def grade(self) -> str:
        """How sure it is that the person said it."""
        grade = grade_of(self.event.channel, self.event.strength)
        if grade is Strength.D and self.event.kind in YES_KINDS:
            return f"{grade} ({Strength.D.label.lower()})"
        return str(grade)

    @property
    def scope(self) -> str:
        """How far it reaches."""
        if self.event.scope == Scope.THIS_CALL:
            return "this call"
        return "all calls until withdrawn" if self.event.kind in YES_KINDS else "all calls"

    @property
    def tone(self) -> str:
        """How it looks."""
        kind = EventKind(self.event.kind)
        if kind in NO_KINDS:
            return "bad"
        if kind in YES_KINDS:
            return "good"
        return "warn" if kind in {EventKind.EXPIRED, EventKind.INVALIDATED} else "info"

    @property
    def way(self) -> str:
        return str(Channel(self.event.channel).label)


@dataclass(frozen=True, slots=True)
class Timeline:
    """A page of events, newest first, and the cursor of the next one."""

    lines: list[Line]
    older: str | None


def timeline(client: Client, caller_id: uuid.UUID, *, before: str = "") -> Timeline:
    """What happened between a person and a client, newest first; one query."""
    events = events_of(client, caller_id)
    found, older = pages.newest(events, "happened_at", before=before, size=EVENTS_A_PAGE)
    return Timeline([Line(event, _who(event)) for event in found], older or None)


def events_of(client: Client, caller_id: uuid.UUID) -> QuerySet[ConsentEvent]:
    """A person's events, with the words they rest on and who recorded them."""
    rows = ConsentEvent.objects.for_client(client).filter(caller_id=caller_id)
    return rows.select_related("version__notice", "user").defer("evidence")


def _who(event: ConsentEvent) -> str:
    if event.user is not None:
        return str(event.user)
    return audit.actor_in_words(event.recorded_by, is_job=True)


@dataclass(frozen=True, slots=True)
class CallLine:
    """A call of the person, and whether its recording may be heard."""

    call: Call
    recording: str
    allowed: bool | None


def calls_of(client: Client, caller_id: uuid.UUID) -> tuple[list[CallLine], bool]:
    """The newest calls of a person, and whether there are more; two queries."""
    rows = Call.objects.for_client(client).in_use().filter(caller_id=caller_id)
    found = list(
        rows.select_related("recording", "tracking_number")
        .prefetch_related(
            Prefetch("decisions", Decision.objects.filter(client=client, purpose=Purpose.RECORD))
        )
        .order_by("-pk")[: CALLS_SHOWN + 1]
    )
    return [_call_line(call) for call in found[:CALLS_SHOWN]], len(found) > CALLS_SHOWN


def _call_line(call: Call) -> CallLine:
    recording = getattr(call, "recording", None)
    decision = next(iter(call.decisions.all()), None)
    return CallLine(
        call,
        recording.get_state_display() if recording is not None else "",
        None if decision is None or recording is None else decision.allowed,
    )


@dataclass(frozen=True, slots=True)
class Step:
    task: VendorTask
    vendor: str


@dataclass(frozen=True, slots=True)
class Carried:
    """A withdrawal and what became of it."""

    row: Withdrawal
    purposes: tuple[str, ...]
    steps: list[Step] = field(default_factory=list)

    @property
    def progress(self) -> Progress:
        """How far it is at vendors."""
        return withdrawals.progress_of(self.row, [step.task for step in self.steps])

    @property
    def words(self) -> str:
        return words_for(self.progress, Reader.OFFICER, thing=Thing.WITHDRAWAL)


def withdrawals_of(client: Client, caller_id: uuid.UUID, *, limit: int = WITHDRAWALS_SHOWN) -> list[Carried]:
    """A person's withdrawals with every step at a vendor, newest first; two queries."""
    rows = list(
        Withdrawal.objects.for_client(client)
        .filter(caller_id=caller_id)
        .order_by("-stopped_at", "-pk")[:limit]
    )
    steps: dict[uuid.UUID, list[Step]] = defaultdict(list)
    by_event = {event_id: row.pk for row in rows for event_id in row.event_ids}
    tasks = (
        VendorTask.objects.for_client(client)
        .filter(Q(withdrawal_id__in=[row.pk for row in rows]) | Q(caller_id=caller_id))
        .select_related("connection", "destination", "tracking_number")
        .defer("reference")
        .order_by("created_at", "pk")
    )
    for task in tasks:
        of = task.withdrawal_id or (by_event.get(task.event_id) if task.event_id else None)
        if of is not None:
            steps[of].append(Step(task, vendor_of(task)))
    return [
        Carried(row, tuple(str(Purpose(name).label) for name in row.purposes), steps.get(row.pk, []))
        for row in rows
    ]


def invitation_of(client: Client, caller_id: uuid.UUID) -> Invitation | None:
    """The newest question that a person was sent and that is not gone; for who manages consent."""
    rows = Invitation.objects.for_client(client).filter(caller_id=caller_id)
    return rows.exclude(state=InvitationState.PURGED).defer("address").order_by("-created_at").first()


# --- Everything, for a pack of evidence -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dossier:
    """
    All that is known of a person's consent.

    :ivar recorded_with: trail event -> the events that it vouches for, by id; others' among them.
    """

    events: list[ConsentEvent]
    more_events: bool
    states: list[ConsentState]
    versions: list[NoticeVersion]
    documents: list[TermsDocument]
    decisions: list[Decision]
    more_decisions: bool
    withdrawals: list[Carried]
    recorded_with: dict[int, list[ConsentEvent]]


def dossier(client: Client, caller_id: uuid.UUID) -> Dossier:
    """Read it all; nine queries at most."""
    rows = ConsentEvent.objects.for_client(client).filter(caller_id=caller_id)
    events = list(rows.order_by("-happened_at", "-pk")[: EVENTS_AT_MOST + 1])
    more_events = len(events) > EVENTS_AT_MOST
    events = events[:EVENTS_AT_MOST][::-1]
    versions = NoticeVersion.objects.for_client(client).filter(
        pk__in={event.version_id for event in events if event.version_id}
    )
    documents = TermsDocument.objects.for_client(client).filter(
        pk__in={event.document_id for event in events if event.document_id}
    )
    decisions = list(
        Decision.objects.for_client(client)
        .filter(event_id__in=[event.pk for event in events])
        .order_by("-call_id", "purpose")[: DECISIONS_AT_MOST + 1]
    )
    return Dossier(
        events=events,
        more_events=more_events,
        states=list(ConsentState.objects.for_client(client).filter(caller_id=caller_id).order_by("purpose")),
        versions=list(versions.select_related("notice").order_by("notice__name", "number")),
        documents=list(documents.order_by("name")),
        decisions=decisions[:DECISIONS_AT_MOST],
        more_decisions=len(decisions) > DECISIONS_AT_MOST,
        withdrawals=withdrawals_of(client, caller_id, limit=1_000),
        recorded_with=_recorded_with(client, events),
    )


def _recorded_with(client: Client, events: Sequence[ConsentEvent]) -> dict[int, list[ConsentEvent]]:
    """What each event of the trail vouches for: all that was recorded in one go, by the index on that instant."""
    trail_ids = {event.audit_event_id for event in events if event.audit_event_id is not None}
    rows = ConsentEvent.objects.for_client(client).filter(
        recorded_at__in={event.recorded_at for event in events}, audit_event_id__in=trail_ids
    )
    found: dict[int, list[ConsentEvent]] = defaultdict(list)
    for event in rows.defer("evidence"):
        if event.audit_event_id is not None:
            found[event.audit_event_id].append(event)
    return dict(found)
