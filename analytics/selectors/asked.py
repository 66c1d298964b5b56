"""The explorer's question: what is measured, by what, of which days, and how it stands in an address."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from django.utils.http import urlencode

PERIODS: Final = {
    "this_month": "This month",
    "month": "Last month",
    "today": "Today",
    "7": "Last 7 days",
    "28": "Last 28 days",
    "90": "Last 90 days",
    "week": "Last week",
    "year": "This year",
    "own": "Own dates",
}
WHOLE: Final = frozenset({"this_month", "month", "year"})
"""Periods of whole months: of others protected reports suppress most figures, and do not offer them."""
STEPS: Final = {"day": "Day", "hour": "Hour", "week": "Week", "month": "Month"}
STEPS_BY_LENGTH: Final = ("hour", "day", "week", "month")
KINDS: Final = {
    "line": "Line",
    "columns": "Columns",
    "stacked": "Stacked",
    "bars": "Bars",
    "heat": "Weekday by hour",
    "states": "US states",
    "countries": "Countries",
}
OVER_TIME: Final = frozenset({"line", "columns", "stacked"})
LONGEST: Final = 800
"""Days that a question may span."""
HOURS_AT_MOST: Final = 14
"""Days of which hours are drawn at once."""
HOURS_OF_EXACT: Final = 92
"""The same in an exact report."""
DAYS_AT_MOST: Final = 92
"""Days of a period that is drawn day by day where nobody says otherwise; longer ones are drawn by weeks."""
DAYS_WITH_DIMENSIONS: Final = 14
"""The same where calls are told apart by something besides."""


def usual(today: date) -> str:
    """The period that is meant where none is named: this month, in its first week the one before."""
    return "this_month" if today.day > 7 else "month"


def period_of(name: str, today: date) -> tuple[date, date]:
    """
    The first and the last day of a named period, both included.

    :param today: of the client's zone. "Last 28 days" are whole days and end with yesterday.
    :raises KeyError: there is no period of this name.
    """
    first_of_month = today.replace(day=1)
    if name in {"7", "28", "90"}:
        return today - timedelta(days=int(name)), today - timedelta(days=1)
    if name == "week":
        monday = today - timedelta(days=today.weekday())
        return monday - timedelta(days=7), monday - timedelta(days=1)
    return {
        "today": (today, today),
        "this_month": (first_of_month, today),
        "month": ((first_of_month - timedelta(days=1)).replace(day=1), first_of_month - timedelta(days=1)),
        "year": (today.replace(month=1, day=1), today),
    }[name]


def before(first: date, last: date) -> tuple[date, date]:
    """
    The period before: whole months before whole months, the same days of the month before where it begins with one,
    else as many days.

    Cells are made by the month, so that whole months are told best.
    """
    if first.day == 1:
        months = (last.year - first.year) * 12 + last.month - first.month + 1
        begin = _months_back(first, months)
        if (last + timedelta(days=1)).day == 1:
            return begin, first - timedelta(days=1)
        return begin, min(begin + (last - first), first - timedelta(days=1))
    return first - (last - first) - timedelta(days=1), first - timedelta(days=1)


def _months_back(first: date, months: int) -> date:
    for _ in range(months):
        first = (first - timedelta(days=1)).replace(day=1)
    return first


def end_of(period: str, last: date) -> date:
    """
    The first day after a period, as cells are asked for it: the month that is running is asked for as a whole.

    In the days to come there are no calls, and what is told of a whole month is told of it alone.
    """
    if period in {"this_month", "year"}:
        return (last.replace(day=1) + timedelta(days=32)).replace(day=1)
    return last + timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Asked:
    """
    A question to the explorer.

    :ivar by: up to three dimensions.
    :ivar filters: dimension -> the one value that is looked at.
    """

    measure: str
    by: tuple[str, ...]
    step: str
    period: str
    first_on: date
    last_on: date
    compare: bool
    kind: str
    filters: dict[str, str] = field(default_factory=dict)

    @property
    def days(self) -> int:
        """How many days it spans."""
        return (self.last_on - self.first_on).days + 1

    def query(self, **changed: str) -> str:
        """The question as it stands in the address, with some of it changed ("" leaves a part out)."""
        said: dict[str, str] = {"measure": self.measure}
        said |= dict(zip(("by", "by2", "by3"), self.by, strict=False))
        said |= {"step": self.step, "period": self.period}
        if self.period == "own":
            said |= {"from_on": self.first_on.isoformat(), "until_on": self.last_on.isoformat()}
        if self.compare:
            said["compare"] = "on"
        said |= {"kind": self.kind} | self.filters | changed
        return urlencode({name: value for name, value in said.items() if value})
