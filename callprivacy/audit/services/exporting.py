"""The bundle: an agency's whole trail with its seals, for `tools/verify_bundle.py` (see docs/trail.md)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, BinaryIO

from callprivacy.audit import leaves
from callprivacy.audit.services.recording import record
from callprivacy.audit.services.verifying import batches
from callprivacy.lib.scope import Actor
from callprivacy.vault import signing


def record_export(*, agency_id: int, by: Actor, at: datetime) -> None:
    """Write down that the trail leaves the house, before it does; the bundle then holds that event too."""
    record("trail.exported", by=by, at=at, agency_id=agency_id)


def export_bundle(
    agency_id: int, *, file: BinaryIO, at: datetime, progress: Callable[[int], Any] | None = None
) -> int:
    """
    Write an agency's bundle as JSON lines, in the current scope; returns how many events it holds.

    Reasons stay behind: the bundle holds their hashes alone.
    """

    def write(members: dict[str, Any]) -> None:
        file.write(json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")

    keys = [{"id": key_id, "public": public.hex()} for key_id, public in signing.public_keys().items()]
    write(
        {
            "bundle": "callprivacy trail",
            "v": leaves.VERSION,
            "agency": agency_id,
            "exported_at": leaves.instant(at),
            "keys": keys,
        }
    )
    position = seals = 0
    for batch in batches(agency_id):
        for event in batch.events:
            position += 1
            write({"n": position, "event": event.as_leaf()})
        if batch.seal is not None:
            seals += 1
            write(
                {
                    "seal": batch.seal.message().as_dict(),
                    "signature": bytes(batch.seal.signature).hex(),
                    "peaks": bytes(batch.seal.peaks).hex(),
                    "leaves": [[event_id, leaf.hex()] for event_id, leaf in batch.seal.listed()],
                }
            )
        if progress is not None:
            progress(position)
    write({"end": {"events": position, "seals": seals}})
    return position
