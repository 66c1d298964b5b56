"""Pictures that the server draws: bars over days, as rectangles that need no script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from callprivacy.accounts.models import PasswordDay

WIDTH: Final = 720
HEIGHT: Final = 160


@dataclass(frozen=True, slots=True)
class Bar:
    """One day: where its bar stands, and how high its parts are, in the picture's units, from the ground up."""

    on: date
    x: float
    width: float
    overdue_y: float
    overdue: float
    soon_y: float
    soon: float
    words: str


def bars_of(days: Sequence[PasswordDay]) -> list[Bar]:
    """
    Bars of how many passwords were overdue and due soon, scaled to the tallest.

    :param days: oldest first; at most as many as fit, some 180.
    """
    if not days:
        return []
    top = max([day.overdue + day.soon for day in days] + [1])
    step = WIDTH / len(days)
    found = []
    for number, day in enumerate(days):
        overdue, soon = (round(HEIGHT * count / top, 1) for count in (day.overdue, day.soon))
        found.append(
            Bar(
                on=day.on,
                x=round(number * step + step * 0.1, 1),
                width=round(step * 0.8, 1),
                overdue_y=round(HEIGHT - overdue, 1),
                overdue=overdue,
                soon_y=round(HEIGHT - overdue - soon, 1),
                soon=soon,
                words=f"{day.on:%-d %b}: {day.overdue} overdue, {day.soon} due within 14 days, {day.people} people",
            )
        )
    return found
