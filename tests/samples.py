"""Samples with dates of their own, moved as far as the suite's clock is from its default."""

import re
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from tests import clock
from tests.make import NOON

_MOVED: Final = clock.BEGINS.date() - clock.DEFAULT.date()
_MONTH: Final = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_FORMS: Final = {
    r"\b\d{4}-\d\d-\d\d(?!\d)": "%Y-%m-%d",
    rf"\b\w{{3}}, \d\d {_MONTH} \d{{4}}\b": "%a, %d %b %Y",
    rf"(?<!, )\b\d\d? {_MONTH} \d{{4}}\b": "%-d %b %Y",
    rf"\b{_MONTH}[a-z]* \d\d?, \d{{4}}\b": "%B %-d, %Y",
}
_MILLISECONDS: Final = re.compile(r"\b1[67]\d{11}\b")
_NEW_YORK: Final = ZoneInfo("America/New_York")


def _later(form: str, found: re.Match[str]) -> str:
    read = datetime.strptime(found[0], form.replace("%-d", "%d"))
    return f"{read + _MOVED:{form}}"


def moved(sample: str) -> str:
    """A sample whose dates lie as far from `NOON` as those that it names lie from 24 November 2026, noon."""
    for pattern, form in _FORMS.items():
        sample = re.sub(pattern, partial(_later, form), sample)
    return _MILLISECONDS.sub(lambda found: str(int(found[0]) + _MOVED // timedelta(milliseconds=1)), sample)


def new_york(at: datetime = NOON, form: str = "%-d %b %Y, %H:%M") -> str:
    """An instant by the clocks of New York, as a page shows it."""
    return f"{at.astimezone(_NEW_YORK):{form}}"


def local(days: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """An instant by the clocks of New York, so many days from the day of `NOON`."""
    return datetime.combine(NOON.date() + timedelta(days), time(hour, minute, second), _NEW_YORK)


def night_of_25_hours() -> date:
    """The last day before `NOON` on which New York's clocks were set back, less than 400 days ago."""
    day = local(0, 0)
    while day.replace(hour=1, fold=1).utcoffset() == day.utcoffset():
        day -= timedelta(days=1)
    return day.date()
