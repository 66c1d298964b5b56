"""
Reports: cells added up, and nothing else. No query here reads a call.

Every cell stands for at least k callers and tells only what may be told of all of them together (docs/adr/0152), so
nothing is held back here and any two answers may be compared, subtracted, saved and exported: what a report does not
tell, no other tells. A sum is shown where the lists of the sum tell it of every call of its row (docs/adr/0152).
"""

# ruff: noqa: S608  what is put into SQL are names of columns, written in this module

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db import connection

from analytics.enums import PARTS, RECORDED, Dimension, Grain, Measure, Sheet, Step, Sum
from analytics.models import ReportRule, Span
from analytics.selectors import rules
from analytics.selectors.hidden import AT, At, Hidden, Keys, Rest, steps_of
from callprivacy.lib import scope as lib_scope
from callprivacy.tenancy.models import Client

DIMENSIONS_AT_MOST: Final = 3

COLUMNS: Final[dict[Dimension, Sheet]] = {
    Dimension.SOURCE: Sheet.SOURCE,
    Dimension.CAMPAIGN: Sheet.CAMPAIGN,
    Dimension.MEDIUM: Sheet.MEDIUM,
    Dimension.DIRECTION: Sheet.DIRECTION,
    Dimension.OUTCOME: Sheet.OUTCOME,
    Dimension.REGION: Sheet.REGION,
    Dimension.LENGTH: Sheet.LENGTH,
    Dimension.REPEATED: Sheet.REPEATED,
}
"""Dimensions that are columns of a cell, by the same name -> the sheet that tells that one alone."""

FLAGS: Final[dict[Measure, tuple[str, tuple[str, ...]]]] = {
    Measure.ANSWERED: ("outcome", ("answered",)),
    Measure.MISSED: ("outcome", ("missed",)),
    Measure.VOICEMAIL: ("outcome", ("voicemail",)),
    Measure.FIRST: ("repeated", ("first",)),
    Measure.REPEATED: ("repeated", ("repeated",)),
    Measure.CONVERSIONS: ("converted", ("yes",)),
    Measure.RECORDED: ("kept", tuple(RECORDED)),
    **{measure: ("kept", (kept,)) for kept, measure in RECORDED.items()},
    Measure.WITHHELD: ("kept", ("withheld",)),
}
_ADDED: Final = {Measure.SECONDS: (Sum.SECONDS, "seconds"), Measure.VALUE: (Sum.VALUE, "value_cents")}
"""Measures that are sums -> their lists, and the column that these fill."""
_SHEETS: Final = {sheet.name.lower(): sheet for sheet in Sheet if sheet >= Sheet.SOURCE}
EXACT_ONLY: Final = frozenset({Dimension.LANDING_PAGE, Dimension.KEYWORD})
"""Dimensions that no cell tells: each value stands for few callers, and more columns would tell less of the others."""
_BY_TIME: Final = {
    Dimension.WEEKDAY: ("weekday", Grain.DAY),
    Dimension.PART_OF_DAY: ("part", Grain.HOUR),
    Dimension.HOUR_OF_DAY: ("hour", Grain.HOUR),
}
"""Dimensions that lists of time tell -> their column in `Sheet.SLOTS`, and how fine other cells must be."""


class ReportError(ValueError):
    """A report that there is none of; the text says what to ask instead."""


@dataclass(frozen=True, slots=True)
class Asked:
    """
    A report as it is asked for; frozen and of plain values, so that it can be kept in a row or an address.

    :ivar client_ids: those of these that the scope may see are counted, the others are as if they were not.
    :ivar first: and :ivar last: the first day, and the first day after, by each client's own calendar.
    :ivar filters: dimension -> the values that count, empty strings for "not said".
    """

    client_ids: tuple[int, ...]
    measures: tuple[Measure, ...]
    first: date
    last: date
    dimensions: tuple[Dimension, ...] = ()
    filters: Mapping[Dimension, tuple[str, ...]] = field(default_factory=dict)
    step: Step = Step.ALL
    compare: bool = False

    def check(self) -> None:
        """
        Refuse what no report answers.

        :raises ReportError: says what to change, for the person who asked.
        """
        if not self.first < self.last:
            raise ReportError("The first day must come before the last one.")
        if len(set(self.dimensions)) != len(self.dimensions):
            raise ReportError("Name each dimension once.")
        if len(self.dimensions) > DIMENSIONS_AT_MOST:
            raise ReportError("Choose at most three dimensions.")
        if set(self.filters) - COLUMNS.keys():
            raise ReportError(
                "Filter by source, campaign, medium, direction, outcome, region, length or repeated."
            )
        if not self.measures:
            raise ReportError("Choose what to count.")
        alone = {Measure.CALLERS, Measure.OPTED_OUT} & set(self.measures)
        if alone and (self.filters or set(self.dimensions) - {Dimension.CLIENT}):
            raise ReportError("Callers a day and opted-out calls are counted without dimensions and filters.")

    @property
    def before(self) -> "Asked":
        """The same for the period before, as many days long."""
        return Asked(
            client_ids=self.client_ids,
            measures=self.measures,
            first=self.first - (self.last - self.first),
            last=self.first,
            dimensions=self.dimensions,
            filters=self.filters,
            step=self.step,
        )


