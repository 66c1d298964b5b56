"""
How calls leave. Each step may be repeated, and a crash between two of them is mended by the next run,
which finds the same calls still due; when they leave is `retention`'s business.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef

from callprivacy.calls.models import Call, Caller, CallQuerySet, CallRef, Recording
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.fields import Sealed

WATERMARK = "call"


@dataclass(frozen=True, slots=True)
class Due:
    """What is due at one client, counted: calls, recordings among them, and callers with no call left after."""

    calls: int
    recordings: int
    callers: int


@dataclass(frozen=True, slots=True, repr=False)
class VendorCopy:
    """A recording that the vendor holds, with its reference in the clear, for the errand to seal at once."""

    recording_id: uuid.UUID
    provider: str
    call_started_at: datetime
    reference: str


@dataclass(frozen=True, slots=True)
class Erased:
    """What one batch removed."""

    calls: int
    recordings: int
    callers: int


def due_calls(client: Client, cutoff: datetime) -> CallQuerySet:
    """The calls of a client that started before the cut-off: a run's selection, and a preview's, to the row."""
    return Call.objects.for_client(client).started_before(cutoff)


def count_due(client: Client, cutoff: datetime) -> Due:
    """Count what is due, as a run would find it."""
    calls = due_calls(client, cutoff)
    later = Call.objects.for_client(client).filter(caller_id=OuterRef("caller_id")).started_from(cutoff)
    callers = calls.filter(caller__isnull=False).filter(~Exists(later)).values("caller_id").distinct()
    recordings = Recording.objects.for_client(client).filter(call__in=calls)
    return Due(calls=calls.count(), recordings=recordings.count(), callers=callers.count())


def vendor_copies(client: Client, call_ids: Collection[uuid.UUID]) -> list[VendorCopy]:
    """
    Open the vendor's references of these calls' recordings; those whose key is gone already are left out.

    Step 1 of erasing: inside the scope that writes the errands.
    """
    rows = list(
        Recording.objects.for_client(client)
        .filter(call_id__in=list(call_ids), reference__isnull=False)
        .select_related("call")
    )
    keys = vault_selectors.recording_keys(client.pk, [row.pk for row in rows])
    copies = []
    for row in rows:
        sealed: Sealed = row.reference
        if row.pk in keys:
            copies.append(VendorCopy(row.pk, row.provider, row.call.started_at, sealed.reveal(keys[row.pk])))
    return copies


def destroy_keys(
    *, client: Client, call_ids: Collection[uuid.UUID], cutoff: datetime, at: datetime
) -> set[uuid.UUID]:
    """
    Step 2: move the watermark, and destroy the recordings' keys and those of callers with no other call.

    Called outside any scope: it holds the callers' vault rows, so that no call can arrive for them, looks
    in `default` whether any is left, and destroys. Returns the callers that are forgotten.
    """
    with job_scope(agency_id=client.agency_id):
        calls = Call.objects.for_client(client).filter(pk__in=list(call_ids))
        caller_ids = set(calls.filter(caller__isnull=False).values_list("caller_id", flat=True))
        recording_ids = list(Recording.objects.filter(call__in=calls).values_list("pk", flat=True))
    vault.advance_watermark(client_id=client.pk, category=WATERMARK, before=cutoff)
    with vault.erasing_callers(client_id=client.pk, caller_ids=caller_ids):
        with job_scope(agency_id=client.agency_id):
            staying = (
                Call.objects.for_client(client)
                .filter(caller_id__in=caller_ids)
                .exclude(pk__in=list(call_ids))
            )
            forgotten = caller_ids - set(staying.values_list("caller_id", flat=True))
        vault.destroy_recording_keys(client_id=client.pk, recording_ids=recording_ids)
        vault.erase_callers(
            client_id=client.pk, erasures=[vault.Erasure(caller_id) for caller_id in forgotten], at=at
        )
    return forgotten


def remove_rows(
    *, client: Client, call_ids: Collection[uuid.UUID], forgotten: Collection[uuid.UUID]
) -> Erased:
    """Step 3: remove the rows, inside the scope that records the deed. Repeating it removes nothing more."""
    calls = Call.objects.for_client(client).filter(pk__in=list(call_ids))
    held = list(calls.select_for_update().values_list("pk", flat=True))
    recordings = Recording.objects.for_client(client).filter(call_id__in=held).remove()
    CallRef.objects.for_client(client).filter(call_id__in=held).remove()
    removed = Call.objects.for_client(client).filter(pk__in=held).remove()
    still = Call.objects.filter(caller_id=OuterRef("pk"), client_id=client.pk)
    idle = Caller.objects.for_client(client).filter(pk__in=list(forgotten)).exclude(Exists(still))
    return Erased(calls=removed, recordings=recordings, callers=idle.remove())


def idle_callers(client: Client, *, older_than: datetime, limit: int) -> list[uuid.UUID]:
    """Callers without any call, as a run that was cut short leaves them."""
    still = Call.objects.filter(caller_id=OuterRef("pk"), client_id=client.pk)
    idle = Caller.objects.for_client(client).filter(created_at__lt=older_than).exclude(Exists(still))
    return list(idle.order_by("pk").values_list("pk", flat=True)[:limit])


def remove_idle(client_id: int, caller_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Remove those of these callers that have no call; returns them and those that had no row at all."""
    busy = Call.objects.for_client(client_id).filter(caller_id__in=list(caller_ids))
    idle = set(caller_ids) - set(busy.values_list("caller_id", flat=True))
    Caller.objects.for_client(client_id).filter(pk__in=idle).remove()
    return idle


def without_recording(client_id: int, recording_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Those of these recordings' ids that have no row."""
    rows = Recording.objects.for_client(client_id).filter(pk__in=list(recording_ids))
    return set(recording_ids) - set(rows.values_list("pk", flat=True))
