"""
A report as a file: CSV, a workbook (Office Open XML), PDF.

What a file holds is what the page shows. No cell is taken for a formula: in CSV by the rule of the calls' export, in a
workbook because texts are written as texts.
"""

import csv
import io
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import xlsxwriter

from callprivacy.lib.cells import plain_cell
from callprivacy.lib.charts.figure import Key
from callprivacy.lib.charts.shapes import Area, Dot, Drawing, Rect, Text
from callprivacy.lib.money import DOLLARS, Money
from consent.channels.sheet import Sheet

type Cell = str | int | float | date | None

_BOM: Final = "\ufeff"
# XML 1.0 has no place for these signs, not even escaped.
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PERCENT: Final = re.compile("([+\N{MINUS SIGN}]?\\d+)\N{NO-BREAK SPACE}%")
SUPPRESSED: Final = "Suppressed"
"""What stands for a number that may not be shown."""
_NO_NUMBER: Final = frozenset({SUPPRESSED, "–", None})
_LONGEST: Final = 32_767
"""Signs that a cell of a workbook holds at most."""


@dataclass(frozen=True, slots=True)
class Paper:
    """
    What is written.

    :ivar facts: what the figures are of: client, period, filters.
    :ivar notes: sentences below the table, such as why a cell says "fewer than 5".
    :ivar columns: heads of the table; `rows` have a cell for each. :ivar amounts: places of the columns whose numbers
        are amounts of `money`, in its units.
    :ivar counting: says that many calls wait to be counted, where they do.
    """

    title: str
    made_at: datetime
    zone: str
    facts: Sequence[tuple[str, str]]
    headline: str
    notes: Sequence[str]
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    drawing: Drawing | None = None
    drawing_title: str = ""
    keys: Sequence[Key] = field(default_factory=tuple)
    counting: str = ""
    money: Money = DOLLARS
    amounts: Collection[int] = ()

    @property
    def sentences(self) -> list[str]:
        """Everything that is said below the table."""
        return [*filter(None, [self.counting]), *self.notes]


@dataclass(slots=True)
class _Column:
    """Cells of one type: texts, numbers, amounts of money or dates; `head` names the unit of numbers."""

    head: str
    cells: list[Cell]
    is_money: bool = False


def as_csv(paper: Paper) -> bytes:
    """The table alone, with its heads, in UTF-8 with a mark, as spreadsheets expect; every text is quoted."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    columns = _columns(paper)
    writer.writerow([plain_cell(column.head) for column in columns])
    for row in zip(*(column.cells for column in columns), strict=True):
        writer.writerow(
            [plain_cell(cell) if isinstance(cell, str) else "" if cell is None else cell for cell in row]
        )
    return (_BOM + out.getvalue()).encode()


def _columns(paper: Paper) -> list[_Column]:
    """
    The table with one type a column: percentages as numbers, the unit in the column's head, behind a column with
    suppressed numbers another one that says which, and a last one while calls wait to be counted.
    """
    found: list[_Column] = []
    for place, name in enumerate(paper.columns):
        cells = [row[place] for row in paper.rows]
        flags = [cell == SUPPRESSED for cell in cells]
        shares = [_PERCENT.fullmatch(cell) if isinstance(cell, str) else None for cell in cells]
        is_money = place in paper.amounts
        is_numbers = (
            is_money or any(shares) or any(flags) or any(isinstance(one, int | float) for one in cells)
        )
        if is_numbers and all(
            share or cell in _NO_NUMBER or isinstance(cell, int | float)
            for share, cell in zip(shares, cells, strict=True)
        ):
            cells = [
                int(share[1].replace("\N{MINUS SIGN}", "-"))
                if share
                else None
                if cell in _NO_NUMBER
                else cell
                for share, cell in zip(shares, cells, strict=True)
            ]
        unit = paper.money.currency if is_money else "%" if any(shares) else ""
        found.append(_Column(f"{name} ({unit})" if unit else name, cells, is_money))
        if any(flags):
            found.append(
                _Column(f"{found[-1].head}, suppressed", ["yes" if flag else "no" for flag in flags])
            )
    if paper.counting:
        found.append(_Column("Calls wait to be counted", ["yes" for _ in paper.rows]))
    return found


# --- A workbook ---------------------------------------------------------------------------------------------------

_OPTIONS: Final = {
    "constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False,
}  # fmt: skip


def as_workbook(paper: Paper) -> bytes:
    """The table on one sheet, what it is of on the other; the same paper gives the same bytes."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, _OPTIONS) as book:
        book.set_properties({"title": _text(paper.title), "created": paper.made_at.replace(tzinfo=None)})
        formats = {
            "": None,
            "head": book.add_format({"bold": True, "text_wrap": True, "valign": "top"}),
            "money": book.add_format({"num_format": paper.money.sheet}),
            "date": book.add_format({"num_format": "yyyy-mm-dd", "align": "left"}),
            "hour": book.add_format({"num_format": "yyyy-mm-dd hh:mm", "align": "left"}),
            "words": book.add_format({"text_wrap": True, "valign": "top"}),
        }
        columns = _columns(paper)
        sheet = book.add_worksheet("Report")
        sheet.set_column(0, 0, 26)
        sheet.set_column(1, max(1, len(columns) - 1), 16)
        sheet.freeze_panes(1, 1)
        sheet.autofilter(0, 0, len(paper.rows), max(0, len(columns) - 1))
        for place, column in enumerate(columns):
            sheet.write_string(0, place, _text(column.head), formats["head"])
        for number, cells in enumerate(zip(*(column.cells for column in columns), strict=True), 1):
            for place, cell in enumerate(cells):
                _write(sheet, number, place, cell, formats, is_money=columns[place].is_money)
        about = book.add_worksheet("About")
        about.set_column(0, 0, 26)
        about.set_column(1, 1, 90)
        lines = [
            (paper.title,),
            *paper.facts,
            ("What stands out", paper.headline),
            *((one,) for one in paper.sentences),
        ]
        for number, line in enumerate(lines):
            for place, words in enumerate(line):
                style = "head" if not number else "words" if place else ""
                _write(about, number, place, words, formats, style=style)
    return out.getvalue()


