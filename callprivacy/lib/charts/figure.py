"""A chart as its page shows it: both sizes of the drawing, what its colors mean, and how it is read by keyboard."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from callprivacy.lib.charts.shapes import COLOURS, SHADES, Dot, Drawing, Outline, Series, Words, level_of

HELP: Final = (
    "Point at the chart, or press the arrow keys in it, to read single values. The table has them all."
)


@dataclass(frozen=True, slots=True)
class Key:
    """One entry of the legend."""

    name: str
    look: str = ""
    pattern: int = 0
    index: int = 0
    is_line: bool = False
    is_before: bool = False

    @property
    def form(self) -> str:
        """The form of the series' points, drawn in the middle of a box of 22 by 12."""
        return Dot(11, 6, self.index, "").form


@dataclass(frozen=True, slots=True)
class Chart:
    """What the template draws."""

    wide: Drawing
    narrow: Drawing
    keys: list[Key] = field(default_factory=list)
    help: str = HELP

    @property
    def outlines(self) -> list[Outline]:
        """The borders that both sizes are drawn from, each once."""
        return list(
            {area.outline.key: area.outline for area in [*self.wide.areas, *self.narrow.areas]}.values()
        )


def keys_of_lines(series: Sequence[Series], *, dashed: Sequence[int] = ()) -> list[Key]:
    if len(series) < 2:
        return []
    return [
        Key(one.name, index=place + 1, is_line=True, is_before=place in dashed)
        for place, one in enumerate(series)
    ]


def keys_of_fills(series: Sequence[Series]) -> list[Key]:
    """The legend of columns and bars, with the box of what may not be shown where there is one."""
    keys = [Key(one.name, look=one.fill(place), pattern=place % COLOURS) for place, one in enumerate(series)]
    keys = keys if len(series) > 1 else []
    if any(value.hidden for one in series for value in one.values):
        keys.append(Key("Suppressed: too few people", look="plot-hidden", pattern=1))
    return keys


def keys_of_shades(top: float, *, has_hidden: bool, words: Words) -> list[Key]:
    """The legend of a heat map: each shade with the numbers it stands for."""
    keys = [Key("none", look="plot-shade-0")]
    for level in range(1, SHADES + 1):
        limit = top * level / SHADES
        name = f"up to {words(float(int(limit)) if top == int(top) else limit)}"
        if int(limit) or top != int(top):
            keys.append(Key(name, look=f"plot-shade-{level}"))
    if has_hidden:
        keys.append(Key("Suppressed: too few people", look="plot-untold", pattern=1))
    return keys


def keys_of_classes(limits: Sequence[float], *, rest: str, is_rest_told: bool, words: Words) -> list[Key]:
    """
    The legend of a map: each class with the numbers it stands for, and what the other regions are.

    :param rest: what is said of a region without a number; hatched where it is not told whether it is none.
    """
    keys = [Key(rest, look="plot-shade-0") if is_rest_told else Key(rest, look="plot-unknown", pattern=1)]
    for place, limit in enumerate(limits):
        over = f"over {words(limits[place - 1])} up to " if place else "up to "
        keys.append(Key(f"{over}{words(limit)}", look=f"plot-shade-{level_of(limit, limits)}"))
    return keys
