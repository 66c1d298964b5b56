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

from callprivacy.audit import services as audit
from callprivacy.calls.models import Call, Caller, CallQuerySet, CallRef, Recording, Reveal
from callprivacy.calls.services import turns
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.fields import Sealed
from callprivacy.vault.sealing import Key, SealBrokenError

WATERMARK = "call"


@dataclass(frozen=True, slots=True)
class Due:
    """What is due at one client, counted: calls, recordings among them, and callers with no call left after."""

    calls: int
    recordings: int
    callers: int


@dataclass(frozen=True, slots=True, repr=False)
class VendorCopy:
    """
    A recording that the vendor holds, with its reference in the clear, for the errand to seal at once.

    Without a reference where ours does not open any more: the vendor's copy must go all the same.
    """

    recording_id: uuid.UUID
    provider: str
    call_started_at: datetime
    reference: str | None


@dataclass(frozen=True, slots=True)
class Erased:
    """What one batch removed."""

    calls: int
    recordings: int
    callers: int
    reasons: int = 0


def due_calls(client: Client, cutoff: datetime) -> CallQuerySet:
    """The calls of a client that started before the cut-off: a run's selection, and a preview's, to the row."""
    return Call.objects.for_client(client).started_before(cutoff)


def count_due(client: Client, cutoff: datetime) -> Due:
    """Count what is due, as a run would find it."""
    calls = due_calls(client, cutoff)
    later = Call.objects.for_client(client).filter(caller_id=OuterRef("caller_id")).started_from(cutoff)
    leaving = calls.filter(caller__isnull=False, caller__has_evidence=False).filter(~Exists(later))
    callers = leaving.values("caller_id").distinct()
    recordings = Recording.objects.for_client(client).filter(call__in=calls)
    return Due(calls=calls.count(), recordings=recordings.count(), callers=callers.count())


def vendor_copies(client: Client, call_ids: Collection[uuid.UUID]) -> list[VendorCopy]:
    """
    Every recording of these calls, its vendor's reference opened where it opens.

    Step 1 of erasing: inside the scope that writes the errands.
    """
    rows = list(
        Recording.objects.for_client(client).filter(call_id__in=list(call_ids)).select_related("call")
    )
    keys = _readable_keys(client, [row.pk for row in rows])
    return [
        VendorCopy(row.pk, row.provider, row.call.started_at, _reference(row.reference, keys.get(row.pk)))
        for row in rows
    ]