def _write(
    sheet: Any,
    row: int,
    place: int,
    cell: Cell,
    formats: Mapping[str, Any],
    *,
    is_money: bool = False,
    style: str = "",
) -> None:
    if isinstance(cell, str):
        sheet.write_string(row, place, _text(cell), formats[style])
    elif isinstance(cell, date):
        sheet.write_datetime(row, place, cell, formats["hour" if isinstance(cell, datetime) else "date"])
    elif cell is not None:
        sheet.write_number(row, place, cell, formats["money" if is_money else ""])


def _text(words: str) -> str:
    return _NOT_XML.sub("", words)[:_LONGEST]


# --- Paper --------------------------------------------------------------------------------------------------------

_COLOURS: Final = {
    1: (20, 98, 112), 2: (201, 138, 34), 3: (184, 92, 136), 4: (62, 146, 111), 5: (72, 70, 140), 6: (135, 146, 152),
}  # fmt: skip
_SHADES: Final = (
    (241, 244, 244),
    (214, 228, 230),
    (168, 200, 205),
    (112, 162, 170),
    (58, 124, 135),
    (20, 98, 112),
)
_QUIET: Final = (150, 160, 164)
_MARGIN, _LINE, _BREAK = 18.0, 5.2, 20.0


def as_pdf(paper: Paper) -> bytes:
    """The report on A4: what it is of, what stands out, the picture, the table, the notes."""
    return _Report(paper).drawn()


