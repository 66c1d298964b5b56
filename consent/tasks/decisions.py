"""
The jobs of deciding: woken when evidence came in, and by the sweep for what calls brought, which tell nobody.

What waits is found in the database; a lost message costs one interval.
"""

from datetime import timedelta
from typing import Any, Final

from celery import shared_task
from django.utils import timezone

from callprivacy.tenancy.scope import in_each_agency
from consent.services import decisions, rejudging
from consent.tasks.nudges import nudge_on_commit

_WORK_FOR: Final = timedelta(seconds=40)


@shared_task(name="consent.decide_agency", acks_late=True)
def decide_agency(*, agency_id: int, **_: Any) -> None:
    """Decide what waits at one agency; where it is more than a task's time, let another go on."""
    until = timezone.now() + _WORK_FOR
    if decisions.work(agency_id=agency_id, until=until, clock=timezone.now):
        nudge_decisions(agency_id)


def nudge_decisions(agency_id: int) -> None:
    """Have recordings decided as soon as what they are decided from is committed."""
    nudge_on_commit(decide_agency, agency_id)


@shared_task(name="consent.decide_recordings", acks_late=True)
def decide_recordings(**_: Any) -> None:
    """Wake a worker for every agency where something waits to be decided."""
    at = timezone.now()

    def sweep(agency_id: int) -> None:
        if decisions.has_due(agency_id=agency_id, at=at):
            decide_agency.delay(agency_id=agency_id)

    in_each_agency(sweep)


@shared_task(name="consent.notice_changes", acks_late=True)
def notice_changes(**_: Any) -> None:
    """Have decided anew what rests on numbers, places and clients that have changed."""
    at = timezone.now()

    def look(agency_id: int) -> None:
        if rejudging.notice_changes(agency_id=agency_id, at=at):
            decide_agency.delay(agency_id=agency_id)

    in_each_agency(look)


@shared_task(name="consent.purge_decisions", acks_late=True)
def purge_decisions(**_: Any) -> None:
    """Forget that something was decided anew, a week after."""
    at = timezone.now()
    in_each_agency(lambda agency_id: decisions.purge(agency_id=agency_id, at=at))
