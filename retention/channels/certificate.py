"""
The certificate of destruction as a file: canonical JSON, signed, and the same within a PDF of which every byte is
vouched for. docs/certificates.md is the specification; `tools/verify_certificate.py` checks both.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from callprivacy.audit.leaves import canonical_document
from callprivacy.lib.status import Progress, Reader, Thing, words_for
from consent.channels import packing
from consent.channels.sheet import Sheet

NAME: Final = "callprivacy destruction"
VERSION: Final = 1
VERSION_OWN: Final = 2
"""Of certificates about the agency's own rows, whose `client` is null."""
CONTEXT: Final = b"callprivacy destruction 1\n"
PDF_CONTEXT: Final = b"callprivacy destruction pdf 1\n"
EMBEDDED: Final = "certificate.json"


def to_sign(statement: Mapping[str, Any]) -> bytes:
    """The bytes that are signed: a context line, then the statement in its one form."""
    return CONTEXT + canonical_document(statement)


def document(
    statement: Mapping[str, Any], file: bytes, *, zone: str, public: str, sign: Callable[[bytes], bytes]
) -> bytes:
    """
    The same for people to read, as PDF/A-3, with the file for programs inside and its own signature at its end.

    :param zone: in which instants are written.
    :param public: the key, in hex, that `sign` signs by; it may be another than that of the statement.
    """
    drawn = _Certificate(statement, file, ZoneInfo(zone)).drawn()
    return packing.sign_pdf(drawn, context=PDF_CONTEXT, public=public, sign=sign)


def destroyed(statement: Mapping[str, Any]) -> Progress:
    """How much of what was due a certificate says was destroyed."""
    rows = statement["categories"]
    erased = sum(row["erased"] for row in rows)
    is_cancelled = statement["run"]["state"] == "cancelled"
    return Progress(
        planned=sum(max(row["due"], row["erased"]) for row in rows),
        sent=erased,
        acknowledged=erased,
        failed=sum(row["state"] == "failed" for row in rows),
        cancelled=sum(row["state"] not in {"done", "failed"} for row in rows) if is_cancelled else 0,
        held=sum(row["held"] for row in rows),
    )


def destroyed_words(statement: Mapping[str, Any]) -> str:
    return words_for(destroyed(statement), Reader.OFFICER, thing=Thing.DESTRUCTION)


def _number(value: int, one: str, many: str) -> str:
    return f"{value:,} {one if value == 1 else many}"


def _version(number: int) -> str:
    return f"version {number}" if number else "no version of its own"


class _Certificate(Sheet):
    def __init__(self, statement: Mapping[str, Any], file: bytes, zone: ZoneInfo) -> None:
        title = f"Certificate of destruction {statement['number']}"
        issued = datetime.fromisoformat(statement["issued_at"])
        super().__init__(title, made_at=issued, zone=zone, standard="PDF/A-3B")
        self.statement = statement
        self.pdf.embed_file(
            basename=EMBEDDED,
            bytes=file,
            mime_type="application/json",
            modification_date=issued,
            associated_file_relationship="Data",
            desc="The signed statement, for programs",
        )

    def drawn(self) -> bytes:
        said = self.statement
        self.pdf.add_page()
        self.text("Certificate of destruction", size=18, bold=True, after=1)
        whose = said["agency"]["name"] if said["client"] is None else said["client"]["legal_name"]
        self.text(f"Number {said['number']}, {whose}", size=12, after=4)
        self._about(said)
        self._copies(said)
        self._categories(said)
        self._holds(said)
        self._rest(said)
        return bytes(self.pdf.output())

    def _about(self, said: Mapping[str, Any]) -> None:
        run = said["run"]
        ended = "cancelled" if run["state"] == "cancelled" else "finished"
        self.facts(
            [
                (
                    "Client",
                    "none: rows of the agency's own"
                    if said["client"] is None
                    else f"{said['client']['legal_name']} ({said['client']['name']})",
                ),
                ("Agency", said["agency"]["name"]),
                ("Run", f"{run['id']}, of {run['planned_on']}"),
                ("Started", self.when(run["started_at"])),
                (ended.capitalize(), self.when(run["finished_at"])),
                ("Issued", self.when(said["issued_at"])),
                ("Result", destroyed_words(said)),
                ("Certificate", said["id"]),
            ]
        )

    def _copies(self, said: Mapping[str, Any]) -> None:
        self.heading("From when on no copy can be opened")
        if not destroyed(said).sent:
            self.text("The run destroyed nothing, so this date does not apply.")
            return
        self.text(
            f"The keys were destroyed in the run. Copies of the keys' database live 14 days at most: from"
            f" {said['copies_gone_on']} on no copy that is kept by this installation's rules opens any of it."
        )

    def _categories(self, said: Mapping[str, Any]) -> None:
        self.heading("What was destroyed")
        for row in said["categories"]:
            self.entry(row["title"])
            facts = [
                ("Destroyed", _number(row["erased"], "row", "rows")),
                ("Policy", f"{_number(row['days'], 'day', 'days')}, {_version(row['policy_version'])}"),
                ("Before", self.when(row["cutoff"])),
                ("Past its date", _number(row["due"], "row", "rows")),
                ("Kept by holds", _number(row["held"], "row", "rows")),
            ]
            if row["recordings"]:
                facts.append(("Recordings with them", f"{row['recordings']:,}"))
            if row["callers"]:
                facts.append(("People forgotten", f"{row['callers']:,}"))
            if row["bytes"]:
                facts.append(("Files", f"{row['bytes']:,} bytes"))
            if row["then"] == "reduce":
                facts.append(("Kept of it", "daily totals"))
            if row["vendor_steps"]:
                facts.append(("To delete at vendors", f"{row['vendor_steps']:,}"))
            if row["state"] != "done":
                facts.append(
                    ("Not finished", f"{row['state']}, {_number(row['failures'], 'fault', 'faults')}")
                )
            facts.append(("Digest of the ids", row["digest"]))
            self.facts(facts)

    def _holds(self, said: Mapping[str, Any]) -> None:
        self.heading("Legal holds honored")
        for hold in said["holds"]:
            matter = f" ({hold['matter']})" if hold["matter"] else ""
            self.facts([(f"{hold['name']}{matter}", f"placed {self.when(hold['placed_at'])}")])
        if not said["holds"]:
            self.text("None was open.")

    def _rest(self, said: Mapping[str, Any]) -> None:
        self.heading("What is not said here")
        still = said["open_at_vendors"]
        self.text(
            f"{_number(still, 'recording waits', 'recordings wait')} to be deleted at a vendor. What vendors keep is"
            " vouched for by their own answers, not by this certificate."
            if still
            else "What vendors keep is vouched for by their own answers, not by this certificate."
        )
        self.heading("How to check it")
        self.text(
            "With the program verify_certificate.py and the agency's public key, on any machine and without a network."
            f" The statement is attached as {EMBEDDED} and signed by key {said['key']}; this file has a signature of"
            " its own, so that no byte of it can be changed unseen."
        )