@dataclass(frozen=True, slots=True)
class Figure:
    """
    One number of a report: calls, seconds, cents or callers.

    :ivar value: what is told. :ivar unknown: calls of the same row of which it is not told whether they count, because
    too few people would be: the true number lies between `value` and `value + unknown`. Always 0 but for what is
    counted of calls by a yes or no (answered, conversions, recorded, withheld).
    :ivar is_suppressed: whether nothing is told at all, since too much of a sum is one caller's; `value` is 0 then.
    """

    value: int
    unknown: int = 0
    is_suppressed: bool = False

    @property
    def is_told(self) -> bool:
        return self.unknown == 0 and not self.is_suppressed


NO_FIGURE: Final = Figure(0, is_suppressed=True)


@dataclass(frozen=True, slots=True)
class Row:
    """
    One line of a report.

    :ivar at: start of the step: a day (its first) by the client's calendar, an instant for hours; None where the
    report has no steps, or where the calls' place in time is not told this finely.
    :ivar keys: a value for each dimension, in the order asked. None: not told, because too few people share it.
    "": nobody said. A client's key is its id in digits, a weekday's "1" (Monday) to "7", an hour's "0" to "23", a
    part's the hour at which it begins.
    :ivar calls: all calls of this row, whatever was asked for. :ivar figures: one for each measure.
    :ivar is_partial: whether hidden calls may be this row's, too; else its numbers are true.
    """

    at: date | datetime | None
    keys: tuple[str | None, ...]
    calls: int
    figures: dict[Measure, Figure]
    is_partial: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether every key is told."""
        return None not in self.keys


@dataclass(frozen=True, slots=True)
class Report:
    """
    The answer.

    :ivar rows: by time, then by calls, most first. :ivar total: of everything that meets the filters; it may be more
    than the rows' sum, and never less. :ivar unplaced: calls of which it is not told whether they meet the filters, or
    lie in the period. :ivar hidden: calls in rows of which some key or the time is not told.
    :ivar k: fewest callers that a cell stands for, the smallest of the clients' own. :ivar before: the same of the
    period before, where it was asked for: its rows meet these by their keys, and by the number of their step.
    :ivar grains: client id -> how finely its newest span lets dimensions be told in time. :ivar is_exact: whether it
    was counted from calls, for people who may see them. :ivar rest: what the rows do not tell.
    """

    asked: Asked
    rows: tuple[Row, ...]
    total: Row
    unplaced: int
    hidden: int
    k: int
    before: "Report | None" = None
    grains: dict[int, Grain] = field(default_factory=dict)
    is_exact: bool = False
    rest: Rest = field(default_factory=Rest)

    def empty(self, at: At, keys: tuple[str | None, ...]) -> Row:
        """A row of which nothing is told: no call, or hidden ones."""
        nothing = {measure: Figure(0) for measure in self.asked.measures}
        return Row(at, keys, 0, nothing, self.rest.may_add_to(at, keys))


type Source = Callable[[Asked], Report]
"""Where a report's rows come from: cells (`report`), or the calls themselves (`exact.report`)."""


# --- The plan: which list of cells answers ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Plan:
    """
    Where one column of figures comes from.

    :ivar whole: the sheet for spans that lie within the period and one step; :ivar cut: for all others.
    """

    whole: Sheet
    cut: Sheet


def _plan(columns: frozenset[str], *, timed: bool) -> _Plan:
    if not columns:
        return _Plan(Sheet.TIME, Sheet.TIME)
    if len(columns) == 1 and not timed:
        (name,) = columns
        return _Plan(_SHEETS[name], Sheet.GROUPS)
    return _Plan(Sheet.GROUPS, Sheet.GROUPS)


