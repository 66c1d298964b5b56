"""
How calls leave. Each step may be repeated, and a crash between two of them is mended by the next run,
which finds the same calls still due; when they leave is `retention`'s business.
"""

# ruff: noqa: S608  names put into SQL are constants of this module

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Exists, OuterRef, Q

from callprivacy.audit import services as audit
from callprivacy.calls.enums import Direction, RecordingState, TranscriptState
from callprivacy.calls.models import Call, Caller, CallQuerySet, Recording, Transcript, first_id_at, start_of
from callprivacy.calls.services import turns
from callprivacy.lib import scope as lib_scope
from callprivacy.lib import statements
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.fields import Sealed
from callprivacy.vault.sealing import Key, Place, SealBrokenError

WATERMARK: Final = "call"
WATERMARK_OUT: Final = "call_out"
"""Lines of the vault before which calls in, and calls out, have expired."""

RECORDING: Final = "recording"
TRANSCRIPT: Final = "transcript"
IDENTITY: Final = "identity"
"""Lines before which a call that comes again is taken without its recording, its words, its person."""

_FILES_AT_MOST: Final = 500
"""Stored files that one batch of calls deletes: each is a request where they lie in a bucket."""

_ON_HOLD: Final = "c.on_hold"
_IS_DUE: Final = "c.id < CASE WHEN c.direction = 'outbound' THEN %(before_out)s ELSE %(before)s END::uuid"


@dataclass(frozen=True, slots=True)
class Due:
    """What is due at one client, counted: calls, recordings among them, and callers with no call left after."""

    calls: int
    recordings: int
    callers: int


@dataclass(frozen=True, slots=True)
class Extent:
    """
    What of one kind is past its date at one client, counted.

    :ivar rows: those that leave. :ivar recordings: recordings that leave with them. :ivar callers: callers that are
    forgotten with them. :ivar size: bytes of stored files that leave. :ivar held: rows past their date
    that a hold keeps.
    """

    rows: int = 0
    recordings: int = 0
    callers: int = 0
    size: int = 0
    held: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """
    Up to where rows of one kind are past their date at a client.

    :ivar call_cutoff: the same for calls in, and :ivar call_out_cutoff: for calls out: what leaves with its call is
    counted there. :ivar held: callers of whom nothing may leave. :ivar is_held: a hold keeps something of the client,
    and :ivar keeps_all: everything of it, whenever it was.
    """

    client: Client
    cutoff: datetime
    call_cutoff: datetime
    call_out_cutoff: datetime
    held: frozenset[uuid.UUID] = frozenset()
    is_held: bool = False
    keeps_all: bool = False


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


