"""
Pages of calls over the clients a person was granted, each in a bounded piece of work whatever is filtered.

The newest rows are taken client by client (LATERAL on the index of client and id) and merged. A filter on
source, campaign or caller walks an index of its own. Any other filter looks at a bounded number of calls a
page; where these do not fill it, the page says how far back it looked and goes on from there. Above 200
clients an unfiltered page first asks each client for its one next call, and then only the few clients that
can be on the page.
"""

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

from django.contrib.postgres.fields import ArrayField
from django.db import connection
from django.db.models import FETCH_RAISE, BooleanField, QuerySet, TextField
from django.db.models.expressions import RawSQL

from callprivacy.accounts import access
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.models import Membership, User
from callprivacy.audit import selectors as audit
from callprivacy.audit.models import Event, Reason
from callprivacy.calls.enums import Direction
from callprivacy.calls.models import Call, Caller, Recording, Reveal, TrackingNumber, first_id_at, start_of
from callprivacy.lib import calendars
from callprivacy.lib import scope as lib_scope
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Agency, Client

PAGE = 50
# Calls that one page looks at where no index answers its filter, over all its clients together.
LOOKS_AT = 5_000
LOOKS_AT_LEAST = 10
# Up to here every client is asked for a whole page; above, only those that can be on it.
ASKED_TOGETHER = 200
MOST_COUNTED = 1000
# Up to here the choices of a filter come from the calls, above from the tracking numbers.
CHOICES_FROM_CALLS = 60
_CHOICES = 100

LENGTHS: dict[str, tuple[str, int | None, int | None]] = {
    "brief": ("Under 10 seconds", None, 10),
    "short": ("10 to 59 seconds", 10, 60),
    "medium": ("1 to 4 minutes", 60, 300),
    "long": ("5 minutes and more", 300, None),
}
RECORDED = {"allowed": "Allowed", "withheld": "Withheld", "gone": "Erased", "none": "No recording"}
FIRST = {"yes": "First call", "no": "Called before"}


@dataclass(frozen=True, slots=True)
class CallFilters:
    """What to look for; empty is not asked. Days are of the list's zone, both inclusive."""

    from_on: date | None = None
    until_on: date | None = None
    source: str = ""
    campaign: str = ""
    direction: str = ""
    outcome: str = ""
    region: str = ""
    length: str = ""
    recording: str = ""
    first: str = ""
    caller_id: uuid.UUID | None = None

    def as_json(self) -> dict[str, str]:
        """The filters in use, as a job keeps them."""
        return {name: str(value) for name, value in asdict(self).items() if value}

    @classmethod
    def from_json(cls, kept: Mapping[str, str]) -> Self:
        """The filters that `as_json` gave; what it does not know is left out."""
        known = {field.name for field in fields(cls)}
        found: dict[str, Any] = {name: value for name, value in kept.items() if name in known}
        for name in ("from_on", "until_on"):
            if name in found:
                found[name] = date.fromisoformat(found[name])
        if "caller_id" in found:
            found["caller_id"] = uuid.UUID(found["caller_id"])
        return cls(**found)

    @property
    def count(self) -> int:
        """How many are in use."""
        return len(self.as_json())


@dataclass(frozen=True, slots=True)
class CallPage:
    """
    One page, in the order it is shown. The cursors lead to its neighbours; `looked_to` says how far it
    looked. `confidential`: how many calls of the clients are, shown or not, up to `MOST_COUNTED` and one.
    """

    calls: list[Call]
    newer: str | None
    older: str | None
    looked_to: datetime | None = None
    backwards: bool = True
    confidential: int = 0

    @property
    def onward(self) -> str | None:
        """The cursor of the page that the walk comes to next."""
        return self.older if self.backwards else self.newer


@dataclass(frozen=True, slots=True)
class _Sql:
    text: str
    values: tuple[Any, ...] = ()


def _joined(parts: Sequence[_Sql]) -> _Sql:
    text = " AND ".join(part.text for part in parts) or "TRUE"
    return _Sql(text, tuple(value for part in parts for value in part.values))


