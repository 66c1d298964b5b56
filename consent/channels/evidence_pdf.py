"""The pack of evidence for people to read: a PDF of `evidence.json`."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from consent.channels.sheet import Sheet
from consent.enums import (
    Basis,
    Channel,
    EventKind,
    Purpose,
    Scope,
    State,
    VendorStep,
    WaitingState,
    grade_of,
)

_DEEP: Final = 6


def document(evidence: Mapping[str, Any], *, zone: str) -> bytes:
    """
    Draw the pack; times are in the client's zone, with the zone.

    :param evidence: the members of `evidence.json`.
    """
    return _Page(evidence, ZoneInfo(zone)).drawn()


class _Page(Sheet):
    def __init__(self, evidence: Mapping[str, Any], zone: ZoneInfo) -> None:
        super().__init__(
            "Evidence of consent", made_at=datetime.fromisoformat(evidence["made_at"]), zone=zone
        )
        self.evidence = evidence

    def drawn(self) -> bytes:
        about = self.evidence["about"]
        self.pdf.add_page()
        self.text("Evidence of consent", size=18, bold=True, after=1)
        self.text(f"{about['person']['name']} at {about['client']['legal_name']}", size=12, after=4)
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
            ("Created", f"{self.when(self.evidence['made_at'])} by {self.evidence['made_by']}"),
            ("Pack", self.evidence["id"]),
        ]
        if person["is_erased"]:
            on = person["erased_on"] or "an earlier day"
            until = person["evidence_kept_until"] or "its own end date"
            rows.insert(1, ("Erased", f"On {on}. The evidence is kept until {until}."))
        self.facts(rows)

    def _states(self) -> None:
        self.heading("Consent status")
        for row in self.evidence["states"]:
            since = f"since {self.when(row['since'])}"
            self.facts([(_word(Purpose, row["purpose"]), f"{_word(State, row['state'])}, {since}")])
        if not self.evidence["states"]:
            self.text("No consent or opt-out applies beyond single calls.")

    def _events(self) -> None:
        events = self.evidence["events"]
        self.heading(f"Consent history ({len(events)})")
        for event in events:
            title = f"{_word(EventKind, event['kind'])}: {_word(Purpose, event['purpose'])}"
            self.entry(f"{self.when(event['happened_at'])}   {title}")
            self.facts(
                [
                    ("By", f"{_word(Channel, event['channel'])}; {_word(Scope, event['scope']).lower()}"),
                    ("Legal basis", _word(Basis, event["basis"])),
                    ("Evidence grade", _grade(event)),
                    ("Recorded", f"{self.when(event['recorded_at'])} by {event['recorded_by']}"),
                    *([("Notice", self._name_of(event["version"]))] if event["version"] else []),
                    ("Event", f"{event['id']}, fingerprint {event['fingerprint']}"),
                ]
            )
            if event["evidence"] is None:
                self.text("The evidence cannot be decrypted because its key is destroyed.", quiet=True)
            else:
                self.facts(_flat(json.loads(event["evidence"])), indent=4)

    def _name_of(self, version_id: str) -> str:
        for version in self.evidence["notices"]:
            if version["id"] == version_id:
                return f"{version['name']}, version {version['number']}"
        return version_id

    def _words(self) -> None:
        self.heading("Exact text of notices")
        for version in self.evidence["notices"]:
            facts = version["facts"]
            self.entry(f"{version['name']}, version {version['number']} ({facts['language']})")
            self.text(facts["privacy_notice"]["text"], boxed=True)
            self.facts(
                [
                    ("How to withdraw", facts["withdrawal_method"] or "not stated"),
                    ("Controller", ", ".join(facts["pii_controllers"])),
                    ("Purposes", ", ".join(_word(Purpose, name) for name in facts["purposes"])),
                    ("Published", self.when(version["published_at"])),
                    ("SHA-256", version["digest"]),
                ]
            )
        for document in self.evidence["documents"]:
            self.entry(f"{document['name']}, signed on {document['signed_on']}")
            self.text(document["clause"], boxed=True)
            self.facts([("File SHA-256", document["file_sha256"])])
        if not self.evidence["notices"] and not self.evidence["documents"]:
            self.text("No event refers to a notice or a document.")

    def _decisions(self) -> None:
        decisions = self.evidence["decisions"]
        self.heading(f"Decisions ({len(decisions)})")
        for decision in decisions:
            verdict = "allowed" if decision["allowed"] else "not allowed"
            self.entry(
                f"{_word(Purpose, decision['purpose'])}: {verdict}, {self.when(decision['decided_at'])}"
            )
            self.facts([("Call", decision["call"]), ("Reasons", " ".join(decision["reasons"]))])
        if not decisions:
            self.text("No decision about a call is based on these events.")

    def _withdrawals(self) -> None:
        rows = self.evidence["withdrawals"]
        self.heading(f"Withdrawals and vendor steps ({len(rows)})")
        for row in rows:
            purposes = ", ".join(_word(Purpose, name) for name in row["purposes"])
            self.entry(f"{purposes}: stopped {self.when(row['stopped_at'])}")
            self.facts(
                [
                    ("Withdrawn", f"{self.when(row['happened_at'])}, {_word(Channel, row['channel'])}"),
                    ("Law", row["law"] or "not scheduled yet"),
                    ("Closed", self.when(row["closed_at"])),
                    *((step["vendor"], self._step(step)) for step in row["steps"]),
                ]
            )
        if not rows:
            self.text("The person has not withdrawn consent.")

    def _step(self, step: Mapping[str, Any]) -> str:
        said = f"{_word(VendorStep, step['step'])}: {_word(WaitingState, step['state']).lower()}"
        if step["done_at"]:
            said += f" {self.when(step['done_at'])}"
        return f"{said}, receipt {step['receipt']}" if step["receipt"] else said

    def _proofs(self) -> None:
        self.heading("Proof")
        for entry in self.evidence["trail"]:
            self.entry(f"Event {entry['id']} of the agency's audit log")
            if entry["proof"] is None:
                self.text(entry["why_not"], quiet=True)
                continue
            seal = entry["proof"]["seal"]
            self.facts(
                [
                    (
                        "Signed checkpoint",
                        f"{seal['number']}, signed {self.when(seal['signed_at'])} by key {seal['key']}",
                    ),
                    ("Merkle root", seal["root"]),
                    ("Position", f"entry {entry['proof']['index']} of {seal['size']}"),
                ]
            )
        self.facts([(f"Key {key['id']}", key["public"]) for key in self.evidence["keys"]])

    def _rest(self) -> None:
        self.heading("Not included")
        for sentence in self.evidence["not_in_it"]:
            self.text(f"– {sentence}")
        self.heading("How to verify this pack")
        self.text(
            "Run verify_evidence.py with the agency's public key. It needs no network. "
            "It recomputes the digest of each text, the fingerprint of each event, the path to the signed root, and "
            "the signatures, and reports each change. The signature of the manifest covers this PDF."
        )


def _grade(event: Mapping[str, Any]) -> str:
    grade = grade_of(event["channel"], event["strength"])
    return f"{grade}: {grade.label}"


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