def _columns(asked: Asked, measure: Measure | None = None) -> frozenset[str]:
    """The columns that must be told for a figure."""
    named = {one.value for one in (*asked.dimensions, *asked.filters) if one in COLUMNS}
    if measure in FLAGS:
        named.add(FLAGS[measure][0])
    return frozenset(named)


# --- The queries ------------------------------------------------------------------------------------------------------

# Materialised, and of the cells' own types: row security lets nothing else look for cells by their index. Each look
# costs as much as there are clients in sight, so that spans of one kind that follow each other are one stretch.
_SPANS: Final = f"""
    WITH spans AS MATERIALIZED (
        SELECT s.client_id, s.starts_at, s.ends_at, p.zone, p.from_at, p.to_at, f.is_whole,
            (%(sums)s + CASE WHEN %(slots)s AND s.is_slotted AND f.is_within THEN {Sheet.SLOTS.value}
                WHEN f.is_whole THEN %(whole)s ELSE %(cut)s END)::smallint AS sheet
        FROM unnest(%(clients)s::bigint[], %(zones)s::text[], %(from)s::timestamptz[], %(to)s::timestamptz[])
            AS p (client_id, zone, from_at, to_at)
        JOIN analytics_span s ON s.client_id = p.client_id AND s.starts_at < p.to_at AND s.ends_at > p.from_at
        CROSS JOIN LATERAL (SELECT i.is_within, i.is_within AND s.grain >= %(step_grain)s AS is_whole
            FROM (SELECT s.starts_at >= p.from_at AND s.ends_at <= p.to_at AS is_within) AS i) AS f
    ), w AS MATERIALIZED (
        SELECT client_id, zone, from_at, to_at, is_whole, sheet, min(starts_at) AS first_at, max(ends_at) AS last_at
        FROM (
            SELECT spans.*, row_number() OVER (PARTITION BY client_id ORDER BY starts_at)
                - row_number() OVER (PARTITION BY client_id, sheet, is_whole ORDER BY starts_at) AS stretch
            FROM spans
        ) AS stretches
        GROUP BY client_id, zone, from_at, to_at, is_whole, sheet, stretch
    )
"""
_FROM: Final = """
    FROM w JOIN analytics_cell c ON c.client_id = w.client_id AND c.sheet = w.sheet
        AND c.starts_at >= w.first_at AND c.starts_at < least(w.last_at, w.to_at) AND c.ends_at > w.from_at
"""
# By its middle a cell lies in one day, week and month, also where it was made by the clocks of another zone.
_MIDDLE: Final = "(c.starts_at + (c.ends_at - c.starts_at) / 2)"
_INSIDE: Final = "c.starts_at >= w.from_at AND c.ends_at <= w.to_at"


def _bucket(step: Step) -> str:
    if step is Step.ALL:
        return "NULL::timestamp"
    local = (
        "c.starts_at" if step is Step.HOUR else f"date_trunc('{step.value}', {_MIDDLE} AT TIME ZONE w.zone)"
    )
    return f"CASE WHEN c.grain >= {step.grain.value} OR w.is_whole THEN {local} END"


def part_of(hour: str) -> str:
    """The key of the part of the day that an hour, as SQL, lies in."""
    return f"CASE {' '.join(f"WHEN {hour} >= {part} THEN '{part}'" for part in reversed(PARTS))} END"


def _key(dimension: Dimension) -> str:
    if dimension is Dimension.CLIENT:
        return "c.client_id::text"
    if dimension is Dimension.WEEKDAY:
        return (
            f"CASE WHEN c.weekday IS NOT NULL THEN c.weekday::text WHEN c.grain >= {Grain.DAY.value}"
            f" THEN extract(isodow FROM {_MIDDLE} AT TIME ZONE w.zone)::int::text END"
        )
    if dimension in {Dimension.HOUR_OF_DAY, Dimension.PART_OF_DAY}:
        hour = "extract(hour FROM c.starts_at AT TIME ZONE w.zone)::int"
        name, value = (
            ("hour", f"{hour}::text") if dimension is Dimension.HOUR_OF_DAY else ("part", part_of(hour))
        )
        return f"CASE WHEN c.{name} IS NOT NULL THEN c.{name}::text WHEN c.grain >= {Grain.HOUR.value} THEN {value} END"
    # Rows are sorted to be grouped, and by bytes that takes a fraction of the time.
    return f'c.{dimension.value} COLLATE "C"'


