"""
Maps: the states of the United States and the countries of the world as outlines, shaded by their numbers.

The outlines are those of the U.S. Census Bureau and of Natural Earth, both in the public domain, made smaller by
`tools/maps` and kept in `outlines.json`, so that no file of others is loaded by a page. What a telephone would show too
small has a box of its own beside the map, and a map of countries shows the part of the world from which calls come.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any, Final, Literal

from callprivacy.lib.charts.scale import compact
from callprivacy.lib.charts.shapes import WIDE, Area, Drawing, Outline, Rect, Text, Value, Words, level_of

type Place = Literal["states", "countries"]

_FILE: Final = Path(__file__).with_name("outlines.json")
_BESIDE: Final = ("VT", "NH", "MA", "RI", "CT", "NJ", "DE", "MD", "DC")
"""States that hold no letters, from north to south: a box of each stands in the Atlantic, or under a small map."""
_MOVED: Final = {
    "FL": (17, 0),
    "LA": (-14, -2),
    "MI": (10, 26),
    "HI": (-22, -18),
    "ID": (-2, 14),
    "CA": (-6, 0),
    "MN": (-6, 0),
}
"""How far letters stand from the middle of a state whose middle is narrow, or water."""
_CODE, _NUMBER = 620.0, 1500.0
"""From how many square units on a region holds its code, and from how many its number as well."""
_TINY: Final = 14.0
"""Countries smaller than this are points, and only where calls are."""
_POINT: Final = 4.0
_NEAR: Final = 0.3
"""The least part of the world's breadth that a map of countries shows."""
_FAR: Final = 0.8
"""From which part on it shows all of it."""


@dataclass(frozen=True, slots=True)
class Region:
    """
    One outline; all is in units of the outline.

    :ivar name: a country's, in English; a state has none here.
    :ivar at: the middle of its largest part, `size` how large that is, `box` its left, top, right and bottom.
    """

    name: str
    outline: Outline
    at: tuple[int, int]
    size: float
    box: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Atlas:
    """All outlines of a map, and how large it is in their units."""

    width: float
    height: float
    regions: Mapping[str, Region]


@cache
def atlas(place: Place) -> Atlas:
    """The outlines of a map, read once a process."""
    read = json.loads(_FILE.read_text(encoding="utf-8"))
    grid, found = read["grid"], read[place]
    regions = {code: _region(f"{place}-{code}", one, grid) for code, one in sorted(found["regions"].items())}
    return Atlas(found["width"] * grid, found["height"] * grid, regions)


def _region(key: str, read: Mapping[str, Any], grid: int) -> Region:
    across, down = read["at"]
    rings = read["rings"] or [[across, down]]
    points = [list(zip(accumulate(ring[::2]), accumulate(ring[1::2]), strict=True)) for ring in rings]
    left, top = min(x for x, _ in points[0]), min(y for _, y in points[0])
    right, bottom = max(x for x, _ in points[0]), max(y for _, y in points[0])
    written = "".join(_written(ring) for ring in rings)
    return Region(
        read.get("name", ""),
        Outline(key, points, written),
        (across, down),
        read["size"] * grid * grid,
        (left, top, right, bottom),
    )


def _written(ring: Sequence[int]) -> str:
    """A ring as SVG writes it: its first point, and then the steps from each to the next."""
    steps = " ".join(str(step) for step in ring[2:]).replace(" -", "-")
    return f"M{ring[0]} {ring[1]}l{steps}z" if steps else f"M{ring[0]} {ring[1]}z"


def codes(place: Place) -> frozenset[str]:
    """Codes of all regions that a map has: "CA", or of countries "DE"."""
    return frozenset(atlas(place).regions)


def country(code: str) -> str:
    """A country's name; a code of none stands for itself."""
    found = atlas("countries").regions.get(code)
    return found.name if found else code


def elsewhere(place: Place, values: Mapping[str, Value]) -> list[str]:
    """Codes with a number that are not on a map, the greatest first."""
    left = [code for code in values if code not in codes(place)]
    return sorted(left, key=lambda code: (-(values[code].number or 0), code))


# --- Drawing ------------------------------------------------------------------------------------------------------


def outlines(
    place: Place,
    values: Mapping[str, Value],
    names: Mapping[str, str],
    *,
    limits: Sequence[float],
    rest: Value,
    width: int = WIDE,
    words: Words = compact,
) -> Drawing:
    """
    A map, each region shaded by the class of its number, those with the greatest first.

    :param values: by code.
    :param names: by code, as they are said; a code without a name is said itself.
    :param limits: up to which number each shade goes, as `classes` gives them.
    :param rest: what is said of a region without a value.
    """
    all_of_it = atlas(place)
    beside = _BESIDE if place == "states" else ()
    frame = _frame(all_of_it, values) if place == "countries" else (0, 0, all_of_it.width, all_of_it.height)
    left, top, across, down = frame
    scale = width / across
    height = round(down * scale, 1)
    drawing = Drawing(
        width,
        height,
        scale=round(scale, 5),
        left=round(-left * scale, 1),
        above=round(-top * scale, 1),
        is_sea=place == "countries",
    )
    order = sorted(all_of_it.regions, key=lambda code: (-_number(values.get(code)), names.get(code, code)))
    for code in order:
        region, value = all_of_it.regions[code], values.get(code, rest)
        if not _is_seen(region, frame):
            continue
        shown = _Shown(f"{names.get(code, code)}: {value.words}", value, level_of(value.number, limits))
        is_tiny = place == "countries" and region.size * scale * scale < _TINY
        if is_tiny and not value.number:
            continue
        outline = _point(region, scale, width) if is_tiny else region.outline
        drawing.areas.append(Area(outline, shown.look, shown.say, 1 if value.hidden else 0))
        if code not in beside:
            _write(drawing, code, region, shown, words)
    _boxes(drawing, [(code, names.get(code, code), values.get(code, rest)) for code in beside], limits, words)
    return drawing


