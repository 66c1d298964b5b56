"""
What is held of callers at several clients, counted by category: for what a search writes down.

All of one category is one statement over every client and caller, so that a person known to three hundred clients
costs as many statements as one known to a single client.
"""

# ruff: noqa: S608  names put into SQL are constants of this module

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import batched
from typing import Any, Final

from django.db import connection

from analytics.selectors import holding
from callprivacy.calls.enums import RecordingState
from callprivacy.calls.models import Call, Recording, Transcript, start_of
from callprivacy.calls.services.erasure import id_array
from callprivacy.lib import scope as lib_scope
from callprivacy.tenancy.models import Client
from rights.enums import Copies

type Pair = tuple[int, uuid.UUID]


@dataclass(slots=True)
class Count:
    """How many copies of one category there are, from when to when, and more in small facts."""

    count: int = 0
    oldest_at: datetime | None = None
    newest_at: datetime | None = None
    detail: dict[str, Any] = field(default_factory=dict)


type Counted = dict[Pair, dict[Copies, Count]]

_PAIRS: Final = "unnest(%(clients)s::bigint[], %(callers)s::uuid[]) AS p (client_id, caller_id)"
_OF_CALLS: Final = "c.client_id = p.client_id AND c.caller_id = p.caller_id"
_OF_A_CALL: Final = {
    Copies.CALLS: "TRUE",
    Copies.RECORDINGS: "r.state <> 'gone'",
    Copies.TRANSCRIPTS: "t.text IS NOT NULL",
}
_COUNTED: Final = ", ".join(
    f"count(c.id) FILTER (WHERE {there}), min(c.id::text) FILTER (WHERE {there}),"
    f" max(c.id::text) FILTER (WHERE {there})"
    for there in _OF_A_CALL.values()
)
_CALLS: Final = f"""
    SELECT p.client_id, p.caller_id, count(r.file_key), count(r.reference) FILTER (WHERE r.state <> 'gone'), {_COUNTED}
    FROM {_PAIRS} JOIN calls_call c ON {_OF_CALLS}
    LEFT JOIN calls_recording r ON r.client_id = c.client_id AND r.call_id = c.id
    LEFT JOIN calls_transcript t ON t.client_id = c.client_id AND t.call_id = c.id
    GROUP BY 1, 2
"""
_VENDORS: Final = f"""
    SELECT p.client_id, p.caller_id, x.provider, count(DISTINCT c.id)
    FROM {_PAIRS} JOIN calls_call c ON {_OF_CALLS}
    JOIN calls_callref x ON x.client_id = c.client_id AND x.call_id = c.id GROUP BY 1, 2, 3
"""
_ROWS: Final[tuple[tuple[Copies, str, str, str], ...]] = (
    (Copies.CONSENT, "consent_consentevent", "recorded_at", ""),
    (Copies.MESSAGES, "consent_reply", "received_at", ""),
    (Copies.MESSAGES, "consent_invitation", "created_at", ""),
    (Copies.MESSAGES, "consent_subscription", "created_at", ""),
    (Copies.REQUESTS, "rights_identity", "claimed_at", "AND x.submission_id <> %(submission)s"),
)
_EXPORTS: Final = """
    SELECT e.client_id, count(*), min(e.created_at), max(e.created_at) FROM calls_callexport e
    WHERE e.client_id = ANY(%(clients)s::bigint[]) AND e.file_key IS NOT NULL GROUP BY 1
"""
_RECIPIENTS: Final = """
    SELECT w.client_id,
        (SELECT count(*) FROM consent_webhookendpoint e WHERE e.client_id = w.client_id AND e.is_active),
        (SELECT count(*) FROM consent_addestination d WHERE d.client_id = w.client_id AND d.is_active)
    FROM unnest(%(clients)s::bigint[]) AS w (client_id)
"""


