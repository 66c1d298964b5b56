"""
How what hangs on calls, and what lies beside them, comes to its end: recordings and transcripts whose calls stay,
files that people exported, and what the inbox could not read.

The steps are those of `erasure`, and each may be repeated. What was taken out of use and still opens is the mark by
which a batch that was cut short is found.
"""

# ruff: noqa: S608  names put into SQL are constants of this module

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from django.db import connection
from django.db.models import Q

from callprivacy.calls.enums import InboxState, JobState
from callprivacy.calls.models import CallExport, Inbox, Recording
from callprivacy.calls.services import erasure, inbox
from callprivacy.calls.services.erasure import Chosen, Extent, Line, Removed, VendorCopy, id_array
from callprivacy.lib import scope as lib_scope
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.vault import services as vault

_TABLES: Final = {erasure.RECORDING: "calls_recording", erasure.TRANSCRIPT: "calls_transcript"}
_SEALED: Final = {erasure.RECORDING: "reference", erasure.TRANSCRIPT: "text"}
_CLEARED: Final = {
    erasure.RECORDING: "reference = NULL, withheld_from = NULL, file_key = NULL, file_size = NULL, media_type = '',"
    " stored_at = NULL",
    erasure.TRANSCRIPT: "text = NULL, redactions = 0",
}

# What hangs on a call that leaves itself is counted there; what quarantine has begun with is quarantine's.
_OF_KEPT_CALLS: Final = """
    {table} s JOIN calls_call c ON c.client_id = s.client_id AND c.id = s.call_id
    WHERE s.client_id = w.client_id AND s.call_id < w.before AND s.call_id >= least(w.calls, w.calls_out)
        AND c.id >= CASE WHEN c.direction = 'outbound' THEN w.calls_out ELSE w.calls END
        AND (s.state <> 'gone' OR (s.due_at IS NULL AND s.{sealed} IS NOT NULL))
"""
_LINES: Final = (
    "unnest(%(clients)s::bigint[], %(befores)s::uuid[], %(calls)s::uuid[], %(calls_out)s::uuid[])"
    " AS w (client_id, before, calls, calls_out)"
)
_LEAVES: Final = "(s.state = 'gone' OR NOT c.on_hold)"


def _kept(category: str) -> str:
    return _OF_KEPT_CALLS.format(table=_TABLES[category], sealed=_SEALED[category])


# --- Recordings and transcripts -----------------------------------------------------------------------------------


def count_said(lines: Collection[Line], *, category: str) -> dict[int, Extent]:
    """Count the recordings (or transcripts) of several clients that are past their date while their calls stay."""
    lib_scope.require()
    size = "s.file_size" if category == erasure.RECORDING else "0"
    query = f"""
        SELECT w.client_id, f.due, f.held, f.size FROM {_LINES}, LATERAL (
            SELECT count(*) FILTER (WHERE {_LEAVES}) AS due, count(*) FILTER (WHERE NOT {_LEAVES}) AS held,
                   coalesce(sum({size}) FILTER (WHERE {_LEAVES}), 0)::bigint AS size
            FROM {_kept(category)}
        ) AS f
    """
    with connection.cursor() as cursor:
        cursor.execute(query, erasure.bounds(lines))
        return {
            client_id: Extent(rows=rows, size=size, held=held)
            for client_id, rows, held, size in cursor.fetchall()
            if rows or held
        }


def due_said(
    line: Line, *, category: str, after: uuid.UUID | None, limit: int, lock: bool = False
) -> list[tuple[uuid.UUID, uuid.UUID]]:
    """The next recordings (or transcripts) that leave: (id, call), by call, oldest first."""
    lib_scope.require()
    query = f"""
        SELECT s.id, s.call_id FROM {_LINES}, {_kept(category)} AND {_LEAVES} AND s.call_id > %(after)s::uuid
        ORDER BY s.call_id LIMIT %(limit)s {"FOR UPDATE OF s" if lock else ""}
    """
    values: dict[str, Any] = {"after": after or uuid.UUID(int=0), "limit": limit}
    with connection.cursor() as cursor:
        cursor.execute(query, erasure.bounds([line]) | values)
        return list(cursor.fetchall())


def choose_said(line: Line, *, category: str, after: uuid.UUID | None, limit: int, at: datetime) -> Chosen:
    """Step 1, inside the scope that writes the intent: take them out of use, and say what vendors hold of them."""
    found = due_said(line, category=category, after=after, limit=limit, lock=True)
    ids = tuple(identity for identity, _ in found)
    if not ids:
        return Chosen(ids=())
    copies: list[VendorCopy] = []
    if category == erasure.RECORDING:
        copies = erasure.vendor_copies(line.client, [call_id for _, call_id in found])
    fetch = ", fetch_due_at = NULL" if category == erasure.RECORDING else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {_TABLES[category]} SET state = 'gone', gone_at = coalesce(gone_at, %s), due_at = NULL{fetch}"
            " WHERE client_id = %s AND id = ANY(%s::uuid[])",
            [at, line.client.pk, id_array(ids)],
        )
    return Chosen(ids=ids, cursor=found[-1][1], recordings=ids, copies=tuple(copies))