def _meets(asked: Asked, values: dict[str, Any], *, maybe: bool = False) -> str:
    """A condition: the cell meets every filter, or (`maybe`) is not known to miss one."""
    parts = []
    for dimension, wanted in asked.filters.items():
        values[f"filter_{dimension.value}"] = list(wanted)
        part = f"c.{dimension.value} = ANY(%(filter_{dimension.value})s)"
        parts.append(f"({part} OR c.{dimension.value} IS NULL)" if maybe else part)
    return " AND ".join(parts) or "TRUE"


type _Key = tuple[Any, ...]


@dataclass(slots=True)
class _Sums:
    """
    What one query found: key -> sums, in the order of its columns; and calls that have no sure place.

    :ivar has_whole: whether it met a span that lies within the period and one step, so that `_Plan.whole` answered.
    :ivar hidden: and :ivar told: as `Rest` has them, rows by their keys here.
    """

    rows: dict[_Key, tuple[int, ...]] = field(default_factory=dict)
    unplaced: int = 0
    has_whole: bool = False
    hidden: list[Hidden] = field(default_factory=list)
    told: dict[tuple[At, _Key], set[tuple[datetime, Keys]]] = field(default_factory=dict)

    @property
    def as_whole(self) -> "_Sums | None":
        """
        The sums of everything, as a query without steps and dimensions finds them; None where they do not follow.

        Every list holds each call once, so that any list's cells add up to all calls, as long as each cell that reaches
        into the period lies in it.
        """
        if self.unplaced:
            return None
        return _Sums({(None,): tuple(map(sum, zip(*self.rows.values(), strict=True)))} if self.rows else {})


def _sums(
    asked: Asked,
    plan: _Plan,
    sums: Sequence[str],
    values: dict[str, Any],
    *,
    timed: bool,
    of: Sum = Sum.CALLS,
) -> _Sums:
    """Add cells up by step and dimensions; `sums` are SQL, of whole numbers, `of` says in which lists."""
    filled: dict[str, Any] = {
        **values,
        "whole": plan.whole.value,
        "cut": plan.cut.value,
        "sums": of.value,
        # What tells weekdays or hours apart is no sum of a span.
        "step_grain": len(Grain) if timed else asked.step.grain.value,
        "slots": plan.whole is Sheet.TIME and timed and asked.step is Step.ALL,
    }
    meets = _meets(asked, filled)
    maybe = _meets(asked, filled, maybe=True)
    by = [_bucket(asked.step), *(_key(one) for one in asked.dimensions)]
    found = _Sums()
    with connection.cursor() as cursor:
        # Told that it groups one row, PostgreSQL would sort them, of which there are thousands.
        cursor.execute(
            "SET LOCAL enable_sort = off;"
            + _query(
                by, _kinds(asked, f"(({meets}) AND {_INSIDE}) IS TRUE", filled), [*sums, *_EXTENT], maybe
            )
            + "; RESET enable_sort",
            filled,
        )
        cursor.nextset()
        first_key = 5 + len(asked.filters)
        for is_sure, is_whole, sheet, *kinds in cursor.fetchall():
            cell, filtered, rest = kinds[:5], kinds[5:first_key], kinds[first_key:]
            key, added = tuple(rest[: len(by)]), rest[len(by) :]
            numbers = tuple(int(one or 0) for one in added[: len(sums)])
            found.has_whole |= is_whole
            at = _at(key[0], asked.step)
            if not is_sure or None in key[1:] or (at is None and asked.step is not Step.ALL):
                client_id, starts, ends, grain, span_id = cell
                zone = filled["zones"][filled["clients"].index(client_id)]
                low, high = (at, at) if at else steps_of(starts, ends, asked.step, zone)
                found.hidden.append(
                    Hidden(
                        Sheet(sheet - of), span_id, client_id, starts, ends, Grain(grain), key[1:], numbers[0], low,
                        high, is_placed=is_sure and (at is not None or asked.step is Step.ALL),
                        filtered=tuple(filtered),
                    )
                )  # fmt: skip
            else:
                begins = {(instant, tuple(filtered)) for instant in added[len(sums) :]}
                found.told[at, key[1:]] = found.told.get((at, key[1:]), set()) | begins
            if not is_sure:
                found.unplaced += numbers[0]
                continue
            # Parts of a row that come from spans of two kinds.
            before = found.rows.get(key)
            found.rows[key] = (
                numbers if before is None else tuple(map(sum, zip(before, numbers, strict=True)))
            )
    return found


_EXTENT: Final = ("min(c.starts_at)", "max(c.starts_at)")


