"""Fetching allowed recordings into our own store, one task each; what is due is found in the database."""

from typing import Any, Final
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from callprivacy.lib import pauses
from callprivacy.tenancy.scope import in_each_agency, job_scope
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


@shared_task(name="consent.fetch_recordings", acks_late=True)
def fetch_recordings(**_: Any) -> None:
    """Send every recording whose time has come on its way."""
    at = timezone.now()

    def sweep(agency_id: int) -> None:
        with job_scope(agency_id=agency_id):
            waiting = store.due(agency_id=agency_id, at=at)
            store.renew_items(agency_id=agency_id, at=at)
        for due in waiting:
            # A message that waits longer than the next sweep is sent again by that.
            fetch_recording.apply_async(
                kwargs={"agency_id": due.agency_id, "recording_id": str(due.recording_id)}, expires=_EVERY
            )

    in_each_agency(sweep)
