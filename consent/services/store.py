"""
Allowed recordings are fetched from their trackers into a store of our own, where a client has chosen that.

Claim, commit, fetch, record: the tracker is called outside any scope, under a lease that a worker's death lets run
out. A recording that was withheld or erased meanwhile is discarded; a file that no row names is swept.
"""

import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import batched
from typing import Final

from django.conf import settings
from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.calls.enums import RecordingState
from callprivacy.calls.models import Recording
from callprivacy.calls.services import pulls
from callprivacy.lib import pauses
from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.vault import selectors as vault
from callprivacy.vault.sealing import SealBrokenError
from callprivacy.work import services as work
from callprivacy.work.models import Item
from consent import kinds
from consent.channels import recordings as wire
from consent.channels.recordings import Fetched, FetchError, Source
from consent.services import rejudging

log = logger(__name__)

TRIES: Final = 8
"""How often a recording is asked for before a person is; also what marks one that is not asked for again."""
AGAIN: Final = "fetch again"
"""The cause of a rejudgement that has recordings asked for again that did not come."""
JOB: Final = Actor.job("consent.fetch_recordings")

_LEASE: Final = timedelta(minutes=6)
_PAUSES: Final = (
    *(timedelta(minutes=minutes) for minutes in (1, 5, 15)),
    *(timedelta(hours=hours) for hours in (1, 4, 12, 24)),
)
_SWEPT_AT_ONCE: Final = 1_000
_LEFT_ALONE_FOR: Final = timedelta(hours=6)

type Clock = Callable[[], datetime]
type Fetch = Callable[[Source, Callable[[bytes], object]], Fetched]


@dataclass(frozen=True, slots=True)
class Due:
    """A recording that waits to be fetched."""

    agency_id: int
    recording_id: uuid.UUID


def fetch_due_at(client: Client, row: Recording, *, is_allowed: bool, at: datetime) -> datetime | None:
    """When a recording is to be fetched; None where it is not, is here already, or did not come however often."""
    wanted = is_allowed and client.stores_recordings and row.file_key is None
    if not wanted or row.fetch_attempts >= TRIES:
        return None
    return row.fetch_due_at or at


def due(*, agency_id: int, at: datetime, limit: int = 200) -> list[Due]:
    """Take down, to be sent to workers, recordings whose time has come; in the agency's scope."""
    rows = Recording.objects.filter(
        agency_id=agency_id, fetch_due_at__lte=at, state=RecordingState.ALLOWED
    ).order_by("fetch_due_at")
    return [Due(agency_id, pk) for pk in rows.values_list("pk", flat=True)[:limit]]


@dataclass(frozen=True, slots=True, repr=False)
class _Leased:
    """A recording that is ours until its lease ends, with where it is."""

    recording_id: uuid.UUID
    client_id: int
    attempts: int
    source: Source | None
    until: datetime


def fetch_recording(*, due: Due, clock: Clock, chance: float, fetch: Fetch | None = None) -> bool:
    """
    Fetch one recording and store it, sealed under its own key; returns whether it is here now by this call.

    Called outside any scope; safe to run twice and after a kill.

    :param chance: 0 to 1; spreads the pauses after failures.
    :param fetch: asks an invented tracker; `recordings.fetch` asks a real one.
    """
    leased = _lease(due, clock())
    if leased is None:
        return False
    file_id = uuid.uuid4()
    try:
        fetched = _fetch(leased, file_id, fetch or wire.fetch)
    except FetchError as error:
        _note_failure(due, leased, error, chance, clock())
        return False
    return _record(due, leased, file_id, fetched, clock())


def _lease(due: Due, at: datetime) -> _Leased | None:
    with job_scope(agency_id=due.agency_id):
        row = (
            Recording.objects.filter(pk=due.recording_id, fetch_due_at__lte=at, state=RecordingState.ALLOWED)
            .filter(file_key=None)
            .select_related("client", "call__connection")
            .select_for_update(skip_locked=True, of=("self",))
            .first()
        )
        if row is None or not row.client.stores_recordings:
            return None
        until = at + _LEASE
        attempts = row.fetch_attempts + 1
        Recording.objects.filter(pk=row.pk).update(fetch_attempts=attempts, fetch_due_at=until)
        return _Leased(row.pk, row.client_id, attempts, source_of(row, at), until)


def source_of(row: Recording, at: datetime) -> Source | None:
    """
    Where the tracker keeps a recording, and what opens it there; None where our own note of that opens no more.

    In the client's scope; the row comes with its call and that one's connection.
    """
    key = vault.recording_keys(row.client_id, [row.pk]).get(row.pk)
    if key is None or row.reference is None:
        return None
    try:
        url = str(row.reference.reveal(key))
    except SealBrokenError:
        return None
    access = pulls.access_to(row.call.connection, at) if row.call.connection is not None else None
    return Source(row.provider, url, settings.CALLPRIVACY_RECORDING_HOSTS, access)