@dataclass(frozen=True, slots=True, repr=False)
class Chosen:
    """
    A batch of rows that leave, in the order of their ids, and what hangs on them.

    :ivar cursor: the last key that was looked at; the next batch begins after it. :ivar is_cut: there is more although
    the batch is not full. :ivar callers: whose they are. :ivar transcripts: and :ivar recordings: ids of their
    recordings, whose keys go. :ivar copies: what vendors hold of these. :ivar forgotten: callers that go with them.
    """

    ids: tuple[uuid.UUID, ...]
    cursor: uuid.UUID | None = None
    is_cut: bool = False
    callers: frozenset[uuid.UUID] = frozenset()
    transcripts: tuple[uuid.UUID, ...] = ()
    recordings: tuple[uuid.UUID, ...] = ()
    copies: tuple[VendorCopy, ...] = ()
    forgotten: frozenset[uuid.UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class Removed:
    """
    What one batch removed: the ids of its own kind, sorted, and what left with them.

    :ivar is_whole: nothing that was chosen stays for another batch.
    """

    ids: tuple[uuid.UUID, ...]
    recordings: int = 0
    transcripts: int = 0
    callers: int = 0
    reasons: int = 0
    size: int = 0
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Erased:
    """What one batch of quarantine removed."""

    calls: int
    recordings: int
    callers: int
    reasons: int = 0
    transcripts: int = 0


# --- What is due --------------------------------------------------------------------------------------------------


def due_calls(client: Client, cutoff: datetime, *, out: bool = False) -> CallQuerySet:
    """
    The calls of a client, in or out, that started before the cut-off and that no hold keeps: a run's selection, and a
    preview's, to the row.
    """
    return (
        _of_direction(Call.objects.for_client(client), out=out).started_before(cutoff).filter(on_hold=False)
    )


def _of_direction(calls: CallQuerySet, *, out: bool) -> CallQuerySet:
    """What is not known to have gone out came in."""
    outbound = Q(direction=Direction.OUTBOUND)
    return calls.filter(outbound if out else ~outbound)


def count_due(client: Client, cutoff: datetime, out_cutoff: datetime | None = None) -> Due:
    """
    Count what is due of calls in both directions, as a run would find it.

    :param out_cutoff: of calls that went out, where it differs.
    """
    out = cutoff if out_cutoff is None else out_cutoff
    line = Line(client, cutoff, cutoff, out)
    found = [extent(line, out=False), extent(replace(line, cutoff=out), out=True)]
    return Due(
        calls=sum(one.rows for one in found),
        recordings=sum(one.recordings for one in found),
        callers=sum(one.callers for one in found),
    )


def extent(line: Line, *, out: bool) -> Extent:
    """Count what is due of one direction, with the callers that would be forgotten."""
    found = count_calls([line], out=out).get(line.client.pk, Extent())
    return replace(found, callers=count_forgotten(line)[out]) if found.rows else found


def count_calls(lines: Collection[Line], *, out: bool) -> dict[int, Extent]:
    """Count what is due of one direction at several clients in one statement; callers are left out."""
    lib_scope.require()
    with connection.cursor() as cursor:
        cursor.execute(_COUNT_CALLS, {**bounds(lines), "out": out})
        return {
            client_id: Extent(rows=rows, recordings=recordings, size=size, held=held)
            for client_id, rows, held, recordings, size in cursor.fetchall()
            if rows or held
        }


def bounds(lines: Collection[Line]) -> dict[str, Any]:
    """The lines of several clients as arrays, for `unnest` to join."""
    return {
        "clients": [line.client.pk for line in lines],
        "cutoffs": [line.cutoff for line in lines],
        "befores": [first_id_at(line.cutoff) for line in lines],
        "calls": [first_id_at(line.call_cutoff) for line in lines],
        "calls_out": [first_id_at(line.call_out_cutoff) for line in lines],
    }


def count_forgotten(line: Line) -> tuple[int, int]:
    """
    How many callers have no call left once what is due of both directions has left, and are unknown to the ledger:
    those who go with calls in, and those who go with calls out.

    One with calls in both directions counts with the calls in.
    """
    lib_scope.require()
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNT_FORGOTTEN,
            {
                "client": line.client.pk,
                "before": first_id_at(line.call_cutoff),
                "before_out": first_id_at(line.call_out_cutoff),
            },
        )
        incoming, outgoing = cursor.fetchone()
        return incoming, outgoing


_COUNT_CALLS: Final = """
    SELECT w.client_id, f.due, f.held, f.recordings, f.size
    FROM unnest(%(clients)s::bigint[], %(befores)s::uuid[]) AS w (client_id, before),
    LATERAL (
        SELECT count(*) FILTER (WHERE NOT c.on_hold) AS due, count(*) FILTER (WHERE c.on_hold) AS held,
               count(r.id) FILTER (WHERE NOT c.on_hold AND r.state <> 'gone') AS recordings,
               coalesce(sum(r.file_size) FILTER (WHERE NOT c.on_hold), 0)::bigint AS size
        FROM calls_call c LEFT JOIN calls_recording r ON r.client_id = c.client_id AND r.call_id = c.id
        WHERE c.client_id = w.client_id AND c.id < w.before AND (c.direction = 'outbound') = %(out)s
    ) AS f
"""
_COUNT_FORGOTTEN: Final = f"""
    WITH leaving AS MATERIALIZED (
        SELECT c.caller_id, bool_or(c.direction <> 'outbound') AS incoming FROM calls_call c
        WHERE c.client_id = %(client)s AND c.id < greatest(%(before)s::uuid, %(before_out)s::uuid)
            AND {_IS_DUE} AND NOT {_ON_HOLD} AND c.caller_id IS NOT NULL
        GROUP BY c.caller_id
    )
    SELECT count(*) FILTER (WHERE l.incoming), count(*) FILTER (WHERE NOT l.incoming)
    FROM leaving l JOIN calls_caller k ON k.id = l.caller_id
    WHERE NOT k.has_evidence AND NOT EXISTS (
        SELECT FROM calls_call c
        WHERE c.client_id = %(client)s AND c.caller_id = l.caller_id AND ({_ON_HOLD} OR NOT {_IS_DUE})
    )
"""


# --- Calls, step by step ------------------------------------------------------------------------------------------


