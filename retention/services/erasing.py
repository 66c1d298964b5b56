"""
One batch of what has expired, or of recordings whose quarantine is over, in the order that makes a crash harmless:
intent and errands; keys and files; rows.

Between any two steps the process may die. What is left is found again from state: the rows are still due, what was
taken out of use still has its mark, a step at the vendor exists once a recording, a destroyed key stays destroyed. A
batch is counted, and its ids enter the digest, in the transaction that removes its rows: once, or not at all.
"""

import hashlib
from collections.abc import Collection
from datetime import datetime
from typing import Protocol
from uuid import UUID

from callprivacy.audit import services as audit
from callprivacy.calls.services import erasure
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from consent.selectors import decisions
from consent.services import quarantine
from retention import targets
from retention.enums import Category
from retention.services import holds, vendors
from retention.targets import Chosen, Deed, Line, Removed, Target

_SAID = frozenset({Category.RECORDING, Category.TRANSCRIPT})


class Book(Protocol):
    """Where a batch looks up what it may do, and writes down what it did."""

    def begin(self) -> Line:
        """In the scope that writes the intent, before anything is chosen: bring the holds up to date, say the line."""

    def note_errands(self, count: int) -> None:
        """In the same scope: so many new errands at vendors."""

    def note_removed(self, chosen: Chosen, removed: Removed) -> None:
        """In the scope that removes the rows."""


def digest_after(digest: bytes, ids: Collection[UUID]) -> bytes:
    """
    Return the digest of all that left so far, once a batch has: SHA-256 over the digest before it and the batch's ids,
    16 bytes each, sorted. A batch that removed nothing changes nothing. The first digest is 32 zero bytes.
    """
    if not ids:
        return digest
    return hashlib.sha256(digest + b"".join(sorted(one.bytes for one in ids))).digest()


def erase_batch(
    *, target: Target, client: Client, after: UUID | None, limit: int, deed: Deed, book: Book
) -> Removed | None:
    """
    Erase up to `limit` rows of one kind of a client that lie before the line, in the order of their keys.

    Called outside any scope: each step is a transaction of its own. Returns what this call removed, or None where
    nothing was due after `after`.
    """
    with job_scope(agency_id=client.agency_id, client_id=client.pk):
        line = book.begin()
        if target.watermark and after is None:
            # In the client's turn, which lasts until the intent has committed: who comes later meets the line.
            erasure.close_before(client=client, cutoff=line.cutoff, category=target.watermark)
        chosen = target.choose(line, after=after, limit=limit, deed=deed)
        if not chosen.ids:
            return None
        copies = list(chosen.copies)
        instructed = decisions.deletes_at_vendor(client)
        book.note_errands(open_errands(client, copies, deed.by, deed.at, instructed=instructed))
        if target.category in _SAID and copies and instructed:
            told = [copy.recording_id for copy in copies]
            erasure.note_vendor_told(client=client, recording_ids=told, at=deed.at)
        audit.record(
            f"{target.noun}.erasing",
            subject=client,
            by=deed.by,
            at=deed.at,
            rows=len(chosen.ids),
            recordings=len(chosen.recordings),
            errands=len(copies) if instructed else 0,
            outliving=0 if instructed else len(copies),
            cutoff=line.cutoff.isoformat(),
            first=str(chosen.ids[0]),
            last=str(chosen.ids[-1]),
        )
    chosen = target.destroy(line, chosen, deed)
    with job_scope(agency_id=client.agency_id, client_id=client.pk):
        removed = target.remove(line, chosen, deed)
        if target.category in _SAID:
            quarantine.renew_items(client=client, withheld=(), at=deed.at)
        audit.record(
            f"{target.noun}.erased",
            subject=client,
            by=deed.by,
            at=deed.at,
            rows=len(removed.ids),
            recordings=removed.recordings,
            transcripts=removed.transcripts,
            callers=removed.callers,
            reasons=removed.reasons,
            first=str(removed.ids[0]) if removed.ids else None,
            last=str(removed.ids[-1]) if removed.ids else None,
        )
        book.note_removed(chosen, removed)
    return removed


def erase_quarantined(*, client: Client, limit: int, by: Actor, at: datetime) -> targets.Erased | None:
    """
    Erase up to `limit` recordings and transcripts of a client whose quarantine is over; their calls stay.

    At the vendor only where the client has instructed us to: then each recording becomes an errand. Called outside
    any scope. Returns what this call removed, or None where nothing was due.
    """
    target = targets.SAID
    with job_scope(agency_id=client.agency_id):
        client = Client.objects.select_related("agency").get(pk=client.pk)
        holds.mark_held(client=client, at=at)
        call_ids = target.due(client, at=at, limit=limit)
        if call_ids:
            _take_out_of_use(client, call_ids, by, at)
        said = target.unfinished(client, limit=limit)
    if not said.ids:
        return None
    target.erase(client=client, said=said)
    with job_scope(agency_id=client.agency_id):
        erased = target.clear(client=client, said=said)
        audit.record(
            "recordings.erased",
            subject=client,
            by=by,
            at=at,
            recordings=erased.recordings,
            transcripts=erased.transcripts,
        )
        quarantine.renew_items(client=client, withheld=(), at=at)
    return erased


def _take_out_of_use(client: Client, call_ids: list[UUID], by: Actor, at: datetime) -> None:
    """Nobody may use them from now on, whatever happens to the next steps."""
    copies = targets.SAID.mark(client=client, call_ids=call_ids, at=at)
    instructed = decisions.deletes_at_vendor(client)
    open_errands(client, copies, by, at, instructed=instructed)
    if instructed:
        told = [copy.recording_id for copy in copies]
        targets.SAID.note_told(client=client, recording_ids=told, at=at)
    audit.record(
        "recordings.erasing",
        subject=client,
        by=by,
        at=at,
        calls=len(call_ids),
        recordings=len(copies),
        at_vendor=instructed,
    )


def open_errands(
    client: Client,
    copies: list[targets.VendorCopy],
    by: Actor,
    at: datetime,
    *,
    instructed: bool | None = None,
) -> int:
    """
    What vendors hold is to follow when our own key and row are gone: asked for where the client has instructed us,
    listed as outliving ours where not. Returns how many steps at vendors are new.
    """
    return vendors.open_steps(client=client, copies=copies, by=by, at=at, instructed=instructed)
