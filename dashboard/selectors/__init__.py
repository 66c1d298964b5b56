"""The overview: what needs a person, five figures, the last four weeks, clients worst first, connections."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Count, Min, Q
from django.utils.timesince import timesince

from analytics.selectors import days as counted_days
from analytics.selectors.days import Counted
from callprivacy.accounts import access
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.models import Membership
from callprivacy.calls.models import Connection
from callprivacy.calls.selectors import counts, pulls
from callprivacy.calls.selectors.connections import calls_us
from callprivacy.lib import calendars
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.enums import Permission, RetentionState
from callprivacy.tenancy.models import Agency, Client
from callprivacy.work import kinds
from callprivacy.work import selectors as work
from callprivacy.work.models import Item
from consent.enums import Basis
from consent.selectors.decisions import ByBasis
from dashboard.duties import DUTIES, Duty, by_id
from dashboard.enums import DutyState
from dashboard.models import ClientStanding, ClientStandingDay, Standing, StandingDay
from retention.selectors import watch
from rights.selectors import board

WEEKS = 4
_SILENT_AFTER = timedelta(hours=24)
_PAST_AT_MOST = 100
_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ClientRow:
    """
    One client on the overview, with what makes it better or worse.

    :ivar count: calls of the last four weeks, as they were counted: what came or left since then is counted within
        minutes, and the page says where more waits.
    :ivar past: calls past their date, counted up to a hundred.
    """

    client: Client
    count: Counted
    past: int
    waiting: int
    last_event_at: datetime | None
    is_silent: bool

    @property
    def badness(self) -> tuple[int, int, int, int]:
        """Worse is greater: what waits, a silent tracker, calls past their date, then withheld recordings."""
        return (self.waiting, int(self.is_silent), self.past, self.count.withheld)

    @property
    def recorded(self) -> list[ByBasis]:
        """The recordings that may be kept, by what they rest on."""
        count = self.count
        found = {
            Basis.CONSENT: count.consent,
            Basis.NOTICE: count.notice,
            Basis.LEGITIMATE_INTERESTS: count.law,
        }
        return [ByBasis(basis, calls) for basis, calls in found.items() if calls]

    @property
    def has_more_past(self) -> bool:
        return self.past >= _PAST_AT_MOST

    @property
    def is_live(self) -> bool:
        """Whether expired calls leave."""
        return self.client.retention_state == RetentionState.LIVE


def clients_of(membership: Membership, *, at: datetime) -> list[Client]:
    """The clients whose calls a person may see, by name."""
    rows = access.clients_with(membership, Permission.VIEW_CALLS, at=at)
    return list(rows.select_related("agency").order_by("name"))


def client_rows(membership: Membership, clients: Sequence[Client], *, at: datetime) -> list[ClientRow]:
    """A person's clients with their figures, worst first; a bounded number of queries however many."""
    ids = [client.pk for client in clients]
    count = counted_days.of_clients(ids, first=first_day(membership.agency.time_zone, at=at))
    past = counts.some_calls_before(*_limits(clients, at), at_most=_PAST_AT_MOST)
    waiting = _waiting(membership, at)
    last = _last_events(ids)
    rows = [
        ClientRow(
            client=client,
            count=count.get(client.pk, Counted()),
            past=past.get(client.pk, 0),
            waiting=waiting.get(client.pk, 0),
            last_event_at=last.get(client.pk),
            is_silent=client.pk in last and _is_silent(last[client.pk], at),
        )
        for client in clients
    ]
    return sorted(rows, key=lambda row: (tuple(-part for part in row.badness), row.client.name))


def _limits(clients: Sequence[Client], at: datetime) -> tuple[dict[int, datetime], dict[int, datetime]]:
    """The starts before which these clients' calls in, and calls out, are past their date."""
    return (
        {client.pk: tenancy.cutoff_of(client, at) for client in clients},
        {client.pk: tenancy.cutoff_of(client, at, out=True) for client in clients},
    )


def _waiting(membership: Membership, at: datetime) -> dict[int, int]:
    rows = work.queue_of(membership, at=at).order_by().exclude(client=None)
    return dict(rows.values_list("client_id").annotate(Count("pk")))


def _last_events(client_ids: Sequence[int]) -> dict[int, datetime | None]:
    """Client id -> newest event over its active connections; clients without a connection are left out."""
    found: dict[int, datetime | None] = {}
    rows = Connection.objects.filter(client_id__in=client_ids, is_active=True)
    for client_id, last in rows.values_list("client_id", "last_event_at"):
        before = found.get(client_id)
        found[client_id] = max((instant for instant in (before, last) if instant is not None), default=None)
    return found


