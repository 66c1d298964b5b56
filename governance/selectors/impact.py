"""
Data that a user, an API key or a connection accessed in a period.

The source is the audit log, and for connections the calls themselves. Views of masked lists are not logged and not
counted. Callers erased since and calls with hidden numbers count as `gone`.

Managers need the counts of all clients (GDPR article 33(3)(a) and (5)), so the database functions bypass row security,
only for managers and only for counts. The callers are listed by client, under row security.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection

from callprivacy.calls.models import first_id_at, start_of
from callprivacy.lib import scope as lib_scope
from callprivacy.tenancy.models import Client
from governance.enums import DataCategory

READS: Final[Mapping[str, DataCategory]] = {
    "number.revealed": DataCategory.NUMBERS,
    "number.searched": DataCategory.NUMBERS,
    "list.taken": DataCategory.NUMBERS,
    "vendor.reference_shown": DataCategory.NUMBERS,
    "errand.shown": DataCategory.RECORDINGS,
    "recording.played": DataCategory.RECORDINGS,
    "transcript.read": DataCategory.TRANSCRIPTS,
    "export.downloaded": DataCategory.CALLS,
    "numbers.downloaded": DataCategory.NUMBERS,
    "release.downloaded": DataCategory.CALLS,
    "offboarding.taken": DataCategory.CALLS,
    "offboarding.broke_off": DataCategory.CALLS,
    "evidence.exported": DataCategory.CONSENTS,
    "reply.read": DataCategory.CONSENTS,
    "proof.opened": DataCategory.IDENTITY,
    "reason.opened": DataCategory.IDENTITY,
}
"""Audit actions that expose personal data, with its category."""


FIRST: Final = UUID(int=0)
"""Before every caller's id."""
WORDS: Final[Mapping[str, str]] = {
    "number.revealed": "Number revealed",
    "number.searched": "Number searched",
    "list.taken": "List check downloaded",
    "vendor.reference_shown": "Number revealed for a vendor task",
    "errand.shown": "Recording reference revealed for a vendor task",
    "recording.played": "Recording played",
    "transcript.read": "Transcript read",
    "export.downloaded": "Export downloaded",
    "numbers.downloaded": "List of numbers downloaded",
    "release.downloaded": "Release downloaded",
    "offboarding.taken": "Handover downloaded",
    "offboarding.broke_off": "Handover partly downloaded",
    "evidence.exported": "Evidence exported",
    "reply.read": "Text reply read",
    "proof.opened": "Proof of identity opened",
    "reason.opened": "Written reason opened",
}


@dataclass(frozen=True, slots=True)
class Line:
    """
    The access to one client's data by one action.

    :ivar deeds: events. :ivar people: distinct known callers. :ivar gone: erased callers and hidden numbers.
    :ivar rows: of exported files, whose callers are not counted.
    """

    client_id: int | None
    action: str
    category: DataCategory
    deeds: int
    people: int
    gone: int = 0
    rows: int = 0

    @property
    def words(self) -> str:
        return WORDS.get(self.action, self.action.capitalize())


@dataclass(frozen=True, slots=True)
class Touched:
    caller_id: UUID
    deeds: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Impact:
    """:ivar people: distinct callers; a person who called two clients counts twice."""

    lines: list[Line] = field(default_factory=list)
    people: int = 0

    @property
    def client_ids(self) -> list[int]:
        return sorted({line.client_id for line in self.lines if line.client_id is not None})

    @property
    def categories(self) -> list[DataCategory]:
        return [one for one in DataCategory if any(line.category == one for line in self.lines)]

    @property
    def rows(self) -> int:
        return sum(line.rows for line in self.lines)


@dataclass(frozen=True, slots=True)
class Toucher:
    """:ivar kind: "key" for an API key, "way" for a connection."""

    kind: str
    id: UUID
    client: str
    name: str


def touchers() -> list[Toucher]:
    """All API keys and connections of the agency; empty without the right to manage it."""
    return [Toucher(*row) for row in _rows("SELECT * FROM governance_touchers()")]


