"""
How the ledger's evidence comes to its end: what was agreed to so long after the last contact, and what was refused or
taken back so long after that.

A no never lifts by leaving. It stays while anything is written down to which that person said yes for the same
purpose, while a vendor has still to be told, and while a call that it was said on is here; and what blocks the number
(`vault.Suppression`) keeps an end of its own, which nothing here touches. Keys first, then rows; each step may be
repeated.
"""

# ruff: noqa: S608  names put into SQL are constants of this module

import uuid
from collections.abc import Collection
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from callprivacy.calls.models import Caller
from callprivacy.calls.services.erasure import Chosen, Extent, Line, Removed, bounds, id_array
from callprivacy.lib import scope as lib_scope
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.vault import services as vault
from consent.enums import NO_KINDS, YES_KINDS
from consent.models import ConsentEvent, ConsentState, Invitation, Reply, TermsDocument, Withdrawal
from consent.services import ledger

_NOES: Final = "(" + ", ".join(f"'{kind.value}'" for kind in sorted(NO_KINDS)) + ")"
_YESES: Final = "(" + ", ".join(f"'{kind.value}'" for kind in sorted(YES_KINDS)) + ")"
_LINES: Final = (
    "unnest(%(clients)s::bigint[], %(befores)s::uuid[], %(cutoffs)s::timestamptz[])"
    " AS w (client_id, before, cutoff)"
)
# A call's id begins with its start in milliseconds.
_AT: Final = "(lpad(to_hex((extract(epoch FROM {}) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid"
_NOTHING_RESTS: Final = f"""
    NOT EXISTS (SELECT FROM consent_decision d WHERE d.client_id = e.client_id AND d.event_id = e.id)
    AND (e.call_digest IS NULL OR e.scope <> 'this_call' AND e.caller_id IS NOT NULL OR NOT EXISTS (
        SELECT FROM calls_call c WHERE c.client_id = e.client_id
            AND c.id >= {_AT.format("e.happened_at - interval '1 day'")}
            AND c.id < {_AT.format("e.happened_at + interval '1 day'")}))
"""
_CONSENT: Final = f"""
    e.client_id = w.client_id AND e.happened_at < w.cutoff AND e.kind NOT IN {_NOES} AND {_NOTHING_RESTS}
    AND (e.caller_id IS NULL OR NOT EXISTS (
        SELECT FROM consent_consentevent later WHERE later.client_id = e.client_id
            AND later.caller_id = e.caller_id AND later.happened_at >= w.cutoff
    ) AND NOT EXISTS (
        SELECT FROM calls_call c WHERE c.client_id = e.client_id AND c.caller_id = e.caller_id AND c.id >= w.before
    ))
"""
_WITHDRAWAL: Final = f"""
    e.client_id = w.client_id AND e.happened_at < w.cutoff AND e.kind IN {_NOES} AND {_NOTHING_RESTS}
    AND NOT EXISTS (
        SELECT FROM consent_consentevent yes WHERE yes.client_id = e.client_id AND yes.caller_id = e.caller_id
            AND yes.purpose = e.purpose AND yes.kind IN {_YESES}
    ) AND NOT EXISTS (
        SELECT FROM consent_withdrawal o WHERE o.client_id = e.client_id AND o.caller_id = e.caller_id
            AND o.closed_at IS NULL AND e.id = ANY (o.event_ids)
    )
"""
CONSENT: Final = "consent"
WITHDRAWAL: Final = "withdrawal"
_DUE: Final = {CONSENT: _CONSENT, WITHDRAWAL: _WITHDRAWAL}
_NOT_HELD: Final = "(e.caller_id IS NULL OR e.caller_id <> ALL (%(held)s::uuid[]))"


def _values(lines: Collection[Line]) -> dict[str, Any]:
    held = id_array({caller_id for line in lines for caller_id in line.held})
    return {**bounds(lines), "held": held}


def count(lines: Collection[Line], *, category: str) -> dict[int, Extent]:
    """Count the events of several clients that are past their date, in one statement."""
    lib_scope.require()
    query = f"""
        SELECT w.client_id, f.due, f.held FROM {_LINES}, LATERAL (
            SELECT count(*) FILTER (WHERE {_NOT_HELD}) AS due, count(*) FILTER (WHERE NOT {_NOT_HELD}) AS held
            FROM consent_consentevent e WHERE {_DUE[category]}
        ) AS f
    """
    with connection.cursor() as cursor:
        cursor.execute(query, _values(lines))
        return {
            client_id: Extent(rows=rows, held=held)
            for client_id, rows, held in cursor.fetchall()
            if rows or held
        }


def due(
    line: Line, *, category: str, after: uuid.UUID | None, limit: int
) -> list[tuple[uuid.UUID, uuid.UUID | None]]:
    """
    The next events that leave: (id, caller), by caller; those of calls whose caller is unknown come last.

    :param after: the caller after whom to begin.
    """
    lib_scope.require()
    query = f"SELECT e.id, e.caller_id FROM {_LINES} JOIN consent_consentevent e ON {_DUE[category]} AND {_NOT_HELD}"
    values = _values([line]) | {"after": after or uuid.UUID(int=0)}
    with connection.cursor() as cursor:
        cursor.execute(
            f"{query} WHERE e.caller_id > %(after)s::uuid ORDER BY e.caller_id, e.id LIMIT %(limit)s",
            values | {"limit": limit},
        )
        found: list[tuple[uuid.UUID, uuid.UUID | None]] = list(cursor.fetchall())
        if len(found) < limit:
            cursor.execute(
                f"{query} WHERE e.caller_id IS NULL ORDER BY e.id LIMIT %(limit)s",
                values | {"limit": limit - len(found)},
            )
            found += cursor.fetchall()
    return found


