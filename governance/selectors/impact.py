"""
Which people, clients and fields something touched: a person, a key of the API, a connection, or all of a time.

Read from the trail, which holds every number shown, recording heard, transcript read and file taken, and from the
calls themselves for what a connection brought in. Looking at masked lists is no event; nothing here claims to know it.
People are those of the calls and callers that an event names, and those whose number was shown for something else. The
counts are those of the rows there are: what was erased since, and calls of people who withheld their number, are
counted among `gone`.

Who manages the agency has to know all of it when the law's clock runs (GDPR article 33(3)(a) and (5)), also at clients
whose calls are not granted to them. So the database counts past its row security, for them alone, and tells nothing but
counts; nobody sees a call by it. Who the people are is listed a client at a time, under row security, for whoever is
granted that client's calls.
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
"""Deeds by which somebody gets to see something of a person, and of what category it is."""


FIRST: Final = UUID(int=0)
"""Before every caller's id."""
WORDS: Final[Mapping[str, str]] = {
    "number.revealed": "Number shown",
    "number.searched": "Number searched for",
    "list.taken": "Result of a checked list taken",
    "vendor.reference_shown": "Number shown for a task at a vendor",
    "errand.shown": "Reference of a recording at its vendor shown",
    "recording.played": "Recording played",
    "transcript.read": "Transcript read",
    "export.downloaded": "Export taken",
    "numbers.downloaded": "List of numbers taken",
    "release.downloaded": "Release taken",
    "offboarding.taken": "Handover taken",
    "offboarding.broke_off": "Handover taken in part",
    "evidence.exported": "Evidence taken",
    "reply.read": "Answer by text read",
    "proof.opened": "Paper that proves a person opened",
    "reason.opened": "Written reason opened",
}
"""The same in words."""


@dataclass(frozen=True, slots=True)
class Line:
    """
    What was touched at one client by one kind of deed.

    :ivar deeds: how often. :ivar people: different callers of whom that is known.
    :ivar gone: calls and callers that are erased since, and calls of people who withheld their number.
    :ivar rows: lines of files taken away, whose callers are not told apart here.
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
    """One caller of a client of whom something was seen or brought in: how often, first and last."""

    caller_id: UUID
    deeds: int
    first_at: datetime
    last_at: datetime


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


@dataclass(frozen=True, slots=True)
class Toucher:
    """A key of the API ("key") or a connection ("way") by which something may have been touched."""

    kind: str
    id: UUID
    client: str
    name: str


def touchers() -> list[Toucher]:
    """Every key and connection of the agency, by client and name; nothing for who does not manage it."""
    return [Toucher(*row) for row in _rows("SELECT * FROM governance_touchers()")]


def of_deeds(
    *, since: datetime, until: datetime, user_id: int | None = None, api_key: UUID | None = None
) -> Impact:
    """
    What a person, a key of the API, or anybody (neither named) read between two instants, the second exclusive.

    One pass over the events of that person and time, under the trail's own index; nothing for who does not manage the
    agency.
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
    """What a connection brought in of calls that started between two instants, the second exclusive."""
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


# A caller's page begins after the last one of the page before: ids are random, so their order tells nothing.
_CALLERS_OF_DEEDS: Final = """
    SELECT found.caller_id, count(*), min(found.at), max(found.at)
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
    ) found
    JOIN calls_caller k ON k.client_id = %(client)s AND k.id = found.caller_id
    WHERE found.caller_id > %(after)s
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
    """
    Which callers of a client such deeds touched, by id, after one of them; those who are erased since have no row.

    Under row security: the trail for who may view it, and callers for who is granted the client's calls.
    """
    said = {
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
    return [Touched(*row) for row in _rows(_CALLERS_OF_DEEDS, said)]


def callers_of_connection(
    client: Client,
    *,
    connection_id: UUID,
    since: datetime,
    until: datetime,
    after: UUID = FIRST,
    size: int,
) -> list[Touched]:
    said = {
        "client": client.pk,
        "way": connection_id,
        "first": first_id_at(since),
        "last": first_id_at(until),
        "after": after,
        "size": size,
    }
    rows = _rows(_CALLERS_OF_WAY, said)
    return [
        Touched(one, deeds, start_of(UUID(first)), start_of(UUID(last))) for one, deeds, first, last in rows
    ]


def _rows(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    lib_scope.require()
    with connection.cursor() as cursor:
        cursor.execute(sql, values[0] if values and isinstance(values[0], dict) else values)
        return list(cursor.fetchall())