def of_deeds(
    *, since: datetime, until: datetime, user_id: int | None = None, api_key: UUID | None = None
) -> Impact:
    """
    The access of a user, an API key or all (neither given); empty without the right to manage the agency.

    :param until: exclusive.
    """
    actor = f"api:{api_key}" if api_key else ""
    rows = _rows(
        "SELECT * FROM governance_impact(%s, %s, %s, %s, %s)", since, until, list(READS), user_id, actor
    )
    lines = [
        Line(client_id, action, READS[action], deeds, people, gone, taken)
        for is_all, client_id, action, deeds, taken, people, gone in rows
        if not is_all
    ]
    return Impact(lines, next((row[5] for row in rows if row[0]), 0))


def of_connection(*, connection_id: UUID, since: datetime, until: datetime) -> Impact:
    """The calls that a connection received. :param until: exclusive."""
    rows = _rows(
        "SELECT * FROM governance_impact_of_way(%s, %s, %s)",
        connection_id,
        first_id_at(since),
        first_id_at(until),
    )
    client_id, calls, people, recordings = rows[0]
    if not calls:
        return Impact()
    lines = [
        Line(client_id, "calls received", DataCategory.CALLS, calls, people),
        Line(client_id, "calls received", DataCategory.NUMBERS, people, people),
    ]
    if recordings:
        lines.append(Line(client_id, "recordings received", DataCategory.RECORDINGS, recordings, people))
    return Impact(lines, people)


# Keyset pages: ids are random, so their order reveals nothing.
_CALLERS_OF_DEEDS: Final = """
    SELECT access.caller_id, count(*), min(access.at), max(access.at)
    FROM (
        SELECT e.at, CASE
            WHEN e.subject_kind = 'calls.call' THEN (
                SELECT c.caller_id FROM calls_call c
                WHERE c.client_id = e.client_id AND c.id = e.subject_id::uuid)
            WHEN e.subject_kind = 'calls.caller' THEN e.subject_id::uuid
            WHEN e.action = 'number.revealed' THEN (
                SELECT v.caller_id FROM calls_reveal v
                WHERE v.agency_id = e.agency_id AND v.event_id = e.id LIMIT 1)
            END AS caller_id
        FROM audit_event e
        WHERE e.agency_id = %(agency)s AND e.client_id = %(client)s AND e.at >= %(since)s AND e.at < %(until)s
          AND e.action = ANY (%(wanted)s) AND (%(person)s::bigint IS NULL OR e.actor_user_id = %(person)s)
          AND (%(actor)s = '' OR e.actor_name = %(actor)s)
    ) access
    JOIN calls_caller k ON k.client_id = %(client)s AND k.id = access.caller_id
    WHERE access.caller_id > %(after)s
    GROUP BY 1 ORDER BY 1 LIMIT %(size)s
"""
_CALLERS_OF_WAY: Final = """
    SELECT c.caller_id, count(*), min(c.id::text), max(c.id::text)
    FROM calls_call c
    WHERE c.client_id = %(client)s AND c.connection_id = %(way)s AND c.id >= %(first)s AND c.id < %(last)s
      AND c.caller_id > %(after)s
    GROUP BY 1 ORDER BY 1 LIMIT %(size)s
"""


def callers_of_deeds(
    client: Client,
    *,
    since: datetime,
    until: datetime,
    user_id: int | None = None,
    api_key: UUID | None = None,
    after: UUID = FIRST,
    size: int,
) -> list[Touched]:
    """The affected callers of a client by id, without erased ones. Under row security."""
    values = {
        "agency": client.agency_id,
        "client": client.pk,
        "since": since,
        "until": until,
        "wanted": list(READS),
        "person": user_id,
        "actor": f"api:{api_key}" if api_key else "",
        "after": after,
        "size": size,
    }
    return [Touched(*row) for row in _rows(_CALLERS_OF_DEEDS, values)]


def callers_of_connection(
    client: Client,
    *,
    connection_id: UUID,
    since: datetime,
    until: datetime,
    after: UUID = FIRST,
    size: int,
) -> list[Touched]:
    values = {
        "client": client.pk,
        "way": connection_id,
        "first": first_id_at(since),
        "last": first_id_at(until),
        "after": after,
        "size": size,
    }
    rows = _rows(_CALLERS_OF_WAY, values)
    return [
        Touched(one, deeds, start_of(UUID(first)), start_of(UUID(last))) for one, deeds, first, last in rows
    ]


def _rows(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    lib_scope.require()
    with connection.cursor() as cursor:
        cursor.execute(sql, values[0] if values and isinstance(values[0], dict) else values)
        return list(cursor.fetchall())
