"""
A binder of proof as a file: canonical JSON, signed, and the same within a PDF of which every byte is vouched for.
docs/binder.md is the specification; `tools/verify_bundle.py` checks both, alone and offline.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from callprivacy.audit.leaves import canonical_document
from consent.channels import packing
from consent.channels.sheet import Sheet

NAME: Final = "callprivacy binder"
VERSION: Final = 1
CONTEXT: Final = b"callprivacy binder 1\n"
PDF_CONTEXT: Final = b"callprivacy binder pdf 1\n"
EMBEDDED: Final = "binder.json"
NOT_IN_IT: Final = (
    "Numbers and names of the people called: the binder counts them.",
    "What people wrote freely: reasons, notes, words of breaches.",
    "Anything of another client. What is the agency's as a whole (premises, keys) is counted the same for each.",
    "What vendors keep: their own answers vouch for it.",
)
_LINE: Final = 4.6
_ROOM: Final = 174.0


def digest_of(part: Mapping[str, Any]) -> str:
    """SHA-256 of a part in its one form, in hex."""
    return hashlib.sha256(canonical_document(part)).hexdigest()


def to_sign(statement: Mapping[str, Any]) -> bytes:
    """The bytes that are signed: a context line, then the statement in its one form."""
    return CONTEXT + canonical_document(statement)


def document(
    statement: Mapping[str, Any], file: bytes, *, zone: str, public: str, sign: Callable[[bytes], bytes]
) -> bytes:
    """
    The same for people to read, as PDF/A-3, with the file for programs inside and its own signature at its end.

    :param zone: in which instants are written.
    """
    drawn = _Binder(statement, file, ZoneInfo(zone)).drawn()
    return packing.sign_pdf(drawn, context=PDF_CONTEXT, public=public, sign=sign)


class _Binder(Sheet):
    def __init__(self, statement: Mapping[str, Any], file: bytes, zone: ZoneInfo) -> None:
        made_at = datetime.fromisoformat(statement["made_at"])
        super().__init__(
            f"Binder of proof {statement['number']}", made_at=made_at, zone=zone, standard="PDF/A-3B"
        )
        self.statement = statement
        self.pdf.embed_file(
            basename=EMBEDDED,
            bytes=file,
            mime_type="application/json",
            modification_date=made_at,
            associated_file_relationship="Data",
            desc="The signed statement, for programs",
        )

    def drawn(self) -> bytes:
        said = self.statement
        self.pdf.add_page()
        self.text("Binder of proof", size=20, bold=True, after=1)
        self.text(f"{said['client']['legal_name']}, by {said['agency']['name']}", size=12, after=4)
        self.facts(
            [
                ("Binder", f"{said['number']} ({said['id']})"),
                ("Made", self.when(said["made_at"])),
                ("Looks back to", self.when(said["since"])),
                ("Key", said["key"]),
            ]
        )
        self._gaps()
        links = self._contents()
        for part in said["contents"]:
            self._part(part, said["parts"][part["id"]], links[part["id"]])
        self.heading("What is not in it")
        for line in said["not_in_it"]:
            self.text(f"–  {line}")
        self._check()
        return bytes(self.pdf.output())

    def _gaps(self) -> None:
        self.heading("What does not hold, or is not there")
        found = [
            (part["title"], gap)
            for part in self.statement["contents"]
            for gap in self.statement["parts"][part["id"]]["gaps"]
        ]
        if found:
            self.facts(found)
        else:
            self.text("Nothing was found.")

    def _contents(self) -> dict[str, int]:
        """The parts with their digests; each title leads to its part."""
        self.heading("Contents, with the SHA-256 of each part")
        links = {}
        for number, part in enumerate(self.statement["contents"], 1):
            if self.pdf.get_y() > self.pdf.h - 30:
                self.pdf.add_page()
            links[part["id"]] = self.pdf.add_link()
            self._use(size=9.5, bold=True)
            self.pdf.cell(
                0, 5.2, self._drawable(f"{number}. {part['title']}", bold=True), link=links[part["id"]],
                new_x="LMARGIN", new_y="NEXT",
            )  # fmt: skip
            self.text(part["sha256"], size=7.5, quiet=True, after=0.4)
        return links

    def _part(self, part: Mapping[str, Any], held: Mapping[str, Any], link: int) -> None:
        self.heading(part["title"])
        self.pdf.set_link(link, page=self.pdf.page_no(), y=self.pdf.get_y())
        if held["facts"]:
            self.facts([(label, words) for label, words in held["facts"]])
        if held["columns"]:
            self._table(held["columns"], held["rows"])
        for gap in held["gaps"]:
            self.text(f"Does not hold: {gap}", bold=True)
        for note in held["notes"]:
            self.text(note, quiet=True)

    def _table(self, columns: list[str], rows: list[list[Any]]) -> None:
        """Two columns as pairs; more as a record each, with the first cell as its title."""
        if not rows:
            self.text("None.", quiet=True)
            return
        narrow = len(columns) <= 7 and all(len(str(cell)) <= 40 for row in rows for cell in row)
        if narrow:
            self._grid(columns, rows)
            return
        for row in rows:
            self.entry(str(row[0]))
            self.facts(
                [
                    (label, _written(cell))
                    for label, cell in zip(columns[1:], row[1:], strict=True)
                    if cell != ""
                ]
            )

    def _grid(self, columns: list[str], rows: list[list[Any]]) -> None:
        weights = [
            max(len(name), *(len(_written(row[place])) for row in rows)) + 2
            for place, name in enumerate(columns)
        ]
        widths = [_ROOM * weight / sum(weights) for weight in weights]
        self._row([str(name) for name in columns], widths, head=True)
        for row in rows:
            if self.pdf.get_y() > self.pdf.h - 40:
                self.pdf.add_page()
                self._row([str(name) for name in columns], widths, head=True)
            self._row([_written(cell) for cell in row], widths)
        self.pdf.ln(1.5)

    def _row(self, cells: list[str], widths: list[float], *, head: bool = False) -> None:
        """One row; a cell that is too long goes on below, so that no word of a statement is cut."""
        self._use(size=7.5, bold=head, quiet=head)
        left, top, page = self.pdf.l_margin, self.pdf.get_y(), self.pdf.page_no()
        below = top
        for cell, width in zip(cells, widths, strict=True):
            self.pdf.set_xy(left, top)
            self.pdf.multi_cell(
                width,
                _LINE,
                self._drawable(cell, bold=head),
                align="L",
                new_x="RIGHT",
                new_y="NEXT",
                padding=(0, 1, 0, 0),
            )
            below = max(below, self.pdf.get_y()) if self.pdf.page_no() == page else self.pdf.get_y()
            left += width
        self.pdf.set_xy(self.pdf.l_margin, below)

    def _check(self) -> None:
        self.heading("How to check it")
        self.text(
            "With the program verify_bundle.py and the agency's public key, on any machine and without a network: it is"
            f" one file in plain Python. The statement is attached as {EMBEDDED} and signed by key"
            f" {self.statement['key']}; this file has a signature of its own, so that no byte can be changed unseen."
        )


def _written(cell: Any) -> str:
    return f"{cell:,}" if isinstance(cell, int) else str(cell)
