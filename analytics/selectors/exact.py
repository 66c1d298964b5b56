"""
Exact reports of one client, counted from its calls when they are asked for (docs/adr/0152).

For people who may see the calls: row security decides which those are, so that in another's scope nothing is counted.
What counts is what protected reports count, and confidential calls that name the person.
"""

# ruff: noqa: S608  what is put into SQL are names of columns, written in this module

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import QuerySet

from analytics import spans
from analytics.enums import LENGTHS, Dimension, Measure, Step
from analytics.selectors import facts, reports, rules
from analytics.selectors.reports import FLAGS, Asked, Figure, Report, Row
from callprivacy.calls.models import Call, first_id_at
from callprivacy.calls.selectors import confidential
from callprivacy.lib import scope as lib_scope
from callprivacy.tenancy.models import Client
from consent.enums import Purpose
from consent.selectors import decisions

_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)
_NEWEST: Final = 20_000
"""Calls among which the values are looked for that one may filter by."""
_CHOICES: Final = 500
_LENGTH: Final = (
    "CASE "
    + " ".join(f"WHEN c.seconds >= {start} THEN '{name}'" for start, name in reversed(LENGTHS))
    + " ELSE '' END"
)
_WORDS: Final = (
    facts.SAID | {"length": _LENGTH} | {one.value: f"c.{one.value}" for one in sorted(reports.EXACT_ONLY)}
)
_SUMS: Final = {
    Measure.CALLS: "count(*)",
    Measure.SECONDS: "coalesce(sum(c.seconds), 0)",
    Measure.VALUE: "coalesce(sum(c.value_cents), 0)",
}


