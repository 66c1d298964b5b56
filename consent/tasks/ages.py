"""The job that ends consents which have become too old. What is due is found by its state."""

from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from callprivacy.tenancy.jobs import agency_job, always, wake, waker
from consent.services import ages
from consent.tasks.decisions import decide_recordings

_WORK_FOR: Final = timedelta(seconds=40)


@agency_job(name="consent.expire_consents", every=600, due=always)
def expire_consents(agency_id: int, at: datetime) -> None:
    """End what is too old. Each agency has a message of its own, so that a large one does not hold up the others."""
    if ages.expire(agency_id=agency_id, until=at + _WORK_FOR, clock=timezone.now):
        wake(decide_recordings, agency_id=agency_id)


nudge_ages = waker(expire_consents)
