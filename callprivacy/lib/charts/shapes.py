"""Line, columns, bars, heat map and sparkline as shapes. Sizes are in units that are about a pixel each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from callprivacy.lib.charts.scale import Scale, compact, every, ticks

WIDE: Final = 1040
NARROW: Final = 340
COLOURS: Final = 6
"""How many series look different; the rest are to be put together by who asks for a drawing."""
SHADES: Final = 5
_POINTS: Final = 62
"""Up to how many steps each has a point of its own; beyond it a step is pointed at as a whole."""
_CROSS: Final = (
    "l2.3 -2.3l1.7 1.7l-2.3 2.3l2.3 2.3l-1.7 1.7l-2.3 -2.3l-2.3 2.3l-1.7 -1.7l2.3 -2.3l-2.3 -2.3l1.7 -1.7z"
)
_SIGN: Final = 6.6
"""How broad a sign of the axis is at most, at 12 units of height."""

type Kind = Literal["line", "columns", "stacked", "bars", "heat", "map"]
Words = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Value:
    """
    One number of a chart.

    :ivar number: None where there is none, or where it may not be shown.
    :ivar hidden: too few people stand behind it. Without a number it may not be shown at all; with one it is a sum of
        several such, of which it is not told which is which.
    :ivar words: what is said about it, such as "1,204 calls" or "fewer than 5".
    """

    number: float | None
    words: str = ""
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers of one name, one for each label of the chart; `look`: a class for its boxes, else that of its place."""

    name: str
    values: Sequence[Value]
    look: str = ""

    def fill(self, place: int) -> str:
        return self.look or f"plot-fill-{place % COLOURS + 1}"


@dataclass(frozen=True, slots=True)
class Rect:
    """
    A box; `look` is a class of the style sheet, `pattern` the number of a pattern laid over it, 0 for none.

    :ivar again: says what a region of the map says already, so that arrow keys pass it over.
    """

    x: float
    y: float
    width: float
    height: float
    look: str
    say: str = ""
    pattern: int = 0
    again: bool = False


@dataclass(frozen=True, slots=True)
class Outline:
    """
    A region's border, which several drawings of a page share.

    :ivar rings: points in units of its own; `d` is the same as SVG writes a path.
    """

    key: str
    rings: Sequence[Sequence[tuple[int, int]]]
    d: str


@dataclass(frozen=True, slots=True)
class Area:
    """A region of a map; `look` and `pattern` as those of a box."""

    outline: Outline
    look: str
    say: str
    pattern: int = 0


@dataclass(frozen=True, slots=True)
class Path:
    """A line through points, or an area."""

    points: Sequence[tuple[float, float]]
    look: str

    @property
    def d(self) -> str:
        return "M" + "L".join(f"{x:g} {y:g}" for x, y in self.points)


@dataclass(frozen=True, slots=True)
class Dot:
    """A point of a line; each series has a form of its own: circle, square, triangle, diamond, plus, cross."""

    x: float
    y: float
    index: int
    say: str
    hidden: bool = False

    @property
    def form(self) -> str:
        """The form around the point, as SVG writes a path."""
        x, y = self.x, self.y
        return (
            f"M{x - 3:g} {y:g}a3 3 0 1 0 6 0a3 3 0 1 0 -6 0z",
            f"M{x - 3:g} {y - 3:g}h6v6h-6z",
            f"M{x:g} {y - 3.6:g}l3.6 6.4h-7.2z",
            f"M{x:g} {y - 4:g}l4 4l-4 4l-4 -4z",
            f"M{x - 1.2:g} {y - 4:g}h2.4v2.8h2.8v2.4h-2.8v2.8h-2.4v-2.8h-2.8v-2.4h2.8z",
            f"M{x:g} {y - 1.7:g}{_CROSS}",
        )[(self.index - 1) % COLOURS]


@dataclass(frozen=True, slots=True)
class Text:
    """Words at a place; `anchor` says which end of them lies there."""

    x: float
    y: float
    text: str
    anchor: Literal["start", "middle", "end"] = "start"
    look: str = "plot-label"


@dataclass(slots=True)
class Drawing:
    """
    One picture: what a template draws in this order, rules first and words last.

    :ivar areas: regions of a map, in units of their own: `scale` makes them those of the picture, `left` and `above`
        is how far they are moved then. `is_sea`: what lies between them is the sea.
    """

    width: float
    height: float
    areas: list[Area] = field(default_factory=list)
    scale: float = 1
    left: float = 0
    above: float = 0
    is_sea: bool = False
    rules: list[Rect] = field(default_factory=list)
    rects: list[Rect] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    dots: list[Dot] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)

    @property
    def unscale(self) -> float:
        """What makes a hatch on areas as large as one on boxes."""
        return round(1 / self.scale, 3)


