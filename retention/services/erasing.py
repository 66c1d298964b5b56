"""
One batch of expired calls, or of recordings whose quarantine is over, in the order that makes a crash harmless: intent
and errands; keys; files; rows.

Between any two steps the process may die. What is left is found again from state: the calls are still due, what was
taken out of use still has its date, an errand exists once a recording, a destroyed key stays destroyed.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import Place
from callprivacy.work import services as work
from consent.selectors import decisions
from consent.services import quarantine
from retention import targets
from retention.models import Errand


def erase_batch(
    *, client: Client, cutoff: datetime, limit: int, by: Actor, at: datetime
) -> targets.Erased | None:
    """
    Erase up to `limit` of a client's calls that started before the cut-off, oldest first.

    Called outside any scope: each step is a transaction of its own. Returns what this call removed, or None where
    nothing was due.
    """
    target = targets.CALLS
    target.close_before(client=client, cutoff=cutoff)
    with job_scope(agency_id=client.agency_id):
        call_ids = list(target.due(client, cutoff).order_by("pk").values_list("pk", flat=True)[:limit])
        if not call_ids:
            return None
        copies = target.vendor_copies(client, call_ids)
        _open_errands(client, copies, by, at)
        audit.record(
            "calls.erasing",
            subject=client,
            by=by,
            at=at,
            calls=len(call_ids),
            recordings=len(copies),
            cutoff=cutoff.isoformat(),
            first=str(call_ids[0]),
            last=str(call_ids[-1]),
        )
    recording_ids = [copy.recording_id for copy in copies]
    forgotten = target.destroy_keys(client=client, call_ids=call_ids, recording_ids=recording_ids, at=at)
    with job_scope(agency_id=client.agency_id):
        erased = target.remove_rows(
            client=client, call_ids=call_ids, recording_ids=recording_ids, forgotten=forgotten
        )
        audit.record(
            "calls.erased",
            subject=client,
            by=by,
            at=at,
            calls=erased.calls,
            recordings=erased.recordings,
            callers=erased.callers,
            reasons=erased.reasons,
            first=str(call_ids[0]),
            last=str(call_ids[-1]),
        )
    return erased


def erase_quarantined(*, client: Client, limit: int, by: Actor, at: datetime) -> targets.Erased | None:
    """
    Erase up to `limit` recordings and transcripts of a client whose quarantine is over; their calls stay.

    At the vendor only where the client has instructed us to: then each recording becomes an errand. Called outside
    any scope. Returns what this call removed, or None where nothing was due.
    """
    target = targets.SAID
    with job_scope(agency_id=client.agency_id):
        client = Client.objects.select_related("agency").get(pk=client.pk)
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
    if instructed:
        _open_errands(client, copies, by, at)
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


def _open_errands(client: Client, copies: list[targets.VendorCopy], by: Actor, at: datetime) -> None:
    """What the vendor holds must still be deleted there when our own key and row are gone."""
    if not copies:
        return
    key = vault.purpose_key(client_id=client.pk, purpose="errand", at=at)
    errands = []
    for copy in copies:
        errand = Errand(
            agency_id=client.agency_id,
            client=client,
            recording_id=copy.recording_id,
            provider=copy.provider,
            call_started_at=copy.call_started_at,
            opened_at=at,
        )
        if copy.reference is not None:
            place = Place(client.pk, Errand._meta.db_table, "reference", errand.pk)
            errand.reference = key.seal(copy.reference.encode(), place)
        errands.append(errand)
    Errand.objects.bulk_create(errands, ignore_conflicts=True)
    renew_item(client=client, by=by, at=at)


@transaction.atomic
def renew_item(*, client: Client, by: Actor, at: datetime) -> None:
    """Let the open errands of a client wait in the queue, or close the item when none is left."""
    count = Errand.objects.for_client(client).count()
    if count:
        work.open_item(
            "vendor_deletion",
            agency_id=client.agency_id,
            client_id=client.pk,
            key=str(client.pk),
            at=at,
            count=count,
        )
    else:
        work.close_item("vendor_deletion", agency_id=client.agency_id, key=str(client.pk), at=at, by=by)
