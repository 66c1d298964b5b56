"""Fetching allowed recordings into our own store, one task each; what is due is found in the database."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from callprivacy.lib import pauses
from callprivacy.tenancy.jobs import agency_job, wake
from consent.services import store
from consent.services.store import Due

# Longer than the wire's own limit, shorter than the lease.
_LONGEST: Final = 300
_EVERY: Final = 60


@shared_task(
    name="consent.fetch_recording", acks_late=True, soft_time_limit=_LONGEST - 10, time_limit=_LONGEST
)
def fetch_recording(*, agency_id: int, recording_id: str, **_: Any) -> None:
    due = Due(agency_id, UUID(recording_id))
    store.fetch_recording(due=due, clock=timezone.now, chance=pauses.dice())


@agency_job(name="consent.fetch_recordings", every=_EVERY, in_scope=True)
def fetch_recordings(agency_id: int, at: datetime) -> None:
    """Send every recording whose time has come on its way."""
    for due in store.due(agency_id=agency_id, at=at):
        # A message that waits longer than the next sweep is sent again by that.
        wake(fetch_recording, expires=_EVERY, agency_id=agency_id, recording_id=str(due.recording_id))
    store.renew_items(agency_id=agency_id, at=at)