def cut(text: str, room: float) -> str:
    """A text shortened to so many units, with three points where something was left out."""
    signs = max(3, int(room / _SIGN))
    return text if len(text) <= signs else text[: signs - 1].rstrip() + "…"


def _top(series: Sequence[Series]) -> float:
    return max((value.number or 0 for one in series for value in one.values), default=0)


def _is_whole(series: Sequence[Series]) -> bool:
    return all(
        value.number is None or value.number == round(value.number) for one in series for value in one.values
    )


def _frame(
    width: int, height: int, labels: Sequence[str], top: float, words: Words, *, whole: bool, right: float
) -> tuple[Drawing, Scale, Callable[[int], float], float]:
    """Axes of a chart over time: the drawing, the upright scale, the middle of each label's place, its breadth."""
    marks = ticks(top, whole=whole)
    written = [words(mark) for mark in marks]
    left = max(len(text) for text in written) * _SIGN + 12
    drawing = Drawing(width, height)
    y = Scale(marks[-1], height - 26, 12)
    for mark, text in zip(marks, written, strict=True):
        drawing.rules.append(
            Rect(left, y(mark), width - left - right, 1, "plot-rule" if mark else "plot-axis")
        )
        drawing.texts.append(Text(left - 8, y(mark) + 4, text, "end"))
    room = width - left - right
    step = room / max(1, len(labels))

    def middle(place: int) -> float:
        return round(left + step * (place + 0.5), 1)

    longest = max((len(label) for label in labels), default=1) * _SIGN + 10
    apart = every(len(labels), room=room, each=longest)
    for place in range(0, len(labels), apart):
        x = min(max(middle(place), longest / 2 - 5), width - longest / 2 + 5)
        drawing.texts.append(Text(round(x, 1), height - 8, labels[place], "middle"))
    return drawing, y, middle, step


def line(
    labels: Sequence[str],
    series: Sequence[Series],
    *,
    width: int = WIDE,
    height: int = 300,
    words: Words = compact,
    dashed: Sequence[int] = (),
) -> Drawing:
    """
    Lines over time, each named at its end on a wide page.

    A number that is missing breaks its line; one that is hidden is a hollow point on the ground.

    :param labels: one a step, in order.
    :param dashed: which series, from 0, are of the period before: thin and dashed.
    """
    named = width >= WIDE and 1 < len(series) <= COLOURS
    right = min(150.0, max(len(one.name) for one in series) * _SIGN + 16) if named else 8.0
    drawing, y, middle, step = _frame(
        width, height, labels, _top(series), words, whole=_is_whole(series), right=right
    )
    if len(labels) > _POINTS:
        for place, label in enumerate(labels):
            said = ", ".join(f"{one.name} {one.values[place].words}" for one in series)
            x = round(middle(place) - step / 2, 1)
            drawing.rects.append(Rect(x, 12, round(step, 2), height - 38, "plot-room", f"{label}: {said}"))
    ends: list[tuple[float, int, str]] = []
    for index, one in enumerate(series, 1):
        look = f"plot-line plot-line-{index}" + (" plot-before" if index - 1 in dashed else "")
        for run in _runs(one.values):
            drawing.paths.append(Path([(middle(place), y(number)) for place, number in run], look))
        lonely = {run[0][0] for run in _runs(one.values) if len(run) == 1}
        for place, value in enumerate(one.values):
            say = f"{labels[place]}, {one.name}: {value.words}"
            if value.hidden and value.number is None:
                drawing.dots.append(Dot(middle(place), y(0), index, say, hidden=True))
            elif value.number is not None and (len(labels) <= _POINTS or place in lonely):
                drawing.dots.append(
                    Dot(middle(place), y(value.number), COLOURS if index - 1 in dashed else index, say)
                )
        last = next((value.number for value in reversed(one.values) if value.number is not None), None)
        if named and last is not None:
            ends.append((y(last), index, one.name))
    for high, index, name in _apart(ends, low=16, high=height - 30):
        drawing.texts.append(
            Text(width - right + 6, high + 4, cut(name, right - 8), "start", f"plot-name plot-name-{index}")
        )
    return drawing


