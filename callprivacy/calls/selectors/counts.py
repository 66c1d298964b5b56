"""
Calls counted over several clients at once, each in one statement that the index of client and id serves.

Row security holds here as everywhere: a client that the scope may not see counts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from callprivacy.calls.models import first_id_at
from callprivacy.lib import scope as lib_scope

_BY_DAY = """
    SELECT width_bucket(c.id, %(limits)s::uuid[]) AS day, count(*), count(*) FILTER (WHERE c.outcome = 'answered')
    FROM calls_call c
    WHERE c.client_id = ANY (%(clients)s) AND c.id >= %(first)s AND c.id < %(last)s
    GROUP BY 1
"""

_SINCE = """
    SELECT c.client_id, count(*), count(*) FILTER (WHERE c.outcome = 'answered'),
           count(*) FILTER (WHERE r.state = 'withheld')
    FROM calls_call c LEFT JOIN calls_recording r ON r.call_id = c.id
    WHERE c.client_id = ANY (%(clients)s) AND c.id >= %(first)s
    GROUP BY 1
"""

_BEFORE = """
    SELECT wanted.client_id, found.calls, found.recordings
    FROM unnest(%(clients)s::bigint[], %(limits)s::uuid[]) AS wanted (client_id, before),
    LATERAL (
        SELECT count(*) AS calls, count(r.id) AS recordings
        FROM calls_call c LEFT JOIN calls_recording r ON r.call_id = c.id
        WHERE c.client_id = wanted.client_id AND c.id < wanted.before AND NOT c.on_hold
    ) AS found
"""

_SOME_BEFORE = """
    SELECT wanted.client_id, found.calls
    FROM unnest(%(clients)s::bigint[], %(limits)s::uuid[]) AS wanted (client_id, before),
    LATERAL (
        SELECT count(*) AS calls
        FROM (SELECT FROM calls_call c
              WHERE c.client_id = wanted.client_id AND c.id < wanted.before AND NOT c.on_hold
              LIMIT %(at_most)s) AS first_ones
    ) AS found
    WHERE found.calls > 0
"""


@dataclass(frozen=True, slots=True)
class DayCount:
    """Calls that started within one day, and how many of them were answered."""

    starts_at: datetime
    calls: int
    answered: int


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


def calls_by_day(client_ids: Sequence[int], limits: Sequence[datetime]) -> list[DayCount]:
    """
    Count calls between neighbouring limits, oldest first; n + 1 ascending limits give n counts.

    :param limits: starts of days, the last one exclusive; days that a clock change makes longer are longer.
    """
    lib_scope.require()
    ids = [first_id_at(limit) for limit in limits]
    with connection.cursor() as cursor:
        cursor.execute(
            _BY_DAY, {"clients": list(client_ids), "limits": ids[:-1], "first": ids[0], "last": ids[-1]}
        )
        found = {row[0]: row[1:] for row in cursor.fetchall()}
    return [DayCount(limit, *found.get(number, (0, 0))) for number, limit in enumerate(limits[:-1], start=1)]


def calls_since(client_ids: Sequence[int], since: datetime) -> dict[int, ClientCount]:
    """Count each client's calls that started at `since` or later; clients without any are left out."""
    lib_scope.require()
    with connection.cursor() as cursor:
        cursor.execute(_SINCE, {"clients": list(client_ids), "first": first_id_at(since)})
        return {row[0]: ClientCount(*row[1:]) for row in cursor.fetchall()}


def calls_before(limits: Mapping[int, datetime]) -> dict[int, DueCount]:
    """Count each client's calls that started before that client's limit and that no hold keeps."""
    lib_scope.require()
    with connection.cursor() as cursor:
        cursor.execute(
            _BEFORE, {"clients": list(limits), "limits": [first_id_at(limit) for limit in limits.values()]}
        )
        return {row[0]: DueCount(*row[1:]) for row in cursor.fetchall()}


def some_calls_before(limits: Mapping[int, datetime], *, at_most: int) -> dict[int, int]:
    """Count each client's calls before its limit up to `at_most`, however many there are; no entry for none."""
    lib_scope.require()
    with connection.cursor() as cursor:
        cursor.execute(
            _SOME_BEFORE,
            {
                "clients": list(limits),
                "limits": [first_id_at(limit) for limit in limits.values()],
                "at_most": at_most,
            },
        )
        return dict(cursor.fetchall())
