"""
Files that no row names, and rows whose file is gone: each client's folder is held against the database, both ways.

A file without a row is left by whatever was cut short between the two, and goes (`consent.services.store` for
recordings, `calls.services.imports` for the rest). A row without its file says something that is not so: it is made
true, and a person is told, for somebody has lost it. Each client has its turn once a day, and so has the agency's own
folder, whose files without a row go with the job of registers (`consent.services.registers.purge`).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.apps import apps
from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.calls.models import Recording
from callprivacy.calls.services.imports import FILE_COLUMNS, own_rows_with_files
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client, ClientOwned
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.work import services as work
from consent.services import store

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
    """Hold a client's files against its rows. Outside any scope; safe to run twice and after a kill."""
    with job_scope(agency_id=agency_id):
        if not Client.objects.filter(pk=client_id).exists():
            return Swept()
    removed = store.sweep_files(agency_id=agency_id, client_id=client_id, at=at)
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
    """Make rows true that name a file of the agency's own folder which is gone. Outside any scope; twice is once."""
    there = set(files.ids(-agency_id, older_than=at))
    lost = 0
    with job_scope(agency_id=agency_id):
        for rows, name in own_rows_with_files(agency_id):
            named = dict(rows.filter(**{f"{name}__isnull": False}).values_list("pk", name))
            gone = [pk for pk, key in named.items() if key not in there and not files.exists(-agency_id, key)]
            if gone:
                rows.filter(pk__in=gone).update(**{name: None})
                kind = rows.model._meta.label_lower
                audit.record("files.missed", by=JOB, at=at, agency_id=agency_id, kind=kind, count=len(gone))
            lost += len(gone)
        if lost:
            work.open_item(OWN_MISSING, agency_id=agency_id, key="own", at=at, count=lost)
    return Swept(missing=lost)


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
    there = set(files.ids(client_id, older_than=at))
    for model in apps.get_models():
        if not (issubclass(model, ClientOwned) or hasattr(model, "holder_id")) or model is Recording:
            continue
        columns = {field.name: field for field in model._meta.concrete_fields}
        for name in FILE_COLUMNS:
            if name not in columns or not columns[name].null:
                continue
            with job_scope(agency_id=agency_id):
                rows: Any = model._default_manager.filter(client_id=client_id)
                named = dict(rows.filter(**{f"{name}__isnull": False}).values_list("pk", name))
                gone = [
                    pk for pk, key in named.items() if key not in there and not files.exists(client_id, key)
                ]
                if gone:
                    rows.filter(pk__in=gone).update(**{name: None})
                    audit.record(
                        "files.missed",
                        by=JOB,
                        at=at,
                        client_id=client_id,
                        kind=model._meta.label_lower,
                        count=len(gone),
                    )
            count += len(gone)
    return count