def due_ids(line: Line, *, out: bool, after: uuid.UUID | None, limit: int) -> list[uuid.UUID]:
    """The next calls of one direction that leave, oldest first; a run's selection and a preview's."""
    return [call_id for call_id, _ in _due(line, out=out, after=after, limit=limit)]


def _due(
    line: Line, *, out: bool, after: uuid.UUID | None, limit: int
) -> list[tuple[uuid.UUID, uuid.UUID | None]]:
    """The next calls that leave, each with whose it is."""
    calls = due_calls(line.client, line.cutoff, out=out).order_by("pk")
    if after is not None:
        calls = calls.filter(pk__gt=after)
    return list(calls.values_list("pk", "caller_id")[:limit])


def choose_calls(line: Line, *, out: bool, after: uuid.UUID | None, limit: int) -> Chosen:
    """Step 1, inside the scope that writes the intent: the calls that leave, and what vendors hold of them."""
    due = _due(line, out=out, after=after, limit=limit)
    if not due:
        return Chosen(ids=())
    rows = _recordings(line.client, [call_id for call_id, _ in due])
    stored = sorted(row.call_id for row in rows if row.file_key is not None)
    is_cut = len(stored) > _FILES_AT_MOST
    if is_cut:
        last = stored[_FILES_AT_MOST - 1]
        due = [one for one in due if one[0] <= last]
        rows = [row for row in rows if row.call_id <= last]
    return _chosen(line.client, due, rows, is_cut=is_cut)


def choose_these(client: Client, call_ids: Sequence[uuid.UUID]) -> Chosen:
    """
    Step 1 for calls that somebody asked to have erased, whatever their date: the same, of these calls alone.

    Calls that a hold keeps are left out. Inside the scope that writes the intent, in the client's turn.
    """
    kept = Call.objects.for_client(client).filter(pk__in=list(call_ids), on_hold=False).order_by("pk")
    found = list(kept.values_list("pk", "caller_id"))
    if not found:
        return Chosen(ids=())
    return _chosen(client, found, _recordings(client, [call_id for call_id, _ in found]))


def _chosen(
    client: Client,
    calls: Sequence[tuple[uuid.UUID, uuid.UUID | None]],
    recordings: "Sequence[_Sound]",
    *,
    is_cut: bool = False,
) -> Chosen:
    """These calls, each with whose it is, and their recordings as a batch, with the ids of their transcripts."""
    ids = tuple(call_id for call_id, _ in calls)
    with statements.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM calls_transcript WHERE client_id = %s AND call_id = ANY(%s::uuid[])",
            [client.pk, id_array(ids)],
        )
        transcripts = tuple(key_id for (key_id,) in cursor.fetchall())
    return Chosen(
        ids=ids,
        cursor=ids[-1],
        is_cut=is_cut,
        callers=frozenset(caller_id for _, caller_id in calls if caller_id is not None),
        transcripts=transcripts,
        recordings=tuple(row.id for row in recordings),
        copies=tuple(_copies(client, [row for row in recordings if row.vendor_told_at is None])),
    )


class _Sound(NamedTuple):
    """What of a recording's row the steps need."""

    id: uuid.UUID
    call_id: uuid.UUID
    provider: str
    reference: bytes | None
    file_key: uuid.UUID | None
    vendor_told_at: datetime | None


def _recordings(client: Client, call_ids: Sequence[uuid.UUID]) -> list[_Sound]:
    """The recordings of these calls; by hand, for there are hundreds of thousands of calls."""
    with statements.cursor() as cursor:
        cursor.execute(
            "SELECT id, call_id, provider, reference, file_key, vendor_told_at"
            " FROM calls_recording WHERE client_id = %s AND call_id = ANY(%s::uuid[])",
            [client.pk, id_array(call_ids)],
        )
        return [_Sound(*row) for row in cursor.fetchall()]


def vendor_copies(client: Client, call_ids: Collection[uuid.UUID]) -> list[VendorCopy]:
    """
    Every recording of these calls, its vendor's reference opened where it opens. What quarantine erased and somebody
    was told to delete at the vendor is left out.
    """
    rows = _recordings(client, list(call_ids))
    return _copies(client, [row for row in rows if row.vendor_told_at is None])


