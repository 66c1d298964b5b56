"""
Calls, recordings and words that an old copy of the database brought back although their keys are destroyed, or their
call was erased on request. Found from the vault, page by page; each step may be repeated.
"""

# ruff: noqa: S608  names put into SQL are constants of this module

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from django.db import connection
from django.db.models import Exists, OuterRef, Q

from callprivacy.calls.models import Call, Caller, CallRef, Recording, Transcript, first_id_at
from callprivacy.calls.services import erasure
from callprivacy.calls.services.erasure import Chosen, id_array
from callprivacy.lib import scope as lib_scope
from callprivacy.tenancy.models import Client
from callprivacy.vault import selectors as vault

_FIRST: Final = uuid.UUID(int=0)
_SEALED: Final = {
    erasure.RECORDING: ("calls_recording", "reference"),
    erasure.TRANSCRIPT: ("calls_transcript", "text"),
}
_MILLISECOND: Final = timedelta(milliseconds=1)


def callers_page(client: Client, *, after: uuid.UUID | None, limit: int) -> list[uuid.UUID]:
    rows = Caller.objects.for_client(client).filter(pk__gt=after or _FIRST).order_by("pk")
    return list(rows.values_list("pk", flat=True)[:limit])


def calls_until(client: Client, erased: Mapping[uuid.UUID, datetime], *, limit: int) -> Chosen:
    """
    Calls of erased callers that started until they were erased, with everything that hangs on them. In a scope.

    :param erased: caller id -> until when.
    """
    ids: list[uuid.UUID] = []
    for caller_id, until in sorted(erased.items()):
        calls = Call.objects.for_client(client).filter(
            caller_id=caller_id, pk__lt=first_id_at(until + _MILLISECOND)
        )
        ids += calls.order_by("pk").values_list("pk", flat=True)[: limit - len(ids)]
        if len(ids) >= limit:
            break
    return _with_recordings(client, ids)


def entombed_calls(client: Client, digests: list[bytes]) -> Chosen:
    """
    Calls that were erased on request, or whose tracker took the person out, and that name somebody again. In a scope.

    A held one stays, and is noted to be done when the hold ends.
    """
    refs = CallRef.objects.for_client(client).filter(digest__in=digests)
    recorded = Recording.objects.filter(call_id=OuterRef("pk"), client_id=client.pk)
    written = Transcript.objects.filter(call_id=OuterRef("pk"), client_id=client.pk)
    calls = (
        Call.objects.for_client(client)
        .filter(pk__in=refs.values("call_id"))
        .filter(
            Q(caller__isnull=False)
            | Q(tags__len__gt=0)
            | ~Q(landing_page="", keyword="")
            | Exists(recorded)
            | Exists(written)
        )
    )
    return _with_recordings(
        client, list(calls.filter(on_hold=False).order_by("pk").values_list("pk", flat=True))
    )


def put_off_held(client: Client, digests: list[bytes], *, at: datetime) -> int:
    """Note that held calls among these are to lose their person when the hold ends; returns how many. In a scope."""
    refs = CallRef.objects.for_client(client).filter(digest__in=digests)
    held = Call.objects.for_client(client).filter(
        pk__in=refs.values("call_id"), on_hold=True, redact_due_at=None, caller__isnull=False
    )
    return held.update(redact_due_at=at)


def _with_recordings(client: Client, ids: list[uuid.UUID]) -> Chosen:
    rows = Recording.objects.for_client(client).filter(call_id__in=ids)
    return Chosen(
        ids=tuple(ids),
        recordings=tuple(rows.values_list("pk", flat=True)),
        copies=tuple(erasure.vendor_copies(client, ids)) if ids else (),
    )


def unreadable(
    client: Client, *, category: str, after: uuid.UUID | None, limit: int
) -> tuple[list[uuid.UUID], uuid.UUID | None]:
    """
    Look through a page of recordings (or transcripts) for those whose key is destroyed; in a scope.

    :returns: their ids, and where the next page begins; None behind the last one.
    """
    lib_scope.require()
    table, sealed = _SEALED[category]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM {table} WHERE client_id = %s AND {sealed} IS NOT NULL AND id > %s ORDER BY id LIMIT %s",
            [client.pk, after or _FIRST, limit],
        )
        ids = [identity for (identity,) in cursor.fetchall()]
    here = vault.existing_keys(client.pk, ids)
    return [one for one in ids if one not in here], ids[-1] if len(ids) == limit else None


def take_out_of_use(client: Client, ids: list[uuid.UUID], *, category: str, at: datetime) -> Chosen:
    """Mark them as gone, for `ends.clear_said` to take out what opens no more. In the scope that clears them."""
    lib_scope.require()
    table, _ = _SEALED[category]
    fetch = ", fetch_due_at = NULL" if category == erasure.RECORDING else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET state = 'gone', gone_at = coalesce(gone_at, %s), due_at = NULL{fetch}"
            " WHERE client_id = %s AND id = ANY(%s::uuid[])",
            [at, client.pk, id_array(ids)],
        )
    return Chosen(ids=tuple(ids))


def stored_files(client: Client, recording_ids: list[uuid.UUID]) -> list[uuid.UUID]:
    rows = Recording.objects.for_client(client).filter(pk__in=recording_ids, file_key__isnull=False)
    return [key for key in rows.values_list("file_key", flat=True) if key is not None]