def destroy_said(*, client: Client, chosen: Chosen) -> None:
    """Step 2, outside any scope: destroy the keys, in one transaction of the vault, and then the files."""
    vault.destroy_recording_keys(client_id=client.pk, recording_ids=chosen.ids)
    with job_scope(agency_id=client.agency_id, client_id=client.pk):
        rows = Recording.objects.for_client(client).filter(pk__in=chosen.ids, file_key__isnull=False)
        stored = [key for key in rows.values_list("file_key", flat=True) if key is not None]
    for file_key in stored:
        files.delete_recording(client.pk, file_key)


def clear_said(*, client: Client, chosen: Chosen, category: str) -> Removed:
    """Step 3: take out of the rows what opens no more; that there was something, and since when it is gone, stays."""
    lib_scope.require()
    table, sealed = _TABLES[category], _SEALED[category]
    mine = f"client_id = %s AND id = ANY(%s::uuid[]) AND state = 'gone' AND due_at IS NULL AND {sealed} IS NOT NULL"
    size = "coalesce(file_size, 0)" if category == erasure.RECORDING else "0"
    scope: list[Any] = [client.pk, id_array(chosen.ids)]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id, {size} FROM {table} WHERE {mine} ORDER BY id FOR UPDATE", scope)
        found = cursor.fetchall()
        cursor.execute(f"UPDATE {table} SET {_CLEARED[category]} WHERE {mine}", scope)
    ids = tuple(identity for identity, _ in found)
    is_sound = category == erasure.RECORDING
    return Removed(
        ids=ids,
        recordings=len(ids) if is_sound else 0,
        transcripts=0 if is_sound else len(ids),
        size=sum(size for _, size in found),
    )


# --- Exports ------------------------------------------------------------------------------------------------------

_WORKING: Final = (JobState.QUEUED, JobState.RUNNING)


def count_exports(lines: Collection[Line]) -> dict[int, Extent]:
    """Count the exports of several clients that are past their date."""
    return _count_made(lines, "calls_callexport", "created_at", "s.state NOT IN ('queued', 'running')")


def due_exports(line: Line, *, after: uuid.UUID | None, limit: int) -> list[uuid.UUID]:
    """The next exports that leave, by id."""
    rows = CallExport.objects.for_client(line.client).filter(created_at__lt=line.cutoff)
    rows = rows.exclude(state__in=_WORKING).order_by("pk")
    if after is not None:
        rows = rows.filter(pk__gt=after)
    return list(rows.values_list("pk", flat=True)[:limit])


def delete_export_files(*, client: Client, chosen: Chosen) -> None:
    """Step 2, outside any scope: the files, each with the key at its head."""
    with job_scope(agency_id=client.agency_id, client_id=client.pk):
        rows = CallExport.objects.for_client(client).filter(pk__in=chosen.ids, file_key__isnull=False)
        stored = [key for key in rows.values_list("file_key", flat=True) if key is not None]
    for file_key in stored:
        files.delete(client.pk, file_key)


def remove_exports(*, client: Client, chosen: Chosen) -> Removed:
    """Step 3: the rows."""
    rows = CallExport.objects.for_client(client).filter(pk__in=chosen.ids)
    ids = sorted(rows.select_for_update().values_list("pk", flat=True))
    rows.filter(pk__in=ids).remove()
    return Removed(ids=tuple(ids))


# --- The inbox ----------------------------------------------------------------------------------------------------


def count_inbox(lines: Collection[Line]) -> dict[int, Extent]:
    """
    Count what has lain too long in the inboxes of several clients: rejected, or stuck.

    What nobody has tried to read yet is not: it is news that was acknowledged, and waits for a worker.
    """
    return _count_made(lines, "calls_inbox", "received_at", "(s.state = 'rejected' OR s.attempts > 0)")


def due_inbox(line: Line, *, after: uuid.UUID | None, limit: int) -> list[uuid.UUID]:
    """The next events that leave, by id."""
    rows = Inbox.objects.for_client(line.client).filter(received_at__lt=line.cutoff).order_by("pk")
    rows = rows.filter(Q(state=InboxState.REJECTED) | Q(attempts__gt=0))
    if after is not None:
        rows = rows.filter(pk__gt=after)
    return list(rows.values_list("pk", flat=True)[:limit])


def remove_inbox(*, client: Client, chosen: Chosen, by: Actor, at: datetime) -> Removed:
    """
    Remove the rows; one that a worker reads just now stays for the next batch.

    The key of their day is destroyed when no event of that day is left.
    """
    rows = Inbox.objects.for_client(client).filter(pk__in=chosen.ids)
    ids = sorted(rows.select_for_update(skip_locked=True).values_list("pk", flat=True))
    was_rejected = rows.filter(pk__in=ids, state=InboxState.REJECTED).exists()
    rows.filter(pk__in=ids).remove()
    if was_rejected:
        inbox.renew_rejected(client=client, by=by, at=at)
    return Removed(ids=tuple(ids))


def _count_made(lines: Collection[Line], table: str, column: str, condition: str) -> dict[int, Extent]:
    lib_scope.require()
    query = f"""
        SELECT w.client_id, count(*)
        FROM unnest(%(clients)s::bigint[], %(cutoffs)s::timestamptz[]) AS w (client_id, cutoff)
        JOIN {table} s ON s.client_id = w.client_id AND s.{column} < w.cutoff AND {condition}
        GROUP BY 1
    """
    with connection.cursor() as cursor:
        cursor.execute(query, erasure.bounds(lines))
        return {client_id: Extent(rows=rows) for client_id, rows in cursor.fetchall()}
