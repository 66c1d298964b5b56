"""What a crash between two databases leaves behind is found from state, a day later, and removed."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from uuid import UUID

from callprivacy.audit import services as audit
from callprivacy.calls.services import erasure, turns
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.work import services as work
from retention.selectors import holds

_LEFT_ALONE_FOR = timedelta(hours=24)
_PAGE = 2_000
# More orphans than these few, and than this share of all keys, are no crash's leftovers.
_FEW = 100
_SHARE = 0.05
JOB = Actor.job("retention.sweep")


def sweep_client(*, agency_id: int, client_id: int, at: datetime) -> int:
    """
    Remove tombstones and suppressions past their end date, callers that have no call, and keys that no row rests on.

    Keys younger than a day are left alone: their rows may be about to be written. Where very many keys have no row
    nothing is destroyed, because then rather the rows are missing: a database that was restored or is not the right
    one. Somebody is told instead. Returns how many were removed; none where the client is gone.
    """
    with job_scope(agency_id=agency_id):
        if not Client.objects.filter(pk=client_id).exists():
            return 0
    # Both end on a day of the client's zone, and no zone lies further behind UTC than twelve hours: once the next day
    # has begun in UTC, that day has begun everywhere.
    begun = at.date() - timedelta(days=1)
    ended = vault.expire_tombstones(client_id=client_id, on=begun)
    ended += vault.end_suppressions(client_id=client_id, on=begun)
    idle = _sweep_idle(agency_id, client_id, at)
    callers, seen_callers = _orphans(_caller_pages(client_id, at), agency_id, erasure.without_row, client_id)
    recordings, seen_recordings = _orphans(
        _recording_pages(client_id, at), agency_id, erasure.without_recording, client_id
    )
    count = len(callers) + len(recordings)
    if count > max(_FEW, (seen_callers + seen_recordings) * _SHARE):
        with job_scope(agency_id=agency_id):
            work.open_item(
                "keys_without_rows",
                agency_id=agency_id,
                client_id=client_id,
                key=str(client_id),
                at=at,
                count=count,
            )
        return ended + idle
    for start in range(0, len(callers), _PAGE):
        idle += _destroy(agency_id, client_id, callers[start : start + _PAGE], at)
    if recordings:
        with job_scope(agency_id=agency_id):
            audit.record("recordings.swept", by=JOB, at=at, client_id=client_id, count=len(recordings))
        vault.destroy_recording_keys(client_id=client_id, recording_ids=recordings)
    return ended + idle + len(recordings)


def _orphans(
    pages: Iterator[list[UUID]],
    agency_id: int,
    missing: Callable[[int, list[UUID]], set[UUID]],
    client_id: int,
) -> tuple[list[UUID], int]:
    """Ids whose row is missing, and how many ids there were."""
    orphans: list[UUID] = []
    seen = 0
    for page in pages:
        with job_scope(agency_id=agency_id):
            orphans += sorted(missing(client_id, page))
        seen += len(page)
    return orphans, seen


def _caller_pages(client_id: int, at: datetime) -> Iterator[list[UUID]]:
    after = None
    while page := vault_selectors.caller_ids(
        client_id, older_than=at - _LEFT_ALONE_FOR, after=after, limit=_PAGE
    ):
        yield page
        after = page[-1]


def _recording_pages(client_id: int, at: datetime) -> Iterator[list[UUID]]:
    after = None
    while page := vault_selectors.recording_ids(
        client_id, older_than=at - _LEFT_ALONE_FOR, after=after, limit=_PAGE
    ):
        yield page
        after = page[-1]


def _sweep_idle(agency_id: int, client_id: int, at: datetime) -> int:
    with job_scope(agency_id=agency_id):
        client = Client.objects.get(pk=client_id)
        idle = erasure.idle_callers(client, older_than=at - _LEFT_ALONE_FOR, limit=_PAGE)
    return _destroy(agency_id, client_id, idle, at) if idle else 0


def _destroy(agency_id: int, client_id: int, caller_ids: list[UUID], at: datetime) -> int:
    """Destroy the keys of callers that are still idle; whom an open hold names stays."""
    with vault.erasing_callers(client_id=client_id, caller_ids=caller_ids):
        with job_scope(agency_id=agency_id):
            turns.lock_client(client_id)
            held = holds.named_caller_ids(client_id)
            gone = erasure.remove_idle(client_id, [one for one in caller_ids if one not in held])
            if gone:
                audit.record("callers.swept", by=JOB, at=at, client_id=client_id, count=len(gone))
        vault.erase_callers(client_id=client_id, erasures=[vault.Erasure(key) for key in gone], at=at)
    return len(gone)