def _fetch(leased: _Leased, file_id: uuid.UUID, fetch: Fetch) -> Fetched:
    key = vault.recording_keys(leased.client_id, [leased.recording_id]).get(leased.recording_id)
    if key is None or leased.source is None:
        raise FetchError("The stored address of the recording cannot be decrypted.", final=True)
    with files.RecordingWriter(leased.client_id, file_id, key) as out:
        return fetch(leased.source, out.write)


def _record(due: Due, leased: _Leased, file_id: uuid.UUID, fetched: Fetched, at: datetime) -> bool:
    """Name the file in its row, unless the recording was withheld or erased while it flowed in."""
    with job_scope(agency_id=due.agency_id):
        kept = Recording.objects.filter(
            pk=due.recording_id, state=RecordingState.ALLOWED, file_key=None, fetch_due_at=leased.until
        ).update(
            file_key=file_id,
            file_size=fetched.size,
            media_type=fetched.media_type,
            stored_at=at,
            fetch_due_at=None,
        )
        if kept:
            row = Recording.objects.get(pk=due.recording_id)
            audit.record("recording.stored", subject=row, by=JOB, at=at, bytes=fetched.size)
    if not kept:
        files.delete_recording(leased.client_id, file_id)
    return bool(kept)


def _note_failure(due: Due, leased: _Leased, error: FetchError, chance: float, at: datetime) -> None:
    """Try again later, or have a person look where that is of no use."""
    is_over = error.final or leased.attempts >= TRIES
    log.warning("recording.not_fetched", recording=str(due.recording_id), why=error.why, over=is_over)
    with job_scope(agency_id=due.agency_id):
        row = Recording.objects.filter(pk=due.recording_id, fetch_due_at=leased.until)
        if is_over:
            row.update(fetch_attempts=TRIES, fetch_due_at=None)
            renew_item(client=Client.objects.get(pk=leased.client_id), at=at)
        else:
            pause = _PAUSES[min(leased.attempts, len(_PAUSES)) - 1]
            row.update(fetch_due_at=at + pauses.spread(pause, chance))


def not_fetched(client: Client) -> int:
    """How many allowed recordings did not come, however often they were asked for."""
    return (
        Recording.objects.filter(call__client_id=client.pk, client_id=client.pk)
        .filter(state=RecordingState.ALLOWED, file_key=None, fetch_attempts__gte=TRIES)
        .count()
    )


def renew_item(*, client: Client, at: datetime) -> None:
    """Let recordings that did not come wait for somebody, or close the item where there is none."""
    work.renew_item(
        kinds.RECORDINGS_NOT_FETCHED,
        agency_id=client.agency_id,
        client_id=client.pk,
        count=not_fetched(client),
        by=JOB,
        at=at,
    )


def renew_items(*, agency_id: int, at: datetime) -> None:
    """Bring what waits for somebody up to date where something does. In the agency's scope."""
    waiting = Item.objects.open().filter(agency_id=agency_id, kind=kinds.RECORDINGS_NOT_FETCHED)
    for client in Client.objects.filter(pk__in=waiting.values("client_id")):
        renew_item(client=client, at=at)


@transaction.atomic
def ask_again(*, client: Client, by: Actor, at: datetime) -> int:
    """Have recordings asked for once more that did not come; returns how many there are."""
    count = not_fetched(client)
    if count:
        audit.record("recordings.asked_again", subject=client, by=by, at=at, count=count)
        rejudging.of_client(client=client, cause=AGAIN, at=at)
    return count


def forget_attempts(*, client: Client, call_ids: Collection[uuid.UUID]) -> None:
    """Have recordings of these calls asked for again that did not come. In the job's scope that decides them anew."""
    Recording.objects.for_client(client).filter(
        call_id__in=list(call_ids), file_key=None, fetch_attempts__gte=TRIES
    ).update(fetch_attempts=0)


def sweep_files(*, agency_id: int, client_id: int, at: datetime) -> int:
    """
    Delete files of recordings that no row names: a fetch that was cut short, an erasure that was. Returns how many.

    Called outside any scope; files of the last hours are left alone, their rows may be about to name them.
    """
    count = 0
    for found in batched(files.recording_ids(client_id), _SWEPT_AT_ONCE):
        with job_scope(agency_id=agency_id):
            rows = Recording.objects.filter(client_id=client_id, file_key__in=found)
            named = set(rows.values_list("file_key", flat=True))
        # A store answers for the time of each file by itself: it is asked for those alone that no row names.
        limit = at - _LEFT_ALONE_FOR
        orphans = [
            file_id
            for file_id in found
            if file_id not in named and files.is_recording_older(client_id, file_id, than=limit)
        ]
        if orphans:
            with job_scope(agency_id=agency_id):
                audit.record("recordings.swept", by=JOB, at=at, client_id=client_id, files=len(orphans))
        for file_id in orphans:
            files.delete_recording(client_id, file_id)
        count += len(orphans)
    return count
