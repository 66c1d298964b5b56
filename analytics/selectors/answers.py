"""An answer of the explorer on its way, and the rows of a report put together by what they are told of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from analytics.charts.figure import Chart
from analytics.charts.shapes import Value
from analytics.enums import Measure
from analytics.selectors.asked import Asked
from analytics.selectors.reports import SUPPRESSED, Figure, Report, Row
from analytics.selectors.showing import Shown, changed, name_of, together

NO_PATTERN: Final = "No clear pattern: no difference here passes the test."
NOT_YET: Final = "Nothing is said before the calls are counted."


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the page: heads, and rows of words and values."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str | Value]]


@dataclass(slots=True)
class Answer:
    """
    What the explorer found.

    :ivar said: the sentence over it; `found`: whether it says something.
    :ivar least: fewest callers that stand behind each number.
    :ivar counting: says that many calls wait to be counted, where they do.
    """

    asked: Asked
    shown: Shown
    total: Value
    least: int
    total_before: Value | None = None
    said: str = NO_PATTERN
    found: bool = False
    chart: Chart | None = None
    chart_title: str = ""
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_empty: bool = False
    counting: str = ""

    @property
    def total_words(self) -> str:
        """The whole of it in words, under the picture's title."""
        words = f"{self.total.words} in all" if not self.shown.over else f"{self.total.words} overall"
        if self.total_before is not None:
            words += (
                f"; {self.total_before.words} in the period before ({changed(self.total, self.total_before)})"
            )
        return words


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of one set of values as one, now and in the period before."""

    keys: tuple[str | None, ...]
    name: str
    now: Row | None
    before: Row | None

    @property
    def is_whole(self) -> bool:
        return None not in self.keys


def untold_of(report: Report) -> Row | None:
    """
    What is in a report's total and in none of its rows, or in rows of which no value is told: of some group, not told
    which.
    """
    told = together([row for row in report.rows if any(key is not None for key in row.keys)])
    calls = report.total.calls - (told.calls if told else 0)
    if calls <= 0:
        return None
    figures = {}
    for measure, figure in report.total.figures.items():
        known = told.figures.get(measure, Figure(0)) if told else Figure(0)
        if figure.is_suppressed or known.is_suppressed:
            figures[measure] = SUPPRESSED
            continue
        value = max(0, figure.value - known.value)
        is_sum = measure in {Measure.CALLS, Measure.SECONDS, Measure.VALUE}
        figures[measure] = Figure(value, 0 if is_sum else max(0, calls - value))
    return Row(None, tuple(None for _ in report.asked.dimensions), calls, figures)


def slack_of(report: Report, measure: Measure) -> int:
    """How much more of a measure any one group may have: what is not told of calls, and calls that may not belong."""
    row = untold_of(report)
    figure = row.figures.get(measure, Figure(0)) if row is not None else Figure(0)
    parts = sum(
        row.figures.get(measure, Figure(0)).value + row.figures.get(measure, Figure(0)).unknown
        for row in report.rows
        if None in row.keys and any(key is not None for key in row.keys)
    )
    return figure.value + figure.unknown + parts + report.unplaced


def groups_of(report: Report, by: Sequence[str]) -> list[Group]:
    """A group for each set of values, most calls first, those that are not told last."""
    now, was = by_keys(report.rows), by_keys(report.before.rows if report.before else ())
    if by:
        for rows, one in ((now, report), (was, report.before)):
            rows.pop(tuple(None for _ in by), None)
            untold = untold_of(one) if one is not None else None
            if untold is not None:
                rows[untold.keys] = untold
    found = [Group(keys, name_of(by, keys), now.get(keys), was.get(keys)) for keys in {**now, **was}]
    return sorted(
        found, key=lambda group: (not group.is_whole, -(group.now.calls if group.now else 0), group.name)
    )


def by_keys(rows: Sequence[Row]) -> dict[tuple[str | None, ...], Row]:
    """The rows of each set of values as one."""
    found: dict[tuple[str | None, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(row.keys, []).append(row)
    return {keys: one for keys, several in found.items() if (one := together(several)) is not None}