def _kinds(asked: Asked, sure: str, values: dict[str, Any]) -> list[str]:
    """
    What rows of a query are told apart by besides their keys: whether they are sure, from which list, and which cell
    it was where something is hidden. Of a list of one fact each span is one for itself.
    """
    hidden = [f"NOT ({sure})"]
    if asked.step is not Step.ALL:
        hidden.append(f"NOT (c.grain >= {asked.step.grain.value} OR w.is_whole)")
    for dimension in asked.dimensions:
        if dimension in COLUMNS:
            hidden.append(f"c.{dimension.value} IS NULL")
        elif dimension is not Dimension.CLIENT:
            name, grain = _BY_TIME[dimension]
            hidden.append(f"(c.{name} IS NULL AND c.grain < {grain.value})")
    if len(values["clients"]) == 1 or Dimension.CLIENT in asked.dimensions:
        hidden.append(f"w.sheet - %(sums)s >= {Sheet.SOURCE.value}")
    cell = " OR ".join(hidden)
    names = ["c.client_id", "c.starts_at", "c.ends_at", "c.grain", "c.span_id"]
    names += [f"c.{dimension.value}" for dimension in asked.filters]
    return [sure, "w.is_whole", "w.sheet", *(f"CASE WHEN {cell} THEN {name} END" for name in names)]


def _query(by: Sequence[str], kinds: Sequence[str], sums: Sequence[str], meets: str) -> str:
    """
    Cells grouped by kinds and by keys. Keys of time are computed once for each beginning of a cell, of which there are
    few, rather than once for each cell.
    """
    raw = ["c.starts_at", "c.ends_at", "c.grain", "c.weekday", "c.part", "c.hour", "w.zone", "w.is_whole"]
    is_timed = [any(name in key for name in raw) for key in by]
    if not any(is_timed):
        numbers = ", ".join(str(place) for place in range(1, len(kinds) + len(by) + 1))
        return f"{_SPANS} SELECT {', '.join([*kinds, *by, *sums])} {_FROM} WHERE {meets} GROUP BY {numbers}"
    inner = [*(f"{key} AS kind_{place}" for place, key in enumerate(kinds))]
    inner += raw
    inner += [f"{key} AS key_{place}" for place, key in enumerate(by) if not is_timed[place]]
    numbers = ", ".join(str(place) for place in range(1, len(inner) + 1))
    inner += [f"{one} AS sum_{place}" for place, one in enumerate(sums) if one not in _EXTENT]
    outer = [f"c.kind_{place}" for place in range(len(kinds))]
    outer += [
        key.replace("w.", "c.") if is_timed[place] else f"c.key_{place}" for place, key in enumerate(by)
    ]
    places = ", ".join(str(place) for place in range(1, len(outer) + 1))
    outer += [one if one in _EXTENT else f"sum(c.sum_{place})" for place, one in enumerate(sums)]
    return (
        f"{_SPANS} SELECT {', '.join(outer)} FROM"
        f" (SELECT {', '.join(inner)} {_FROM} WHERE {meets} GROUP BY {numbers}) AS c GROUP BY {places}"
    )


_CALLS: Final = ("sum(c.calls)",)


def _flag(measure: Measure) -> tuple[str, str]:
    column, counted = FLAGS[measure]
    words = ", ".join(f"'{word}'" for word in counted)
    return (
        f"sum(c.calls) FILTER (WHERE c.{column} IS NOT NULL)",
        f"sum(c.calls) FILTER (WHERE c.{column} IN ({words}))",
    )


def report(asked: Asked) -> Report:
    """
    Answer a report: three to thirteen queries over cells, whatever it spans. Inside a scope that may see the clients.

    :raises ReportError: nothing answers this; the text says what to ask instead.
    """
    asked.check()
    if EXACT_ONLY & set(asked.dimensions):
        raise ReportError("Landing pages and keywords appear in exact reports only.")
    lib_scope.require()
    clients = list(Client.objects.filter(pk__in=asked.client_ids).order_by("pk"))
    values = _values(asked, clients)
    rows, found = _rows(asked, values)
    dark = _dark(asked, values)
    complete = _complete(asked, values, found[Sum.CALLS])
    rest = _rest(asked, values, found[Sum.CALLS], dark, complete)
    whole = Asked(
        client_ids=asked.client_ids,
        measures=asked.measures,
        first=asked.first,
        last=asked.last,
        filters=asked.filters,
    )
    if asked.dimensions or asked.step is not Step.ALL:
        totals, found = _rows(
            whole, values, known={} if asked.filters else {of: sums.as_whole for of, sums in found.items()}
        )
    else:
        totals = rows
    nothing = Row(None, (), 0, {measure: Figure(0) for measure in asked.measures})
    total = totals[0] if totals else nothing
    rows = [replace(row, is_partial=rest.may_add_to(row.at, row.keys)) for row in rows]
    rows.sort(
        key=lambda row: (row.at is None, str(row.at or ""), -row.calls, tuple(str(key) for key in row.keys))
    )
    hidden = sum(
        row.calls for row in rows if not row.is_whole or (row.at is None and asked.step is not Step.ALL)
    )
    return Report(
        asked=asked,
        rows=tuple(rows),
        total=replace(
            total, is_partial=_rest(whole, values, found[Sum.CALLS], dark, complete).may_add_to(None, ())
        ),
        unplaced=found[Sum.CALLS].unplaced,
        hidden=hidden,
        k=least_callers(clients),
        before=report(asked.before) if asked.compare else None,
        grains=grains_of(clients),
        rest=rest,
    )