def _start(day: date, zone: str) -> datetime:
    return datetime.combine(day, time.min, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _days(first: date, last: date) -> list[date]:
    return [first + number * _DAY for number in range((last - first).days)]


def _hours(first: date, last: date, zone: str) -> list[datetime]:
    """Where the hours of a zone begin; a day whose clocks are set has 23 or 25."""
    found: list[datetime] = []
    start = _start(first, zone)
    for day in _days(first, last):
        end = _start(day + _DAY, zone)
        if end - start == _DAY and start.astimezone(ZoneInfo(zone)).minute == 0:
            found += [start + number * _HOUR for number in range(24)]
        else:
            ticks = spans.ticks(start, end, zone)
            found += [ticks.instant(place) for place in range(len(ticks.days))]
        start = end
    return found


@dataclass(frozen=True, slots=True)
class _Parts:
    """Stretches of time that follow each other: where each begins, and what a row says of it."""

    starts: Sequence[datetime]
    names: Sequence[Any]

    @classmethod
    def of(cls, asked: Asked, zone: str) -> "_Parts":
        """The steps of a report; the first begins with the period, wherever its week or month does."""
        if asked.step is Step.HOUR:
            hours = _hours(asked.first, asked.last, zone)
            return cls(hours, hours)
        found: dict[date, datetime] = {}
        for day in _days(asked.first, asked.last):
            name = day
            if asked.step is Step.WEEK:
                name = day - day.weekday() * _DAY
            elif asked.step is Step.MONTH:
                name = day.replace(day=1)
            if name not in found:
                found[name] = _start(day, zone)
        return cls(list(found.values()), list(found))


class _Query:
    """A grouped count over the calls of a client, and what is bound in it."""

    def __init__(self, asked: Asked, zone: str) -> None:
        self.asked, self.zone = asked, zone
        self.values: dict[str, Any] = {}
        self.steps: Sequence[Any] = ()
        self.keys: list[str] = []
        if asked.step is not Step.ALL:
            parts = _Parts.of(asked, zone)
            self.steps = parts.names
            self.keys.append(self._place("steps", parts.starts))
        self.keys += [self._key(one) for one in asked.dimensions]

    def _place(self, name: str, starts: Sequence[datetime]) -> str:
        """In which stretch a call lies, from 1: ids begin with the instant, and are compared as they are."""
        self.values[name] = [first_id_at(start) for start in starts]
        return f"width_bucket(c.id, %({name})s::uuid[])"

    def _key(self, dimension: Dimension) -> str:
        if dimension is Dimension.CLIENT:
            return "%(client)s::text"
        if dimension is Dimension.WEEKDAY:
            days = _days(self.asked.first, self.asked.last)
            self.values["weekdays"] = [day.isoweekday() for day in days]
            place = self._place("days", [_start(day, self.zone) for day in days])
            return f"((%(weekdays)s::smallint[])[{place}])::text"
        if dimension in {Dimension.HOUR_OF_DAY, Dimension.PART_OF_DAY}:
            hours = _hours(self.asked.first, self.asked.last, self.zone)
            self.values["clock"] = [one.astimezone(ZoneInfo(self.zone)).hour for one in hours]
            hour = f"(%(clock)s::smallint[])[{self._place('hours', hours)}]"
            return f"({hour})::text" if dimension is Dimension.HOUR_OF_DAY else reports.part_of(hour)
        return _WORDS[dimension.value]

    def at(self, row: Sequence[Any]) -> date | datetime | None:
        return None if self.asked.step is Step.ALL else self.steps[row[0] - 1]

    def sum_of(self, measure: Measure, client: Client) -> str:
        """What a measure adds up, in SQL."""
        if measure in _SUMS:
            return _SUMS[measure]
        if measure is Measure.CALLERS:
            days = [_start(day, self.zone) for day in _days(self.asked.first, self.asked.last)]
            pair = f"({self._place('days', days)}, c.caller_id)"
            return f"count(DISTINCT {pair}) FILTER (WHERE c.caller_id IS NOT NULL)"
        column, counted = FLAGS[measure]
        if column == "converted":
            condition, self.values["converts"] = facts.converts(rules.rule_of(client))
            return f"count(*) FILTER (WHERE {condition.replace('%s', '%(converts)s')})"
        self.values[f"of_{measure.value}"] = list(counted)
        return f"count(*) FILTER (WHERE {_WORDS[column]} = ANY(%(of_{measure.value})s))"

    def rows(self, calls: QuerySet[Call], sums: Sequence[str]) -> list[tuple[Any, ...]]:
        """Key by key, and the sums; the first key is the step where there are steps."""
        needs_decisions = any("recording_" in one for one in sums)
        read = facts.READ if needs_decisions else facts.OF_CALL
        if needs_decisions:
            calls = facts.with_decisions(calls)
        read = (*read, *sorted(reports.EXACT_ONLY & set(self.asked.dimensions)))
        inner, bound = calls.order_by().values_list(*read).query.sql_with_params()
        named = {f"call_{number}": value for number, value in enumerate(bound)}
        inner %= tuple(f"%({name})s" for name in named)
        meets = []
        for dimension, wanted in self.asked.filters.items():
            self.values[f"filter_{dimension.value}"] = list(wanted)
            meets.append(f"{_WORDS[dimension.value]} = ANY(%(filter_{dimension.value})s)")
        numbers = ", ".join(str(place) for place in range(1, len(self.keys) + 1))
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {', '.join([*self.keys, *sums])} FROM ({inner}) AS c ({facts.names(read)})"
                f" WHERE {' AND '.join(meets) or 'TRUE'} {f'GROUP BY {numbers}' if numbers else ''}",
                {**self.values, **named, "client": self.asked.client_ids[0]},
            )
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found


