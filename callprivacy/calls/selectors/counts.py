"""
Calls counted over several clients at once, each in one statement that the index of client and id serves.

Row security holds here as everywhere: a client that the scope may not see counts nothing.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from callprivacy.calls.models import first_id_at
from callprivacy.lib import scope as lib_scope

_SINCE = """
    SELECT c.client_id, count(*), count(*) FILTER (WHERE c.outcome = 'answered'),
           count(*) FILTER (WHERE r.state = 'withheld')
    FROM calls_call c LEFT JOIN calls_recording r ON r.call_id = c.id
    WHERE c.client_id = ANY (%(clients)s) AND c.id >= %(first)s
    GROUP BY 1
"""

_BEFORE = """
    SELECT wanted.client_id, found.calls, found.recordings
    FROM unnest(%(clients)s::bigint[], %(limits)s::uuid[], %(out)s::uuid[]) AS wanted (client_id, before, before_out),
    LATERAL (
        SELECT count(*) AS calls, count(r.id) AS recordings
        FROM calls_call c LEFT JOIN calls_recording r ON r.call_id = c.id
        WHERE c.client_id = wanted.client_id AND c.id < greatest(wanted.before, wanted.before_out) AND NOT c.on_hold
            AND c.id < CASE WHEN c.direction = 'outbound' THEN wanted.before_out ELSE wanted.before END
    ) AS found
"""

_SOME_BEFORE = """
    SELECT wanted.client_id, found.calls
    FROM unnest(%(clients)s::bigint[], %(limits)s::uuid[], %(out)s::uuid[]) AS wanted (client_id, before, before_out),
    LATERAL (
        SELECT count(*) AS calls
        FROM (SELECT FROM calls_call c
              WHERE c.client_id = wanted.client_id AND c.id < greatest(wanted.before, wanted.before_out)
                  AND NOT c.on_hold
                  AND c.id < CASE WHEN c.direction = 'outbound' THEN wanted.before_out ELSE wanted.before END
              LIMIT %(at_most)s) AS first_ones
    ) AS found
    WHERE found.calls > 0
"""

# In use are a restricted caller's calls from before the restriction alone, as `CallQuerySet.in_use` has it.
_OF_CALLERS = """
    SELECT wanted.client_id, found.calls, found.newest
    FROM unnest(%(clients)s::bigint[], %(callers)s::uuid[]) AS wanted (client_id, caller_id)
    LEFT JOIN calls_caller k ON k.id = wanted.caller_id,
    LATERAL (
        SELECT count(*) AS calls, (array_agg(newest_ones.id ORDER BY newest_ones.id DESC))[1] AS newest
        FROM (SELECT c.id FROM calls_call c
              WHERE c.caller_id = wanted.caller_id AND c.client_id = wanted.client_id
                  AND (k.restricted_at IS NULL OR c.id < k.restricted_from)
              ORDER BY c.id DESC LIMIT %(at_most)s) AS newest_ones
    ) AS found
    WHERE found.calls > 0
"""


@dataclass(frozen=True, slots=True)
class ClientCount:
    """Calls of one client since an instant: all, answered, and with a recording that is withheld."""

    calls: int = 0
    answered: int = 0
    withheld: int = 0


@dataclass(frozen=True, slots=True)
class DueCount:
    """Calls of one client that started before its limit, and how many have a recording."""

    calls: int = 0
    recordings: int = 0


def calls_since(client_ids: Sequence[int], since: datetime) -> dict[int, ClientCount]:
    """Count each client's calls that started at `since` or later; clients without any are left out."""
    lib_scope.require()
    with connection.cursor() as cursor:
        cursor.execute(_SINCE, {"clients": list(client_ids), "first": first_id_at(since)})
        return {row[0]: ClientCount(*row[1:]) for row in cursor.fetchall()}


def calls_before(
    limits: Mapping[int, datetime], out: Mapping[int, datetime] | None = None
) -> dict[int, DueCount]:
    """
    Count each client's calls that started before that client's limit and that no hold keeps.

    :param out: the limits of calls that went out, where they have their own.
    """
    lib_scope.require()
    with connection.cursor() as cursor:
        cursor.execute(_BEFORE, _limits(limits, out))
        return {row[0]: DueCount(*row[1:]) for row in cursor.fetchall()}


def some_calls_before(
    limits: Mapping[int, datetime], out: Mapping[int, datetime] | None = None, *, at_most: int
) -> dict[int, int]:
    """Count each client's calls before its limit up to `at_most`, however many there are; no entry for none."""
    lib_scope.require()
    with connection.cursor() as cursor:
        cursor.execute(_SOME_BEFORE, {**_limits(limits, out), "at_most": at_most})
        return dict(cursor.fetchall())


def calls_of_callers(callers: Mapping[int, uuid.UUID], *, at_most: int) -> dict[int, tuple[int, uuid.UUID]]:
    """
    Count the calls in use that one caller of each client has, up to `at_most` of each, and name the newest.

    :param callers: client -> the caller there; clients where that one has no call are left out.
    """
    lib_scope.require()
    values: dict[str, Any] = {
        "clients": list(callers),
        "callers": list(callers.values()),
        "at_most": at_most,
    }
    with connection.cursor() as cursor:
        cursor.execute(_OF_CALLERS, values)
        return {client_id: (calls, newest) for client_id, calls, newest in cursor.fetchall()}


def _limits(limits: Mapping[int, datetime], out: Mapping[int, datetime] | None) -> dict[str, Any]:
    ends = [limit if out is None else out[client_id] for client_id, limit in limits.items()]
    return {
        "clients": list(limits),
        "limits": [first_id_at(limit) for limit in limits.values()],
        "out": [first_id_at(limit) for limit in ends],
    }
