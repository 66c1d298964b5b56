"""Whether a call that is brought is one that came by another way, or in a file that said more or less of it."""

# ruff: noqa: S608  names put into SQL are constants of this package

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from django.db import connection

from callprivacy.calls.services.intake.batch import Batch
from callprivacy.calls.services.intake.items import FACTS, Item
from callprivacy.calls.services.intake.lines import MILLISECOND
from callprivacy.calls.services.starts import CLOSE

_CLOSE_MS: Final = CLOSE // MILLISECOND

# Each row asks for the few calls within two seconds of it, by the index on (client, id); nothing else is as quick
# whatever the planner believes of a table that it has never seen.
_PLAIN_JOINS: Final = (
    "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_seqscan = off"
)

_ANY_JOINS: Final = (
    "SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on; SET LOCAL enable_seqscan = on"
)


# A call's id begins with its start in milliseconds. Nobody's call is alike only where all is equal; a row of a file
# says a call again where it began in the same second and nothing that both say differs.
_CANDIDATES: Final = f"""
    SELECT index, id, (is_caller OR is_nobody) AND is_number AND is_length,
           is_caller OR is_nobody AND is_number AND is_length,
           (is_caller OR is_nobody) AND is_second AND may_be_length
      FROM (
        SELECT t.index, c.id, coalesce(t.caller_id = c.caller_id, false) AS is_caller,
               t.caller_withheld AND c.caller_withheld AS is_nobody,
               coalesce(t.tracking_number_id = c.tracking_number_id, false) AS is_number,
               coalesce(t.seconds = c.seconds, false) AS is_length,
               coalesce(t.seconds = c.seconds, true) AS may_be_length,
               s.ms / 1000 = ('x' || left(replace(c.id::text, '-', ''), 12))::bit(48)::bigint / 1000 AS is_second
          FROM intake_call t, LATERAL (
               SELECT ('x' || left(replace(t.id::text, '-', ''), 12))::bit(48)::bigint AS ms OFFSET 0) s, LATERAL (
               SELECT id, caller_id, caller_withheld, tracking_number_id, seconds FROM calls_call
                WHERE client_id = %s AND id >= (lpad(to_hex(s.ms - {_CLOSE_MS}), 12, '0') || repeat('0', 20))::uuid
                  AND id < (lpad(to_hex(s.ms + {_CLOSE_MS} + 1), 12, '0') || repeat('0', 20))::uuid OFFSET 0) c
         WHERE (t.tracking_number_id = c.tracking_number_id
                OR t.tracking_number_id IS NULL OR c.tracking_number_id IS NULL)
           AND (t.caller_id = c.caller_id OR t.caller_withheld AND c.caller_withheld)) AS pair
"""


def may_match(batch: Batch, items: Iterable[Item]) -> bool:
    """
    Whether any call of the client may be one of these, although nothing that comes is its reference.

    Where all that is here is known by one kind of reference of this provider's, and so is what comes, whatever
    else may look alike is another call. What stands in for an id names nothing: with another length it is another one.
    """
    kinds = {kind for item in items for kind, _ in item.references}
    if len(kinds) > 1 or FACTS in kinds:
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
    Look for calls that are here by another reference: (index -> call) of those that are the same beyond doubt, and the
    indexes of those that may be.

    The same: one call only, of that caller (or of nobody) to that number, within two seconds, and as long. A call that
    this way in knows by another reference of the same kind is another call. Where both are known by what stands in for
    an id alone, it is the same if it began in the same second and the file said less of it before, or does now.
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
    repeats: dict[int, list[tuple[uuid.UUID, bool]]] = defaultdict(list)
    for index, identity, is_exact, is_alike, is_again in found:
        own = {kind for kind, _ in by_index[index].references} & kinds.get(identity, set())
        if not own and is_alike:
            candidates[index].append((identity, is_exact))
        elif own == {FACTS} and (is_alike or is_again):
            repeats[index].append((identity, is_again))
    candidates = repeats | candidates
    same: dict[int, uuid.UUID] = {}
    claimed: set[uuid.UUID] = set()
    for index, choices in candidates.items():
        (identity, is_exact), *others = choices
        if is_exact and not others and identity not in claimed:
            same[index] = identity
            claimed.add(identity)
    return same, candidates.keys() - same.keys()