def _is_silent(last: datetime | None, at: datetime) -> bool:
    return last is None or at - last > _SILENT_AFTER


# --- What each client needs a person for, in the list of clients ---


def what_clients_need(
    membership: Membership, clients: Sequence[Client], at: datetime
) -> dict[int, tuple[int, str]]:
    """
    Client id -> (how much it needs the person, what for in words); clients that need nothing are left out.

    What is past due comes first, then what waits, a silent tracker, calls past their date. Six queries,
    however many clients; a client says only what the person is granted to know of it.
    """
    overdue, waiting, titles = _titles_waiting(membership, at)
    known = set(access.client_ids_with(membership, Permission.VIEW_CLIENT, at=at))
    readable = set(access.client_ids_with(membership, Permission.VIEW_CALLS, at=at))
    last = _last_events([client.pk for client in clients if client.pk in known])
    limits, out = _limits([client for client in clients if client.pk in readable], at)
    past = counts.some_calls_before(limits, out, at_most=_PAST_AT_MOST)
    badness, words = {}, {}
    for pk in (client.pk for client in clients):
        is_silent = pk in last and _is_silent(last[pk], at)
        badness[pk] = (overdue.get(pk, 0), waiting.get(pk, 0), int(is_silent), past.get(pk, 0))
        said = [
            titles.get(pk, ""),
            _words_of_silence(last[pk], at) if is_silent else "",
            _words_of_past(past.get(pk, 0)),
        ]
        told = "; ".join(part for part in said if part)
        words[pk] = told[:1].upper() + told[1:]
    steps = {bad: step for step, bad in enumerate(sorted({*badness.values(), (0, 0, 0, 0)}))}
    return {pk: (steps[bad], words[pk]) for pk, bad in badness.items() if steps[bad]}


def _titles_waiting(
    membership: Membership, at: datetime
) -> tuple[dict[int, int], dict[int, int], dict[int, str]]:
    """Client id -> how many things are past due, how many wait, and the first of them by name."""
    rows = (
        work.queue_of(membership, at=at)
        .order_by()
        .exclude(client=None)
        .values_list("client_id", "kind")
        .annotate(number=Count("pk"), late=Count("pk", filter=Q(due_at__lt=at)), first=Min("due_at"))
    )
    overdue: dict[int, int] = {}
    waiting: dict[int, int] = {}
    titles: dict[int, str] = {}
    for client_id, kind, number, late, _first in sorted(rows, key=lambda row: (row[4] is None, row[4] or at)):
        overdue[client_id] = overdue.get(client_id, 0) + late
        waiting[client_id] = waiting.get(client_id, 0) + number
        titles.setdefault(client_id, kinds.get(kind).title + (" (past due)" if late else ""))
    for client_id, number in waiting.items():
        if number > 1:
            titles[client_id] += f", and {number - 1:,} more"
    return overdue, waiting, titles


def _words_of_silence(last: datetime | None, at: datetime) -> str:
    return f"tracker silent for {timesince(last, at, depth=1)}" if last else "tracker has sent nothing yet"


def _words_of_past(calls: int) -> str:
    if calls >= _PAST_AT_MOST:
        return f"{calls:,} calls or more past their date"
    return "1 call past its date" if calls == 1 else f"{calls} calls past their date" if calls else ""


def needs_you(membership: Membership, *, at: datetime) -> list[Item]:
    """At most seven cases that wait, earliest due first."""
    return list(work.folded(work.queue_of(membership, at=at))[:7])


def first_day(zone: str, *, at: datetime) -> date:
    """The first day of the last four weeks, which end with today."""
    return calendars.day_in(zone, at) - timedelta(days=WEEKS * 7 - 1)


@dataclass(frozen=True, slots=True)
class Day:
    """Calls of one day, and how many of them were answered."""

    starts_at: datetime
    calls: int
    answered: int


def last_weeks(rows: Sequence[ClientRow], zone: str, *, at: datetime) -> list[Day]:
    """Calls a day of the clients in `rows` over the last four weeks, today included, in the zone's days; one query."""
    first = first_day(zone, at=at)
    found = counted_days.of_days([row.client.pk for row in rows], first=first)
    wanted = [first + timedelta(days=step) for step in range(WEEKS * 7)]
    return [
        Day(datetime.combine(day, time.min, tzinfo=ZoneInfo(zone)), *found.get(day, (0, 0))) for day in wanted
    ]