class _Report(Sheet):
    def __init__(self, paper: Paper) -> None:
        super().__init__(paper.title, made_at=paper.made_at, zone=ZoneInfo(paper.zone))
        self.paper = paper

    def drawn(self) -> bytes:
        paper = self.paper
        self.pdf.add_page()
        self.text(paper.title, size=17, bold=True, after=2)
        self.facts([*paper.facts, ("Made", self.when(paper.made_at.isoformat()))])
        self.heading("What stands out")
        self.text(paper.headline, size=10.5, after=1)
        drawing = paper.drawing
        if drawing is not None and (drawing.areas or drawing.rects or drawing.paths):
            self.heading(paper.drawing_title)
            self._keys()
            self._picture(drawing)
        self.heading("Figures")
        self._table()
        if paper.sentences:
            self.heading("How to read it")
            for note in paper.sentences:
                self.text(note)
        return bytes(self.pdf.output())

    def _keys(self) -> None:
        for key in self.paper.keys:
            colour = _COLOURS[6 if key.is_before else key.index] if key.is_line else _fill(key.look)
            self.pdf.set_fill_color(*colour)
            self.pdf.set_draw_color(*_QUIET)
            self.pdf.rect(self.pdf.l_margin, self.pdf.get_y() + 1, 4, 2.4, style="F" if key.is_line else "DF")
            self.pdf.set_x(self.pdf.l_margin + 6)
            self.text(key.name, size=8, after=0)
        self.pdf.ln(1)

    def _picture(self, drawing: Drawing) -> None:
        size = (self.pdf.w - 2 * _MARGIN) / drawing.width
        room = self.pdf.h - _BREAK - self.pdf.get_y()
        if drawing.height * size > room:
            self.pdf.add_page()
            size = min(size, (self.pdf.h - 2 * _BREAK) / drawing.height)
        left, top = self.pdf.l_margin, self.pdf.get_y()
        height = drawing.height * size
        # What the clip leaves behind is known to the file again, and has to be to us.
        with self.pdf.local_context(), self.pdf.rect_clip(left, top, drawing.width * size, height):
            for area in drawing.areas:
                self._area(area, drawing, left, top, size)
        for rect in (one for one in [*drawing.rules, *drawing.rects] if one.look != "plot-room"):
            self._rect(rect, left, top, size)
        for path in drawing.paths:
            self.pdf.set_draw_color(
                *(_COLOURS[_number(path.look)] if "before" not in path.look else _COLOURS[6])
            )
            self.pdf.set_line_width(0.4)
            self.pdf.polyline([(left + x * size, top + y * size) for x, y in path.points])
        for dot in drawing.dots:
            self._dot(dot, left, top, size)
        for text in drawing.texts:
            self._words(text, left, top, size)
        self.pdf.set_line_width(0.2)
        self.pdf.set_y(top + drawing.height * size + 2)

    def _area(self, area: Area, drawing: Drawing, left: float, top: float, size: float) -> None:
        self.pdf.set_fill_color(*_fill(area.look))
        self.pdf.set_draw_color(255, 255, 255)
        self.pdf.set_line_width(0.15)
        each = drawing.scale * size
        x0, y0 = left + drawing.left * size, top + drawing.above * size
        for ring in area.outline.rings:
            if len(ring) > 2:
                self.pdf.polygon([(x0 + x * each, y0 + y * each) for x, y in ring], style="DF")

    def _rect(self, rect: Rect, left: float, top: float, size: float) -> None:
        fill = _fill(rect.look)
        self.pdf.set_fill_color(*fill)
        height = max(rect.height * size, 0.15)
        self.pdf.rect(
            left + rect.x * size, top + rect.y * size, max(rect.width * size, 0.1), height, style="F"
        )

    def _dot(self, dot: Dot, left: float, top: float, size: float) -> None:
        self.pdf.set_fill_color(*((255, 255, 255) if dot.hidden else _COLOURS[dot.index]))
        self.pdf.set_draw_color(*_COLOURS[dot.index])
        self.pdf.circle(left + dot.x * size, top + dot.y * size, 0.5, style="DF" if dot.hidden else "F")

    def _words(self, text: Text, left: float, top: float, size: float) -> None:
        is_light = text.look.startswith("plot-in") and text.look.split("-in-")[-1][:1] in "45"
        self._use(size=12 * size * 2.83, quiet=not is_light)
        if is_light:
            self.pdf.set_text_color(255, 255, 255)
        words = self._drawable(text.text)
        breadth = self.pdf.get_string_width(words)
        back = {"start": 0.0, "middle": breadth / 2, "end": breadth}[text.anchor]
        self.pdf.text(left + text.x * size - back, top + text.y * size, words)

    def _table(self) -> None:
        paper = self.paper
        room = self.pdf.w - 2 * _MARGIN
        first = min(70.0, max(40.0, room - 24.0 * (len(paper.columns) - 1)))
        each = (room - first) / max(1, len(paper.columns) - 1)
        widths = [first, *[each] * (len(paper.columns) - 1)]
        self._row(list(paper.columns), widths, bold=True)
        for row in paper.rows:
            if self.pdf.get_y() > self.pdf.h - _BREAK - _LINE:
                self.pdf.add_page()
                self._row(list(paper.columns), widths, bold=True)
            self._row([_written(paper, place, cell) for place, cell in enumerate(row)], widths)

    def _row(self, cells: Sequence[str], widths: Sequence[float], *, bold: bool = False) -> None:
        self._use(size=8, bold=bold, quiet=bold)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True)):
            words = self._drawable(cell.replace("\n", " "), bold=bold)
            while words and self.pdf.get_string_width(words) > width - 1.5:
                words = words[:-2].rstrip() + "…" if len(words) > 2 else ""
            self.pdf.cell(width, _LINE, words, align="L" if place == 0 else "R")
        self.pdf.ln(_LINE)


def _fill(look: str) -> tuple[int, int, int]:
    """What a class of the style sheet is filled with on paper."""
    if look.startswith("plot-shade"):
        return _SHADES[_number(look)]
    if look.startswith("plot-fill"):
        return _COLOURS[_number(look)]
    return {
        "plot-rule": (214, 220, 221),
        "plot-untold": (213, 211, 206),
        "plot-unknown": (226, 224, 220),
    }.get(look, _QUIET)


def _number(look: str) -> int:
    """The number at the end of a class such as "plot-line plot-line-3"."""
    found = re.search(r"-(\d)(?:\s|$)", look)
    return int(found[1]) if found else 1


def _written(paper: Paper, place: int, cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, date):
        hour = " %H:%M" if isinstance(cell, datetime) else ""
        return f"{cell:{'%b %Y' if paper.columns[place] == 'Month' else '%-d %b %Y'}{hour}}"
    if place in paper.amounts:
        return paper.money.amount(cell)
    return paper.money.number(cell, 0 if isinstance(cell, int) else 2)
