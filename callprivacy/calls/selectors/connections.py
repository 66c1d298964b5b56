"""A client's connections and numbers as its page shows them, and what a connection says that pressed keys mean."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Max, Min, Q

from callprivacy.calls.enums import (
    Direction,
    InboxState,
    PressKind,
    PressPurpose,
    PressScope,
    RecordingState,
)
from callprivacy.calls.models import (
    Announcement,
    Call,
    CallPress,
    Connection,
    ConnectionSecret,
    Inbox,
    Recording,
    TrackingNumber,
    first_id_at,
)
from callprivacy.calls.providers import FORMATS, PROVIDERS, TRACKERS, capabilities
from callprivacy.calls.providers.base import Capabilities
from callprivacy.tenancy.models import Client

_UP_TO_THE_MILLISECOND = timedelta(microseconds=999)
"""A call's start is told to the millisecond."""


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """One connection and how it is doing now."""

    connection: Connection
    provider_title: str
    waiting: int
    rejected: int

    @property
    def calls_us(self) -> bool:
        """Whether the tracker tells us of calls by itself."""
        return calls_us(self.connection.provider)

    @property
    def error_percent(self) -> float | None:
        """Of a hundred events, how many could not be read; None before the first."""
        if not self.connection.events:
            return None
        return round(100 * self.connection.rejected / self.connection.events, 1)


def title_of(provider: str) -> str:
    """A provider's name as a person reads it."""
    return TRACKERS.get(provider, provider.capitalize())


def calls_us(provider: str) -> bool:
    """Whether a tracker tells us of calls by itself; the others' come by files."""
    return provider in PROVIDERS


def connections_of(client: Client) -> list[ConnectionState]:
    """A client's connections, the open ones first, then by name; two queries however many there are."""
    counts = {
        row["connection_id"]: (row["waiting"], row["rejected"])
        for row in Inbox.objects.filter(client=client)
        .values("connection_id")
        .annotate(
            waiting=Count("id", filter=Q(state=InboxState.WAITING)),
            rejected=Count("id", filter=Q(state=InboxState.REJECTED)),
        )
    }
    rows = Connection.objects.filter(client=client).order_by("-is_active", "name", "id")
    return [ConnectionState(row, title_of(row.provider), *counts.get(row.pk, (0, 0))) for row in rows]


def state_of(connection: Connection) -> ConnectionState:
    """One connection and how it is doing now."""
    counts = Inbox.objects.filter(client_id=connection.client_id, connection=connection).aggregate(
        waiting=Count("id", filter=Q(state=InboxState.WAITING)),
        rejected=Count("id", filter=Q(state=InboxState.REJECTED)),
    )
    return ConnectionState(connection, title_of(connection.provider), counts["waiting"], counts["rejected"])


def active_secrets(connection: Connection, *, at: datetime) -> Sequence[ConnectionSecret]:
    """Secrets that count at `at`, newest first; what they are is not read."""
    rows = ConnectionSecret.objects.for_client(connection.client_id).filter(connection=connection)
    return list(rows.counting(at).defer("secret"))


@dataclass(frozen=True, slots=True)
class Heard:
    """Whether what a tracker tells us arrives and is believed. `tone`: of the pill; `words`: what to do, or ""."""

    tone: str
    title: str
    words: str = ""


def heard_of(connection: Connection, secrets: Sequence[ConnectionSecret]) -> Heard:
    """The test of a connection that receives events: when the last came, and whether it was refused. One query."""
    inbox = Inbox.objects.filter(client_id=connection.client_id, connection=connection, pull_run=None)
    found = inbox.aggregate(
        newest=Max("received_at"), rejected=Count("id", filter=Q(state=InboxState.REJECTED))
    )
    known = [at for at in (connection.last_event_at, found["newest"]) if at is not None]
    last, refused = max(known, default=None), connection.last_refused_at
    if not connection.is_active:
        return Heard("bad", "Closed", "What arrives is answered “not found”.")
    if not secrets:
        return Heard("bad", "Refused", "No secret counts any more. Enter the one that the tracker uses now.")
    if refused is not None and (last is None or refused > last):
        return Heard(
            "bad",
            "Refused",
            "What arrived last was not proven. Compare the secret here with that at the tracker.",
        )
    if last is None:
        return Heard("warn", "Nothing yet", "Send a test event or make a call there, then test again.")
    if found["rejected"]:
        return Heard("warn", "Arrives", "Some of it was genuine and could not be read: see above.")
    return Heard("good", "Arrives")


# --- What a tracker lets us do ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ability:
    """One thing that a tracker lets us do at its side or does not, and what follows, in plain words."""

    title: str
    is_there: bool
    words: str


_ABILITIES = (
    (
        "gates_before",
        "Hold the recording back until the caller agrees",
        "Our telephone menu answers first, and the recording starts after key 1.",
        "Where recording is on it starts with the call. Turn it off there, or move the number to our menu.",
    ),
    (
        "stops_mid_call",
        "Stop a recording that runs",
        "Only on calls through our menu: there a withdrawal stops it at once. Of others it is withheld here.",
        "What is recorded after a withdrawal is withheld here, and has to be deleted there.",
    ),
    (
        "deletes_after",
        "Delete a recording afterwards",
        "Its interface is asked without a person once the client is live, and the answer is kept as a receipt.",
        "A person has to ask its support; the ticket is drafted here, and its answer kept.",
    ),
    (
        "redacts",
        "Take the person out of its record of a call",
        "It is asked by a letter, which is drafted here, for good; what it redacts is taken out here as well.",
        "A person has to ask its support.",
    ),
)