def _readable_keys(client: Client, recording_ids: list[uuid.UUID]) -> dict[uuid.UUID, Key]:
    """The keys of recordings, all at once; one by one where a damaged one is among them."""
    try:
        return vault_selectors.recording_keys(client.pk, recording_ids)
    except SealBrokenError:
        if len(recording_ids) == 1:
            return {}
        halves = recording_ids[: len(recording_ids) // 2], recording_ids[len(recording_ids) // 2 :]
        return _readable_keys(client, halves[0]) | _readable_keys(client, halves[1])


def _reference(sealed: Sealed | None, key: Key | None) -> str | None:
    if sealed is None or key is None:
        return None
    try:
        return sealed.reveal(key)
    except SealBrokenError:
        return None


def destroy_keys(
    *, client: Client, call_ids: Collection[uuid.UUID], recording_ids: Collection[uuid.UUID], at: datetime
) -> set[uuid.UUID]:
    """
    Step 2: destroy the recordings' keys and those of callers with no other call whom the ledger does not know.

    Called outside any scope: it holds the callers' vault rows, so that no call can arrive for them, looks
    in `default` whether any is left, and destroys. Returns the callers that are forgotten.
    """
    with job_scope(agency_id=client.agency_id):
        calls = Call.objects.for_client(client).filter(pk__in=list(call_ids))
        caller_ids = set(calls.filter(caller__isnull=False).values_list("caller_id", flat=True))
    with vault.erasing_callers(client_id=client.pk, caller_ids=caller_ids):
        with job_scope(agency_id=client.agency_id):
            staying = (
                Call.objects.for_client(client)
                .filter(caller_id__in=caller_ids)
                .exclude(pk__in=list(call_ids))
            )
            forgotten = caller_ids - set(staying.values_list("caller_id", flat=True))
            forgotten -= _known_to_the_ledger(client.pk, forgotten)
        vault.destroy_recording_keys(client_id=client.pk, recording_ids=recording_ids)
        vault.erase_callers(
            client_id=client.pk, erasures=[vault.Erasure(caller_id) for caller_id in forgotten], at=at
        )
    return forgotten


def _known_to_the_ledger(client_id: int, caller_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """
    Those of these callers of whom there is evidence of consent or withdrawal.

    Waits for whoever writes such evidence just now: both hold the vault's row first, then ours.
    """
    rows = (
        Caller.objects.for_client(client_id)
        .filter(pk__in=list(caller_ids))
        .select_for_update()
        .order_by("pk")
    )
    return {pk for pk, known in rows.values_list("pk", "has_evidence") if known}


def close_before(*, client: Client, cutoff: datetime) -> None:
    """
    Move the client's watermark, so that no way in takes a call that started before the cut-off.

    A batch of calls on its way in holds the same lock until it has committed: whatever it still brought is
    found due, and whatever comes later meets the watermark.
    """
    with job_scope(agency_id=client.agency_id):
        turns.lock_client(client.pk)
        vault.advance_watermark(client_id=client.pk, category=WATERMARK, before=cutoff)


def remove_rows(
    *,
    client: Client,
    call_ids: Collection[uuid.UUID],
    recording_ids: Collection[uuid.UUID],
    forgotten: Collection[uuid.UUID],
) -> Erased:
    """
    Step 3: remove the rows, inside the scope that records the deed. Repeating it removes nothing more.

    A call that was given a recording since step 1 stays for the next batch, for nobody has an errand for it yet.
    """
    calls = Call.objects.for_client(client).filter(pk__in=list(call_ids))
    held = set(calls.select_for_update().values_list("pk", flat=True))
    recordings = Recording.objects.for_client(client).filter(call_id__in=held)
    late = set(recordings.exclude(pk__in=list(recording_ids)).values_list("call_id", flat=True))
    held = held - late
    events = list(
        Reveal.objects.for_client(client).filter(call_id__in=held).values_list("event_id", flat=True)
    )
    words = audit.erase_reasons_about(
        agency_id=client.agency_id, client_id=client.pk, subject=Call, subject_ids=held, event_ids=events
    )
    removed_recordings = recordings.filter(call_id__in=held).remove()
    CallRef.objects.for_client(client).filter(call_id__in=held).remove()
    removed = Call.objects.for_client(client).filter(pk__in=held).remove()
    still = Call.objects.filter(caller_id=OuterRef("pk"), client_id=client.pk)
    idle = Caller.objects.for_client(client).filter(pk__in=list(forgotten)).exclude(Exists(still))
    return Erased(calls=removed, recordings=removed_recordings, callers=idle.remove(), reasons=words)


def idle_callers(client: Client, *, older_than: datetime, limit: int) -> list[uuid.UUID]:
    """Callers without any call and unknown to the ledger, as a run that was cut short leaves them."""
    still = Call.objects.filter(caller_id=OuterRef("pk"), client_id=client.pk)
    idle = Caller.objects.for_client(client).filter(created_at__lt=older_than, has_evidence=False)
    idle = idle.exclude(Exists(still))
    return list(idle.order_by("pk").values_list("pk", flat=True)[:limit])


def remove_idle(client_id: int, caller_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Remove those of these callers that have no call; returns them and those that had no row at all."""
    busy = Call.objects.for_client(client_id).filter(caller_id__in=list(caller_ids))
    idle = set(caller_ids) - set(busy.values_list("caller_id", flat=True))
    idle -= _known_to_the_ledger(client_id, idle)
    Caller.objects.for_client(client_id).filter(pk__in=idle).remove()
    return idle


def without_row(client_id: int, caller_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Those of these callers' ids that have no row."""
    rows = Caller.objects.for_client(client_id).filter(pk__in=list(caller_ids))
    return set(caller_ids) - set(rows.values_list("pk", flat=True))


def without_recording(client_id: int, recording_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Those of these recordings' ids that have no row."""
    rows = Recording.objects.for_client(client_id).filter(pk__in=list(recording_ids))
    return set(recording_ids) - set(rows.values_list("pk", flat=True))
