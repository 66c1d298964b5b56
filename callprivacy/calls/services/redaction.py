"""
A tracker has taken a person out of its record of a call, and so do we: no caller, no recording, no words, no tags.

The order is that of every erasure: the intent; keys and tombstones in the vault; rows; the deed. Repeating any of it
changes nothing, and whoever brings the event that says so brings it again until it is done. The tombstones are the
call's references: what speaks of the call later, a repeat of an older event or a file, is taken in without the person.
What says another name for it is known by its number and start, and left out.

A call that is held keeps what it has until the hold ends; that it is due is a date on its row, which a sweep looks for.

The call stays and is counted. The caller stays while other calls are theirs; one without any is found by retention's
sweep a day later, and their keys are destroyed.
"""

import uuid
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from callprivacy.audit import services as audit
from callprivacy.calls.models import Call, CallQuerySet, CallRef, Recording, Reveal, Transcript
from callprivacy.calls.services import starts
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.vault import services as vault

JOB: Final = Actor.job("calls.redact")
TOMBSTONE_FOR: Final = timedelta(days=3653)


def _named(client: Client, call_ids: Collection[uuid.UUID]) -> CallQuerySet:
    """Those of these calls that have something of a person left, held ones among them."""
    recorded = Recording.objects.filter(call_id=OuterRef("pk"), client_id=client.pk)
    written = Transcript.objects.filter(call_id=OuterRef("pk"), client_id=client.pk)
    holds = Q(caller__isnull=False) | Q(tags__len__gt=0) | Q(caller_withheld=False)
    holds |= ~Q(landing_page="", keyword="")
    return (
        Call.objects.for_client(client)
        .filter(pk__in=list(call_ids))
        .filter(holds | Exists(recorded) | Exists(written))
    )


def begin(*, client: Client, call_ids: Collection[uuid.UUID], at: datetime) -> None:
    """
    Write the intent down, leave tombstones for the calls' references, and destroy the keys of what was said on them.

    Called outside any scope, before `finish`.
    """
    with job_scope(agency_id=client.agency_id):
        there = dict(_named(client, call_ids).values_list("pk", "on_hold"))
        named = [call_id for call_id, on_hold in there.items() if not on_hold]
        if named:
            audit.record("calls.redacting", subject=client, by=JOB, at=at, calls=len(named))
        references = CallRef.objects.for_client(client).filter(call_id__in=list(call_ids))
        digests = [bytes(digest) for digest in references.values_list("digest", flat=True)]
        began = starts.starts_of(client=client, call_ids=there)
        keys = [
            *Recording.objects.for_client(client).filter(call_id__in=named).values_list("pk", flat=True),
            *Transcript.objects.for_client(client).filter(call_id__in=named).values_list("pk", flat=True),
        ]
    entomb(client=client, digests=digests, began=began, at=at)
    vault.destroy_recording_keys(client_id=client.pk, recording_ids=keys)


def entomb(
    *, client: Client, digests: Collection[bytes], at: datetime, began: Collection[bytes] = ()
) -> None:
    """Remember calls' references and starts, so that nothing that comes later names a person on them again."""
    ends_on = (at + TOMBSTONE_FOR).date()
    if digests:
        vault.entomb_calls(client_id=client.pk, digests=digests, ends_on=ends_on, at=at)
    if began:
        vault.entomb_calls(client_id=client.pk, digests=began, ends_on=ends_on, at=at, are_starts=True)


def finish(*, client: Client, call_ids: Collection[uuid.UUID], at: datetime) -> int:
    """
    Take the person out of the rows, inside the scope that brings the news; returns of how many calls.

    Those that are held are noted as due instead.
    """
    _put_off(client, call_ids, at)
    named = set(_named(client, call_ids).filter(on_hold=False).values_list("pk", flat=True))
    if not named:
        return 0
    recordings = Recording.objects.for_client(client).filter(call_id__in=named)
    stored = [key for key in recordings.values_list("file_key", flat=True) if key is not None]
    removed = recordings.remove()
    Transcript.objects.for_client(client).filter(call_id__in=named).remove()
    reveals = Reveal.objects.for_client(client).filter(call_id__in=named)
    words = audit.erase_reasons_about(
        agency_id=client.agency_id,
        client_id=client.pk,
        subject=Call,
        subject_ids=named,
        event_ids=list(reveals.values_list("event_id", flat=True)),
    )
    calls = Call.objects.for_client(client).filter(pk__in=named)
    count = calls.update(
        caller=None, caller_withheld=True, tags=[], landing_page="", keyword="", redact_due_at=None
    )
    audit.record(
        "calls.redacted", subject=client, by=JOB, at=at, calls=count, recordings=removed, reasons=words
    )
    for file_key in stored:
        transaction.on_commit(lambda key=file_key: files.delete_recording(client.pk, key))  # type: ignore[misc]  # bound where the loop stands
    return count


def _put_off(client: Client, call_ids: Collection[uuid.UUID], at: datetime) -> None:
    held = Call.objects.for_client(client).filter(pk__in=list(call_ids), on_hold=True, redact_due_at=None)
    count = held.update(redact_due_at=at)
    if count:
        audit.record("calls.redaction_put_off", subject=client, by=JOB, at=at, calls=count)


def work_off(*, agency_id: int, at: datetime, limit: int = 500) -> int:
    """
    Take people out of calls whose hold has ended; returns how many calls were found. Call it again until it is 0.

    Called outside any scope.
    """
    with job_scope(agency_id=agency_id):
        due = Call.objects.filter(
            agency_id=agency_id, redact_due_at__isnull=False, redact_due_at__lte=at, on_hold=False
        )
        found = due.select_related("client").order_by("redact_due_at")[:limit]
        calls: dict[Client, set[uuid.UUID]] = {}
        for call in found:
            calls.setdefault(call.client, set()).add(call.pk)
    for client, call_ids in calls.items():
        begin(client=client, call_ids=call_ids, at=at)
        with job_scope(agency_id=agency_id):
            finish(client=client, call_ids=call_ids, at=at)
            Call.objects.for_client(client).filter(pk__in=call_ids, on_hold=False).update(redact_due_at=None)
    return sum(len(call_ids) for call_ids in calls.values())
