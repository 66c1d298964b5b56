"""
Which people, clients and fields something touched: a person, a key of the API, a connection, or all of a time.

Read from the trail, which holds every number shown, recording heard, transcript read and export taken, and from the
calls themselves for what a connection brought in. Looking at masked lists is no event; nothing here claims to know it.
The counts are those of the rows there are: who was erased since is counted among `gone`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection

from callprivacy.calls.models import first_id_at
from callprivacy.lib import scope as lib_scope
from governance.enums import DataCategory

READS: Final[Mapping[str, DataCategory]] = {
    "number.revealed": DataCategory.NUMBERS,
    "number.searched": DataCategory.NUMBERS,
    "vendor.reference_shown": DataCategory.NUMBERS,
    "recording.played": DataCategory.RECORDINGS,
    "transcript.read": DataCategory.TRANSCRIPTS,
    "export.downloaded": DataCategory.CALLS,
    "numbers.downloaded": DataCategory.NUMBERS,
    "reason.opened": DataCategory.IDENTITY,
}
"""Deeds by which somebody gets to see something of a person, and of what category it is."""

_OF_EVENTS: Final = """
    WITH deeds AS MATERIALIZED (
        SELECT e.client_id, e.action, e.subject_kind, e.subject_id, e.details
        FROM audit_event e
        WHERE e.agency_id = %(agency)s AND e.at >= %(since)s AND e.at < %(until)s
          AND e.action = ANY (%(actions)s)
          AND (%(user)s::bigint IS NULL OR e.actor_user_id = %(user)s)
          AND (%(name)s = '' OR e.actor_name = %(name)s)
    ), named AS (
        SELECT d.client_id, d.action, c.caller_id, d.subject_id
        FROM deeds d LEFT JOIN calls_call c ON c.client_id = d.client_id AND c.id = d.subject_id::uuid
        WHERE d.subject_kind = 'calls.call'
    )
    SELECT d.client_id, d.action, count(*), coalesce(sum((d.details ->> 'rows')::bigint), 0),
           (SELECT count(DISTINCT n.caller_id) FROM named n
            WHERE n.client_id IS NOT DISTINCT FROM d.client_id AND n.action = d.action),
           (SELECT count(DISTINCT n.subject_id) FROM named n
            WHERE n.client_id IS NOT DISTINCT FROM d.client_id AND n.action = d.action AND n.caller_id IS NULL)
    FROM deeds d GROUP BY d.client_id, d.action ORDER BY d.client_id NULLS LAST, d.action
"""

_PEOPLE: Final = """
    SELECT count(DISTINCT c.caller_id)
    FROM audit_event e JOIN calls_call c ON c.client_id = e.client_id AND c.id = e.subject_id::uuid
    WHERE e.agency_id = %(agency)s AND e.at >= %(since)s AND e.at < %(until)s
      AND e.action = ANY (%(actions)s) AND e.subject_kind = 'calls.call'
      AND (%(user)s::bigint IS NULL OR e.actor_user_id = %(user)s)
      AND (%(name)s = '' OR e.actor_name = %(name)s)
"""

_OF_CONNECTION: Final = """
    SELECT c.client_id, count(*), count(DISTINCT c.caller_id),
           (SELECT count(*) FROM calls_recording r JOIN calls_call k ON k.client_id = r.client_id AND k.id = r.call_id
            WHERE r.client_id = %(client)s AND k.connection_id = %(connection)s
              AND k.id >= %(first)s AND k.id < %(last)s)
    FROM calls_call c
    WHERE c.client_id = %(client)s AND c.connection_id = %(connection)s AND c.id >= %(first)s AND c.id < %(last)s
    GROUP BY c.client_id
"""


@dataclass(frozen=True, slots=True)
class Line:
    """
    What was touched at one client by one kind of deed.

    :ivar deeds: how often. :ivar people: different callers of whom that is known. :ivar gone: calls that are erased
    since. :ivar rows: lines of files taken away, whose callers are not told apart here.
    """

    client_id: int | None
    action: str
    category: DataCategory
    deeds: int
    people: int
    gone: int = 0
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Impact:
    """All that was touched. :ivar people: different callers over everything; callers of two clients are two."""

    lines: list[Line] = field(default_factory=list)
    people: int = 0

    @property
    def client_ids(self) -> list[int]:
        """The clients concerned, in order."""
        return sorted({line.client_id for line in self.lines if line.client_id is not None})

    @property
    def categories(self) -> list[DataCategory]:
        """What was touched, in the order of the words."""
        return [one for one in DataCategory if any(line.category == one for line in self.lines)]

    @property
    def rows(self) -> int:
        """Lines of files taken away."""
        return sum(line.rows for line in self.lines)


def of_deeds(
    *,
    agency_id: int,
    since: datetime,
    until: datetime,
    user_id: int | None = None,
    api_key: UUID | None = None,
) -> Impact:
    """
    What a person, a key of the API, or anybody (neither named) read between two instants, the second exclusive.

    One pass over the events of that person and time; under the trail's own index.
    """
    lib_scope.require()
    wanted: dict[str, Any] = {
        "agency": agency_id,
        "since": since,
        "until": until,
        "user": user_id,
        "name": f"api:{api_key}" if api_key else "",
        "actions": list(READS),
    }
    with connection.cursor() as cursor:
        cursor.execute(_OF_EVENTS, wanted)
        lines = list(_lines(cursor.fetchall()))
        cursor.execute(_PEOPLE, wanted)
        (people,) = cursor.fetchone()
    return Impact(lines, int(people))


def _lines(rows: Iterable[tuple[Any, ...]]) -> Iterable[Line]:
    for client_id, action, deeds, taken, people, gone in rows:
        yield Line(client_id, action, READS[action], deeds, people, gone, int(taken))


def of_connection(*, client_id: int, connection_id: UUID, since: datetime, until: datetime) -> Impact:
    """What a connection brought in of calls that started between two instants, the second exclusive."""
    lib_scope.require()
    with connection.cursor() as cursor:
        cursor.execute(
            _OF_CONNECTION,
            {
                "client": client_id,
                "connection": connection_id,
                "first": first_id_at(since),
                "last": first_id_at(until),
            },
        )
        row = cursor.fetchone()
    if row is None:
        return Impact()
    _, calls, people, recordings = row
    lines = [
        Line(client_id, "calls received", DataCategory.CALLS, calls, people),
        Line(client_id, "calls received", DataCategory.NUMBERS, people, people),
    ]
    if recordings:
        lines.append(Line(client_id, "recordings received", DataCategory.RECORDINGS, recordings, people))
    return Impact(lines, people)
