"""The pulls' worker; what is due is found in the database."""

from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from callprivacy.calls.services import pulls
from callprivacy.calls.tasks import inbox
from callprivacy.lib import pauses
from callprivacy.tenancy.jobs import agency_job, wake, waker

# A question begins within this and may take half a minute: both together are less than a task may work.
BUDGET: Final = timedelta(seconds=20)


@agency_job(name="calls.pull_calls", every=60)
def pull_calls(agency_id: int, at: datetime) -> None:
    """Plan this hour's and this night's runs, and start the worker of those that wait."""
    pulls.plan(agency_id=agency_id, at=at)
    wake(pull_agency, agency_id=agency_id)


@agency_job(name="calls.pull_agency")
def pull_agency(agency_id: int, at: datetime) -> None:
    """Go on with the runs that wait."""
    while timezone.now() < at + BUDGET:
        if not pulls.pull_page(agency_id=agency_id, clock=timezone.now, chance=pauses.dice()):
            return
        inbox.nudge_on_commit(agency_id)


nudge_on_commit = waker(pull_agency)
