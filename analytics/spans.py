"""
Stretches of a client's own time, and the hours, days and weeks that lie in them; pure.

An hour begins where the client's clock shows a full one, or is set: nights of a clock change have 23 or 25 hours, and
zones half an hour away have hours that begin at half past of UTC.
"""

import functools
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from analytics.enums import Grain

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_QUARTER: Final = timedelta(minutes=15)

type Ints = np.ndarray[tuple[int], np.dtype[np.int64]]


def millis(instant: datetime) -> int:
    """Milliseconds since 1970."""
    return (instant - _EPOCH) // timedelta(milliseconds=1)


def bounds(instant: datetime, zone: str, grain: Grain) -> tuple[datetime, datetime]:
    """First instant, and first instant after, of the month, day or hour of a zone that an instant lies in; in UTC."""
    local = instant.astimezone(ZoneInfo(zone))
    if grain is Grain.HOUR:
        start, end = bounds(instant, zone, Grain.DAY)
        found = ticks(start, end, zone)
        place = int(np.searchsorted(found.starts, millis(instant), side="right")) - 1
        return found.instant(place), found.instant(place + 1)
    first = local.date() if grain is Grain.DAY else local.date().replace(day=1)
    after = first + timedelta(days=1 if grain is Grain.DAY else 32)
    if grain is Grain.MONTH:
        after = after.replace(day=1)
    return tuple(  # type: ignore[return-value]  # two of them
        datetime.combine(day, time.min, tzinfo=ZoneInfo(zone)).astimezone(UTC) for day in (first, after)
    )


@dataclass(frozen=True, slots=True)
class Ticks:
    """
    The n hours of a span, in order.

    :ivar starts: n + 1 instants in milliseconds, the last is the span's end. :ivar days: and :ivar weeks: of each hour,
    the number of its day and its week's part within the span, from 0. :ivar day_starts: and :ivar week_starts: one more
    than there are, as `starts`. :ivar weekdays: of each hour, 0 is Monday. :ivar slots: of each hour, its weekday times
    24 and what the clock shows.
    """

    starts: Ints
    days: Ints
    weeks: Ints
    day_starts: Ints
    week_starts: Ints
    weekdays: Ints
    slots: Ints

    def instant(self, place: int) -> datetime:
        """Where an hour starts."""
        return _EPOCH + timedelta(milliseconds=int(self.starts[place]))


@functools.lru_cache(maxsize=2048)
def ticks(start: datetime, end: datetime, zone: str) -> Ticks:
    """Every hour of a span by a zone's clock. Clocks are set at quarters of hours only."""
    tz = ZoneInfo(zone)
    starts: list[datetime] = []
    days: list[int] = []
    weeks: list[int] = []
    day_starts: list[int] = []
    week_starts: list[int] = []
    slots: list[int] = []
    instant, offset, day, week = start, None, None, None
    while instant < end:
        local = instant.astimezone(tz)
        if local.minute == 0 or local.utcoffset() != offset or not starts:
            starts.append(instant)
            if local.date() != day:
                day = local.date()
                day_starts.append(millis(instant))
            if local.date().isocalendar()[:2] != week:
                week = local.date().isocalendar()[:2]
                week_starts.append(millis(instant))
            days.append(len(day_starts) - 1)
            weeks.append(len(week_starts) - 1)
            slots.append(local.weekday() * 24 + local.hour)
        offset = local.utcoffset()
        instant += _QUARTER
    last = [millis(end)]
    return Ticks(
        np.array([millis(one) for one in starts] + last, np.int64),
        np.array(days, np.int64),
        np.array(weeks, np.int64),
        np.array(day_starts + last, np.int64),
        np.array(week_starts + last, np.int64),
        np.array(slots, np.int64) // 24,
        np.array(slots, np.int64),
    )