def report(asked: Asked, *, at: datetime) -> Report:
    """
    Answer a report of one client from its calls. Inside the scope of a person who may see them.

    :param at: opt-outs hold as of then.
    :raises ReportError: nothing answers this; the text says what to ask instead.
    """
    asked.check()
    lib_scope.require()
    client = Client.objects.get(pk__in=asked.client_ids)
    rows = _rows(asked, client, at)
    total = rows
    if asked.dimensions or asked.step is not Step.ALL:
        # Who calls in two hours is one caller of the day.
        is_added = asked.step is not Step.HOUR or Measure.CALLERS not in asked.measures
        whole = replace(asked, dimensions=(), step=Step.ALL, compare=False)
        total = _added(rows) if is_added else _rows(whole, client, at)
    nothing = Row(None, (), 0, {measure: Figure(0) for measure in asked.measures})
    return Report(
        asked=asked,
        rows=tuple(sorted(rows, key=lambda row: (str(row.at or ""), -row.calls, row.keys))),
        total=total[0] if total else nothing,
        unplaced=0,
        hidden=0,
        k=1,
        before=report(asked.before, at=at) if asked.compare else None,
        is_exact=True,
    )


def _rows(asked: Asked, client: Client, at: datetime) -> list[Row]:
    start, end = (_start(day, client.time_zone) for day in (asked.first, asked.last))
    within = {"pk__gte": first_id_at(start), "pk__lt": first_id_at(end)}
    measured = decisions.calls_open_to(client, Purpose.MEASURE, at=at, with_confidential=True)
    query = _Query(asked, client.time_zone)
    counted = [one for one in asked.measures if one is not Measure.OPTED_OUT]
    sums = ["count(*)", *(query.sum_of(measure, client) for measure in counted)]
    width = len(query.keys)
    found = {
        row[:width]: Row(
            query.at(row),
            row[width - len(asked.dimensions) : width],
            row[width],
            {measure: Figure(int(number)) for measure, number in zip(counted, row[width + 1 :], strict=True)},
        )
        for row in query.rows(measured.filter(**within), sums)
        if row[width]
    }
    if Measure.OPTED_OUT in asked.measures:
        every = Call.objects.for_client(client).in_use().filter(**within)
        others = every.exclude(pk__in=measured.filter(**within).order_by().values("pk"))
        nothing = {measure: Figure(0) for measure in asked.measures}
        for row in query.rows(others, ["count(*)"]):
            empty = Row(query.at(row), row[width - len(asked.dimensions) : width], 0, nothing)
            one = found.get(row[:width], empty)
            found[row[:width]] = replace(one, figures={**one.figures, Measure.OPTED_OUT: Figure(row[width])})
    return list(found.values())


def _added(rows: Sequence[Row]) -> list[Row]:
    if not rows:
        return []
    names = {measure for row in rows for measure in row.figures}
    figures = {
        one: Figure(sum(row.figures[one].value for row in rows if one in row.figures)) for one in names
    }
    return [Row(None, (), sum(row.calls for row in rows), figures)]


def not_measured(asked: Asked) -> Asked:
    """The question how many calls of the period are in the list, and in no report because they may not be measured."""
    return replace(
        asked, measures=(Measure.OPTED_OUT,), dimensions=(), filters={}, step=Step.ALL, compare=False
    )


def values_of(client: Client) -> dict[str, list[str]]:
    """Dimension -> its values among the newest calls that the scope's person sees, in order; for filters."""
    lib_scope.require()
    free = ("source", "campaign", "medium", "region")
    newest = Call.objects.for_client(client).in_use().order_by("-pk").values_list(*facts.OF_CALL)[:_NEWEST]
    inner, bound = newest.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT grouping({", ".join(free)}), coalesce({", ".join(free)})
            FROM (SELECT {", ".join(f"{_WORDS[name]} AS {name}" for name in free)}
                FROM ({inner}) AS c ({facts.names(facts.OF_CALL)})) AS said
            GROUP BY GROUPING SETS ({", ".join(f"({name})" for name in free)}) ORDER BY 2
            """,
            bound,
        )
        found: dict[str, list[str]] = {name: [] for name in free}
        for left_out, value in cursor.fetchall():
            if value:
                found[free[4 - (15 - left_out).bit_length()]].append(value)
    return found


def confidential_calls(client: Client) -> int:
    """How many calls of the client are confidential, as the list of calls counts them."""
    return confidential.count_at(client)
