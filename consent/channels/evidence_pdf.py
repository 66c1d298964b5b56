"""
The pack of evidence for people to read: a PDF of `evidence.json`, in plain Python and with a font of its own.

A sign that the font lacks is written as its number, such as [U+4E2D], so that nothing is lost without being seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from consent.enums import Basis, Channel, EventKind, Purpose, Scope, State, Strength, VendorStep, WaitingState

if TYPE_CHECKING:
    from fpdf import FPDF

_FONTS: Final = Path(__file__).parent / "fonts"
_FONT: Final = "DejaVu"
_DEEP: Final = 6
_LABEL: Final = 48
_LINE: Final = 5.0
_INK, _QUIET, _RULE = (20, 33, 38), (92, 105, 110), (205, 213, 215)


def document(evidence: Mapping[str, Any], *, zone: str) -> bytes:
    """
    Draw the pack; times are in the client's zone, with the zone.

    :param evidence: the members of `evidence.json`.
    """
    return _Page(evidence, ZoneInfo(zone)).drawn()


class _Page:
    def __init__(self, evidence: Mapping[str, Any], zone: ZoneInfo) -> None:
        # The import costs most of a second, and few requests need it.
        from fpdf import FPDF  # noqa: PLC0415

        self.evidence, self.zone = evidence, zone
        self.pdf: FPDF = FPDF()
        self.pdf.set_auto_page_break(auto=True, margin=18)
        self.pdf.set_margins(18, 18, 18)
        self.pdf.add_font(_FONT, "", _FONTS / "DejaVuSans.ttf")
        self.pdf.add_font(_FONT, "B", _FONTS / "DejaVuSans-Bold.ttf")
        fonts = {style: self.pdf.fonts[f"{_FONT.lower()}{style}"] for style in ("", "B")}
        self._known = {style: set(getattr(font, "cmap", ())) for style, font in fonts.items()}
        self.pdf.set_title("Evidence of consent")
        self.pdf.set_creator("CallPrivacy")
        self.pdf.set_creation_date(datetime.fromisoformat(evidence["made_at"]))

    def drawn(self) -> bytes:
        about = self.evidence["about"]
        self.pdf.add_page()
        self._text("Evidence of consent", size=18, bold=True, after=1)
        self._text(f"{about['person']['name']} at {about['client']['legal_name']}", size=12, after=4)
        self._about(about)
        self._states()
        self._events()
        self._words()
        self._decisions()
        self._withdrawals()
        self._proofs()
        self._rest()
        return bytes(self.pdf.output())

    # --- The parts ---

    def _about(self, about: Mapping[str, Any]) -> None:
        person = about["person"]
        rows = [
            ("Person", f"{person['name']} ({person['id']})"),
            ("Client", f"{about['client']['legal_name']} ({about['client']['name']})"),
            ("Agency", about["agency"]["name"]),
            ("Taken", f"{self._when(self.evidence['made_at'])} by {self.evidence['made_by']}"),
            ("Pack", self.evidence["id"]),
        ]
        if person["is_erased"]:
            on = person["erased_on"] or "an earlier day"
            until = person["evidence_kept_until"] or "its own date"
            rows.insert(1, ("Erased", f"On {on}. The evidence is kept until {until}."))
        self._facts(rows)

    def _states(self) -> None:
        self._heading("Where the person stands")
        for row in self.evidence["states"]:
            since = f"since {self._when(row['since'])}"
            self._facts([(_word(Purpose, row["purpose"]), f"{_word(State, row['state'])}, {since}")])
        if not self.evidence["states"]:
            self._text("Nothing was said beyond single calls.")

    def _events(self) -> None:
        events = self.evidence["events"]
        self._heading(f"What was said, and when ({len(events)})")
        for event in events:
            title = f"{_word(EventKind, event['kind'])}: {_word(Purpose, event['purpose'])}"
            self._entry(f"{self._when(event['happened_at'])}   {title}")
            self._facts(
                [
                    ("How", f"{_word(Channel, event['channel'])}; {_word(Scope, event['scope']).lower()}"),
                    ("Rests on", _word(Basis, event["basis"])),
                    ("Strength", f"{event['strength']}: {_word(Strength, event['strength'])}"),
                    ("Recorded", f"{self._when(event['recorded_at'])} by {event['recorded_by']}"),
                    *([("Words", self._name_of(event["version"]))] if event["version"] else []),
                    ("Event", f"{event['id']}, fingerprint {event['fingerprint']}"),
                ]
            )
            if event["evidence"] is None:
                self._text("The evidence opens no more: its key is destroyed.", quiet=True)
            else:
                self._facts(_flat(json.loads(event["evidence"])), indent=4)

    def _name_of(self, version_id: str) -> str:
        for version in self.evidence["notices"]:
            if version["id"] == version_id:
                return f"{version['name']}, version {version['number']}"
        return version_id

    def _words(self) -> None:
        self._heading("The exact words")
        for version in self.evidence["notices"]:
            facts = version["facts"]
            self._entry(f"{version['name']}, version {version['number']} ({facts['language']})")
            self._text(facts["privacy_notice"]["text"], boxed=True)
            self._facts(
                [
                    ("To take it back", facts["withdrawal_method"] or "not said"),
                    ("Controller", ", ".join(facts["pii_controllers"])),
                    ("Purposes", ", ".join(_word(Purpose, name) for name in facts["purposes"])),
                    ("Published", self._when(version["published_at"])),
                    ("SHA-256", version["digest"]),
                ]
            )
        for document in self.evidence["documents"]:
            self._entry(f"{document['name']}, signed on {document['signed_on']}")
            self._text(document["clause"], boxed=True)
            self._facts([("File SHA-256", document["file_sha256"])])
        if not self.evidence["notices"] and not self.evidence["documents"]:
            self._text("No event names words of a notice or a document.")

    def _decisions(self) -> None:
        decisions = self.evidence["decisions"]
        self._heading(f"What was decided from it ({len(decisions)})")
        for decision in decisions:
            verdict = "allowed" if decision["allowed"] else "not allowed"
            self._entry(
                f"{_word(Purpose, decision['purpose'])}: {verdict}, {self._when(decision['decided_at'])}"
            )
            self._facts([("Call", decision["call"]), ("Because", " ".join(decision["reasons"]))])
        if not decisions:
            self._text("No decision about a call rests on these events.")

    def _withdrawals(self) -> None:
        rows = self.evidence["withdrawals"]
        self._heading(f"Withdrawals, and what became of them ({len(rows)})")
        for row in rows:
            purposes = ", ".join(_word(Purpose, name) for name in row["purposes"])
            self._entry(f"{purposes}: stopped here {self._when(row['stopped_at'])}")
            self._facts(
                [
                    ("Said", f"{self._when(row['happened_at'])}, {_word(Channel, row['channel'])}"),
                    ("Law", row["law"] or "not planned yet"),
                    ("Closed", self._when(row["closed_at"])),
                    *((step["vendor"], self._step(step)) for step in row["steps"]),
                ]
            )
        if not rows:
            self._text("The person has taken nothing back.")

    def _step(self, step: Mapping[str, Any]) -> str:
        said = f"{_word(VendorStep, step['step'])}: {_word(WaitingState, step['state']).lower()}"
        if step["done_at"]:
            said += f" {self._when(step['done_at'])}"
        return f"{said}, receipt {step['receipt']}" if step["receipt"] else said

    def _proofs(self) -> None:
        self._heading("What vouches for it")
        for entry in self.evidence["trail"]:
            self._entry(f"Event {entry['id']} of the agency's trail")
            if entry["proof"] is None:
                self._text(entry["why_not"], quiet=True)
                continue
            seal = entry["proof"]["seal"]
            self._facts(
                [
                    (
                        "Seal",
                        f"{seal['number']}, signed {self._when(seal['signed_at'])} by key {seal['key']}",
                    ),
                    ("Root", seal["root"]),
                    ("Place", f"entry {entry['proof']['index']} of {seal['size']}"),
                ]
            )
        self._facts([(f"Key {key['id']}", key["public"]) for key in self.evidence["keys"]])

    def _rest(self) -> None:
        self._heading("What is not in it")
        for sentence in self.evidence["not_in_it"]:
            self._text(f"– {sentence}")
        self._heading("How to check it")
        self._text(
            "With the program verify_evidence.py and the agency's public key, on any machine and without a network: "
            "it recomputes the digest of the words, the fingerprint of every event, the path to the signed root and "
            "the signatures, and names what was changed. This PDF is covered by the signature of the manifest."
        )

    # --- Drawing ---

    def _when(self, instant: str | None) -> str:
        if not instant:
            return "not yet"
        at = datetime.fromisoformat(instant).astimezone(self.zone)
        return f"{at.day} {at:%b %Y, %H:%M:%S %Z} ({at.astimezone(UTC):%H:%M:%S} UTC)"

    def _heading(self, text: str) -> None:
        if self.pdf.get_y() > self.pdf.h - 62:
            self.pdf.add_page()
        self.pdf.ln(5)
        self._text(text, size=13, bold=True, after=0.5)
        self.pdf.set_draw_color(*_RULE)
        self.pdf.line(self.pdf.l_margin, self.pdf.get_y(), self.pdf.w - self.pdf.r_margin, self.pdf.get_y())
        self.pdf.ln(2)

    def _entry(self, text: str) -> None:
        if self.pdf.get_y() > self.pdf.h - 40:
            self.pdf.add_page()
        self.pdf.ln(1.5)
        self._text(text, size=10, bold=True, after=0.5)

    def _text(
        self,
        text: str,
        *,
        size: float = 9,
        bold: bool = False,
        quiet: bool = False,
        boxed: bool = False,
        after: float = 1,
    ) -> None:
        self._use(size=size, bold=bold, quiet=quiet)
        if boxed:
            self.pdf.set_draw_color(*_RULE)
            self.pdf.set_fill_color(246, 248, 248)
        self.pdf.multi_cell(
            0, size * 0.55, self._drawable(text, bold=bold), border=1 if boxed else 0, fill=boxed,
            new_x="LMARGIN", new_y="NEXT", align="L", padding=2 if boxed else 0,
        )  # fmt: skip
        self.pdf.ln(after)

    def _facts(self, rows: Iterable[tuple[str, str]], *, indent: float = 0) -> None:
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


def _word(words: Any, value: str) -> str:
    try:
        return str(words(value).label)
    except ValueError:
        return value


def _flat(value: Any, name: str = "", depth: int = 0) -> list[tuple[str, str]]:
    """Members of evidence as lines of label and text, however they are nested."""
    if isinstance(value, Mapping) and depth < _DEEP:
        return [
            line for key, inner in value.items() for line in _flat(inner, f"{name} {key}".strip(), depth + 1)
        ]
    if isinstance(value, list) and depth < _DEEP:
        return [
            line
            for number, inner in enumerate(value, start=1)
            for line in _flat(inner, f"{name} {number}".strip(), depth + 1)
        ]
    said = {True: "yes", False: "no", None: "–"}.get(value) if isinstance(value, bool | None) else str(value)
    return [(name.replace("_", " ").capitalize(), str(said))]