@dataclass(frozen=True, slots=True)
class _Shown:
    say: str
    value: Value
    level: int

    @property
    def look(self) -> str:
        return "plot-unknown" if self.value.hidden else f"plot-shade-{self.level}"

    @property
    def ink(self) -> str:
        return f"plot-in plot-in-{0 if self.value.hidden else self.level}"


def _number(value: Value | None) -> float:
    return (value.number or 0) if value is not None else 0


def _frame(all_of_it: Atlas, values: Mapping[str, Value]) -> tuple[float, float, float, float]:
    """Left, top, breadth and height of the part of the world in which calls are, with some room around them."""
    boxes = [
        all_of_it.regions[code].box
        for code, value in values.items()
        if value.number and code in all_of_it.regions
    ]
    whole = (0.0, 0.0, all_of_it.width, all_of_it.height)
    if not boxes:
        return whole
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[2] for box in boxes), max(box[3] for box in boxes)
    ratio = all_of_it.width / all_of_it.height
    across = max((right - left) * 1.15, (bottom - top) * 1.15 * ratio, all_of_it.width * _NEAR)
    if across >= all_of_it.width * _FAR:
        return whole
    down = across / ratio
    x = min(max(0.0, (left + right - across) / 2), all_of_it.width - across)
    y = min(max(0.0, (top + bottom - down) / 2), all_of_it.height - down)
    return x, y, across, down


def _is_seen(region: Region, frame: tuple[float, float, float, float]) -> bool:
    """Whether some of its largest part may lie in the frame."""
    left, top, across, down = frame
    box = region.box
    return box[0] < left + across and box[2] > left and box[1] < top + down and box[3] > top


def _point(region: Region, scale: float, width: int) -> Outline:
    """What is too small to be seen, as a point of eight corners."""
    x, y = region.at
    far = max(1, round(_POINT / scale))
    near = round(far * 0.414)
    ring = [
        (x - near, y - far), (x + near, y - far), (x + far, y - near), (x + far, y + near),
        (x + near, y + far), (x - near, y + far), (x - far, y + near), (x - far, y - near),
    ]  # fmt: skip
    return Outline(f"{region.outline.key}-{width}", [ring], "M" + "L".join(f"{a} {b}" for a, b in ring) + "z")


def _write(drawing: Drawing, code: str, region: Region, shown: _Shown, words: Words) -> None:
    room = region.size * drawing.scale * drawing.scale
    if room < _CODE or not (shown.value.number or region.outline.key.startswith("states")):
        return
    aside, below = _MOVED.get(code, (0, 0)) if region.outline.key.startswith("states") else (0, 0)
    part = drawing.width / WIDE
    x = round(region.at[0] * drawing.scale + drawing.left + aside * part, 1)
    y = region.at[1] * drawing.scale + drawing.above + below * part
    if not (12 < x < drawing.width - 12 and 12 < y < drawing.height - 12):
        return
    number = words(shown.value.number) if shown.value.number and room >= _NUMBER else ""
    drawing.texts.append(
        Text(x, round(y + (-1 if number else 4), 1), code, "middle", f"{shown.ink} plot-small")
    )
    if number:
        drawing.texts.append(Text(x, round(y + 12, 1), number, "middle", f"{shown.ink} plot-small"))


def _boxes(
    drawing: Drawing, several: Sequence[tuple[str, str, Value]], limits: Sequence[float], words: Words
) -> None:
    """A box for each state that is too small: in the Atlantic on a wide picture, in a row under a narrow one."""
    is_wide = drawing.width >= WIDE
    breadth, height = (64.0, 22.0) if is_wide else (round(drawing.width / max(1, len(several)), 1) - 2, 34.0)
    x, y = drawing.width - breadth - 4, 218.0
    if several and not is_wide:
        x, y = 0.0, drawing.height + 8
        drawing.height += height + 10
    for code, name, value in several:
        shown = _Shown(f"{name}: {value.words}", value, level_of(value.number, limits))
        pattern = 1 if value.hidden else 0
        drawing.rects.append(Rect(x, y, breadth, height, shown.look, shown.say, pattern, again=True))
        number = words(value.number) if value.number else ""
        look = f"{shown.ink} plot-small"
        if is_wide:
            drawing.texts.append(Text(x + 8, y + 15, code, "start", look))
            drawing.texts.append(Text(x + breadth - 8, y + 15, number, "end", look))
            y += height + 3
        else:
            middle = round(x + breadth / 2, 1)
            drawing.texts.append(Text(middle, y + (14 if number else 21), code, "middle", look))
            drawing.texts.append(Text(middle, y + 28, number, "middle", look))
            x = round(x + breadth + 2, 1)
    drawing.texts = [text for text in drawing.texts if text.text]