def count(pairs: Collection[Pair], *, submission_id: uuid.UUID) -> Counted:
    """
    Count everything of these callers. In the scope of a job.

    :param pairs: (client id, caller id), both of one agency. :param submission_id: whose own identities do not count.
    """
    lib_scope.require()
    found: Counted = {pair: defaultdict(Count) for pair in pairs}
    if not found:
        return {}
    values = {
        "clients": [client_id for client_id, _ in found],
        "callers": id_array(caller_id for _, caller_id in found),
        "submission": submission_id,
    }
    for pair in found:
        found[pair][Copies.IDENTITY].count = 1
    _count_calls(found, values)
    for copies, table, at, more in _ROWS:
        for client_id, caller_id, number, oldest, newest in _fetch(
            f"SELECT p.client_id, p.caller_id, count(*), min(x.{at}), max(x.{at}) FROM {_PAIRS} JOIN {table} x"
            f" ON x.client_id = p.client_id AND x.caller_id = p.caller_id {more} GROUP BY 1, 2",
            values,
        ):
            _add(found[client_id, caller_id][copies], number, oldest, newest)
    _count_beside(found, values)
    _count_releases(found)
    return found


def of_lone_calls(
    client: Client, call_ids: Collection[uuid.UUID]
) -> list[tuple[uuid.UUID, Copies, datetime]]:
    """What there is of calls without a caller: (call, what, when it began); three queries."""
    calls = Call.objects.for_client(client).filter(pk__in=list(call_ids))
    found = [(pk, Copies.CALLS, start_of(pk)) for pk in calls.values_list("pk", flat=True)]
    recordings = Recording.objects.for_client(client).exclude(state=RecordingState.GONE)
    words = Transcript.objects.for_client(client).filter(text__isnull=False)
    for rows, copies in ((recordings, Copies.RECORDINGS), (words, Copies.TRANSCRIPTS)):
        there = rows.filter(call_id__in=list(call_ids)).values_list("call_id", flat=True)
        found += [(pk, copies, start_of(pk)) for pk in there]
    return found


def _count_calls(found: Counted, values: Mapping[str, Any]) -> None:
    for client_id, caller_id, files, links, *counts in _fetch(_CALLS, values):
        here = found[client_id, caller_id]
        for copies, (number, first, last) in zip(_OF_A_CALL, batched(counts, 3), strict=True):
            if number:
                _add(here[copies], number, start_of(uuid.UUID(first)), start_of(uuid.UUID(last)))
        if Copies.RECORDINGS in here:
            here[Copies.RECORDINGS].detail = {"stored_here": files, "at_vendor": links}
    for client_id, caller_id, provider, calls in _fetch(_VENDORS, values):
        line = found[client_id, caller_id][Copies.VENDOR]
        line.count += calls
        line.detail[provider] = calls


def _count_beside(found: Counted, values: Mapping[str, Any]) -> None:
    """What is no person's alone: files of exports that may hold a masked line, and who was told of calls."""
    of_client: dict[int, list[Pair]] = defaultdict(list)
    for pair in found:
        if found[pair][Copies.CALLS].count:
            of_client[pair[0]].append(pair)
    for client_id, number, oldest, newest in _fetch(_EXPORTS, values):
        for pair in of_client[client_id]:
            _add(found[pair][Copies.EXPORTS], number, oldest, newest)
            found[pair][Copies.EXPORTS].detail = {"may_hold": True}
    for client_id, endpoints, ads in _fetch(_RECIPIENTS, values):
        for pair in of_client[client_id] if endpoints or ads else ():
            line = found[pair][Copies.RECIPIENTS]
            line.count, line.detail = endpoints + ads, {"endpoints": endpoints, "ads": ads}


def _count_releases(found: Counted) -> None:
    """
    Live files that recipients have: those that hold rows of the caller, by name, and beside them how many there are in
    which no row can be told to be anybody's.
    """
    callers: dict[int, list[uuid.UUID]] = defaultdict(list)
    for client_id, caller_id in found:
        callers[client_id].append(caller_id)
    for pair, given in holding.given(callers).items():
        line = found[pair][Copies.RELEASES]
        for release in given.holding:
            _add(line, 1, release.released_at, release.released_at)
        if given.anonymised:
            line.detail["anonymised"] = len(given.anonymised)
        if given.holding:
            line.detail["recipients"] = sorted({release.recipient.name for release in given.holding})


def _add(line: Count, number: int, oldest: datetime | None, newest: datetime | None) -> None:
    line.count += number
    line.oldest_at = min(filter(None, (line.oldest_at, oldest)), default=None)
    line.newest_at = max(filter(None, (line.newest_at, newest)), default=None)


def _fetch(query: str, values: Mapping[str, Any]) -> Iterable[Sequence[Any]]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return list(cursor.fetchall())
