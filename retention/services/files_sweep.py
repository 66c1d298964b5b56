"""
Files that no row names, and rows whose file is gone: each client's folder is held against the database, both ways.

A file without a row is left by whatever was cut short between the two, and goes. A row without its file says something
that is not so: it is made true, and a person is told, for somebody has lost it. Each client has its turn once a day,
and so has the agency's own folder. Nothing else deletes a file because no row names it. Where a folder is not known to
be ours (`own_folders`) a file that is missing is not lost, and neither way is gone.
"""

import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.calls.models import Recording
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.vault.files import Folder
from callprivacy.work import services as work
from consent.services import store
from retention.selectors import named_files
from retention.services import own_folders

JOB: Final = Actor.job("retention.sweep_files")
MISSING: Final = "files_missing"
OWN_MISSING: Final = "own_files_missing"
_LEFT_ALONE_FOR: Final = timedelta(hours=24)
_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Swept:
    """What one client's pass did: files removed, rows made true."""

    removed: int = 0
    missing: int = 0


def claim(*, agency_id: int, at: datetime) -> list[int]:
    """The clients whose turn it is today, in the agency's scope: each of them once a day."""
    client_ids = Client.objects.filter(agency_id=agency_id).order_by("pk").values_list("pk", flat=True)
    return [client_id for client_id in client_ids if _claim(str(client_id), agency_id, at)]


def sweep_client(*, agency_id: int, client_id: int, at: datetime) -> Swept:
    """
    Hold a client's files against its rows. Outside any scope; safe to run twice and after a kill.

    :raises ForeignFolderError: the folder of files, or the place of recordings, is not known to be ours.
    """
    with job_scope(agency_id=agency_id):
        if not Client.objects.filter(pk=client_id).exists():
            return Swept()
    own_folders.require_ours(agency_id=agency_id, at=at)
    removed = store.sweep_files(agency_id=agency_id, client_id=client_id, at=at)
    removed += _delete_orphans(agency_id, client_id, named_files.of_client(client_id), at)
    lost = _recordings_without_file(agency_id, client_id, at)
    lost += _others_without_file(agency_id, client_id, at)
    if lost:
        with job_scope(agency_id=agency_id):
            work.open_item(
                MISSING, agency_id=agency_id, client_id=client_id, key=str(client_id), at=at, count=lost
            )
    return Swept(removed=removed, missing=lost)


def claim_own(*, agency_id: int, at: datetime) -> bool:
    """Whether it is the turn of the agency's own folder, in its scope: once a day."""
    return _claim("own", agency_id, at)


def _claim(whose: str, agency_id: int, at: datetime) -> bool:
    day = at.astimezone(UTC).date().isoformat()
    return work.claim_period(
        job=f"{JOB.name}/{whose}", period=day, agency_id=agency_id, at=at, kept_for=work.OF_A_CLOCK
    )


def sweep_own(*, agency_id: int, at: datetime) -> Swept:
    """
    Hold the files of the agency's own folder against its rows. Outside any scope; twice is once.

    :raises ForeignFolderError: as for `sweep_client`.
    """
    own_folders.require_ours(agency_id=agency_id, at=at)
    removed = _delete_orphans(agency_id, -agency_id, named_files.own(agency_id), at)
    there = set(files.found(Folder.SEALED, -agency_id))
    lost = 0
    with job_scope(agency_id=agency_id):
        for rows, name in named_files.own(agency_id):
            named = dict(rows.filter(**{f"{name}__isnull": False}).values_list("pk", name))
            gone = _forget(rows, name, named, there, -agency_id)
            if gone:
                kind = rows.model._meta.label_lower
                audit.record("files.missed", by=JOB, at=at, agency_id=agency_id, kind=kind, count=gone)
            lost += gone
        if lost:
            work.open_item(OWN_MISSING, agency_id=agency_id, key="own", at=at, count=lost)
    return Swept(removed=removed, missing=lost)


def _delete_orphans(agency_id: int, holder: int, named: Iterable[tuple[Any, str]], at: datetime) -> int:
    """Delete files of a folder that no row names, as an upload leaves them that ended before it was noted."""
    orphans = set(files.ids(holder, older_than=at - _LEFT_ALONE_FOR))
    if not orphans:
        return 0
    with job_scope(agency_id=agency_id):
        for rows, name in named:
            orphans -= set(rows.filter(**{f"{name}__in": orphans}).values_list(name, flat=True))
    for file_id in orphans:
        files.delete(holder, file_id)
    return len(orphans)


def _recordings_without_file(agency_id: int, client_id: int, at: datetime) -> int:
    """
    Recordings that say they are stored and are not: they say so no longer. Returns how many.

    What is not in the folder's list is asked for by itself: it may have come after the list.
    """
    there = set(files.recording_ids(client_id))
    count = 0
    after = uuid.UUID(int=0)
    while True:
        with job_scope(agency_id=agency_id), transaction.atomic():
            rows = Recording.objects.filter(client_id=client_id, file_key__isnull=False, pk__gt=after)
            page = list(
                rows.filter(stored_at__lt=at - _LEFT_ALONE_FOR)
                .order_by("pk")
                .values_list("pk", "file_key")[:_PAGE]
            )
            gone = [
                pk
                for pk, file_id in page
                if file_id and file_id not in there and not files.recording_exists(client_id, file_id)
            ]
            if gone:
                own_folders.confirm(Folder.RECORDINGS)
                Recording.objects.filter(client_id=client_id, pk__in=gone).update(
                    file_key=None, file_size=None, media_type="", stored_at=None
                )
                audit.record(
                    "files.missed", by=JOB, at=at, client_id=client_id, kind="recordings", count=len(gone)
                )
        count += len(gone)
        if not page:
            return count
        after = page[-1][0]


def _others_without_file(agency_id: int, client_id: int, at: datetime) -> int:
    """Exports, lists and pictures whose file is gone: their rows name none any more. Returns how many."""
    count = 0
    there = set(files.found(Folder.SEALED, client_id))
    with job_scope(agency_id=agency_id):
        for rows, name in named_files.of_client(client_id):
            if not rows.model._meta.get_field(name).null:
                continue
            named = dict(rows.filter(**{f"{name}__isnull": False}).values_list("pk", name))
            gone = _forget(rows, name, named, there, client_id)
            if gone:
                kind = rows.model._meta.label_lower
                audit.record("files.missed", by=JOB, at=at, client_id=client_id, kind=kind, count=gone)
            count += gone
    return count


def _forget(
    rows: Any, name: str, named: Mapping[Any, uuid.UUID], there: Collection[uuid.UUID], holder: int
) -> int:
    """Let rows name no file that is gone, unless they name another one meanwhile; returns how many."""
    gone = [(pk, key) for pk, key in named.items() if key not in there and not files.exists(holder, key)]
    if gone:
        own_folders.confirm(Folder.SEALED)
    return sum(rows.filter(pk=pk, **{name: key}).update(**{name: None}) for pk, key in gone)