def abilities_of(provider: str) -> list[Ability]:
    """What a tracker can, one after the other."""
    can: Capabilities = capabilities(provider)
    return [
        Ability(title, getattr(can, name), yes if getattr(can, name) else no)
        for name, title, yes, no in _ABILITIES
    ]


def columns_read(provider: str) -> list[str]:
    """The columns that are read of a tracker's files, as its interface names them; the others need not leave it."""
    layout = FORMATS.get(provider)
    if layout is None:
        return []
    names = [names[0] for names in (*layout.also.values(), *layout.columns.values())]
    return list(dict.fromkeys(names))


# --- What pressed keys mean ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PressRule:
    """
    What a key says when it was pressed on a call of a connection.

    :ivar name: of the menu, or of the key where the tracker names it; "" for any.
    :ivar value: up to four digits, `*` or `#`; "" for any, or where the tracker names the key alone.
    :ivar purposes: `kind`, `scope`: the ledger's words.
    :ivar gates: the tracker's recording starts only after this key.
    """

    name: str
    value: str
    purposes: tuple[str, ...]
    kind: str
    scope: str
    gates: bool = False

    def covers(self, name: str, value: str) -> bool:
        """Whether this press is meant; names are the same in any case of letters."""
        same_name = not self.name or self.name.casefold() == name.casefold()
        return same_name and (not self.value or self.value == value)

    @property
    def purpose_words(self) -> str:
        return ", ".join(PressPurpose(purpose).label for purpose in self.purposes)

    @property
    def kind_words(self) -> str:
        """What it says, as a person reads it."""
        return str(PressKind(self.kind).label)

    @property
    def scope_words(self) -> str:
        """How far it reaches, as a person reads it."""
        return str(PressScope(self.scope).label)


def press_rules(connection: Connection) -> tuple[PressRule, ...]:
    """What a connection's `mapping` says that keys mean; none: whatever was pressed means nothing."""
    return tuple(
        PressRule(
            row["name"],
            row["value"],
            tuple(row["purpose"]),
            row["kind"],
            row["scope"],
            row.get("gates", False),
        )
        for row in connection.mapping.get("presses", ())
    )


def rules_for(rules: Iterable[PressRule], *, name: str, value: str) -> list[PressRule]:
    return [rule for rule in rules if rule.covers(name, value)]


def pressed_lately(
    connection: Connection, *, looked_at: int = 500, limit: int = 12
) -> list[tuple[str, str, int]]:
    """(name, key, how often) among the client's newest presses that came by this connection, the most usual first."""
    rows = CallPress.objects.filter(client_id=connection.client_id).order_by("-call_id")
    found = rows.values_list("name", "value", "call__connection_id")[:looked_at]
    counts = Counter((name, value) for name, value, by in found if by == connection.pk)
    return [(name, value, count) for (name, value), count in counts.most_common(limit)]


# --- Numbers ------------------------------------------------------------------------------------------------


def heard_on(number: TrackingNumber) -> list[Announcement]:
    """What callers of a number heard and when, the newest first; with what was struck out."""
    rows = Announcement.objects.for_client(number.client_id).filter(tracking_number=number)
    return list(rows.select_related("written_by").order_by("-from_at", "-written_at"))


def recordings_under(row: Announcement) -> int:
    """
    How many recordings there are of calls whose callers heard an announcement: at most so many rest on it.

    Counted as far as the scope sees the client's calls.
    """
    heard = Call.objects.for_client(row.client_id).filter(
        tracking_number_id=row.tracking_number_id,
        direction=Direction.INBOUND,
        id__gte=first_id_at(row.from_at + _UP_TO_THE_MILLISECOND),
    )
    if row.until_at is not None:
        heard = heard.filter(id__lt=first_id_at(row.until_at + _UP_TO_THE_MILLISECOND))
    kept = Recording.objects.for_client(row.client_id).exclude(state=RecordingState.GONE)
    return kept.filter(call__in=heard).count()


@dataclass(frozen=True, slots=True)
class RejectedGroup:
    """Events of one connection that were refused for the same reason."""

    connection_name: str
    reason: str
    count: int
    oldest_at: datetime
    leaves_at: datetime


def rejected_of(client: Client, *, kept_for: timedelta, limit: int = 100) -> list[RejectedGroup]:
    """What a client's connections sent and nobody could read, by connection and reason, oldest first."""
    rows = (
        Inbox.objects.rejected()
        .filter(client=client)
        .values("connection__name", "reason")
        .annotate(count=Count("id"), oldest=Min("received_at"))
        .order_by("oldest", "reason")[:limit]
    )
    return [
        RejectedGroup(
            row["connection__name"], row["reason"], row["count"], row["oldest"], row["oldest"] + kept_for
        )
        for row in rows
    ]


def rejected_count(client: Client) -> int:
    """How many of a client's events are rejected."""
    return Inbox.objects.rejected().filter(client=client).count()


def has_due(agency_id: int, *, at: datetime) -> bool:
    """Whether anything waits in an agency's inbox and its time has come."""
    return Inbox.objects.due(at).filter(agency_id=agency_id).exists()
