"""
How calls leave. Each step may be repeated, and a crash between two of them is mended by the next run,
which finds the same calls still due; when they leave is `retention`'s business.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from callprivacy.audit import services as audit
from callprivacy.calls.enums import RecordingState, TranscriptState
from callprivacy.calls.models import (
    Call,
    Caller,
    CallPress,
    CallQuerySet,
    CallRef,
    Recording,
    Reveal,
    Transcript,
    first_id_at,
)
from callprivacy.calls.services import turns
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
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
    transcripts: int = 0


def due_calls(client: Client, cutoff: datetime) -> CallQuerySet:
    """
    The calls of a client that started before the cut-off and that no hold keeps: a run's selection, and a preview's,
    to the row.
    """
    return Call.objects.for_client(client).started_before(cutoff).filter(on_hold=False)


def count_due(client: Client, cutoff: datetime) -> Due:
    """Count what is due, as a run would find it."""
    calls = due_calls(client, cutoff)
    of_caller = Call.objects.for_client(client).filter(caller_id=OuterRef("caller_id"))
    later = of_caller.filter(Q(pk__gte=first_id_at(cutoff)) | Q(on_hold=True))
    leaving = calls.filter(caller__isnull=False, caller__has_evidence=False).filter(~Exists(later))
    callers = leaving.values("caller_id").distinct()
    recordings = Recording.objects.for_client(client).filter(call__in=calls)
    return Due(calls=calls.count(), recordings=recordings.count(), callers=callers.count())


def vendor_copies(client: Client, call_ids: Collection[uuid.UUID]) -> list[VendorCopy]:
    """
    Every recording of these calls, its vendor's reference opened where it opens. What quarantine erased and somebody
    was told to delete at the vendor is left out.

    Step 1 of erasing: inside the scope that writes the errands.
    """
    rows = list(
        Recording.objects.for_client(client)
        .filter(call_id__in=list(call_ids), vendor_told_at=None)
        .select_related("call")
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
    Step 2: destroy the keys of what was recorded and said, and those of callers with no other call whom the ledger
    does not know.

    Called outside any scope: it holds the callers' vault rows, so that no call can arrive for them, looks
    in `default` whether any is left, and destroys. Returns the callers that are forgotten.
    """
    with job_scope(agency_id=client.agency_id):
        calls = Call.objects.for_client(client).filter(pk__in=list(call_ids))
        caller_ids = set(calls.filter(caller__isnull=False).values_list("caller_id", flat=True))
        words = Transcript.objects.for_client(client).filter(call_id__in=list(call_ids))
        said = [*recording_ids, *words.values_list("pk", flat=True)]
    with vault.erasing_callers(client_id=client.pk, caller_ids=caller_ids):
        with job_scope(agency_id=client.agency_id):
            staying = (
                Call.objects.for_client(client)
                .filter(caller_id__in=caller_ids)
                .exclude(pk__in=list(call_ids))
            )
            forgotten = caller_ids - set(staying.values_list("caller_id", flat=True))
            forgotten -= _known_to_the_ledger(client.pk, forgotten)
        vault.destroy_recording_keys(client_id=client.pk, recording_ids=said)
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
    late = recordings.exclude(pk__in=list(recording_ids)).exclude(vendor_told_at__isnull=False)
    held = held - set(late.values_list("call_id", flat=True))
    events = list(
        Reveal.objects.for_client(client).filter(call_id__in=held).values_list("event_id", flat=True)
    )
    of_nobody = Reveal.objects.for_client(client).filter(call=None, caller_id__in=list(forgotten))
    events += of_nobody.values_list("event_id", flat=True)
    words = audit.erase_reasons_about(
        agency_id=client.agency_id, client_id=client.pk, subject=Call, subject_ids=held, event_ids=events
    )
    of_nobody.remove()
    leaving = recordings.filter(call_id__in=held)
    _delete_files_on_commit(client.pk, leaving.values_list("file_key", flat=True))
    removed_recordings = leaving.remove()
    Transcript.objects.for_client(client).filter(call_id__in=held).remove()
    CallPress.objects.for_client(client).filter(call_id__in=held).remove()
    CallRef.objects.for_client(client).filter(call_id__in=held).remove()
    removed = Call.objects.for_client(client).filter(pk__in=held).remove()
    still = Call.objects.filter(caller_id=OuterRef("pk"), client_id=client.pk)
    idle = Caller.objects.for_client(client).filter(pk__in=list(forgotten)).exclude(Exists(still))
    return Erased(calls=removed, recordings=removed_recordings, callers=idle.remove(), reasons=words)


