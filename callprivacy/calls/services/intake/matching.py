"""Whether a call that is brought is one that came by another way."""

# ruff: noqa: S608  names put into SQL are constants of this package

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

from django.db import connection

from callprivacy.calls.services.intake.batch import Batch
from callprivacy.calls.services.intake.items import Item
from callprivacy.calls.services.intake.lines import MILLISECOND

CLOSE: Final = timedelta(seconds=2)

_CLOSE_MS: Final = CLOSE // MILLISECOND

# Each row asks for the few calls within two seconds of it, by the index on (client, id); nothing else is as quick
# whatever the planner believes of a table that it has never seen.
_PLAIN_JOINS: Final = (
    "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_seqscan = off"
)

_ANY_JOINS: Final = (
    "SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on; SET LOCAL enable_seqscan = on"
)


# A call's id begins with its start in milliseconds.
_CANDIDATES: Final = f"""
    SELECT t.index, c.id,
           coalesce(t.caller_id = c.caller_id AND t.tracking_number_id = c.tracking_number_id
                    AND t.seconds = c.seconds, false)
      FROM intake_call t, LATERAL (
           SELECT ('x' || left(replace(t.id::text, '-', ''), 12))::bit(48)::bigint AS ms OFFSET 0) s, LATERAL (
           SELECT id, caller_id, caller_withheld, tracking_number_id, seconds FROM calls_call
            WHERE client_id = %s AND id >= (lpad(to_hex(s.ms - {_CLOSE_MS}), 12, '0') || repeat('0', 20))::uuid
              AND id < (lpad(to_hex(s.ms + {_CLOSE_MS} + 1), 12, '0') || repeat('0', 20))::uuid OFFSET 0) c
     WHERE (t.tracking_number_id = c.tracking_number_id
            OR t.tracking_number_id IS NULL OR c.tracking_number_id IS NULL)
       AND (t.caller_id = c.caller_id
            OR t.caller_withheld AND c.caller_withheld AND t.seconds = c.seconds
               AND t.tracking_number_id = c.tracking_number_id)
"""


def may_match(batch: Batch, items: Iterable[Item]) -> bool:
    """
    Whether any call of the client came by another way.

    Where all that is here is known by one kind of reference of this provider's, and so is what comes, whatever
    else may look alike is another call.
    """
    kinds = {kind for item in items for kind, _ in item.references}
    if len(kinds) > 1:
        return True
    (kind,) = kinds
    other = "EXISTS (SELECT FROM calls_callref WHERE client_id = %s AND (provider, kind) {} (%s, %s))"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {other.format('<')} OR {other.format('>')}",
            [batch.client.pk, batch.provider, kind] * 2,
        )
        found: bool = cursor.fetchone()[0]
    return found


def match_calls(batch: Batch, items: Sequence[Item]) -> tuple[dict[int, uuid.UUID], set[int]]:
    """
    Look for calls that came by another way: (index -> call) of those that are the same beyond doubt, and the
    indexes of those that may be.

    The same: one call only, of that caller to that number, within two seconds, and as long. A call that this way
    in knows by another reference of the same kind is another call.
    """
    with connection.cursor() as cursor:
        cursor.execute(_PLAIN_JOINS)
        cursor.execute(_CANDIDATES, [batch.client.pk])
        found = cursor.fetchall()
        cursor.execute(_ANY_JOINS)
        if not found:
            return {}, set()
        cursor.execute(
            "SELECT call_id, kind FROM calls_callref WHERE client_id = %s AND provider = %s AND call_id = ANY(%s)",
            [batch.client.pk, batch.provider, list({row[1] for row in found})],
        )
        kinds: dict[uuid.UUID, set[str]] = defaultdict(set)
        for identity, kind in cursor.fetchall():
            kinds[identity].add(kind)
    by_index = {item.index: item for item in items}
    candidates: dict[int, list[tuple[uuid.UUID, bool]]] = defaultdict(list)
    for index, identity, is_exact in found:
        own = {kind for kind, _ in by_index[index].references}
        if not own & kinds.get(identity, set()):
            candidates[index].append((identity, is_exact))
    same: dict[int, uuid.UUID] = {}
    claimed: set[uuid.UUID] = set()
    for index, choices in candidates.items():
        (identity, is_exact), *others = choices
        if is_exact and not others and identity not in claimed:
            same[index] = identity
            claimed.add(identity)
    return same, candidates.keys() - same.keys()