def first_instant(day: date, zone: str) -> datetime:
    """When a day begins in a zone, UTC."""
    return datetime.combine(day, time.min, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _range(filters: CallFilters, zone: str) -> list[_Sql]:
    """Days as limits of the id: they bound the walk, so nothing outside is looked at."""
    found = []
    if filters.from_on is not None:
        found.append(_Sql("c.id >= %s", (first_id_at(first_instant(filters.from_on, zone)),)))
    if filters.until_on is not None:
        end = first_instant(filters.until_on + timedelta(days=1), zone)
        found.append(_Sql("c.id < %s", (first_id_at(end),)))
    return found


_IN_USE: Final = _Sql(
    "(c.caller_id IS NULL OR c.caller_id <> ALL (ARRAY("
    "SELECT k.id FROM calls_caller k WHERE k.restricted_at IS NOT NULL))"
    " OR c.id < (SELECT k.restricted_from FROM calls_caller k WHERE k.id = c.caller_id))",
    (),
)
"""Not the calls of people who had their data restricted; there are few of them, and they are looked up once."""


def _walked(filters: CallFilters) -> tuple[list[_Sql], frozenset[str]]:
    """The one filter that an index of its own answers, most selective first."""
    if filters.caller_id is not None:
        return [_Sql("c.caller_id = %s", (filters.caller_id,))], frozenset({"caller_id"})
    for name in ("campaign", "source"):
        value = getattr(filters, name)
        if value:
            return [_Sql(f"c.{name} = %s", (value,))], frozenset({name})
    return [], frozenset()


def _looked(filters: CallFilters, answered: frozenset[str]) -> list[_Sql]:
    found = [
        _Sql(f"recent.{name} = %s", (getattr(filters, name),))
        for name in ("source", "campaign", "direction", "outcome", "region")
        if name not in answered and getattr(filters, name)
    ]
    if filters.length:
        _, low, high = LENGTHS[filters.length]
        if low is not None:
            found.append(_Sql("recent.seconds >= %s", (low,)))
        if high is not None:
            found.append(_Sql("recent.seconds < %s", (high,)))
    if filters.first:
        found.append(_Sql("recent.first_call = %s", (filters.first == "yes",)))
    if filters.recording:
        # A limit keeps it a look-up a call: as a join the planner would read every recording there is.
        there = "(SELECT r.state FROM calls_recording r WHERE r.call_id = recent.id LIMIT 1)"
        if filters.recording == "none":
            found.append(_Sql(f"{there} IS NULL"))
        else:
            found.append(_Sql(f"{there} = %s", (filters.recording,)))
    return found


_CALL = [field.attname for field in Call._meta.concrete_fields]
_CALLER = [field.attname for field in Caller._meta.concrete_fields]
_NUMBER = [field.attname for field in TrackingNumber._meta.concrete_fields]
_RECORDING = [field.attname for field in Recording._meta.concrete_fields]


def _columns(alias: str, model: type[Any]) -> str:
    return ", ".join(f"{alias}.{field.column}" for field in model._meta.concrete_fields)


_JOINED = (("c", Call), ("k", Caller), ("t", TrackingNumber), ("r", Recording))
_ROW = ", ".join(_columns(alias, model) for alias, model in _JOINED)

_STATEMENT = """
WITH found AS MATERIALIZED (
    SELECT granted.id AS client_id, ARRAY(
        SELECT recent.id FROM (
            SELECT c.* FROM calls_call c WHERE c.client_id = granted.id AND {walk} ORDER BY c.id {way} LIMIT
            {looks} ) recent WHERE {look} ORDER BY recent.id {way} LIMIT {size}
    ) AS ids
    FROM {clients} AS granted(id)
), edge AS MATERIALIZED (
    SELECT {edge} AS id, count_confidential_calls(%s::bigint[], {counted}) AS confidential
), page AS MATERIALIZED (
    SELECT hit.id FROM found CROSS JOIN LATERAL unnest(found.ids) AS hit(id) CROSS JOIN edge
    WHERE edge.id IS NULL OR hit.id {inside} edge.id ORDER BY hit.id {way} LIMIT {size}
)
SELECT edge.id, edge.confidential, {row}
FROM edge LEFT JOIN page ON TRUE
LEFT JOIN calls_call c ON c.id = page.id
LEFT JOIN calls_caller k ON k.client_id = c.client_id AND k.id = c.caller_id
LEFT JOIN calls_trackingnumber t ON t.client_id = c.client_id AND t.id = c.tracking_number_id
LEFT JOIN calls_recording r ON r.call_id = c.id
ORDER BY page.id {way}
"""
# The first call that was not looked at, of the client where that came first: what lies behind it is another
# page's.
_EDGE = """(SELECT next.id FROM found CROSS JOIN LATERAL (
        SELECT c.id FROM calls_call c WHERE c.client_id = found.client_id AND {walk}
        ORDER BY c.id {way} OFFSET {looks} LIMIT 1
    ) AS next WHERE cardinality(found.ids) < {size} ORDER BY next.id {way} LIMIT 1)"""
# The policy and the walk both name the client, and the planner multiplies the two: it expects a fiftieth of
# the rows and would read and sort all of a client's calls for one page (measured: 109 ms in place of 9). One
# message, so that nothing else of the transaction is planned this way.
_IN_ORDER = "SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off;"
_AS_EVER = "; SET LOCAL enable_bitmapscan TO DEFAULT; SET LOCAL enable_sort TO DEFAULT"
_NEXT_CLIENTS = """(
        SELECT every.id FROM unnest(%s::bigint[]) AS every(id) CROSS JOIN LATERAL (
            SELECT c.id FROM calls_call c WHERE c.client_id = every.id AND {walk} ORDER BY c.id {way} LIMIT 1
        ) AS next ORDER BY next.id {way} LIMIT {size}
    )"""


def _statement(
    client_ids: Sequence[int],
    filters: CallFilters,
    *,
    zone: str,
    cursor: uuid.UUID | None,
    backwards: bool,
    size: int,
) -> _Sql:
    by_index, answered = _walked(filters)
    walk = _joined([*_range(filters, zone), *_at(cursor, backwards=backwards), *by_index, _IN_USE])
    looked = _looked(filters, answered)
    look = _joined(looked)
    shape = {"way": "DESC" if backwards else "ASC", "size": size, "walk": walk.text}
    looks = max(LOOKS_AT // max(len(client_ids), 1), LOOKS_AT_LEAST) if looked else size
    edge, values = "NULL::uuid", ()
    if looked:
        edge, values = _EDGE.format(looks=looks, **shape), walk.values
    clients = "unnest(%s::bigint[])"
    probe: tuple[Any, ...] = ()
    if len(client_ids) > ASKED_TOGETHER and not looked:
        clients, probe = _NEXT_CLIENTS.format(**shape), walk.values
    text = _STATEMENT.format(
        edge=edge,
        counted=MOST_COUNTED + 1,
        clients=clients,
        look=look.text,
        looks=looks,
        inside=">" if backwards else "<",
        row=_ROW,
        **shape,
    )
    if filters.caller_id is None:
        text = f"{_IN_ORDER}{text}{_AS_EVER}"
    ids = list(client_ids)
    return _Sql(text, (*walk.values, *look.values, ids, *probe, *values, ids))


def _at(cursor: uuid.UUID | None, *, backwards: bool) -> list[_Sql]:
    if cursor is None:
        return []
    return [_Sql("c.id < %s" if backwards else "c.id > %s", (cursor,))]


def call_page(
    clients: Sequence[Client],
    filters: CallFilters,
    *,
    zone: str,
    before: uuid.UUID | None = None,
    after: uuid.UUID | None = None,
    oldest_first: bool = False,
    size: int = PAGE,
) -> CallPage:
    """
    One page of calls of these clients, one statement: with caller, tracking number and recording, nothing
    opened.

    An id is unique over all clients, so it alone is the key of a page: `before` and `after` are exclusive.
    """
    lib_scope.require()
    if not clients:
        return CallPage([], None, None)
    backwards = before is not None or (after is None and not oldest_first)
    cursor = before if backwards else after
    by_id = {client.pk: client for client in clients}
    statement = _statement(list(by_id), filters, zone=zone, cursor=cursor, backwards=backwards, size=size + 1)
    with connection.cursor() as executed:
        executed.execute(statement.text, statement.values)
        while executed.description is None:
            executed.nextset()
        rows = executed.fetchall()
    edge: uuid.UUID | None = rows[0][0]
    calls = [_call(row[2:], by_id) for row in rows if row[2] is not None]
    further = len(calls) > size
    calls = calls[:size]
    onward: uuid.UUID | None = calls[-1].pk if further else None
    if not further and edge is not None:
        # The edge itself was not looked at: the next page begins with it.
        onward = uuid.UUID(int=edge.int + (1 if backwards else -1))
    back: uuid.UUID | None = None
    if cursor is not None:
        back = calls[0].pk if calls else uuid.UUID(int=cursor.int + (-1 if backwards else 1))
    if backwards == oldest_first:
        calls.reverse()
    older, newer = (onward, back) if backwards else (back, onward)
    return CallPage(
        calls,
        newer=newer.hex if newer else None,
        older=older.hex if older else None,
        looked_to=start_of(edge) if edge is not None and not further else None,
        backwards=backwards,
        confidential=rows[0][1],
    )


def _call(row: Sequence[Any], clients: Mapping[int, Client]) -> Call:
    """A call with what belongs to it, built from the one row; a missing relation raises instead of asking."""
    parts = iter(row)
    call = Call.from_db("default", _CALL, [next(parts) for _ in _CALL])
    caller, number, recording = ([next(parts) for _ in names] for names in (_CALLER, _NUMBER, _RECORDING))
    call.client = clients[call.client_id]
    call.caller = Caller.from_db("default", _CALLER, caller) if caller[0] is not None else None
    call.tracking_number = (
        TrackingNumber.from_db("default", _NUMBER, number) if number[0] is not None else None
    )
    if recording[0] is not None:
        call._state.fields_cache["recording"] = Recording.from_db("default", _RECORDING, recording)
    else:
        call._state.fields_cache["recording"] = None
    call._state.fetch_mode = FETCH_RAISE
    return call


_FROM_CALLS = """ARRAY(
    WITH RECURSIVE walk(value) AS (
        (SELECT c.{name} FROM calls_call c WHERE c.client_id = tenancy_client.id ORDER BY c.{name} LIMIT 1)
        UNION ALL
        SELECT (SELECT c.{name} FROM calls_call c WHERE c.client_id = tenancy_client.id AND c.{name} >
        walk.value ORDER BY c.{name} LIMIT 1)
        FROM walk WHERE walk.value IS NOT NULL
    ) SELECT value FROM walk WHERE value > '' LIMIT %s)"""
_FROM_NUMBERS = """ARRAY(SELECT DISTINCT t.{name} FROM calls_trackingnumber t
    WHERE t.client_id = tenancy_client.id AND t.{name} > '' ORDER BY 1 LIMIT %s)"""


_CHOSEN = """CASE
    WHEN %s = '' AND (SELECT count(*) FROM scope_clients('view_calls')) > %s THEN {numbers}
    WHEN %s IN ('', tenancy_client.slug) THEN {calls}
    ELSE ARRAY[]::varchar[] END"""


_MAY_EXPORT = "tenancy_client.id IN (SELECT scope_clients(%s))"


def _choices(name: str, picked: str) -> RawSQL:
    text = _CHOSEN.format(numbers=_FROM_NUMBERS.format(name=name), calls=_FROM_CALLS.format(name=name))
    values = [picked, CHOICES_FROM_CALLS, _CHOICES, picked, _CHOICES]
    return RawSQL(text, values, output_field=ArrayField(TextField()))  # noqa: S611  (values are bound)


def listed_clients(membership: Membership, *, picked: str, at: datetime) -> QuerySet[Client]:
    """
    The clients whose calls a person may see, each with `may_export` and the choices of its filters,
    `sources` and `campaigns`.

    They come from the calls, one index probe a value. For who has more than a few dozen clients and has not
    picked one of them they come from the tracking numbers; for clients beside the picked one there are none.

    :param picked: slug of the one client that is listed, or "".
    """
    granted = access.clients_with(membership, Permission.VIEW_CALLS, at=at).select_related("agency")
    return granted.annotate(
        sources=_choices("source", picked),
        campaigns=_choices("campaign", picked),
        may_export=RawSQL(_MAY_EXPORT, [Permission.EXPORT_CALLS.value], output_field=BooleanField()),  # noqa: S611  (a constant)
    )


def find_call(client: Client, call_id: uuid.UUID) -> Call | None:
    """One call of a client with all that its page shows, or None; None, too, where the person had it restricted."""
    call = (
        Call.objects.for_client(client)
        .in_use()
        .select_related("caller", "tracking_number", "connection", "recording")
        .filter(pk=call_id)
        .first()
    )
    if call is not None:
        call.client = client
    return call


@dataclass(frozen=True, slots=True)
class OtherCalls:
    """The other calls of a caller: how many (up to a limit), and the newest of them."""

    count: int
    more: bool
    newest: list[Call]


_OTHERS_COUNTED = 1000
_OTHERS_SHOWN = 10


def other_calls(call: Call) -> OtherCalls | None:
    """The same caller's other calls to this client, None for a call of nobody."""
    if call.caller_id is None:
        return None
    rows = Call.objects.filter(client_id=call.client_id, caller_id=call.caller_id).exclude(pk=call.pk)
    count = rows[: _OTHERS_COUNTED + 1].count()
    newest = rows.select_related("tracking_number").fetch_mode(FETCH_RAISE).order_by("-pk")[:_OTHERS_SHOWN]
    return OtherCalls(min(count, _OTHERS_COUNTED), count > _OTHERS_COUNTED, list(newest) if count else [])


def leaves_on(call: Call, client: Client) -> date:
    """The first day, in the client's zone, on which a run finds the call past its keep-for."""
    return first_day_after(call, client, kept_for(call, client))


def first_day_after(call: Call, client: Client, days: int) -> date:
    """The first day, in the client's zone, on which what of a call is kept for so many days is past its date."""
    return calendars.day_in(client.time_zone, call.started_at) + timedelta(days=days + 1)


def kept_for(call: Call, client: Client) -> int:
    """For how many days a call is kept: those that went out have days of their own."""
    return client.keep_out_for_days if call.direction == Direction.OUTBOUND else client.keep_for_days


@dataclass(frozen=True, slots=True)
class TrailLine:
    """One event as a call's page lists it."""

    at: datetime
    action: str
    by: str


def trail_of(call: Call, *, limit: int = 20) -> list[TrailLine]:
    """The newest events about a call, with the names of the people."""
    wanted = audit.EventFilter(
        client_id=call.client_id, subject_kind=call._meta.label_lower, subject_id=str(call.pk)
    )
    events = list(audit.events(call.agency_id, wanted)[:limit])
    people = User.objects.in_bulk({event.actor_user_id for event in events if event.actor_user_id})
    return [
        TrailLine(
            event.at,
            event.action.replace(".", " ").replace("_", " ").capitalize(),
            str(people[event.actor_user_id]) if event.actor_user_id in people else event.actor_name,
        )
        for event in events
    ]


def sampled_reveals(agency: Agency, monday: date) -> list[Reveal]:
    """The reveals drawn for a week, oldest first."""
    rows = Reveal.objects.filter(agency_id=agency.pk, sampled_on=monday)
    return list(_with_people(rows).order_by("at", "pk"))


def hidden_of_sample(sample: Sequence[Reveal], monday: date) -> list[Client]:
    """
    The clients at which reveals were drawn for a week that are not among these, by name; two queries at most.

    :param sample: `sampled_reveals` of the week, in the person's scope.
    """
    lib_scope.require()
    with connection.cursor() as cursor:
        cursor.execute("SELECT client, drawn FROM calls_reveals_drawn(%s)", [monday])
        drawn = Counter(dict(cursor.fetchall()))
    hidden = drawn - Counter(row.client_id for row in sample)
    return list(Client.objects.filter(pk__in=list(hidden)).order_by("name")) if hidden else []


def own_of_sample(sample: Sequence[Reveal], *, agency_id: int, user_id: int, at: datetime) -> list[Reveal]:
    """
    What a person showed themself of these reveals, and no other officer has read the reason of; five queries at most.

    None at a client whose reveals no other officer sees. What has no words any more nobody can read.
    """
    own = [row for row in sample if row.user_id == user_id]
    others = (
        set(access.people_with_right(AgencyRight.SIGN_OFF, agency_id=agency_id)) - {user_id} if own else ()
    )
    if not others:
        return []
    client_ids = {row.client_id for row in own}
    seen = access.clients_with_all([Permission.VIEW_CALLS], client_ids, agency_id=agency_id, at=at)
    readable = set().union(*(seen.get(one, set()) for one in others))
    own = [row for row in own if row.client_id in readable]
    event_ids = [row.event_id for row in own]
    there = set(Reason.objects.filter(pk__in=event_ids).values_list("pk", flat=True))
    read = Event.objects.filter(
        agency_id=agency_id,
        subject_kind=Event._meta.label_lower,
        subject_id__in=[str(event_id) for event_id in event_ids],
        action="reason.opened",
        actor_user_id__in=others,
    )
    unread = there - {int(event_id) for event_id in read.values_list("subject_id", flat=True)}
    return [row for row in own if row.event_id in unread]


def _with_people(rows: QuerySet[Reveal]) -> QuerySet[Reveal]:
    return rows.select_related("client", "user", "call").fetch_mode(FETCH_RAISE)


def reveal_page(agency: Agency, *, before: int | None, size: int) -> tuple[list[Reveal], str | None]:
    """The newest reveals of an agency and the cursor of the next page; the trail numbers them in order."""
    rows = Reveal.objects.filter(agency_id=agency.pk)
    if before is not None:
        rows = rows.filter(event_id__lt=before)
    found = list(_with_people(rows).order_by("-event_id")[: size + 1])
    older = str(found[size - 1].event_id) if len(found) > size else None
    return found[:size], older