def _runs(values: Sequence[Value]) -> list[list[tuple[int, float]]]:
    """The stretches of numbers without a gap, each with its places."""
    runs: list[list[tuple[int, float]]] = []
    open_run: list[tuple[int, float]] = []
    for place, value in enumerate(values):
        if value.number is None:
            open_run = []
            continue
        if not open_run:
            runs.append(open_run)
        open_run.append((place, value.number))
    return runs


def _apart(ends: list[tuple[float, int, str]], *, low: float, high: float) -> list[tuple[float, int, str]]:
    """Names at the ends of lines, moved so that none covers another."""
    placed: list[tuple[float, int, str]] = []
    for place, index, name in sorted(ends):
        above = placed[-1][0] + 15 if placed else low
        placed.append((max(place, above), index, name))
    over = (placed[-1][0] - high) if placed else 0
    return [(round(place - max(0.0, over), 1), index, name) for place, index, name in placed]


def columns(
    labels: Sequence[str],
    series: Sequence[Series],
    *,
    width: int = WIDE,
    height: int = 300,
    words: Words = compact,
    stacked: bool = False,
) -> Drawing:
    """
    Upright columns over time, of several series side by side or on each other.

    A hidden number is a low hatched foot, whose height says nothing.
    """
    whole = _is_whole(series)
    sums = [sum(one.values[place].number or 0 for one in series) for place in range(len(labels))]
    top = max(sums, default=0) if stacked else _top(series)
    drawing, y, middle, step = _frame(width, height, labels, top, words, whole=whole, right=8)
    breadth = max(1.0, min(step * 0.72, 46.0))
    each = breadth if stacked else breadth / max(1, len(series))
    for place, label in enumerate(labels):
        ground = 0.0
        for index, one in enumerate(series):
            value = one.values[place]
            say = f"{label}, {one.name}: {value.words}"
            x = round(middle(place) - breadth / 2 + (0 if stacked else index * each), 1)
            if value.hidden and not value.number:
                foot = y(ground)
                drawing.rects.append(Rect(x, foot - 5, round(each, 1), 5, "plot-hidden", say, pattern=1))
            elif value.number:
                high, foot = y(ground + value.number), y(ground)
                drawing.rects.append(
                    Rect(
                        x,
                        high,
                        round(each, 1),
                        round(max(1.0, foot - high), 1),
                        "plot-hidden" if value.hidden else one.fill(index),
                        say,
                        pattern=1 if value.hidden else index % COLOURS,
                    )
                )
                ground += value.number if stacked else 0
    return drawing


def bars(
    labels: Sequence[str],
    series: Sequence[Series],
    *,
    width: int = WIDE,
    words: Words = compact,
    stacked: bool = False,
) -> Drawing:
    """Lying bars, one group a label: its name above on a telephone and in front on a wide page, its number behind."""
    is_wide = width >= WIDE
    each = 22 if is_wide else 18
    count = 1 if stacked else max(1, len(series))
    head = 0 if is_wide else 18
    group = head + each * count + 10
    drawing = Drawing(width, group * len(labels) + 4)
    longest = max((len(label) for label in labels), default=0) * _SIGN
    left = min(250.0, longest + 14) if is_wide else 0.0
    sums = [sum(one.values[place].number or 0 for one in series) for place in range(len(labels))]
    top = (max(sums, default=0) if stacked else _top(series)) or 1.0
    x = Scale(top, left, width - 96)
    for place, label in enumerate(labels):
        start = group * place
        name_at = start + each * count / 2 + 4 if is_wide else start + 13
        drawing.texts.append(
            Text(left - 10, name_at, cut(label, left - 10), "end")
            if is_wide
            else Text(0, name_at, cut(label, width - 4))
        )
        ground = 0.0
        for index, one in enumerate(series):
            value = one.values[place]
            say = f"{label}, {one.name}: {value.words}" if len(series) > 1 else f"{label}: {value.words}"
            y = start + head + (0 if stacked else each * index)
            end = x(ground)
            if value.hidden and not value.number:
                drawing.rects.append(Rect(end, y, 14, each - 4, "plot-hidden", say, pattern=1))
                end += 14
            elif value.number:
                at, end = x(ground), x(ground + value.number)
                drawing.rects.append(
                    Rect(
                        at,
                        y,
                        round(max(1.0, end - at), 1),
                        each - 4,
                        "plot-hidden" if value.hidden else one.fill(index),
                        say,
                        pattern=1 if value.hidden else index % COLOURS,
                    )
                )
                ground += value.number if stacked else 0
            if not stacked:
                drawing.texts.append(Text(end + 6, y + each / 2 + 2, value.words, look="plot-number"))
        if stacked:
            drawing.texts.append(
                Text(x(ground) + 6, start + head + each / 2 + 2, words(ground), look="plot-number")
            )
    return drawing


