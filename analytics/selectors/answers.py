"""An answer of the explorer on its way, and the rows of a report put together by what they are told of."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from analytics.selectors.asked import Asked
from analytics.selectors.reports import Report, Row
from analytics.selectors.showing import Shown, changed, name_of, value_of, without
from callprivacy.lib.charts.figure import Chart
from callprivacy.lib.charts.shapes import Value

NO_PATTERN: Final = "No clear pattern: no difference here passes the test."
NOT_YET: Final = "Nothing is said before the calls are counted."
TOO_LITTLE: Final = "No sentence is said where figures that it would compare are suppressed."


@dataclass(frozen=True, slots=True)
class Table:
    """
    A table of the page: heads, and rows of words and values.

    :ivar steps: of a table over time, what the first column names: a day, or an hour of the client's clock.
    """

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str | Value]]
    steps: Sequence[date] = ()


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
    """
    The row of one set of values, now and in the period before.

    :ivar is_other: whether it is all the sets together whose numbers are suppressed, and those that have no name here.
    """

    keys: tuple[str | None, ...]
    name: str
    now: Row
    before: Row | None
    is_other: bool = False


def groups_of(report: Report, by: Sequence[str], shown: Shown) -> list[Group]:
    """A group for each set of values, most calls first, suppressed ones after them, the others' sum last."""
    before = report.before
    now = {row.keys: row for row in report.rows if row.is_whole}
    was = {row.keys: row for row in before.rows if row.is_whole} if before else {}
    found = [
        Group(
            keys,
            name_of(by, keys),
            now.get(keys) or report.empty(None, keys),
            (was.get(keys) or before.empty(None, keys)) if before else None,
        )
        for keys in {**now, **was}
    ]
    found.sort(key=lambda group: (is_hidden(shown, group.now), -group.now.calls, group.name))
    other = other_of(report, by, shown, found)
    return [*found, other] if other is not None else found


def is_hidden(shown: Shown, row: Row | None) -> bool:
    return row is not None and value_of(shown, row).hidden


def other_of(report: Report, by: Sequence[str], shown: Shown, groups: Sequence[Group]) -> Group | None:
    if not by or report.is_exact:
        return None
    now = without(report.total, [one.now for one in groups if not is_hidden(shown, one.now)])
    if not (now.calls or now.is_partial):
        return None
    was = None
    if report.before is not None:
        rows = [one.before for one in groups if one.before and not is_hidden(shown, one.before)]
        was = without(report.before.total, rows)
    keys = tuple(None for _ in by)
    return Group(keys, name_of(by, keys), now, was, is_other=True)