def _rest(
    asked: Asked,
    values: dict[str, Any],
    sums: _Sums,
    dark: Sequence[Hidden],
    complete: frozenset[tuple[int, str, str]],
) -> Rest:
    """What a report does not tell: calls of hidden cells, and of spans that tell nothing."""
    clients = {one.client_id for one in dark}
    zones = dict(zip(values["clients"], values["zones"], strict=True)) if clients else {}
    hidden = list(sums.hidden)
    for one in dark:
        low, high = steps_of(one.starts, one.ends, asked.step, zones[one.client_id])
        keys = tuple(
            str(one.client_id) if dimension is Dimension.CLIENT else None for dimension in asked.dimensions
        )
        filtered = tuple(None for _ in asked.filters)
        hidden.append(replace(one, keys=keys, low=low, high=high, filtered=filtered))
    is_apart = len(values["clients"]) == 1 or Dimension.CLIENT in asked.dimensions
    return Rest(
        asked.step,
        tuple(hidden),
        sums.told,
        is_apart,
        tuple(dimension.value for dimension in asked.dimensions),
        {dimension.value: tuple(wanted) for dimension, wanted in asked.filters.items()},
        complete,
    )


def _complete(asked: Asked, values: dict[str, Any], sums: _Sums) -> frozenset[tuple[int, str, str]]:
    """As `Rest` has it, of the spans of one client whose groups hide something."""
    spans = {one.span_id for one in sums.hidden if one.sheet is Sheet.GROUPS}
    if not spans or len(values["clients"]) != 1:
        return frozenset()
    of_fact = [
        (name, COLUMNS[Dimension(name)], f"c.{name}::text", f"c.{name} IS NOT NULL")
        for name in sorted(_columns(asked))
    ]
    if asked.step is not Step.ALL:
        bucket = (
            "to_char(c.starts_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI')"
            if asked.step is Step.HOUR
            else f"to_char(date_trunc('{asked.step.value}', {_MIDDLE} AT TIME ZONE %(zone)s), 'YYYY-MM-DD')"
        )
        of_fact.append((AT, Sheet.TIME, bucket, f"c.grain >= {asked.step.grain.value}"))
    if not of_fact:
        return frozenset()
    with connection.cursor() as cursor:
        cursor.execute(
            " UNION ALL ".join(
                f"""
                SELECT c.span_id, '{name}', {value} FROM analytics_cell c
                WHERE c.client_id = %(client)s AND c.span_id = ANY(%(spans)s) AND {is_told}
                    AND c.sheet = ANY('{{{Sheet.GROUPS.value},{sheet.value}}}'::smallint[])
                GROUP BY 1, 3 HAVING sum(c.calls) FILTER (WHERE c.sheet = {Sheet.GROUPS.value})
                    = sum(c.calls) FILTER (WHERE c.sheet = {sheet.value})
                """
                for name, sheet, value, is_told in of_fact
            ),
            {"client": values["clients"][0], "spans": list(spans), "zone": values["zones"][0]},
        )
        return frozenset(cursor.fetchall())