def choose(line: Line, *, category: str, after: uuid.UUID | None, limit: int) -> Chosen:
    """Step 1, inside the scope that writes the intent."""
    found = due(line, category=category, after=after, limit=limit)
    callers = list(dict.fromkeys(caller for _, caller in found if caller is not None))
    cursor = after
    if callers:
        # The last one may go on behind the page.
        whole = callers[:-1] if len(found) == limit else callers
        cursor = whole[-1] if whole else after
    return Chosen(ids=tuple(identity for identity, _ in found), cursor=cursor, forgotten=frozenset(callers))


def destroy_keys(*, client: Client, chosen: Chosen) -> None:
    """
    Step 2, outside any scope: destroy the evidence keys under which nothing else is.

    An erased person's key goes. Who is here gets a fresh one, so that no copy of what leaves opens any more. Holds the
    callers' vault rows, so that no event can come in between.
    """
    callers = chosen.forgotten
    with vault.erasing_callers(client_id=client.pk, caller_ids=callers):
        with job_scope(agency_id=client.agency_id, client_id=client.pk):
            idle = callers - _with_more(client, callers, chosen.ids)
        vault.destroy_evidence(client_id=client.pk, caller_ids=idle)
        vault.renew_evidence(client_id=client.pk, caller_ids=idle)


def _with_more(
    client: Client, callers: Collection[uuid.UUID], leaving: Collection[uuid.UUID]
) -> set[uuid.UUID]:
    """Those of these callers of whom something else is sealed under the evidence key."""
    found: set[uuid.UUID] = set()
    events = ConsentEvent.objects.for_client(client).exclude(pk__in=list(leaving))
    replies = Reply.objects.for_client(client).filter(text__isnull=False)
    tasks = Withdrawal.objects.for_client(client).open()
    for rows in (events, replies, tasks):
        named = rows.filter(caller_id__in=list(callers)).values_list("caller_id", flat=True)
        found |= {caller_id for caller_id in named if caller_id is not None}
    return found


def remove(*, client: Client, chosen: Chosen, line: Line) -> Removed:
    """
    Step 3, inside the scope that records the deed: the events, what was carried out for them, the documents that
    nothing rests on; and where their people stand, anew.
    """
    lib_scope.require()
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM consent_consentevent WHERE client_id = %s AND id = ANY(%s::uuid[]) RETURNING id, document_id",
            [client.pk, id_array(chosen.ids)],
        )
        gone = cursor.fetchall()
    ids = sorted(event_id for event_id, _ in gone)
    documents = {document_id for _, document_id in gone if document_id is not None}
    callers = chosen.forgotten
    _remove_withdrawals(client, callers)
    _remove_documents(client, documents, line)
    ConsentState.objects.for_client(client).filter(caller_id__in=list(callers)).remove()
    ledger.project(client=client, caller_ids=callers)
    _forget_known(client, callers)
    return Removed(ids=tuple(ids))


def _remove_withdrawals(client: Client, callers: Collection[uuid.UUID]) -> None:
    """Closed ones of which no event is left; their steps at vendors go with them."""
    closed = Withdrawal.objects.for_client(client).filter(
        caller_id__in=list(callers), closed_at__isnull=False
    )
    left = set(
        ConsentEvent.objects.for_client(client)
        .filter(caller_id__in=list(callers), kind__in=sorted(NO_KINDS))
        .values_list("pk", flat=True)
    )
    gone = [row.pk for row in closed.only("pk", "event_ids") if not left.intersection(row.event_ids)]
    Withdrawal.objects.for_client(client).filter(pk__in=gone).remove()


def _remove_documents(client: Client, document_ids: Collection[uuid.UUID], line: Line) -> None:
    if line.held:
        return
    still = ConsentEvent.objects.filter(client_id=client.pk, document_id=OuterRef("pk"))
    unused = TermsDocument.objects.for_client(client).filter(
        ~Exists(still), pk__in=list(document_ids), created_at__lt=line.cutoff
    )
    for document in list(unused):
        TermsDocument.objects.for_client(client).filter(pk=document.pk).remove()
        if document.file_key is not None:
            key = document.file_key
            transaction.on_commit(lambda key=key: files.delete(client.pk, key))  # type: ignore[misc]  # bound where the loop stands


def _forget_known(client: Client, callers: Collection[uuid.UUID]) -> None:
    """Callers of whom the ledger knows nothing any more go with their last call, as everybody does."""
    known: set[uuid.UUID] = set()
    for rows in (
        ConsentEvent.objects.for_client(client),
        Reply.objects.for_client(client),
        Invitation.objects.for_client(client),
    ):
        named = rows.filter(caller_id__in=list(callers)).values_list("caller_id", flat=True)
        known |= {caller_id for caller_id in named if caller_id is not None}
    held = Caller.objects.for_client(client).filter(pk__in=set(callers) - known)
    ids = list(held.select_for_update().order_by("pk").values_list("pk", flat=True))
    Caller.objects.for_client(client).filter(pk__in=ids).update(has_evidence=False)