def _copies(client: Client, rows: Sequence[_Sound]) -> list[VendorCopy]:
    keys = _readable_keys(client, [row.id for row in rows]) if rows else {}
    return [
        VendorCopy(row.id, row.provider, start_of(row.call_id), _reference(client, row, keys.get(row.id)))
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


def _reference(client: Client, row: _Sound, key: Key | None) -> str | None:
    if row.reference is None or key is None:
        return None
    place = Place(client.pk, Recording._meta.db_table, "reference", row.id)
    try:
        return Sealed(bytes(row.reference), place).reveal(key)
    except SealBrokenError:
        return None


def forget_callers(
    *, client: Client, chosen: Chosen, at: datetime, held: Collection[uuid.UUID] = ()
) -> Chosen:
    """
    Step 2: destroy the keys of what was recorded and said, and those of callers with no other call whom the ledger
    does not know and whom no hold names (`held`).

    Called outside any scope: it holds the callers' vault rows, so that no call can arrive for them, looks
    in `default` whether any is left, and destroys. Returns the batch with the callers that are forgotten.
    """
    ids = id_array(chosen.ids)
    with vault.erasing_callers(client_id=client.pk, caller_ids=chosen.callers):
        with (
            job_scope(agency_id=client.agency_id, client_id=client.pk),
            connection.cursor() as cursor,
        ):
            cursor.execute(_WITHOUT_OTHERS, [id_array(chosen.callers), client.pk, ids])
            forgotten = {caller_id for (caller_id,) in cursor.fetchall()}
            forgotten -= _known_to_the_ledger(client.pk, forgotten) | set(held)
        vault.destroy_recording_keys(
            client_id=client.pk, recording_ids=[*chosen.recordings, *chosen.transcripts]
        )
        if forgotten:
            vault.erase_callers(
                client_id=client.pk,
                erasures=[vault.Erasure(caller_id) for caller_id in forgotten],
                at=at,
                with_recordings=False,
            )
    return replace(chosen, forgotten=frozenset(forgotten))


_WITHOUT_OTHERS: Final = """
    SELECT k.id FROM unnest(%s::uuid[]) AS k (id)
    WHERE NOT EXISTS (
        SELECT FROM calls_call c WHERE c.client_id = %s AND c.caller_id = k.id AND c.id <> ALL(%s::uuid[])
    )
"""


def _known_to_the_ledger(client_id: int, caller_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """
    Those of these callers of whom there is evidence of consent or withdrawal.

    Waits for whoever writes such evidence just now: both hold the vault's row first, then ours.
    """
    lib_scope.require()
    if not caller_ids:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, has_evidence FROM calls_caller WHERE client_id = %s AND id = ANY(%s::uuid[])"
            " ORDER BY id FOR UPDATE",
            [client_id, id_array(caller_ids)],
        )
        return {caller_id for caller_id, known in cursor.fetchall() if known}


def close_before(*, client: Client, cutoff: datetime, category: str = WATERMARK) -> None:
    """
    Move one of the client's watermarks, so that no way in takes what lies before it.

    A batch of calls on its way in holds the same lock until it has committed: whatever it still brought is
    found due, and whatever comes later meets the watermark. In the transaction of the scope that chooses what leaves.
    """
    lib_scope.require()
    turns.lock_client(client.pk)
    vault.advance_watermark(client_id=client.pk, category=category, before=cutoff)


def names_of(*, client: Client, chosen: Chosen) -> list[bytes]:
    """
    The digests of what these calls are called elsewhere, inside the scope that removes them.

    The calls are locked first, so that nobody adds a name behind those that are read.
    """
    lib_scope.require()
    scope: list[Any] = [client.pk, id_array(chosen.ids)]
    with statements.cursor() as cursor:
        _locked(cursor, chosen.ids, scope)
        cursor.execute(
            "SELECT digest FROM calls_callref WHERE client_id = %s AND call_id = ANY(%s::uuid[])", scope
        )
        return [bytes(digest) for (digest,) in cursor.fetchall()]


def remove_calls(*, client: Client, chosen: Chosen) -> Removed:
    """
    Step 3: remove the rows, inside the scope that records the deed. Repeating it removes nothing more.

    A call that was given a recording since step 1 stays for the next batch, for nobody has an errand for it yet.
    """
    lib_scope.require()
    scope: list[Any] = [client.pk, id_array(chosen.ids)]
    with statements.cursor() as cursor:
        here = _locked(cursor, chosen.ids, scope)
        cursor.execute(
            "SELECT call_id FROM calls_recording WHERE client_id = %s AND call_id = ANY(%s::uuid[])"
            " AND id <> ALL(%s::uuid[]) AND vendor_told_at IS NULL",
            [*scope, id_array(chosen.recordings)],
        )
        late = {call_id for (call_id,) in cursor.fetchall()}
        leaving = [call_id for call_id in here if call_id not in late]
        if len(leaving) < len(chosen.ids):
            scope = [client.pk, id_array(leaving)]
        reasons = _erase_words(client, leaving, scope, chosen.forgotten)
        cursor.execute(
            "DELETE FROM calls_recording WHERE client_id = %s AND call_id = ANY(%s::uuid[])"
            " RETURNING file_key, file_size, state",
            scope,
        )
        rows = cursor.fetchall()
        delete_files_on_commit(client.pk, [file_key for file_key, *_ in rows])
        cursor.execute(
            "DELETE FROM calls_transcript WHERE client_id = %s AND call_id = ANY(%s::uuid[])"
            " RETURNING text IS NOT NULL",
            scope,
        )
        transcripts = sum(has_text for (has_text,) in cursor.fetchall())
        for table in ("calls_callpress", "calls_callref"):
            cursor.execute(
                f"DELETE FROM {table} WHERE client_id = %s AND call_id = ANY(%s::uuid[])",
                scope,
            )
        cursor.execute("DELETE FROM calls_call WHERE client_id = %s AND id = ANY(%s::uuid[])", scope)
        callers = _remove_callers(client, chosen.forgotten)
    return Removed(
        ids=tuple(leaving),
        # What left before its call was counted then.
        recordings=sum(state != RecordingState.GONE for *_, state in rows),
        transcripts=transcripts,
        callers=callers,
        reasons=reasons,
        size=sum(size or 0 for _, size, _ in rows),
        is_whole=not late,
    )


def _locked(
    cursor: CursorWrapper, call_ids: Sequence[uuid.UUID], scope: Sequence[Any]
) -> Sequence[uuid.UUID]:
    """Lock these calls, and return those that are there; as a rule all of them, so that they are counted first."""
    mine = "SELECT id FROM calls_call WHERE client_id = %s AND id = ANY(%s::uuid[]) ORDER BY id FOR UPDATE"
    cursor.execute(f"SELECT count(*) FROM ({mine}) AS locked", scope)
    (count,) = cursor.fetchone()
    if count == len(call_ids):
        return call_ids
    cursor.execute(mine, scope)
    return [call_id for (call_id,) in cursor.fetchall()]


def _erase_words(
    client: Client,
    call_ids: Collection[uuid.UUID],
    scope: Sequence[Any],
    forgotten: Collection[uuid.UUID],
) -> int:
    """The words behind what was done with these calls, and with callers of whom nothing is left."""
    events: list[int] = []
    with statements.cursor() as cursor:
        cursor.execute(
            "SELECT event_id FROM calls_reveal WHERE client_id = %s AND call_id = ANY(%s::uuid[])", scope
        )
        events += [event_id for (event_id,) in cursor.fetchall()]
        if forgotten:
            cursor.execute(
                "DELETE FROM calls_reveal WHERE client_id = %s AND call_id IS NULL"
                " AND caller_id = ANY(%s::uuid[]) RETURNING event_id",
                [client.pk, id_array(forgotten)],
            )
            events += [event_id for (event_id,) in cursor.fetchall()]
    return audit.erase_reasons_about(
        agency_id=client.agency_id, client_id=client.pk, subject=Call, subject_ids=call_ids, event_ids=events
    )


def _remove_callers(client: Client, caller_ids: Collection[uuid.UUID]) -> int:
    if not caller_ids:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM calls_caller k WHERE k.client_id = %s AND k.id = ANY(%s::uuid[]) AND NOT EXISTS"
            " (SELECT FROM calls_call c WHERE c.client_id = k.client_id AND c.caller_id = k.id)",
            [client.pk, id_array(caller_ids)],
        )
        return int(cursor.rowcount)


def id_array(ids: Iterable[uuid.UUID]) -> str:
    """An array of ids as PostgreSQL reads it; a list of thousands takes the driver much longer."""
    return "{" + ",".join([identity.hex for identity in ids]) + "}"


def delete_files_on_commit(client_id: int, file_keys: Iterable[uuid.UUID | None]) -> None:
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
    with job_scope(agency_id=client.agency_id, client_id=client.pk):
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
    rows = Caller.objects.for_client(client_id).filter(pk__in=list(caller_ids))
    return set(caller_ids) - set(rows.values_list("pk", flat=True))


def without_recording(client_id: int, recording_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Those of these ids that are neither a recording's nor a transcript's: keys that nothing rests on."""
    missing = set(recording_ids)
    for rows in (Recording.objects.for_client(client_id), Transcript.objects.for_client(client_id)):
        missing -= set(rows.filter(pk__in=list(recording_ids)).values_list("pk", flat=True))
    return missing