def _dark(asked: Asked, values: dict[str, Any]) -> list[Hidden]:
    """
    Spans that have calls and tell nothing of them, as they are of too few callers.

    Where opted-out calls are asked for, those too that do not say how many they are: few, or none.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH spans AS MATERIALIZED (
                SELECT s.id, s.client_id, s.starts_at, s.ends_at, s.grain, p.to_at,
                    s.left_out IS NULL OR s.starts_at < p.from_at OR s.ends_at > p.to_at
                        OR s.grain < {asked.step.grain.value} AS is_open
                FROM unnest(%(clients)s::bigint[], %(from)s::timestamptz[], %(to)s::timestamptz[])
                    AS p (client_id, from_at, to_at)
                JOIN analytics_span s
                    ON s.client_id = p.client_id AND s.starts_at < p.to_at AND s.ends_at > p.from_at
            ), w AS MATERIALIZED (
                SELECT client_id, min(starts_at) AS first_at, max(to_at) AS to_at FROM spans GROUP BY client_id
            )
            SELECT client_id, starts_at, ends_at, grain FROM spans WHERE %(of_opted_out)s AND is_open OR id NOT IN (
                SELECT c.span_id FROM w JOIN analytics_cell c ON c.client_id = w.client_id
                    AND c.sheet = {Sheet.DIRECTION.value}::smallint
                    AND c.starts_at >= w.first_at AND c.starts_at < w.to_at
            )
            """,
            {**values, "of_opted_out": Measure.OPTED_OUT in asked.measures},
        )
        return [
            Hidden(Sheet.TIME, 0, client_id, starts, ends, Grain(grain), (), None)
            for client_id, starts, ends, grain in cursor.fetchall()
        ]


def _values(asked: Asked, clients: Sequence[Client]) -> dict[str, Any]:
    def starts(day: date, client: Client) -> datetime:
        return datetime.combine(day, time.min, tzinfo=ZoneInfo(client.time_zone))

    return {
        "clients": [client.pk for client in clients],
        "zones": [client.time_zone for client in clients],
        "from": [starts(asked.first, client) for client in clients],
        "to": [starts(asked.last, client) for client in clients],
    }


def _rows(
    asked: Asked, values: dict[str, Any], *, known: Mapping[Sum, _Sums | None] | None = None
) -> tuple[list[Row], dict[Sum, _Sums]]:
    """
    The rows in no order, and the sums that they are made of.

    :param known: these sums, where they are known already.
    """
    known = known or {}
    timed = not _BY_TIME.keys().isdisjoint(asked.dimensions)
    # One query for each list of cells, with all that is asked of it.
    plans: dict[_Plan, list[Measure]] = {(base := _plan(_columns(asked), timed=timed)): []}
    for measure in asked.measures:
        if measure in FLAGS:
            plans.setdefault(_plan(_columns(asked, measure), timed=timed), []).append(measure)
    counted = known.get(Sum.CALLS)
    found = {base: counted} if counted is not None and not plans[base] else {}
    for plan, measures in sorted(plans.items(), key=lambda one: one[0] == base):
        if plan in found:
            continue
        # Where no span lies within a step all plans that cut alike read the same cells.
        same = [one for other, one in found.items() if other.cut == plan.cut and not one.has_whole]
        if same and not measures:
            found[plan] = same[0]
            continue
        sums = [*_CALLS, *(part for measure in measures for part in _flag(measure))]
        found[plan] = _sums(asked, plan, sums, values, timed=timed)
    calls = found[base].rows
    figures: dict[_Key, dict[Measure, Figure]] = {
        key: {Measure.CALLS: Figure(sums[0])} if Measure.CALLS in asked.measures else {}
        for key, sums in calls.items()
    }
    added = {Sum.CALLS: found[base]}
    for measure in _ADDED.keys() & set(asked.measures):
        of, column = _ADDED[measure]
        sums = [*_CALLS, f"sum(c.{column})"]
        added[of] = known.get(of) or _sums(asked, base, sums, values, timed=timed, of=of)
        _add_amounts(figures, calls, added[of].rows, measure, asked.step)
    for plan, measures in plans.items():
        _add_flags(figures, calls, found[plan].rows, measures)
    if Measure.CALLERS in asked.measures:
        _add(figures, Measure.CALLERS, _callers(asked, values, calls))
    if Measure.OPTED_OUT in asked.measures:
        _add(figures, Measure.OPTED_OUT, _left_out(asked, values))
    return [
        Row(_at(key[0], asked.step), key[1:], calls[key][0] if key in calls else 0, row)
        for key, row in figures.items()
    ], added


def _add_amounts(
    figures: dict[_Key, dict[Measure, Figure]],
    calls: dict[_Key, tuple[int, ...]],
    found: dict[_Key, tuple[int, ...]],
    measure: Measure,
    step: Step,
) -> None:
    """
    A sum, where its lists tell it of the same calls as the row counts.

    They tell no more of a call than the lists of calls do: what is wholly told in both is of the same calls where it is
    of as many, and what is told in part where all rows are.
    """
    of = {key: found[key][0] if key in found else 0 for key in calls}
    is_same = all(of[key] == row[0] for key, row in calls.items())
    for key, row in calls.items():
        is_whole = None not in (key[1:] if step is Step.ALL else key)
        is_told = of[key] == row[0] and (is_same or is_whole)
        figures[key][measure] = Figure(found[key][1]) if is_told else NO_FIGURE


