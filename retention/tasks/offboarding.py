"""The worker of clients that leave: what is due stands on their rows."""

from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from callprivacy.tenancy.jobs import agency_job, waker
from retention.services import offboarding

_WORK_FOR: Final = timedelta(seconds=40)
# A file is written in one go, however large the ledger is; its row's lease is renewed meanwhile.
_LONGEST: Final = 3600


@agency_job(name="retention.work_offboardings", every=60, soft_time_limit=_LONGEST - 10, time_limit=_LONGEST)
def work_offboardings(agency_id: int, at: datetime) -> None:
    """Go on with the clients that leave."""
    offboarding.work_off(agency_id=agency_id, until=at + _WORK_FOR, clock=timezone.now)


nudge_on_commit = waker(work_offboardings)
