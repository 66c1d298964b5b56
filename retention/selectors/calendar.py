"""
What falls due in the days to come, per day and category.

A day is the client's own: what started on one local day is past its date at the start of another, as many days later
as it is kept. Clients with the same zone and the same days share their limits and are counted in one statement, which
walks the ranges of the index of client and id that fall due, and nothing else.

Drawn is what no later call can move: calls, recordings, transcripts, exports, releases, the inbox, requests, training
and entries of premises. Identities and evidence count from the last contact, so that of these it is only said how many
fall due by the end if nobody calls again.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import connection

from callprivacy.calls.models import first_id_at
from callprivacy.lib import calendars
from callprivacy.lib import scope as lib_scope
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.models import Agency, Client
from retention import targets
from retention.enums import Category
from retention.law import categories
from retention.selectors import house, policies, preview
from retention.selectors.policies import Effective

DAYS: Final = 90

DRAWN: Final = (
    Category.CALL,
    Category.CALL_OUT,
    Category.RECORDING,
    Category.TRANSCRIPT,
    Category.EXPORT,
    Category.RELEASE,
    Category.INBOX,
    Category.REQUEST,
    Category.TRAINING,
    Category.PREMISES,
)
"""The categories of the chart, from the foot of a bar to its top."""

LATER: Final = (Category.IDENTITY, Category.CONSENT, Category.WITHDRAWAL, Category.TRAIL)
"""Those of which only the sum until the last day is told."""

# The same range on both sides of a join, so that neither table is read beyond it.
_KEPT: Final = """
    LEFT JOIN {table} {name} ON {name}.client_id = c.client_id AND {name}.call_id = c.id
        AND {name}.client_id = ANY (%(clients)s::bigint[]) AND {name}.call_id >= %(first)s AND {name}.call_id < %(last)s
        AND ({name}.state <> 'gone' OR {name}.due_at IS NULL AND {name}.{sealed} IS NOT NULL)
"""
_JOINS: Final = {
    Category.RECORDING: _KEPT.format(table="calls_recording", name="r", sealed="reference"),
    Category.TRANSCRIPT: _KEPT.format(table="calls_transcript", name="t", sealed="text"),
}
_COUNTS: Final = {
    Category.CALL: "count(*) FILTER (WHERE c.direction <> 'outbound')",
    Category.CALL_OUT: "count(*) FILTER (WHERE c.direction = 'outbound')",
    Category.RECORDING: "count(r.id)",
    Category.TRANSCRIPT: "count(t.id)",
}
_OF_CALLS: Final = """
    SELECT width_bucket(c.id, %(limits)s::uuid[]) AS day, {counts}
    FROM calls_call c {joins}
    WHERE c.client_id = ANY (%(clients)s::bigint[]) AND c.id >= %(first)s AND c.id < %(last)s AND NOT c.on_hold
      AND (%(out)s::boolean IS NULL OR (c.direction = 'outbound') = %(out)s)
    GROUP BY 1
"""
_BESIDE: Final = {
    Category.EXPORT: """
        SELECT width_bucket(e.created_at, %(limits)s::timestamptz[]) AS day, count(*) FROM calls_callexport e
        WHERE e.client_id = ANY (%(clients)s::bigint[]) AND e.state NOT IN ('queued', 'running')
          AND e.created_at >= %(first)s AND e.created_at < %(last)s GROUP BY 1
    """,
    Category.INBOX: """
        SELECT width_bucket(i.received_at, %(limits)s::timestamptz[]) AS day, count(*) FROM calls_inbox i
        WHERE i.client_id = ANY (%(clients)s::bigint[]) AND (i.state = 'rejected' OR i.attempts > 0)
          AND i.received_at >= %(first)s AND i.received_at < %(last)s GROUP BY 1
    """,
}


@dataclass(frozen=True, slots=True)
class Day:
    """What falls due at the start of one day, by category; nothing of what is none."""

    on: date
    counts: Mapping[Category, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days to come, and what no run has taken yet: at live clients it goes tonight, at observed ones it stays."""

    days: Sequence[Day]

    @property
    def total(self) -> int:
        """What falls due in all of these days."""
        return sum(day.total for day in self.days)

    @property
    def most(self) -> int:
        """The fullest day's number."""
        return max((day.total for day in self.days), default=0)

    @property
    def drawn(self) -> list[Category]:
        """The categories of which anything falls due, in the order of the bars."""
        return [category for category in DRAWN if any(day.counts.get(category) for day in self.days)]

    def sum_of(self, category: Category) -> int:
        """What of one category falls due in all of these days."""
        return sum(day.counts.get(category, 0) for day in self.days)


@dataclass(frozen=True, slots=True)
class _Group:
    """What is counted in one statement: the same zone, days and categories; `out` None: calls of both directions."""

    zone: str
    days: int
    out: bool | None
    wanted: frozenset[Category]


def calendar(
    clients: Sequence[Client], at: datetime, *, own: Agency | None = None, days: int = DAYS
) -> Calendar:
    """
    What falls due from tomorrow on at these clients, day by day.

    :param own: count what this agency keeps of its own as well, by the days of its zone.
    :param days: how many days; the first is the day after that of `at`, in each client's own zone.
    """
    lib_scope.require()
    kept = policies.every_effective(clients)
    found: list[dict[Category, int]] = [defaultdict(int) for _ in range(days)]
    groups: dict[_Group, list[Client]] = defaultdict(list)
    beside: dict[tuple[Category, str, int], list[Client]] = defaultdict(list)
    for client in clients:
        for group in _groups(client, kept[client.pk]):
            groups[group].append(client)
        for category in (*_BESIDE, *_registered()):
            beside[category, client.time_zone, kept[client.pk][category].days].append(client)
    for group, members in groups.items():
        _count_calls(group, members, at, found)
    for (category, _zone, kept_for), members in beside.items():
        _count_beside(category, kept_for, members, at, found)
    if own is not None:
        for category, numbers in house.by_day(own, at, days=days).items():
            if category in DRAWN:
                _sum_up(category, numbers, found)
    first = _today(clients, at) + timedelta(days=1)
    return Calendar([Day(first + timedelta(days=number), dict(one)) for number, one in enumerate(found)])


