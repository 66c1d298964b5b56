"""What beat starts: searches, steps, open items, and what has come to its date."""

from datetime import datetime

from django.utils import timezone

from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.jobs import agency_job
from callprivacy.tenancy.scope import job_scope
from rights.services import erasing, packages, passing, queue, rests, searching, working

log = logger(__name__)

_QUEUE = Actor.job("rights.renew_queue")


@agency_job(name="rights.search_people", every=20, work_for=45)
def search_people(agency_id: int, at: datetime) -> bool:
    """Look for one person whose search is due."""
    submission_id = searching.claim(agency_id=agency_id, at=at)
    if submission_id is None:
        return False
    try:
        searching.search(agency_id=agency_id, submission_id=submission_id, clock=timezone.now)
    except searching.NotProvenError:
        log.info("request.not_proven", submission=str(submission_id))
    return True


@agency_job(name="rights.work_steps", every=20, work_for=45)
def work_steps(agency_id: int, at: datetime) -> bool:
    """Carry out one step of a case that is due."""
    return working.work_next(agency_id=agency_id, clock=timezone.now)


@agency_job(name="rights.renew_queue", every=60, in_scope=True)
def renew_queue(agency_id: int, at: datetime) -> None:
    """Bring the inbox's items of open requests up to date."""
    queue.renew_all(agency_id=agency_id, by=_QUEUE, at=at)


@agency_job(name="rights.sweep_requests", every=300)
def sweep_requests(agency_id: int, at: datetime) -> None:
    """
    Erase packages after their seven days, and what nothing keeps any more of erasures; record recipients' receipts, and
    notify those who wait for the end of a hold.
    """
    packages.expire(agency_id=agency_id, at=at)
    with job_scope(agency_id=agency_id):
        passing.settle(agency_id=agency_id, at=at)
    rests.release(agency_id=agency_id, clock=timezone.now)
    erasing.erase_freed(agency_id=agency_id, clock=timezone.now)
    with job_scope(agency_id=agency_id):
        passing.release(agency_id=agency_id, at=timezone.now())
