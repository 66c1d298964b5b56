"""
Taking the trail out of the house: the bundle for `tools/verify_bundle.py` (see docs/trail.md), and a table.

Either is written down before it is made. Reasons stay behind; their hashes go along.
"""

import csv
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, BinaryIO, TextIO

from callprivacy.audit import leaves, selectors
from callprivacy.audit.models import Leaving
from callprivacy.audit.services.recording import record
from callprivacy.audit.services.verifying import batches, keep_still
from callprivacy.lib.cells import plain_cell
from callprivacy.lib.scope import Actor
from callprivacy.vault import signing

ROWS_A_TABLE = 10_000
_COLUMNS = (
    "event", "at", "action", "who", "client", "subject kind", "subject", "details", "reason hash", "seal",
)  # fmt: skip


class TooManyRowsError(ValueError):
    """A table would have more rows than one file should."""


def export_bundle(
    *,
    agency_id: int,
    file: BinaryIO,
    by: Actor,
    at: datetime,
    progress: Callable[[int], Any] | None = None,
) -> int:
    """Record that the trail is exported, then write its bundle; returns how many events it holds."""
    record("trail.exported", by=by, at=at, agency_id=agency_id, form="bundle")
    return write_bundle(agency_id=agency_id, file=file, at=at, progress=progress)


def write_bundle(
    *, agency_id: int, file: BinaryIO, at: datetime, progress: Callable[[int], Any] | None = None
) -> int:
    """Write an agency's bundle as JSON lines, in the current scope; returns how many events it holds."""

    def write(members: dict[str, Any]) -> None:
        file.write(json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")

    ends = {key_id: {"until": leaves.instant(end)} for key_id, end in signing.ends().items()}
    keys = [
        {"id": key_id, "public": public.hex(), **ends.get(key_id, {})}
        for key_id, public in signing.public_keys().items()
    ]
    header = {"bundle": "callprivacy trail", "v": leaves.VERSION, "agency": agency_id}
    write({**header, "exported_at": leaves.instant(at), "keys": keys})
    keep_still(agency_id)
    left = list(Leaving.objects.filter(agency_id=agency_id).defer("left_at").order_by("first_seal", "pk"))
    for row in left:
        write({"leaving": _parsed(row.statement), "signature": bytes(row.signature).hex()})
    gone_to = max((row.last_seal for row in left), default=0)
    position = events = seals = 0
    for batch in batches(agency_id):
        for event in batch.events:
            position += 1
            events += 1
            write({"n": position, "event": event.as_leaf()})
        if batch.seal is not None:
            seals += 1
            if batch.seal.number <= gone_to:
                # What is behind keeps its place in the log.
                position = batch.seal.size
            write(
                {
                    "seal": batch.seal.message().as_dict(),
                    "signature": bytes(batch.seal.signature).hex(),
                    "peaks": bytes(batch.seal.peaks).hex(),
                    "leaves": [[event_id, leaf.hex()] for event_id, leaf in batch.seal.listed()],
                }
            )
        if progress is not None:
            progress(events)
    write({"end": {"events": events, "seals": seals}})
    return events


def _parsed(statement: str) -> Any:
    """A statement's members; the text itself where it is no JSON, for the verifier to name."""
    try:
        return json.loads(statement)
    except (ValueError, RecursionError):
        return statement


def export_table(
    *,
    agency_id: int,
    wanted: selectors.EventFilter,
    file: TextIO,
    people: Mapping[int, str],
    clients: Mapping[int, str],
    by: Actor,
    at: datetime,
) -> int:
    """
    Record that a part of the trail is exported, then write it as CSV; returns how many events.

    :param people: user id -> name, for the column who.
    :param clients: client id -> name.
    :raises TooManyRowsError: there are more than `ROWS_A_TABLE`.
    """
    rows = selectors.read_rows(selectors.events(agency_id, wanted)[: ROWS_A_TABLE + 1])
    if len(rows) > ROWS_A_TABLE:
        raise TooManyRowsError(f"More than {ROWS_A_TABLE:,} events: narrow the dates, or export the bundle.")
    record("trail.exported", by=by, at=at, agency_id=agency_id, form="table", rows=len(rows))
    seals = selectors.seals_of(agency_id, rows)
    table = csv.writer(file, lineterminator="\r\n")
    table.writerow(_COLUMNS)
    for event in rows:
        seal = seals.get(event.pk)
        cells = (
            event.pk,
            leaves.instant(event.at) if event.is_readable else "cannot be read",
            event.action,
            people.get(event.actor_user_id or 0, event.actor_name),
            clients.get(event.client_id or 0, event.client_id or ""),
            event.subject_kind,
            event.subject_id,
            json.dumps(event.details, ensure_ascii=False, sort_keys=True),
            event.reason_hash,
            seal.number if seal else "",
        )
        table.writerow([plain_cell(str(cell)) for cell in cells])
    return len(rows)
