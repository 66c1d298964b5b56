"""What is handed over: written by a job into one sealed file, with a manifest; and what such a file lacks by now."""

import csv
import hashlib
import io
import json
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from callprivacy.audit import services as audit
from callprivacy.calls.enums import ConfidentialCause
from callprivacy.calls.models import Caller, caller_label
from callprivacy.lib.logs import logger
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files, signing
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault.sealing import SealBrokenError
from consent.channels import packing
from consent.models import ConsentEvent
from retention.enums import EndState
from retention.models import Certificate, Offboarding
from retention.selectors import policies
from retention.services.offboarding.asking import Clock
from retention.services.offboarding.claims import JOB, await_people, keep

log = logger(__name__)

BATCH: Final = 500


def write_file(row: Offboarding, clock: Clock) -> None:
    """Write the file anew; who was killed over one leaves nothing."""
    at, file_id = clock(), uuid.uuid4()
    digests: dict[str, str] = {}
    counts: dict[str, int] = {}
    with (
        files.Writer(row.client_id, file_id, at=at) as out,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name, lines in _papers(row, clock, counts):
            digests[name] = _put(archive, name, lines)
        archive.writestr("manifest.json", json.dumps({"sha256": digests, "rows": counts}, indent=1) + "\n")
    whole = hashlib.sha256()
    with files.open(row.client_id, file_id) as source:
        while piece := source.read(1 << 20):
            whole.update(piece)
    with job_scope(agency_id=row.agency_id):
        mine = Offboarding.objects.filter(pk=row.pk, state=EndState.WRITING, leased_until=row.leased_until)
        is_ours = mine.update(
            state=EndState.WRITTEN, due_at=None, file_key=file_id, file_digest=whole.hexdigest(), file_rows=counts,
            failures=0, last_error="",
        )  # fmt: skip
        if is_ours:
            told: dict[str, Any] = dict(counts)
            audit.record("offboarding.written", subject=row, by=JOB, at=at, sha256=whole.hexdigest(), **told)
            await_people(row, at)
    if not is_ours:
        files.delete(row.client_id, file_id)


def _put(archive: zipfile.ZipFile, name: str, lines: Iterator[bytes]) -> str:
    """Write one paper; returns its SHA-256."""
    digest = hashlib.sha256()
    entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(entry, "w", force_zip64=True) as paper:
        for line in lines:
            digest.update(line)
            paper.write(line)
    return digest.hexdigest()


def _papers(row: Offboarding, clock: Clock, counts: dict[str, int]) -> Iterator[tuple[str, Iterator[bytes]]]:
    yield "README.txt", iter([_readme(row, clock()).encode()])
    yield "ledger.csv", _ledger(row, clock, counts)
    yield "suppressions.csv", _suppressions(row, clock, counts)
    yield "policies.json", _policies(row, counts)
    with job_scope(agency_id=row.agency_id):
        certificates = list(Certificate.objects.for_client(row.client).order_by("number"))
        counts["certificates"] = len(certificates)
    for one in certificates:
        keep(row, clock())
        public = signing.public_keys().get(one.key_id)
        data = packing.sealed_file(
            json.loads(one.statement), signature=one.signature, public=public.hex() if public else ""
        )
        yield f"certificates/{one.number}.json", iter([data])


def _line(*cells: object) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerow(["" if cell is None else cell for cell in cells])
    return out.getvalue().encode()


def _numbers(row: Offboarding, caller_ids: list[uuid.UUID]) -> dict[uuid.UUID, str]:
    """Caller -> number, of those that open; only where two officers have said that numbers go along."""
    if not row.with_numbers:
        return {}
    keys = vault_selectors.content_keys({row.client_id: caller_ids})
    found = {}
    for caller in Caller.objects.for_client(row.client).filter(pk__in=list(keys)):
        try:
            found[caller.pk] = str(caller.number.reveal(keys[caller.pk]))
        except SealBrokenError:
            continue
    return found


def _ledger(row: Offboarding, clock: Clock, counts: dict[str, int]) -> Iterator[bytes]:
    yield _line(
        "event", "caller", "number", "purpose", "kind", "basis", "scope", "channel", "strength", "happened_at",
        "recorded_at", "notice_version", "evidence", "evidence_sha256",
    )  # fmt: skip
    after, count = uuid.UUID(int=0), 0
    while True:
        keep(row, clock())
        with job_scope(agency_id=row.agency_id):
            events = list(
                ConsentEvent.objects.for_client(row.client).filter(pk__gt=after).order_by("pk")[:BATCH]
            )
            ids = list({event.caller_id for event in events if event.caller_id is not None})
            numbers = _numbers(row, ids)
            keys = vault_selectors.evidence_keys(row.client_id, ids) if row.with_numbers else {}
            lines = [_fact(event, numbers, keys) for event in events]
        yield from lines
        count += len(lines)
        counts["facts"] = count
        if len(events) < BATCH:
            return
        after = events[-1].pk


def _fact(event: ConsentEvent, numbers: Mapping[uuid.UUID, str], keys: Mapping[uuid.UUID, Any]) -> bytes:
    evidence = ""
    if event.evidence is not None and event.caller_id is not None and event.caller_id in keys:
        try:
            evidence = str(event.evidence.reveal(keys[event.caller_id]))
        except SealBrokenError:
            evidence = ""
    digest = bytes(event.evidence_digest).hex() if event.evidence_digest else ""
    return _line(
        event.pk,
        caller_label(event.caller_id) if event.caller_id else "",
        numbers.get(event.caller_id, "") if event.caller_id else "",
        event.purpose, event.kind, event.basis, event.scope, event.channel, event.strength,
        event.happened_at.isoformat(), event.recorded_at.isoformat(), event.version_id or "", evidence, digest,
    )  # fmt: skip


def _suppressions(row: Offboarding, clock: Clock, counts: dict[str, int]) -> Iterator[bytes]:
    """Who said no. Whose number no caller has any more, by an erasure, stands in nobody's list but the vault's."""
    yield _line("caller", "number", "purpose", "since")
    counts["suppressions"] = 0
    for noes in _noes(row, clock):
        with job_scope(agency_id=row.agency_id):
            numbers = _numbers(row, list({caller_id for caller_id, *_ in noes}))
        for caller_id, purpose, since in noes:
            yield _line(caller_label(caller_id), numbers.get(caller_id, ""), purpose, since)
        counts["suppressions"] += len(noes)


def _noes(row: Offboarding, clock: Clock) -> Iterator[list[tuple[uuid.UUID, str, str]]]:
    """Caller, purpose, and since when: of some callers at a time, in their order."""
    after, on = uuid.UUID(int=0), clock().date()
    while True:
        keep(row, clock())
        with job_scope(agency_id=row.agency_id):
            callers = Caller.objects.for_client(row.client).filter(pk__gt=after).order_by("pk")
            ids = list(callers.values_list("pk", flat=True)[:BATCH])
            said = vault_selectors.suppressed_callers(row.client_id, ids, on=on)
        yield [
            (caller_id, purpose, since.isoformat())
            for caller_id in sorted(said)
            for purpose, since in sorted(said[caller_id].items())
            if purpose != ConfidentialCause.EMPLOYEE
        ]
        if len(ids) < BATCH:
            return
        after = ids[-1]


def _policies(row: Offboarding, counts: dict[str, int]) -> Iterator[bytes]:
    with job_scope(agency_id=row.agency_id):
        found = policies.all_effective(row.client)
        rows = {category.value: {"days": one.days, "then": one.then} for category, one in found.items()}
    counts["policies"] = len(rows)
    yield json.dumps(rows, indent=1).encode() + b"\n"


def _readme(row: Offboarding, at: datetime) -> str:
    numbers = "Numbers stand in the files." if row.with_numbers else "Numbers do not stand in the files."
    return (
        f"What {row.client.agency.name} hands over to {row.client.legal_name}, {at:%Y-%m-%d %H:%M} UTC.\n\n"
        "ledger.csv        each consent, refusal and withdrawal, with the SHA-256 of its evidence\n"
        "suppressions.csv  who has said no, to what, and since when\n"
        "policies.json     how long each kind of thing was kept\n"
        "certificates/     what was destroyed before, signed\n"
        f"manifest.json     SHA-256 of each file\n\n{numbers}\n"
    )


# --- What came since ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Handed:
    """
    What stands in a file: the ids of its events, and each no as (caller's name, purpose, since).

    :ivar is_lost: nobody can say what stood in it: it is not here any more, or does not open.
    """

    events: frozenset[bytes] = frozenset()
    noes: frozenset[tuple[str, str, str]] = frozenset()
    is_lost: bool = False


def note_lost(row: Offboarding, error: Exception) -> None:
    """Write into the log that a file is lost: with a disk, or by a restore that does not have its key."""
    log.error("offboarding.file_lost", client=row.client_id, error=type(error).__name__)


def read_back(row: Offboarding, clock: Clock) -> Handed:
    """
    What stands in the file that was handed over; of a hundred thousand events it is some ten megabytes. Of one that is
    lost, with a disk or by a restore that does not have its key, it is nothing.
    """
    if row.file_key is None:
        return Handed(is_lost=True)
    try:
        with files.open(row.client_id, row.file_key) as source:
            whole = io.BytesIO(source.read())
    except (FileNotFoundError, SealBrokenError) as error:
        note_lost(row, error)
        return Handed(is_lost=True)
    keep(row, clock())
    with zipfile.ZipFile(whole) as archive:
        return Handed(
            events=frozenset(uuid.UUID(line["event"]).bytes for line in _lines(archive, "ledger.csv")),
            noes=frozenset(
                (line["caller"], line["purpose"], line["since"])
                for line in _lines(archive, "suppressions.csv")
            ),
        )


def _lines(archive: zipfile.ZipFile, name: str) -> Iterator[dict[str, str]]:
    with archive.open(name) as paper, io.TextIOWrapper(paper, encoding="utf-8", newline="") as text:
        yield from csv.DictReader(text)


def count_missing(row: Offboarding, handed: Handed, clock: Clock) -> int:
    """How many events and noes there are that a file has not, whatever has left since. Inside a job's scope."""
    events = ConsentEvent.objects.for_client(row.client).order_by("pk").values_list("pk", flat=True)
    missing = sum(event.bytes not in handed.events for event in events.iterator(chunk_size=10_000))
    for noes in _noes(row, clock):
        missing += sum(
            (caller_label(caller_id), purpose, since) not in handed.noes for caller_id, purpose, since in noes
        )
    return missing