def _delete_files_on_commit(client_id: int, file_keys: Iterable[uuid.UUID | None]) -> None:
    """Files go when no row names them any more; one that a crash leaves behind opens no more and is swept."""
    for file_key in file_keys:
        if file_key is not None:
            transaction.on_commit(partial(files.delete_recording, client_id, file_key))


# --- What was said on a call, without the call --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Said:
    """Recordings and transcripts that leave while their calls stay."""

    recording_ids: tuple[uuid.UUID, ...]
    transcript_ids: tuple[uuid.UUID, ...]

    @property
    def ids(self) -> tuple[uuid.UUID, ...]:
        """Both; each is the id of its key in the vault."""
        return (*self.recording_ids, *self.transcript_ids)


def mark_gone(*, client: Client, call_ids: Collection[uuid.UUID], at: datetime) -> list[VendorCopy]:
    """
    Step 1: take what is withheld and due of these calls out of use, and return what the vendor holds of it.

    They keep their date until `clear_gone`, by which a run that was cut short is found. Inside the scope that holds
    the rows and writes the errands.
    """
    copies = vendor_copies(client, call_ids)
    recordings = Recording.objects.for_client(client).filter(
        call_id__in=list(call_ids),
        call__on_hold=False,
        state=RecordingState.WITHHELD,
        due_at__lte=at,
        came_late=False,
    )
    leaving = set(recordings.values_list("pk", flat=True))
    recordings.update(state=RecordingState.GONE, gone_at=at, fetch_due_at=None)
    Transcript.objects.for_client(client).filter(
        call_id__in=list(call_ids),
        call__on_hold=False,
        call__came_late=False,
        state=TranscriptState.WITHHELD,
        due_at__lte=at,
    ).update(state=TranscriptState.GONE, gone_at=at)
    return [copy for copy in copies if copy.recording_id in leaving]


def note_vendor_told(*, client: Client, recording_ids: Collection[uuid.UUID], at: datetime) -> None:
    """Remember that deleting these at the vendor has become somebody's errand."""
    Recording.objects.for_client(client).filter(pk__in=list(recording_ids)).update(vendor_told_at=at)


def unfinished(client: Client, *, limit: int) -> Said:
    """What was taken out of use and has not been cleared: the steps that are still to be done, or done again."""
    recordings = Recording.objects.filter(
        agency_id=client.agency_id, client_id=client.pk, due_at__isnull=False, state=RecordingState.GONE
    )
    transcripts = Transcript.objects.filter(
        agency_id=client.agency_id, client_id=client.pk, due_at__isnull=False, state=TranscriptState.GONE
    )
    found = tuple(recordings.order_by("pk").values_list("pk", flat=True)[:limit])
    return Said(found, tuple(transcripts.order_by("pk").values_list("pk", flat=True)[:limit]))


def erase_said(*, client: Client, said: Said) -> None:
    """Step 2, outside any scope: destroy the keys, in one transaction of the vault, and then the files."""
    vault.destroy_recording_keys(client_id=client.pk, recording_ids=said.ids)
    with job_scope(agency_id=client.agency_id):
        rows = Recording.objects.for_client(client).filter(pk__in=said.recording_ids, file_key__isnull=False)
        stored = [key for key in rows.values_list("file_key", flat=True) if key is not None]
    for file_key in stored:
        files.delete_recording(client.pk, file_key)


def clear_gone(*, client: Client, said: Said) -> Erased:
    """Step 3: take out of the rows what opens no more. Inside the scope that records the deed."""
    recordings = Recording.objects.for_client(client).filter(
        pk__in=said.recording_ids, state=RecordingState.GONE, due_at__isnull=False
    )
    count = recordings.update(
        reference=None,
        due_at=None,
        withheld_from=None,
        file_key=None,
        file_size=None,
        media_type="",
        stored_at=None,
    )
    transcripts = Transcript.objects.for_client(client).filter(
        pk__in=said.transcript_ids, state=TranscriptState.GONE, due_at__isnull=False
    )
    words = transcripts.update(text=None, due_at=None, redactions=0)
    return Erased(calls=0, recordings=count, callers=0, transcripts=words)


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
    """Those of these ids that are neither a recording's nor a transcript's: keys that nothing rests on."""
    missing = set(recording_ids)
    for rows in (Recording.objects.for_client(client_id), Transcript.objects.for_client(client_id)):
        missing -= set(rows.filter(pk__in=list(recording_ids)).values_list("pk", flat=True))
    return missing