def _today(clients: Iterable[Client], at: datetime) -> date:
    """The day on which the calendar stands: the client's own, and of several clients their agency's."""
    zones = {client.time_zone for client in clients}
    zones = zones if len(zones) == 1 else {client.agency.time_zone for client in clients}
    return calendars.day_in(min(zones, default="UTC"), at)


def _groups(client: Client, kept: Mapping[Category, Effective]) -> Iterable[_Group]:
    """Calls by their own date, and what leaves a call before its date by that."""
    by_days: dict[tuple[int, bool], set[Category]] = defaultdict(set)
    for record, out in ((Category.CALL, False), (Category.CALL_OUT, True)):
        by_days[kept[record].days, out].add(record)
        for category in categories.SAID:
            # What leaves with its call is the call's row, counted once.
            if kept[category].days < kept[record].days:
                by_days[kept[category].days, out].add(category)
    for (days, out), wanted in by_days.items():
        other = by_days.get((days, not out))
        if other is None or wanted - set(categories.RECORDS) != other - set(categories.RECORDS):
            yield _Group(client.time_zone, days, out, frozenset(wanted))
        elif not out:
            yield _Group(client.time_zone, days, None, frozenset(wanted | other))


def _limits(client: Client, kept_for: int, at: datetime, days: int) -> list[datetime]:
    """The starts of the local days that fall due, and the end of the last; ascending."""
    return [tenancy.cutoff_for_days(client, kept_for - number, at) for number in range(days + 1)]


def _count_calls(
    group: _Group, clients: list[Client], at: datetime, found: list[dict[Category, int]]
) -> None:
    limits = [first_id_at(limit) for limit in _limits(clients[0], group.days, at, len(found))]
    wanted = [category for category in DRAWN if category in group.wanted]
    query = _OF_CALLS.format(
        counts=", ".join(_COUNTS[category] for category in wanted),
        joins="".join(_JOINS[category] for category in wanted if category in _JOINS),
    )
    params = {"out": group.out, "first": limits[0], "last": limits[-1]}
    _add(query, params | {"limits": limits[:-1], "clients": [client.pk for client in clients]}, wanted, found)


def _count_beside(
    category: Category, kept_for: int, clients: list[Client], at: datetime, found: list[dict[Category, int]]
) -> None:
    limits = _limits(clients[0], kept_for, at, len(found))
    counted = targets.TARGETS[category].by_day
    if counted is not None:
        _sum_up(category, counted([client.pk for client in clients], limits), found)
        return
    params = {"first": limits[0], "last": limits[-1]}
    more = {"limits": limits[:-1], "clients": [client.pk for client in clients]}
    _add(_BESIDE[category], params | more, [category], found)


def _registered() -> list[Category]:
    """What rooms above count by day."""
    return [category for category, target in targets.TARGETS.items() if target.by_day is not None]


def _sum_up(category: Category, numbers: Mapping[int, int], found: list[dict[Category, int]]) -> None:
    for number, count in numbers.items():
        if count:
            found[number][category] += count


def _add(
    query: str, params: dict[str, Any], wanted: Sequence[Category], found: list[dict[Category, int]]
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(query, params)
        for day, *numbers in cursor.fetchall():
            for category, number in zip(wanted, numbers, strict=True):
                if number:
                    found[day - 1][category] += number


@dataclass(frozen=True, slots=True)
class Overdue:
    """Calls that are past their date today: the next run deletes `enforced`, and `dry_run` stay."""

    enforced: int
    dry_run: int


def overdue(clients: Sequence[Client], at: datetime) -> Overdue:
    """Calls past their date that no hold keeps; two statements for all of these clients."""
    now, sums = preview.lines(clients, at), {True: 0, False: 0}
    for category in categories.RECORDS:
        extents = targets.TARGETS[category].count([one.of(category) for one in now.values()])
        for client in clients:
            if client.pk in extents:
                sums[preview.is_live(client)] += extents[client.pk].rows
    return Overdue(enforced=sums[True], dry_run=sums[False])


@dataclass(frozen=True, slots=True)
class Later:
    """How much of a category is past its date today, and how much more by the last day if nobody calls again."""

    category: Category
    today: int
    more: int


def later(
    clients: Sequence[Client], at: datetime, *, own: Agency | None = None, days: int = DAYS
) -> list[Later]:
    """
    Of what no day can be named: the sums until the last day; two statements a category.

    :param own: count what this agency keeps of its own as well.
    """
    now, then = preview.lines(clients, at), preview.lines(clients, at + timedelta(days=days))
    ours = {} if own is None else {row.category: row for row in house.rows(own, at, days=days)}
    found = []
    for category in LATER:
        today = _sum(category, now)
        more = max(0, _sum(category, then) - today)
        if category in ours:
            today, more = today + ours[category].extent.rows, more + ours[category].soon
        found.append(Later(category, today, more))
    return found


def _sum(category: Category, lines: Mapping[int, preview.Lines]) -> int:
    extents = targets.TARGETS[category].count([one.of(category) for one in lines.values()])
    return sum(extent.rows for extent in extents.values())
