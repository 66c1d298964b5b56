"""
A span's cells, out of the columns of its calls: a list for each fact alone, one of time, one of those who look alike.

Pure. Each list holds every call once and is made by `groups`, so that each cell is of at least k callers; what the list
of one fact alone does not tell is told in no other list (docs/adr/0152). What calls add up to is told in lists of its
own, whose cells are put together from those of the lists of calls, so that no caller's part follows (docs/adr/0152).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np

from analytics import groups, spans
from analytics.enums import PARTS, Grain, Sheet, Sum
from analytics.groups import Amounts, Fact, Flags, Ints

GROUPS: Final = 300
"""About how many groups a span has at most: with more callers, groups hold more of them."""

DAYS_FROM: Final = 0.9
"""Share of a month's calls on weekdays of which it can tell every day, from which on it tells days at all."""

FACTS: Final = (
    "source", "campaign", "medium", "direction", "outcome", "region", "length", "repeated", "converted", "kept",
)  # fmt: skip
# What is told first: of the others less is told where callers are few.
_ORDER: Final = (
    "source", "campaign", "medium", "converted", "outcome", "week", "region", "day", "direction", "repeated", "kept",
    "length", "hour",
)  # fmt: skip
_SLOTS: Final = ("weekday", "part", "slot")
_WITHIN: Final = {"day": "week", "part": "weekday", "slot": "part"}
# By what sums are told, what people look at first: what is told of one may keep another from being told.
_ADDED: Final = (
    "source", "campaign", "time", "outcome", "region", "medium", "direction", "repeated", "length",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Columns:
    """
    The calls of a span: what they say, as numbers, and the words behind the numbers.

    :ivar ids: and :ivar people: sixteen bytes for each call, its id and its caller's, where they were read.
    """

    millis: Ints
    callers: Ints
    seconds: Ints
    cents: Ints
    codes: dict[str, Ints]
    words: dict[str, list[str]]
    ids: bytes = b""
    people: bytes = b""


_NOTHING: Final = np.zeros(0, np.int64)
NO_CALLS: Final = Columns(_NOTHING, _NOTHING, _NOTHING, _NOTHING, dict.fromkeys(FACTS, _NOTHING), {})


@dataclass(frozen=True, slots=True)
class Line:
    """
    A cell on its way: its list, when, what it tells, and what it counts or adds up.

    :ivar sheet: a `Sheet` and a `Sum`, added up. :ivar seconds: and :ivar cents: None but in the lists of that sum.
    """

    sheet: int
    starts: int
    ends: int
    grain: Grain
    told: dict[str, str]
    calls: int
    seconds: int | None
    cents: int | None
    callers: int
    weekday: int | None = None
    part: int | None = None
    hour: int | None = None


class _Lists:
    """One span's calls, and the lists of cells that they become."""

    def __init__(
        self,
        columns: Columns,
        start: datetime,
        end: datetime,
        zone: str,
        grain: Grain,
        *,
        hourly: bool,
        k: int,
        p: int,
    ) -> None:
        self.columns, self.grain, self.k, self.p = columns, grain, k, p
        self.starts, self.ends = spans.millis(start), spans.millis(end)
        self.codes = dict(columns.codes)
        self.of: dict[Sheet, Ints] = {}
        self.shown: dict[Sheet, dict[str, Flags]] = {}
        self.ticks = spans.ticks(start, end, zone)
        self.times: tuple[str, ...] = ()
        if grain is not Grain.HOUR:
            hour = np.searchsorted(self.ticks.starts, columns.millis, side="right").astype(np.int64) - 1
            self.codes |= {"hour": hour, "day": self.ticks.days[hour], "week": self.ticks.weeks[hour]}
            self.times = ("hour",) if hourly else ()
            if grain is Grain.MONTH:
                weekday, slot = self.ticks.weekdays[hour], self.ticks.slots[hour]
                part = np.searchsorted(PARTS, slot % 24, side="right").astype(np.int64) - 1
                self.codes |= {"weekday": weekday, "part": weekday * len(PARTS) + part, "slot": slot}
                self.times = ("week", "day")

    def lines(self) -> list[Line]:
        """Every cell of the span; none where it has fewer than k callers."""
        if not len(self.columns.callers):
            return []
        every = np.ones(len(self.columns.callers), np.bool_)
        told: dict[str, Flags] = {}
        found = self._list(Sheet.TIME, self.times, dict.fromkeys(self.times, every), told)
        if not found:
            return []
        if "day" in told and self._weekdays(self.of[Sheet.TIME], daily=True).mean() < DAYS_FROM:
            self.times = ("week",)
            told.clear()
            found = self._list(Sheet.TIME, self.times, {"week": every}, told)
        for name in FACTS:
            found += self._list(Sheet[name.upper()], (name,), {name: every}, told)
        found += self._days(told.get("day"))
        if self.grain is Grain.MONTH:
            may = self._weekdays(self.of[Sheet.TIME], daily="day" in told)
            found += self._list(Sheet.SLOTS, _SLOTS, dict.fromkeys(_SLOTS, may), {})
        found += self._list(Sheet.GROUPS, self._order(told), told, {}, size=self._size())
        for of, amounts in ((Sum.SECONDS, self.columns.seconds), (Sum.VALUE, self.columns.cents)):
            found += self._added(of, Amounts(amounts, self.p))
        return found

    def _weekdays(self, times: Ints | None, *, daily: bool, amounts: Amounts | None = None) -> Flags:
        """
        Calls of weekdays that tell nothing of few callers beside the list of time (docs/adr/0152): of a weekday it
        tells every day, or no day at all is told and the days that do not follow from it have enough callers together.

        :param times: the cell of time of each call, which tells a day where its calls come on one day; None where there
            is no such list. :param daily: whether any day is told.
        """
        days, weekdays = self.codes["day"], self.codes["weekday"]
        if times is None:
            return np.ones(len(days), np.bool_)
        count = int(times.max()) + 1
        first, last = np.full(count, len(self.ticks.day_starts)), np.zeros(count, np.int64)
        np.minimum.at(first, times, days)
        np.maximum.at(last, times, days)
        unknown = (first != last)[times]
        few = np.ones(7, np.bool_)
        if not daily and unknown.any():
            some = amounts and amounts.among(unknown)
            few = groups.are_too_few(
                weekdays[unknown], self.columns.callers[unknown], 7, k=self.k, amounts=some
            )
        return ~np.isin(weekdays, weekdays[unknown & few[weekdays]])

    def _order(self, told: dict[str, Flags]) -> tuple[str, ...]:
        return tuple(name for name in _ORDER if name in told)

    def _size(self) -> int:
        """Callers that a group has at least, so that there are not too many groups."""
        callers = self.columns.callers
        return int(groups.callers_of(np.zeros(len(callers), np.int64), callers, 1)[0]) // GROUPS

    def _facts(self, names: Sequence[str], may: dict[str, Flags], shown: dict[str, Flags]) -> list[Fact]:
        facts = []
        for name in names:
            outer = _WITHIN.get(name, "")
            within = names.index(outer) if outer in names else None
            facts.append(Fact(self.codes[name], may[name], within, shown.get(name)))
        return facts

    def _list(
        self,
        sheet: Sheet,
        names: Sequence[str],
        may: dict[str, Flags],
        told: dict[str, Flags],
        *,
        size: int | None = None,
    ) -> list[Line]:
        """One list of calls, in the order of its groups; `told` learns what is told in it."""
        made = groups.group(self._facts(names, may, {}), self.columns.callers, k=self.k, size=size)
        self.of[sheet], self.shown[sheet] = made.of, dict(zip(names, made.shown, strict=True))
        told.update(self.shown[sheet])
        return self._cells(sheet, made, names, Sum.CALLS)

    def _added(self, of: Sum, amounts: Amounts) -> list[Line]:
        """The lists of a sum, each made beside those before it; none tells more of a call than that of calls does."""
        every = np.ones(len(self.columns.callers), np.bool_)
        told: dict[str, Flags] = {}
        lists: list[Ints] = []
        of_sheet: dict[Sheet, Ints] = {}
        found: list[Line] = []

        def add(
            sheet: Sheet, names: Sequence[str], may: dict[str, Flags], *, size: int | None = None
        ) -> bool:
            facts = self._facts(names, may, self.shown[sheet])
            whole = groups.group(facts, self.columns.callers, k=self.k, size=size, amounts=amounts)
            made = groups.apart(whole, lists, self.columns.callers, k=self.k, amounts=amounts)
            if sheet is Sheet.TIME and names[1:] and made.count < whole.count:
                # A day that tells too much takes no week along.
                return add(sheet, names[:-1], may)
            if made.count:
                lists.append(made.of)
                of_sheet[sheet] = made.of
                if sheet is not Sheet.SLOTS:
                    told.update(zip(names, made.shown, strict=True))
                found.extend(self._cells(sheet, made, names, of))
            return bool(made.count)

        for name in _ADDED:
            if name == "time":
                add(Sheet.TIME, self.times, dict.fromkeys(self.times, every))
            elif not add(Sheet[name.upper()], (name,), {name: every}):
                return []
        if self.grain is Grain.MONTH:
            may = self._weekdays(of_sheet.get(Sheet.TIME), daily="day" in told, amounts=amounts)
            add(Sheet.SLOTS, _SLOTS, dict.fromkeys(_SLOTS, may))
        add(Sheet.GROUPS, self._order(told), told, size=self._size())
        return found

    def _cells(self, sheet: Sheet, made: groups.Groups, names: Sequence[str], sums: Sum) -> list[Line]:
        if not made.count:
            return []
        _, first = np.unique(made.of, return_index=True)
        calls = np.bincount(made.of, minlength=made.count)
        seconds = np.bincount(made.of, self.columns.seconds, minlength=made.count)
        cents = np.bincount(made.of, self.columns.cents, minlength=made.count)
        callers = groups.callers_of(made.of, self.columns.callers, made.count)
        shown = dict(zip(names, made.shown, strict=True))
        lines = []
        for number, one in enumerate(first.tolist()):
            said = [name for name in names if shown[name][one]]
            starts, ends, grain = self._when(one, said)
            lines.append(
                Line(
                    sheet + sums,
                    starts,
                    ends,
                    grain,
                    {
                        name: self.columns.words[name][int(self.codes[name][one])]
                        for name in said
                        if name in FACTS
                    },
                    int(calls[number]),
                    int(seconds[number]) if sums is Sum.SECONDS else None,
                    int(cents[number]) if sums is Sum.VALUE else None,
                    int(callers[number]),
                    *self._slot(one, said),
                )
            )
        return lines

    def _slot(self, one: int, said: Sequence[str]) -> tuple[int | None, ...]:
        """The weekday, 1 is Monday, when its part begins, and the hour, as far as they are told."""
        if "weekday" not in said:
            return ()
        weekday, hour = divmod(int(self.codes["slot"][one]), 24)
        part = PARTS[int(self.codes["part"][one]) % len(PARTS)]
        return weekday + 1, part if "part" in said else None, hour if "slot" in said else None

    def _when(self, one: int, said: Sequence[str]) -> tuple[int, int, Grain]:
        for name, grain, edges in (
            ("hour", Grain.HOUR, self.ticks.starts),
            ("day", Grain.DAY, self.ticks.day_starts),
            ("week", Grain.WEEK, self.ticks.week_starts),
        ):
            if name in said:
                place = int(self.codes[name][one])
                return int(edges[place]), int(edges[place + 1]), grain
        return self.starts, self.ends, self.grain

    def _days(self, told: Flags | None) -> list[Line]:
        """How many different callers there were on each day that is told."""
        if self.grain is Grain.HOUR or (self.grain is Grain.MONTH and told is None):
            return []
        days = self.codes["day"]
        told = np.ones(len(days), np.bool_) if told is None else told
        callers = groups.callers_of(days[told], self.columns.callers[told], len(self.ticks.day_starts) - 1)
        calls = np.bincount(days[told], minlength=len(callers))
        return [
            Line(
                Sheet.DAYS,
                int(self.ticks.day_starts[day]),
                int(self.ticks.day_starts[day + 1]),
                Grain.DAY,
                {},
                int(calls[day]),
                None,
                None,
                int(callers[day]),
            )
            for day in np.flatnonzero(callers >= self.k).tolist()
        ]


@dataclass(frozen=True, slots=True)
class Told:
    """
    Every cell of a span; none where it has fewer than k callers.

    :ivar of: for each list of calls that holds every call once, a number for each call, equal for those of one cell.
    """

    lines: list[Line]
    of: dict[Sheet, Ints]


def cells_of(
    columns: Columns, start: datetime, end: datetime, zone: str, grain: Grain, *, hourly: bool, k: int, p: int
) -> Told:
    """
    What is told of a span.

    :param hourly: whether a day's hours are told. :param p: as of `groups.Amounts`.
    """
    lists = _Lists(columns, start, end, zone, grain, hourly=hourly, k=k, p=p)
    lines = lists.lines()
    return Told(lines, lists.of if lines else {})
