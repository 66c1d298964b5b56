"""How training stood over days, as bars that the server draws and that need no script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from governance.models import TrainingDay

WIDTH: Final = 720
HEIGHT: Final = 160
_AT_LEAST: Final = 30
"""For how many bars there is room at least, so that the first one is no wall."""
_LOOKS: Final = (("overdue", "fill-error"), ("due", "fill-warning"), ("done", "fill-success"))


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a bar, in the picture's units; `look` is its class."""

    y: float
    height: float
    look: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One day: where its bar stands, and its parts from the ground up."""

    on: date
    x: float
    width: float
    parts: list[Part]
    words: str


def bars_of(days: Sequence[TrainingDay]) -> list[Bar]:
    """
    Bars of how many were overdue, due and done, scaled to the tallest.

    :param days: the oldest first; at most as many as fit, some 180.
    """
    top = tallest(days)
    step = WIDTH / max(len(days), _AT_LEAST)
    return [
        Bar(
            on=day.on,
            x=round(number * step + step * 0.1, 1),
            width=round(step * 0.8, 1),
            parts=_parts(day, top),
            words=f"{day.on:%-d %b}: {day.overdue} overdue, {day.due} due, {day.done} done, {day.reminders} reminded",
        )
        for number, day in enumerate(days)
    ]


def tallest(days: Sequence[TrainingDay]) -> int:
    """How many the tallest bar stands for, at least one."""
    return max([day.overdue + day.due + day.done for day in days] + [1])


def _parts(day: TrainingDay, top: int) -> list[Part]:
    found, ground = [], float(HEIGHT)
    for name, look in _LOOKS:
        height = HEIGHT * getattr(day, name) / top
        ground -= height
        if height:
            found.append(Part(round(ground, 1), round(height, 1), look))
    return found
