"""What a crash between two databases leaves behind is found from state, a day later, and removed."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from callprivacy.audit import services as audit
from callprivacy.calls.models import Caller
from callprivacy.calls.services import erasure
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault

_LEFT_ALONE_FOR = timedelta(hours=24)
_PAGE = 500
JOB = Actor.job("retention.sweep")


def sweep_client(*, agency_id: int, client_id: int, at: datetime) -> int:
    """
    Destroy a client's keys that no row rests on, callers that have no call, and tombstones past their end date.

    Returns how many.

    Keys younger than a day are left alone: their rows may be about to be written.
    """
    return (
        _sweep_idle(agency_id, client_id, at)
        + _sweep_keys(agency_id, client_id, at)
        + _sweep_recording_keys(agency_id, client_id, at)
        + vault.expire_tombstones(client_id=client_id, on=at.date())
    )


def _sweep_keys(agency_id: int, client_id: int, at: datetime) -> int:
    swept, after = 0, None
    while page := vault_selectors.caller_ids(
        client_id, older_than=at - _LEFT_ALONE_FOR, after=after, limit=_PAGE
    ):
        after = page[-1]
        with job_scope(agency_id=agency_id):
            known = set(Caller.objects.for_client(client_id).filter(pk__in=page).values_list("pk", flat=True))
        if set(page) - known:
            swept += _destroy(agency_id, client_id, [key for key in page if key not in known], at)
    return swept


def _sweep_recording_keys(agency_id: int, client_id: int, at: datetime) -> int:
    swept, after = 0, None
    while page := vault_selectors.recording_ids(
        client_id, older_than=at - _LEFT_ALONE_FOR, after=after, limit=_PAGE
    ):
        after = page[-1]
        with job_scope(agency_id=agency_id):
            orphans = erasure.without_recording(client_id, page)
            if orphans:
                audit.record("recordings.swept", by=JOB, at=at, client_id=client_id, count=len(orphans))
        swept += vault.destroy_recording_keys(client_id=client_id, recording_ids=orphans)
    return swept


def _sweep_idle(agency_id: int, client_id: int, at: datetime) -> int:
    with job_scope(agency_id=agency_id):
        client = Client.objects.get(pk=client_id)
        idle = erasure.idle_callers(client, older_than=at - _LEFT_ALONE_FOR, limit=_PAGE)
    return _destroy(agency_id, client_id, idle, at) if idle else 0


def _destroy(agency_id: int, client_id: int, caller_ids: list[UUID], at: datetime) -> int:
    with vault.erasing_callers(client_id=client_id, caller_ids=caller_ids):
        with job_scope(agency_id=agency_id):
            gone = erasure.remove_idle(client_id, caller_ids)
            if gone:
                audit.record("callers.swept", by=JOB, at=at, client_id=client_id, count=len(gone))
        vault.erase_callers(client_id=client_id, erasures=[vault.Erasure(key) for key in gone], at=at)
    return len(gone)