def shade(number: float, top: float) -> int:
    if number <= 0 or top <= 0:
        return 0
    return min(SHADES, max(1, int(number / top * SHADES - 1e-9) + 1))


def level_of(number: float | None, limits: Sequence[float]) -> int:
    """Which shade a number has by what each goes up to (`classes`): 0 for none, 5 for the greatest class."""
    if not number or number <= 0 or not limits:
        return 0
    place = next((place for place, limit in enumerate(limits, 1) if number <= limit), len(limits))
    # Fewer classes than shades are the darker ones: the greatest is always the darkest.
    return SHADES - len(limits) + place


def heat(
    rows: Sequence[str],
    names: Sequence[str],
    values: Sequence[Sequence[Value]],
    *,
    width: int = WIDE,
    words: Words = compact,
) -> Drawing:
    """
    A grid of shades with the number in each box, such as weekdays by hours.

    On a telephone it stands upright: what are columns become rows.

    :param rows: names of the rows, :param names: of the columns, :param values: a row each.
    """
    if width < WIDE:
        turned = [[row[place] for row in values] for place in range(len(names))]
        said_rows, said_names, grid, height = list(names), [name[:3] for name in rows], turned, 24.0
    else:
        said_rows, said_names, grid, height = list(rows), list(names), [list(row) for row in values], 32.0
    left = max((len(name) for name in said_rows), default=0) * _SIGN + 12
    breadth = (width - left) / max(1, len(said_names))
    drawing = Drawing(width, 22 + height * len(said_rows))
    top = max((value.number or 0 for row in grid for value in row), default=0)
    apart = every(len(said_names), room=width - left, each=max(map(len, said_names), default=1) * _SIGN + 6)
    for place, name in enumerate(said_names):
        if place % apart == 0:
            drawing.texts.append(Text(round(left + breadth * (place + 0.5), 1), 12, name, "middle"))
    for down, row in enumerate(grid):
        y = 22 + height * down
        drawing.texts.append(Text(left - 8, y + height / 2 + 4, said_rows[down], "end"))
        for across, value in enumerate(row):
            weekday, hour = (across, down) if width < WIDE else (down, across)
            box = (round(left + breadth * across + 1, 1), y + 1, round(breadth - 2, 1), height - 2)
            _box(drawing, box, value, f"{rows[weekday]}, {names[hour]}: {value.words}", top=top, words=words)
    return drawing


def _box(
    drawing: Drawing,
    box: tuple[float, float, float, float],
    value: Value,
    say: str,
    *,
    top: float,
    words: Words,
) -> None:
    x, y, width, height = box
    if value.hidden:
        drawing.rects.append(Rect(x, y, width, height, "plot-untold", say, pattern=1))
        return
    level = shade(value.number or 0, top)
    drawing.rects.append(Rect(x, y, width, height, f"plot-shade-{level}", say))
    if value.number:
        text = words(value.number)
        if len(text) * 6 <= width:
            look = f"plot-in plot-in-{level}"
            drawing.texts.append(Text(round(x + width / 2, 1), y + height / 2 + 4, text, "middle", look))


def spark(values: Sequence[Value], *, width: int = 120, height: int = 28) -> Drawing:
    """A line without axes, from 0 to its own greatest, with a point at its end; nothing where there is no number."""
    drawing = Drawing(width, height)
    numbers = [value.number for value in values if value.number is not None]
    if not numbers:
        return drawing
    y = Scale(max(numbers) or 1.0, height - 4, 4)
    step = (width - 8) / max(1, len(values) - 1)
    for run in _runs(values):
        points = [(round(4 + step * place, 1), y(number)) for place, number in run]
        drawing.paths.append(
            Path(points if len(points) > 1 else [points[0], points[0]], "plot-line plot-line-1")
        )
    last = max(place for place, value in enumerate(values) if value.number is not None)
    drawing.dots.append(Dot(round(4 + step * last, 1), y(values[last].number or 0), 1, values[last].words))
    return drawing
