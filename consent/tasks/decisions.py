"""
The jobs of deciding: woken when evidence comes in, and by beat for what calls bring.

What waits is found in the database.
"""

from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from callprivacy.tenancy.jobs import agency_job, wake, waker
from consent.services import decisions, rejudging

_WORK_FOR: Final = timedelta(seconds=40)


@agency_job(
    name="consent.decide_recordings", every=20, due=decisions.has_due, work_for=_WORK_FOR.total_seconds()
)
def decide_recordings(agency_id: int, at: datetime) -> bool:
    return decisions.work(agency_id=agency_id, until=at + _WORK_FOR, clock=timezone.now)


@agency_job(name="consent.notice_changes", every=60)
def notice_changes(agency_id: int, at: datetime) -> None:
    """Have decided anew what rests on numbers, places and clients that have changed."""
    if rejudging.notice_changes(agency_id=agency_id, at=at):
        wake(decide_recordings, agency_id=agency_id)


purge_decisions = agency_job(name="consent.purge_decisions", every=6 * 3600)(decisions.purge)
nudge_decisions = waker(decide_recordings)