def _add_flags(
    figures: dict[_Key, dict[Measure, Figure]],
    calls: dict[_Key, tuple[int, ...]],
    found: dict[_Key, tuple[int, ...]],
    measures: Sequence[Measure],
) -> None:
    """What is counted by yes or no: yes, and how many calls do not tell."""
    nothing = (0,) * (len(_CALLS) + 2 * len(measures))
    for key, sums in calls.items():
        told = found.get(key, nothing)[len(_CALLS) :]
        for place, measure in enumerate(measures):
            figures[key][measure] = Figure(told[2 * place + 1], max(sums[0] - told[2 * place], 0))


def _add(figures: dict[_Key, dict[Measure, Figure]], measure: Measure, found: dict[_Key, Figure]) -> None:
    for row in figures.values():
        row[measure] = Figure(0)
    for key, figure in found.items():
        figures.setdefault(key, {})[measure] = figure


def _at(found: datetime | None, step: Step) -> date | datetime | None:
    if found is None or step is Step.HOUR:
        return found
    return found.date()


def _callers(asked: Asked, values: dict[str, Any], calls: dict[_Key, tuple[int, ...]]) -> dict[_Key, Figure]:
    """
    Distinct callers of each day, added up over the days of a step.

    Days of too few are left out; calls of these are unknown.
    """
    plan = _Plan(Sheet.DAYS, Sheet.DAYS)
    found = _sums(asked, plan, ("sum(c.calls)", "sum(c.callers)"), values, timed=False).rows
    return {
        key: Figure(callers, max(0, calls[key][0] - told) if key in calls else 0)
        for key in {**calls, **found}
        for told, callers in [found.get(key, (0, 0))]
    }


def _left_out(asked: Asked, values: dict[str, Any]) -> dict[_Key, Figure]:
    """Calls that were not measured because people said no, of spans that lie within the period and a step."""
    local = (
        "NULL::timestamp"
        if asked.step is Step.ALL
        else "s.starts_at"
        if asked.step is Step.HOUR
        else f"date_trunc('{asked.step.value}', {_MIDDLE.replace('c.', 's.')} AT TIME ZONE w.zone)"
    )
    by = [local, *("s.client_id::text" for _ in asked.dimensions)]
    numbers = ", ".join(str(number) for number in range(1, len(by) + 1))
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {", ".join(by)}, sum(s.left_out)
            FROM unnest(%(clients)s::bigint[], %(zones)s::text[], %(from)s::timestamptz[], %(to)s::timestamptz[])
                AS w (client_id, zone, from_at, to_at)
            JOIN analytics_span s ON s.client_id = w.client_id AND s.starts_at >= w.from_at AND s.ends_at <= w.to_at
            WHERE s.left_out IS NOT NULL AND s.grain >= {asked.step.grain.value}
            GROUP BY {numbers}
            """,
            values,
        )
        return {tuple(row[:-1]): Figure(int(row[-1])) for row in cursor.fetchall()}


def least_callers(clients: Sequence[Client]) -> int:
    """How many callers each of these clients' figures needs at least: the fewest of their rules; one query."""
    said = dict.fromkeys([client.pk for client in clients], rules.K)
    said |= dict(ReportRule.objects.filter(client_id__in=list(said)).values_list("client_id", "k"))
    return min(said.values(), default=rules.K)


def grains_of(clients: Sequence[Client]) -> dict[int, Grain]:
    """Client id -> the grain of its newest span; clients without any are left out."""
    rows = (
        Span.objects.filter(client_id__in=[client.pk for client in clients])
        .order_by("client_id", "-starts_at")
        .distinct("client_id")
        .values_list("client_id", "grain")
    )
    return {client_id: Grain(grain) for client_id, grain in rows}


def values_of(client_ids: Sequence[int], dimension: Dimension, *, limit: int = 200) -> list[str]:
    """The values of a dimension that may be told, of spans of these clients, most calls first; for filters."""
    lib_scope.require()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT c.{dimension.value} FROM analytics_cell c
            WHERE c.client_id = ANY(%s) AND c.sheet = %s AND c.{dimension.value} IS NOT NULL
            GROUP BY 1 ORDER BY sum(c.calls) DESC LIMIT %s
            """,
            [list(client_ids), COLUMNS[dimension].value, limit],
        )
        return [value for (value,) in cursor.fetchall()]