def connections(membership: Membership, *, at: datetime) -> list[Connection]:
    """Connections of the clients a person may see, those silent longest first."""
    ids = access.client_ids_with(membership, Permission.VIEW_CLIENT, at=at)
    rows = Connection.objects.filter(client_id__in=ids, is_active=True).select_related("client")
    return list(rows.order_by("last_event_at", "client__name")[:20])


@dataclass(frozen=True, slots=True)
class Missed:
    """
    What a connection's webhooks did not bring.

    :ivar calls: of the last 30 days, found in the tracker's own list; None where that is not asked, or no webhook is to
        be had. :ivar why: then.
    """

    calls: int | None
    why: str = ""


def missed_calls(
    membership: Membership, rows: Sequence[Connection], *, at: datetime
) -> dict[UUID, Missed] | None:
    """Connection id -> what its webhooks did not bring; None for who may look after none of them. Three queries."""
    managed = set(access.client_ids_with(membership, Permission.MANAGE_CONNECTIONS, at=at))
    if not any(row.client_id in managed for row in rows):
        return None
    found = pulls.missed(rows, at=at)
    return {row.pk: Missed(found.get(row.pk), _why_unknown(row, managed)) for row in rows}


def _why_unknown(row: Connection, managed: Collection[int]) -> str:
    if row.client_id not in managed:
        return "not granted to you"
    if pulls.lists_calls(row.provider) and not calls_us(row.provider):
        return "it has no webhooks"
    return "its list is not asked" if pulls.lists_calls(row.provider) else "it has no list to ask"


# --- Clocks and copies, which are counted for who may see them ---


@dataclass(frozen=True, slots=True)
class Figure:
    """
    One tile: a word or number, what stands below it, and its tone.

    :ivar next_label: the client, or the agency, whose clock ends first.
    """

    words: str
    note: str
    tone: str = ""
    next_label: str = ""


def clocks(membership: Membership, *, at: datetime) -> Figure | None:
    """The clocks that run for requests of people; None for who looks after none. Three queries."""
    ids = access.client_ids_with(membership, Permission.HANDLE_REQUESTS, at=at)
    with_own = access.has_right(membership, AgencyRight.SIGN_OFF)
    if not ids and not with_own:
        return None
    cases = board.running(board.cases_of(ids, with_own=with_own))
    counted = board.counts(cases, at=at)
    if not counted.open:
        return Figure("None", "no request waits for its day")
    near = f"{counted.near_shown if counted.near else 'none'} within three days"
    said = f"{counted.late_shown} late, {near}" if counted.late else f"none late, {near}"
    first = board.soonest(cases, zone=membership.agency.time_zone, at=at)
    return Figure(
        counted.open_shown,
        f"requests with a day: {said}",
        "bad" if counted.late else "warn" if counted.near else "",
        f"{first.client or 'the agency'}, {first.clock.words}" if first else "",
    )


def copies(membership: Membership, *, at: datetime) -> Figure | None:
    """Whether the newest drill found backups of both databases good; None for who does not manage the agency."""
    if not access.has_right(membership, AgencyRight.MANAGE_CLIENTS):
        return None
    house = watch.house(at)
    if house.drill_passed is False:
        return Figure("Drill failed", "the newest restore drill found a fault", "bad")
    if set(house.backups) <= set(house.verified) and house.verified:
        age = timedelta(seconds=max(house.verified.values()))
        old = age > watch.VERIFIED_LATE_AFTER
        since = timesince(at - age, at, depth=1)
        return Figure("Verified", f"a drill put back what is {since} old", "warn" if old else "good")
    if house.backups:
        return Figure("Not verified", "no drill has put the backups back yet", "warn")
    if house.backups_expected:
        return Figure("None yet", "the first backup has not been made", "warn")
    return Figure("None here", "CallPrivacy makes no backups on this machine", "warn")


def demo_extent(agency: Agency) -> list[dict[str, str]]:
    """What goes with a demo, counted as far as the person may see it."""
    people = Membership.objects.filter(agency=agency).count()
    clients = Client.objects.filter(agency=agency).count()
    calls = sum(row.calls for row in counts.calls_since(_client_ids(agency), _BEGINNING).values())
    return [
        {"label": "Clients", "value": f"{clients:,}"},
        {"label": "Calls you can see", "value": f"{calls:,}"},
        {"label": "People", "value": f"{people:,}"},
    ]


