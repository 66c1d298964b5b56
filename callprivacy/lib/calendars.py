"""
Working days and months of the law: what days are public holidays where, and which instant a local day ends at.

A place is a country (ISO 3166-1 alpha-2) and, where it has holidays of its own, a part of it as `holidays` names it
("CA" of US, "SCT" of GB, "BY" of DE). Without its part a country has only what all of its parts have.
"""

import calendar
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import holidays

_DAY: Final = timedelta(days=1)
_ANY_YEAR: Final = 2026
_MOVED_BY_DECREE: Final = frozenset({"GR"})
"""Where a holiday moves only by a decree of its year, which the library presumes (Greece, 1 May in Holy Week)."""


def is_known(country: str, region: str = "") -> bool:
    """Whether the public holidays of a place are known."""
    return _holidays_of(country, region, _ANY_YEAR) is not None


def is_holiday(day: date, *, country: str, region: str = "") -> bool:
    """
    Whether nobody is called on a day: a public holiday of the place, or a working day that was exchanged for another.

    Of a part whose own nobody knows, one of its country.
    """
    known = _holidays_of(country, region, day.year)
    if known is None and region:
        known = _holidays_of(country, "", day.year)
    return known is not None and day in known


def is_working_day(day: date, *, country: str = "", region: str = "") -> bool:
    """
    Whether a day is neither Saturday, nor Sunday, nor a public holiday of the place.

    A place whose holidays are not known, and no place, have weekends only. A working day that a government exchanged
    for a Saturday (Hungary, Latvia) is no public holiday, and no deadline waits for it.
    """
    known = _public_holidays_of(country, region, day.year)
    return day.weekday() < 5 and (known is None or day not in known)


def working_day_from(day: date, *, country: str = "", region: str = "") -> date:
    """The day itself where it is a working day of the place, else the next one."""
    while not is_working_day(day, country=country, region=region):
        day += _DAY
    return day


def add_working_days(day: date, count: int, *, country: str = "", region: str = "") -> date:
    """The last of so many working days after a day, which itself does not count; 0 is the day itself."""
    while count:
        day += _DAY
        if is_working_day(day, country=country, region=region):
            count -= 1
    return day


def add_months(day: date, months: int) -> date:
    """The same date so many months later, the month's last day where it has no such date."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def day_in(zone: str, at: datetime) -> date:
    """The day of an instant by the clocks of a zone, by its name."""
    return at.astimezone(ZoneInfo(zone)).date()


def end_of(day: date, zone: ZoneInfo) -> datetime:
    """The first instant after a local day, in UTC: where midnight is skipped, the one at which it is skipped."""
    return datetime.combine(day + _DAY, time.min, tzinfo=zone).astimezone(UTC)


@lru_cache(maxsize=4096)
def _public_holidays_of(country: str, region: str, year: int) -> frozenset[date] | None:
    """The public holidays alone, without days that were exchanged for others, and moved ones that nobody decreed."""
    known = _holidays_of(country, region, year)
    if known is None:
        return None
    days = holidays.country_holidays(
        country, subdiv=region or None, years=year, observed=country not in _MOVED_BY_DECREE
    )
    exchanged = str(getattr(days, "substituted_label", None) or "").partition("%s")[0]
    return frozenset(day for day in days if not exchanged or not days[day].startswith(exchanged))


@lru_cache(maxsize=4096)
def _holidays_of(country: str, region: str, year: int) -> frozenset[date] | None:
    """
    The public holidays of a place in a year, None where nobody knows them.

    They are read once and whole: the library's own calendars fill themselves as they are asked, a year at a time, and a
    second thread can find such a year begun and empty. A day observed for a holiday of the next year is among its own.
    """
    if not country:
        return None
    try:
        return frozenset(holidays.country_holidays(country, subdiv=region or None, years=year))
    except NotImplementedError:
        return None
