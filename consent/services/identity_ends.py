"""
How a person's number comes to its end while calls stay: nobody's, but counted.

A caller leaves when the last call, and the last that was said to the ledger, lie before the line; what was recorded of
them has left before. Of whom there is evidence the evidence key stays, and a tombstone by which an officer who is asked
about that number finds it. Keys first, then rows; each step may be repeated.
"""

# ruff: noqa: S608  names put into SQL are constants of this module

import uuid
from collections.abc import Collection
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final

from django.db import connection

from callprivacy.audit import services as audit
from callprivacy.calls.models import Call, Caller
from callprivacy.calls.services.erasure import Chosen, Extent, Line, Removed, bounds, id_array
from callprivacy.lib import scope as lib_scope
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import services as vault
from consent.models import ConsentEvent, PhoneCode, Subscription

_LINES: Final = (
    "unnest(%(clients)s::bigint[], %(befores)s::uuid[], %(calls)s::uuid[], %(calls_out)s::uuid[],"
    " %(cutoffs)s::timestamptz[]) AS w (client_id, before, calls, calls_out, cutoff)"
)
_OF: Final = "c.client_id = k.client_id AND c.caller_id = k.id"
_KEPT: Final = "c.id >= CASE WHEN c.direction = 'outbound' THEN w.calls_out ELSE w.calls END"
# A caller whose calls all leave by their own date leaves with the last of them, and is counted there.
_PAST: Final = f"""
    k.client_id = w.client_id
    AND (
        w.before > least(w.calls, w.calls_out)
        AND EXISTS (SELECT FROM calls_call c WHERE {_OF} AND c.id < w.before AND {_KEPT})
        OR k.has_evidence AND k.created_at < w.cutoff AND NOT EXISTS (SELECT FROM calls_call c WHERE {_OF})
    )
    AND NOT EXISTS (SELECT FROM calls_call c WHERE {_OF} AND c.id >= w.before)
    AND NOT (k.has_evidence AND EXISTS (
        SELECT FROM consent_consentevent e
        WHERE e.client_id = k.client_id AND e.caller_id = k.id AND e.happened_at >= w.cutoff
    ))
"""
_HELD: Final = f"""
    (k.id = ANY (%(held)s::uuid[]) OR EXISTS (SELECT FROM calls_call c WHERE {_OF} AND c.on_hold))
"""
_SAID_IS_GONE: Final = " AND ".join(
    f"""NOT EXISTS (
        SELECT FROM calls_call c JOIN {table} s ON s.client_id = c.client_id AND s.call_id = c.id
        WHERE {_OF} AND s.{sealed} IS NOT NULL
    )"""
    for table, sealed in (("calls_recording", "reference"), ("calls_transcript", "text"))
)


def _values(lines: Collection[Line]) -> dict[str, Any]:
    return {**bounds(lines), "held": id_array({one for line in lines for one in line.held})}


def count(lines: Collection[Line]) -> dict[int, Extent]:
    """Count the callers of several clients who leave while calls of theirs stay, in one statement."""
    lib_scope.require()
    query = f"""
        SELECT w.client_id, f.due, f.held FROM {_LINES}, LATERAL (
            SELECT count(*) FILTER (WHERE NOT {_HELD}) AS due, count(*) FILTER (WHERE {_HELD}) AS held
            FROM calls_caller k WHERE {_PAST}
        ) AS f
    """
    with connection.cursor() as cursor:
        cursor.execute(query, _values(lines))
        return {
            client_id: Extent(rows=rows, callers=rows, held=held)
            for client_id, rows, held in cursor.fetchall()
            if rows or held
        }


def kept_back(line: Line, among: Collection[uuid.UUID]) -> list[uuid.UUID]:
    """
    Of these callers those whose date has come and whom nothing but a hold keeps; the line says whom others keep.

    :param among: callers of whom a hold keeps something.
    """
    lib_scope.require()
    query = f"""
        SELECT k.id FROM {_LINES} JOIN calls_caller k ON {_PAST}
        WHERE k.id = ANY (%(among)s::uuid[]) AND k.id <> ALL (%(held)s::uuid[])
    """
    with connection.cursor() as cursor:
        cursor.execute(query, _values([line]) | {"among": id_array(among)})
        return [caller_id for (caller_id,) in cursor.fetchall()]


def due(line: Line, *, after: uuid.UUID | None, limit: int) -> list[uuid.UUID]:
    """The next callers who leave, by id."""
    return _due(line, after=after, limit=limit)