def _client_ids(agency: Agency) -> list[int]:
    return list(Client.objects.filter(agency=agency).values_list("pk", flat=True))


# --- The posture --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DutyLine:
    duty: Duty
    row: Standing


@dataclass(frozen=True, slots=True)
class DutyFigure:
    """How many duties are in a state."""

    state: DutyState
    count: int


def duties() -> list[DutyLine]:
    """Every duty that was looked at, worst first, then in the order of the list; of the scope's agency."""
    known = by_id()
    rank = {state.value: -place for place, state in enumerate(DutyState)}
    order = {name: place for place, name in enumerate(known)}
    rows = [row for row in Standing.objects.all() if row.duty in known]
    rows.sort(key=lambda row: (rank[row.state], order[row.duty]))
    return [DutyLine(known[row.duty], row) for row in rows]


def duty_figures(lines: Sequence[DutyLine]) -> list[DutyFigure]:
    """How many are in each state, worst first."""
    return [
        DutyFigure(state, sum(line.row.state == state for line in lines)) for state in reversed(DutyState)
    ]


def duty_chart(days: int) -> dict[str, object]:
    """The last days as the chart component takes them: what is not good, by state."""
    rows = list(StandingDay.objects.order_by("-on")[:days])[::-1]
    return {
        "series": ["Due", "Overdue", "Failing"],
        "rows": [[f"{row.on.day} {row.on:%b}", row.due, row.overdue, row.failing] for row in rows],
    }


# --- The posture of clients -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ClientDuty:
    duty: Duty
    row: ClientStanding


@dataclass(frozen=True, slots=True)
class ClientPosture:
    """A client with how many of its duties are in which state that is not good."""

    client: Client
    failing: int
    overdue: int
    due: int


def judged_by_client() -> int:
    """How many duties are looked at for each client."""
    return sum(duty.by_client is not None for duty in DUTIES)


def client_duties(client: Client) -> list[ClientDuty]:
    """What is not good at a client, worst first."""
    known = by_id()
    rank = {state.value: -place for place, state in enumerate(DutyState)}
    rows = [row for row in ClientStanding.objects.for_client(client) if row.duty in known]
    rows.sort(key=lambda row: (rank[row.state], row.duty))
    return [ClientDuty(known[row.duty], row) for row in rows]


def client_postures() -> list[ClientPosture]:
    """The clients that the scope sees with something not good, worst first; two queries."""
    counted: dict[int, dict[str, int]] = {}
    rows = ClientStanding.objects.order_by().values_list("client_id", "state").annotate(number=Count("pk"))
    for client_id, state, number in rows:
        counted.setdefault(client_id, {})[state] = number
    clients = Client.objects.filter(pk__in=list(counted), archived_at=None)
    found = [
        ClientPosture(
            client,
            counted[client.pk].get(DutyState.FAILING, 0),
            counted[client.pk].get(DutyState.OVERDUE, 0),
            counted[client.pk].get(DutyState.DUE, 0),
        )
        for client in clients
    ]
    return sorted(found, key=lambda one: (-one.failing, -one.overdue, -one.due, one.client.name))


def client_duty_chart(client: Client, days: int, *, at: datetime) -> dict[str, object]:
    """The last days at a client as the chart component takes them; a day without a row had nothing."""
    today = calendars.day_in(client.agency.time_zone, at)
    first = today - timedelta(days=days - 1)
    known = {row.on: row for row in ClientStandingDay.objects.for_client(client).filter(on__gte=first)}
    if not known:
        return {"series": [], "rows": []}
    begin = max(first, min(known))
    shown = [begin + timedelta(days=step) for step in range((today - begin).days + 1)]
    return {
        "series": ["Due", "Overdue", "Failing"],
        "rows": [
            [
                f"{day.day} {day:%b}",
                *((row.due, row.overdue, row.failing) if (row := known.get(day)) else (0, 0, 0)),
            ]
            for day in shown
        ],
    }


def weekly_lines() -> list[str]:
    """What the weekly mail says of the scope's agency: what is not good, in counts, and how many clients."""
    lines = [
        f"{line.duty.title}: {DutyState(line.row.state).label.lower()}"
        + (f", {line.row.count:,}" if line.row.count > 1 else "")
        for line in duties()
        if line.row.state != DutyState.GOOD
    ]
    clients = ClientStanding.objects.values("client_id").distinct().count()
    if clients:
        lines.append(f"Clients at which something is not good: {clients:,}")
    return lines
