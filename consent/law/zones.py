"""
Which time it is where somebody is called, and when the phone may ring there.

A state that lies in two zones is in both: a call is made when it may be made in each, and so with a person who may
be at one of several places. Whose place nobody knows has no time, and is not called. Where a rule leaves out public
holidays, they are those that the place has. The zones of countries follow the time zone database (public domain,
`zone.tab`); zones whose clocks agree are named once.
"""

import csv
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from callprivacy.lib import calendars
from consent.law import places
from consent.law.topics import Hours

LOOKED_AHEAD: Final = 14
"""Days: longer than the longest stretch of closed days that a week and the holidays in it can hold."""

type Where = Collection[tuple[str, str]]
"""Places, (country, region), any of whose public holidays counts."""
type There = tuple[Hours, Sequence[str], Where]
"""The hours of a place, its zones, and whose holidays count there."""


@cache
def _table() -> dict[tuple[str, str], tuple[str, ...]]:
    with (Path(__file__).parent / "zones.csv").open(encoding="utf-8", newline="") as file:
        return {
            (row["country"], row["region"]): tuple(row["zones"].split("|")) for row in csv.DictReader(file)
        }


@lru_cache(maxsize=4096)
def zones_of(country: str, region: str = "") -> tuple[str, ...]:
    """
    The zones of a place, by name; those of the whole country where its region is not known, none for no place.

    :param region: "NS|PE" for one of several.
    """
    code, regions = places.normalise(country, region)
    found = {zone for one in regions for zone in _table().get((code, one), ())}
    return tuple(sorted(found)) or _table().get((code, ""), ())


def is_open(hours: Hours, zones: Collection[str], at: datetime, where: Where = ()) -> bool:
    """Whether somebody may be called at an instant, in every zone; never where no zone is known."""
    local = [at.astimezone(ZoneInfo(zone)) for zone in zones]
    return bool(local) and all(
        hours.allow(one.weekday(), one.time()) and not _is_left_out(hours, one.date(), where) for one in local
    )


def _is_left_out(hours: Hours, day: date, where: Where) -> bool:
    return not hours.on_holidays and is_holiday(day, where)


def is_holiday(day: date, where: Where) -> bool:
    """Whether a day is a public holiday at any of these places; a region that nobody knows has its country's."""
    return any(
        calendars.is_holiday(day, country=code, region=one)
        for country, region in where
        for code, regions in [places.normalise(country, region)]
        for one in regions or ("",)
    )


def falls_on_holiday(zones: Collection[str], at: datetime, where: Where) -> bool:
    """Whether an instant falls on a public holiday at these places, in any of their zones."""
    return any(is_holiday(calendars.day_in(zone, at), where) for zone in zones)


def next_open(hours: Hours, zones: Sequence[str], at: datetime, where: Where = ()) -> datetime | None:
    """
    The first instant from `at` on at which somebody may be called, in UTC; None where there is none in a fortnight.

    The ends of spans are wall-clock times: on a day on which clocks change they are where the clock shows them.
    """
    return next_open_everywhere([(hours, zones, where)], at)


def next_open_everywhere(there: Collection[There], at: datetime) -> datetime | None:
    """The first instant from `at` on, in UTC, at which each of several places is open; none where one has no zone."""
    if not all(zones for _, zones, _ in there):
        return None
    found: list[tuple[datetime, datetime]] | None = None
    for hours, zones, where in there:
        for zone in zones:
            spans = list(_spans(hours, ZoneInfo(zone), at, where))
            found = spans if found is None else list(_both(found, spans))
    return next((max(start, at.astimezone(UTC)) for start, end in found or () if end > at), None)


def _spans(hours: Hours, zone: ZoneInfo, at: datetime, where: Where) -> Iterator[tuple[datetime, datetime]]:
    """The open spans of the days around an instant, in UTC, in order."""
    first = at.astimezone(zone).date() - timedelta(days=1)
    for number in range(LOOKED_AHEAD + 2):
        day = first + timedelta(days=number)
        if _is_left_out(hours, day, where):
            continue
        for start, end in hours.week[day.weekday()]:
            yield _instant(day, start, zone), _instant(day, end, zone)


def _instant(day: date, moment: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, moment, tzinfo=zone).astimezone(UTC)


def _both(
    some: Sequence[tuple[datetime, datetime]], others: Sequence[tuple[datetime, datetime]]
) -> Iterator[tuple[datetime, datetime]]:
    """Where two lists of spans overlap; each is in order and without overlaps of its own."""
    one, other = 0, 0
    while one < len(some) and other < len(others):
        start, end = max(some[one][0], others[other][0]), min(some[one][1], others[other][1])
        if start < end:
            yield start, end
        if some[one][1] < others[other][1]:
            one += 1
        else:
            other += 1
