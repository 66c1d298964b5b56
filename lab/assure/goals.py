"""
The thirty goals that the page tells of (goals.csv), with what each asks for in full and what our form does not try.

Trials belong to a goal by the number that they begin with. What is not tried is written by hand, since no run can know
it; everything else of the page is what runs brought.
"""

import csv
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Goal:
    """
    A property, what would show it in full, and what of that is not tried.

    :ivar left: what is not tried and why; "" where everything is.
    """

    number: int
    promise: str
    asks: str
    left: str


def _read() -> tuple[Goal, ...]:
    with Path(__file__).with_name("goals.csv").open(encoding="utf-8", newline="") as file:
        return tuple(Goal(int(number), *words) for number, *words in list(csv.reader(file))[1:])


GOALS = _read()


def goals_of(number: str) -> list[int]:
    """The goals that a trial belongs to, its own first: "16, 17" to both, "23a" to 23."""
    return [int("".join(filter(str.isdigit, part))) for part in number.split(",")]
