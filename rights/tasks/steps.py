"""What the beat calls: searches, steps, the queue's lines, and what has come to its date."""

from datetime import timedelta
from time import monotonic
from typing import Any

from celery import shared_task
from django.utils import timezone

from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import in_each_agency, job_scope
from rights.services import erasing, packages, passing, queue, rests, searching, working

log = logger(__name__)

_FOR = timedelta(seconds=45)
_QUEUE = Actor.job("rights.renew_queue")


def _until() -> float:
    return monotonic() + _FOR.total_seconds()


@shared_task(name="rights.search_people", acks_late=True)
def search_people(**_: Any) -> None:
    """Look for the people whose searches are due, for a while."""
    until = _until()

    def deed(agency_id: int) -> None:
        while monotonic() < until:
            found = searching.claim(agency_id=agency_id, at=timezone.now())
            if found is None:
                return
            try:
                searching.search(agency_id=agency_id, submission_id=found, clock=timezone.now)
            except searching.NotProvenError:
                log.info("request.not_proven", submission=str(found))

    in_each_agency(deed)


@shared_task(name="rights.work_steps", acks_late=True)
def work_steps(**_: Any) -> None:
    """Carry out the steps of cases that are due, for a while."""
    until = _until()

    def deed(agency_id: int) -> None:
        while monotonic() < until and working.work_next(agency_id=agency_id, clock=timezone.now):
            pass

    in_each_agency(deed)


@shared_task(name="rights.renew_queue", acks_late=True)
def renew_queue(**_: Any) -> None:
    """Bring the inbox's lines for open requests up to date."""

    def deed(agency_id: int) -> None:
        with job_scope(agency_id=agency_id):
            queue.renew_all(agency_id=agency_id, by=_QUEUE, at=timezone.now())

    in_each_agency(deed)


@shared_task(name="rights.sweep_requests", acks_late=True)
def sweep_requests(**_: Any) -> None:
    """
    Erase packages after their seven days, and what nothing keeps any more of erasures; note recipients' receipts, and
    let those be told who wait for the end of a hold.
    """
    at = timezone.now()

    def deed(agency_id: int) -> None:
        packages.expire(agency_id=agency_id, at=at)
        with job_scope(agency_id=agency_id):
            passing.settle(agency_id=agency_id, at=at)
        rests.release(agency_id=agency_id, clock=timezone.now)
        erasing.erase_freed(agency_id=agency_id, clock=timezone.now)
        with job_scope(agency_id=agency_id):
            passing.release(agency_id=agency_id, at=timezone.now())

    in_each_agency(deed)
