"""
A report as a file: CSV, a workbook (Office Open XML), PDF.

What a file holds is what the page shows, suppressed cells as words. No cell is taken for a formula: in CSV by the
rule of the calls' export, in a workbook because texts are written as texts. The workbook is written here, in the few
parts that ECMA-376 asks for, so that no library has to be trusted with it.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from analytics.charts.figure import Key
from analytics.charts.shapes import Area, Dot, Drawing, Rect, Text
from callprivacy.lib.cells import plain_cell
from consent.channels.sheet import Sheet

type Cell = str | int | float | None

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
    :ivar columns: heads of the table; `rows` have a cell for each.
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

    @property
    def sentences(self) -> list[str]:
        """Everything that is said below the table."""
        return [*filter(None, [self.counting]), *self.notes]


def as_csv(paper: Paper) -> bytes:
    """
    The table alone, with its heads, in UTF-8 with a mark, as spreadsheets expect; every text is quoted.

    While calls wait to be counted the first line below the heads says so.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    columns, rows = _in_numbers(paper)
    writer.writerow([plain_cell(column) for column in columns])
    if paper.counting:
        writer.writerow([paper.counting, *[""] * (len(columns) - 1)])
    for row in rows:
        writer.writerow(
            [plain_cell(cell) if isinstance(cell, str) else "" if cell is None else cell for cell in row]
        )
    return (_BOM + out.getvalue()).encode()


def _in_numbers(paper: Paper) -> tuple[list[str], list[list[Cell]]]:
    """
    The table with one type a column: percentages as numbers, their sign in the column's head, and behind a column with
    suppressed numbers another one that says which.
    """
    columns: list[str] = []
    rows: list[list[Cell]] = [[] for _ in paper.rows]
    for place, name in enumerate(paper.columns):
        cells = [row[place] for row in paper.rows]
        flags = [cell == SUPPRESSED for cell in cells]
        found = [_PERCENT.fullmatch(cell) if isinstance(cell, str) else None for cell in cells]
        is_numbers = any(found) or any(flags) or any(isinstance(cell, int | float) for cell in cells)
        if is_numbers and all(
            one or cell in _NO_NUMBER or isinstance(cell, int | float)
            for one, cell in zip(found, cells, strict=True)
        ):
            cells = [
                int(one[1].replace("\N{MINUS SIGN}", "-")) if one else None if cell in _NO_NUMBER else cell
                for one, cell in zip(found, cells, strict=True)
            ]
        columns.append(f"{name} (%)" if any(found) else name)
        for row, cell in zip(rows, cells, strict=True):
            row.append(cell)
        if any(flags):
            columns.append(f"{columns[-1]}, suppressed")
            for row, flag in zip(rows, flags, strict=True):
                row.append("yes" if flag else "no")
    return columns, rows


# --- A workbook ---------------------------------------------------------------------------------------------------

_HEAD: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATED: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_PARTS: Final = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/xl/workbook.xml"'
    ' ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    '<Override PartName="/xl/styles.xml"'
    ' ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/>'
    + "".join(
        f'<Override PartName="/xl/worksheets/sheet{number}.xml"'
        ' ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
        for number in (1, 2)
    )
    + "</Types>",
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_RELATED}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATED}"><sheets>'
    '<sheet name="Report" sheetId="1" r:id="rId1"/><sheet name="About" sheetId="2" r:id="rId2"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_RELATED}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{_RELATED}/worksheet" Target="worksheets/sheet2.xml"/>'
    f'<Relationship Id="rId3" Type="{_RELATED}/styles" Target="styles.xml"/></Relationships>',
    "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}">'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>'
    '</fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="2"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/></cellXfs></styleSheet>',
}


def as_workbook(paper: Paper) -> bytes:
    """The table on one sheet, what it is of on the other; the same paper gives the same bytes."""
    about: list[list[Cell]] = [[paper.title]]
    about += [[label, value] for label, value in (*paper.facts, ("What stands out", paper.headline))]
    about += [[note] for note in paper.sentences]
    columns, rows = _in_numbers(paper)
    parts = {
        **_PARTS,
        "xl/worksheets/sheet1.xml": _sheet([columns, *rows], widths=[26, *[14] * 30]),
        "xl/worksheets/sheet2.xml": _sheet(about, widths=[26, 90]),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for name, text in parts.items():
            package.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), _HEAD + text, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _sheet(rows: Sequence[Sequence[Cell]], *, widths: Sequence[int]) -> str:
    columns = max((len(row) for row in rows), default=1)
    wide = "".join(
        f'<col min="{place}" max="{place}" width="{width}" customWidth="1"/>'
        for place, width in enumerate(widths[:columns], 1)
    )
    body = "".join(
        f'<row r="{number}">'
        + "".join(
            _cell(f"{_letters(place)}{number}", cell, bold=number == 1) for place, cell in enumerate(row)
        )
        + "</row>"
        for number, row in enumerate(rows, 1)
    )
    return f'<worksheet xmlns="{_MAIN}"><cols>{wide}</cols><sheetData>{body}</sheetData></worksheet>'


def _cell(place: str, cell: Cell, *, bold: bool) -> str:
    style = ' s="1"' if bold else ""
    if cell is None:
        return ""
    if isinstance(cell, str):
        text = escape(_NOT_XML.sub("", cell)[:_LONGEST])
        return f'<c r="{place}"{style} t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'
    return f'<c r="{place}"{style}><v>{cell!r}</v></c>'


def _letters(place: int) -> str:
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


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
            self._row([_written(cell) for cell in row], widths)

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


def _written(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:,.2f}"
