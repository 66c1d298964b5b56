"""
Access hours. Pure.

The most specific hours apply: of the badge for the room, of the room, of the badge for other rooms, of the site. A
badge with access at any hour is bound only by its own hours.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Final

from governance.models import Badge, DoorHours, Site

_DAYS: Final = ("", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MIDNIGHT: Final = time(0)


@dataclass(frozen=True, slots=True)
class Span:
    """Hours on ISO weekdays. :ivar closes: exclusive; midnight is the end of the day."""

    weekdays: tuple[int, ...]
    opens: time
    closes: time

    @classmethod
    def of(cls, row: Site | DoorHours) -> "Span":
        return cls(tuple(sorted(row.weekdays)), row.opens, row.closes)

    def holds(self, here: datetime) -> bool:
        """:param here: in the site's zone."""
        ends = self.closes == _MIDNIGHT or here.time() < self.closes
        return here.isoweekday() in self.weekdays and self.opens <= here.time() and ends

    def __str__(self) -> str:
        closes = "24:00" if self.closes == _MIDNIGHT else f"{self.closes:%H:%M}"
        return f"{days_of(self.weekdays)}, {self.opens:%H:%M} to {closes}"


def days_of(weekdays: Collection[int]) -> str:
    """Weekdays as text: "Mon to Fri", "Mon, Wed", "every day"."""
    days = sorted(set(weekdays))
    if len(days) == 7:
        return "every day"
    if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
        return f"{_DAYS[days[0]]} to {_DAYS[days[-1]]}"
    return ", ".join(_DAYS[day] for day in days) or "no day"


def span_of(site: Site, badge: Badge | None, room: str, rows: Sequence[DoorHours]) -> Span | None:
    """
    The hours in which a badge, or a visitor without one, may enter a room; None for any hour.

    :param room: "" for the entrance. :param rows: all access hours of the site.
    """
    for_all = {row.room: row for row in rows if row.badge_id is None}
    own = {row.room: row for row in rows if badge is not None and row.badge_id == badge.pk}
    is_free = badge is not None and badge.any_hour
    row = own.get(room) or (None if is_free else for_all.get(room)) or own.get("")
    if row is None and is_free:
        return None
    return Span.of(row or site)


def opens(site: Site, badge: Badge, room: str) -> bool:
    """Whether a badge opens a room. Every badge opens the entrance, and all rooms of a site that names none."""
    if not room:
        return True
    named = not site.rooms or room in site.rooms
    return named and (not badge.rooms or room in badge.rooms)