def _due(
    line: Line, *, after: uuid.UUID | None, limit: int, among: Collection[uuid.UUID] | None = None
) -> list[uuid.UUID]:
    """:param among: only these, and only those of whom nothing is left that was said."""
    lib_scope.require()
    more = "" if among is None else f"AND k.id = ANY (%(among)s::uuid[]) AND {_SAID_IS_GONE}"
    query = f"""
        SELECT k.id FROM {_LINES} JOIN calls_caller k ON {_PAST} AND NOT {_HELD}
        WHERE k.id > %(after)s::uuid {more} ORDER BY k.id LIMIT %(limit)s
    """
    values = {"after": after or uuid.UUID(int=0), "limit": limit, "among": id_array(among or ())}
    with connection.cursor() as cursor:
        cursor.execute(query, _values([line]) | values)
        return [caller_id for (caller_id,) in cursor.fetchall()]


def choose(line: Line, *, after: uuid.UUID | None, limit: int) -> Chosen:
    """Step 1, inside the scope that writes the intent."""
    ids = due(line, after=after, limit=limit)
    return Chosen(ids=tuple(ids), cursor=ids[-1] if ids else None)


def destroy_keys(*, line: Line, chosen: Chosen, evidence_until: date, at: datetime) -> Chosen:
    """
    Step 2, outside any scope: destroy the content keys. Holds the callers' vault rows, so that no call can arrive, and
    looks again; who has called, or of whom something that was said is left, stays. Returns the batch of the others.

    :param evidence_until: when the tombstones end by which evidence is found.
    """
    client = line.client
    with vault.erasing_callers(client_id=client.pk, caller_ids=chosen.ids):
        with job_scope(agency_id=client.agency_id, client_id=client.pk):
            leaving = set(_due(line, after=None, limit=len(chosen.ids), among=chosen.ids))
            known = set(
                ConsentEvent.objects.for_client(client)
                .filter(caller_id__in=list(leaving))
                .values_list("caller_id", flat=True)
            )
        vault.erase_callers(
            client_id=client.pk,
            erasures=[
                vault.Erasure(
                    caller_id, up_to=line.cutoff, tombstone_ends_on=evidence_until, keep_evidence=True
                )
                if caller_id in known
                else vault.Erasure(caller_id)
                for caller_id in leaving
            ],
            at=at,
            with_recordings=False,
        )
    return replace(chosen, ids=tuple(caller_id for caller_id in chosen.ids if caller_id in leaving))


def remove(*, client: Client, chosen: Chosen) -> Removed:
    """
    Step 3, inside the scope that records the deed: the rows that hold the number, and what was written about it. The
    calls are nobody's from now on; what they are called elsewhere stays, so that a repeat meets them.
    """
    lib_scope.require()
    ids = id_array(chosen.ids)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE calls_call SET caller_id = NULL, caller_withheld = true"
            " WHERE client_id = %s AND caller_id = ANY(%s::uuid[]) RETURNING id",
            [client.pk, ids],
        )
        call_ids = [call_id for (call_id,) in cursor.fetchall()]
        cursor.execute(
            "SELECT event_id FROM calls_reveal WHERE client_id = %s"
            " AND (call_id = ANY(%s::uuid[]) OR caller_id = ANY(%s::uuid[]))",
            [client.pk, id_array(call_ids), ids],
        )
        events = [event_id for (event_id,) in cursor.fetchall()]
        cursor.execute(
            "DELETE FROM calls_reveal WHERE client_id = %s AND call_id IS NULL AND caller_id = ANY(%s::uuid[])",
            [client.pk, ids],
        )
    reasons = 0
    for subject, subject_ids in ((Call, call_ids), (Caller, list(chosen.ids))):
        reasons += audit.erase_reasons_about(
            agency_id=client.agency_id,
            client_id=client.pk,
            subject=subject,
            subject_ids=subject_ids,
            event_ids=events,
        )
    for rows in (PhoneCode.objects.all(), Subscription.objects.all()):
        rows.for_client(client).filter(caller_id__in=chosen.ids).remove()
    callers = Caller.objects.for_client(client).filter(pk__in=chosen.ids)
    gone = sorted(callers.select_for_update().order_by("pk").values_list("pk", flat=True))
    callers.filter(pk__in=gone).remove()
    return Removed(ids=tuple(gone), callers=len(gone), reasons=reasons)
