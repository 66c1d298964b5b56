"""
A sheet of A4 to write headings, sentences and pairs of label and value on, as PDF: in plain Python and with a font of
its own.

A sign that the font lacks is written as its number, such as [U+4E2D], so that nothing is lost without being seen.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from fpdf import FPDF

_FONTS: Final = Path(__file__).parent / "fonts"
_FONT: Final = "DejaVu"
_LABEL: Final = 48
_LINE: Final = 5.0
_INK, _QUIET, _RULE = (20, 33, 38), (92, 105, 110), (205, 213, 215)


def _close(fonts: Iterable[Any]) -> None:
    for font in fonts:
        font.close()


class Sheet:
    """
    A PDF being written from top to bottom.

    :param zone: whose time instants are written in, with the zone.
    :param standard: a part of PDF/A that the file has to keep to, such as "PDF/A-3B".
    """

    def __init__(self, title: str, *, made_at: datetime, zone: ZoneInfo, standard: str | None = None) -> None:
        # The import costs most of a second, and few requests need it.
        from fpdf import FPDF  # noqa: PLC0415  (costs most of a second)

        self.zone = zone
        self.pdf: FPDF = FPDF(enforce_compliance=standard)
        self.pdf.set_auto_page_break(auto=True, margin=18)
        self.pdf.set_margins(18, 18, 18)
        self.pdf.add_font(_FONT, "", _FONTS / "DejaVuSans.ttf")
        self.pdf.add_font(_FONT, "B", _FONTS / "DejaVuSans-Bold.ttf")
        fonts = {style: self.pdf.fonts[f"{_FONT.lower()}{style}"] for style in ("", "B")}
        # Writing the PDF closes their files; of a sheet that is given up nobody else would.
        weakref.finalize(self, _close, [font.ttfont for font in fonts.values() if hasattr(font, "ttfont")])
        self._known = {style: set(getattr(font, "cmap", ())) for style, font in fonts.items()}
        self.pdf.set_title(title)
        self.pdf.set_creator("CallPrivacy")
        self.pdf.set_creation_date(made_at)

    def when(self, instant: str | None) -> str:
        """An instant in the sheet's zone and in UTC."""
        if not instant:
            return "not yet"
        at = datetime.fromisoformat(instant).astimezone(self.zone)
        return f"{at.day} {at:%b %Y, %H:%M:%S %Z} ({at.astimezone(UTC):%H:%M:%S} UTC)"

    def heading(self, text: str) -> None:
        """A heading over what follows, with a rule below."""
        if self.pdf.get_y() > self.pdf.h - 62:
            self.pdf.add_page()
        self.pdf.ln(5)
        self.text(text, size=13, bold=True, after=0.5)
        self.pdf.set_draw_color(*_RULE)
        self.pdf.line(self.pdf.l_margin, self.pdf.get_y(), self.pdf.w - self.pdf.r_margin, self.pdf.get_y())
        self.pdf.ln(2)

    def entry(self, text: str) -> None:
        """The title of one of several things of a kind."""
        if self.pdf.get_y() > self.pdf.h - 40:
            self.pdf.add_page()
        self.pdf.ln(1.5)
        self.text(text, size=10, bold=True, after=0.5)

    def text(
        self,
        text: str,
        *,
        size: float = 9,
        bold: bool = False,
        quiet: bool = False,
        boxed: bool = False,
        after: float = 1,
    ) -> None:
        """A paragraph; sizes are in points, `after` in millimetres."""
        self._use(size=size, bold=bold, quiet=quiet)
        if boxed:
            self.pdf.set_draw_color(*_RULE)
            self.pdf.set_fill_color(246, 248, 248)
        self.pdf.multi_cell(
            0, size * 0.55, self._drawable(text, bold=bold), border=1 if boxed else 0, fill=boxed,
            new_x="LMARGIN", new_y="NEXT", align="L", padding=2 if boxed else 0,
        )  # fmt: skip
        self.pdf.ln(after)

    def facts(self, rows: Iterable[tuple[str, str]], *, indent: float = 0) -> None:
        """Pairs of label and value, below each other."""
        for label, value in rows:
            if self.pdf.get_y() > self.pdf.h - 26:
                self.pdf.add_page()
            self._use(size=8.5, quiet=True)
            top = self.pdf.get_y()
            self.pdf.set_x(self.pdf.l_margin + indent)
            self.pdf.multi_cell(
                _LABEL - indent, _LINE, self._drawable(label), align="L", new_x="RIGHT", new_y="TOP"
            )
            page, below = self.pdf.page_no(), self.pdf.get_y()
            self._use(size=8.5)
            self.pdf.set_xy(self.pdf.l_margin + _LABEL, top)
            self.pdf.multi_cell(
                0, _LINE, self._drawable(value or "–"), align="L", new_x="LMARGIN", new_y="NEXT"
            )
            if page == self.pdf.page_no():
                self.pdf.set_y(max(self.pdf.get_y(), below))
        self.pdf.ln(1)

    def _use(self, *, size: float, bold: bool = False, quiet: bool = False) -> None:
        self.pdf.set_font(_FONT, "B" if bold else "", size)
        self.pdf.set_text_color(*(_QUIET if quiet else _INK))

    def _drawable(self, text: str, *, bold: bool = False) -> str:
        known = self._known["B" if bold else ""]
        return "".join(
            sign if sign == "\n" or ord(sign) in known else f"[U+{ord(sign):04X}]"
            for sign in text.replace("\r\n", "\n").replace("\t", " ")
        )
