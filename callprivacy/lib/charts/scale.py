"""Where numbers lie on an axis, which of them are written beside it, and how they are written."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10
from typing import Final

_STEPS: Final = (1, 2, 2.5, 5, 10)
_UNITS: Final = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


def ticks(top: float, *, at_most: int = 5, whole: bool = True) -> list[float]:
    """
    Round numbers from 0 to at least `top`, evenly apart: at most `at_most` steps of 1, 2, 2.5 or 5 times a power of 10.

    :param whole: only whole numbers, as counts need.
    :raises ValueError: `top` is negative or not finite.
    """
    if not isfinite(top) or top < 0:
        raise ValueError(f"An axis begins at 0 and ends at a number; {top} is none.")
    if top < 1e-9:
        return [0.0, 1.0]
    rough = top / at_most
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in _STEPS if factor * power * at_most >= top * (1 - 1e-9))
    if whole:
        step = max(1.0, float(ceil(step)))
    count = max(1, ceil(top / step - 1e-9))
    return [step * number for number in range(count + 1)]


def classes(numbers: Iterable[float], count: int) -> list[float]:
    """
    Up to which number each of `count` classes goes; the last goes to the greatest.

    Few numbers have a class each. The classes of more are equally broad, or, where the greatest is more than ten times
    the smallest, each as many times the one before: one state with most of the calls would leave all others in the
    lowest class.
    """
    there = sorted({number for number in numbers if number > 0})
    if len(there) <= count:
        return there
    low, top = there[0], there[-1]
    if top <= 10 * low:
        limits = [top * place / count for place in range(1, count)]
    else:
        limits = [low * (top / low) ** (place / count) for place in range(1, count)]
    found: list[float] = []
    for limit in limits:
        short = _two_signs(limit)
        if (not found or short > found[-1]) and short < top:
            found.append(short)
    return [*found, top]


def _two_signs(number: float) -> float:
    power = 10.0 ** (floor(log10(number)) - 1)
    short = round(number / power) * power
    return float(round(short)) if short >= 10 else max(1.0, float(round(number))) if number >= 1 else short


def compact(value: float) -> str:
    """A number in few signs: 950, 1.2k, 34k, 5M; below one two digits after the point."""
    size = abs(value)
    for unit, letter in _UNITS:
        if size >= unit * 0.9995:
            short = value / unit
            return (
                f"{short:.1f}".rstrip("0").rstrip(".") + letter
                if abs(short) < 9.95
                else f"{short:.0f}{letter}"
            )
    if value == round(value):
        return f"{value:.0f}"
    return f"{value:.2f}" if size < 1 else f"{value:.1f}"


@dataclass(frozen=True, slots=True)
class Scale:
    """
    A line from a number to a place: 0 lies at `start`, `top` at `end`.

    :ivar top: greater than 0.
    """

    top: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The place of a number, in the drawing's units, to a tenth; numbers beyond the ends are put to the ends."""
        share = min(1.0, max(0.0, value / self.top))
        return round(self.start + (self.end - self.start) * share, 1)


def every(count: int, *, room: float, each: float) -> int:
    """Which of `count` names can stand side by side: every how manieth, where one needs `each` of the `room`."""
    fitting = max(1, floor(room / each))
    return max(1, ceil(count / fitting))
