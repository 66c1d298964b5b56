"""The job that ends consents which have become too old. What is due is found by its state."""

from datetime import timedelta
from typing import Any, Final

from celery import shared_task
from django.utils import timezone

from callprivacy.tenancy.scope import in_each_agency
from consent.services import ages
from consent.tasks.decisions import nudge_decisions
from consent.tasks.nudges import nudge_on_commit

_WORK_FOR: Final = timedelta(seconds=40)


@shared_task(name="consent.expire_agency", acks_late=True)
def expire_agency(*, agency_id: int, **_: Any) -> None:
    """End what is too old at one agency."""
    if ages.expire(agency_id=agency_id, until=timezone.now() + _WORK_FOR, clock=timezone.now):
        nudge_decisions(agency_id)


def nudge_ages(agency_id: int) -> None:
    """Have what a choice ends ended as soon as it is committed."""
    nudge_on_commit(expire_agency, agency_id)


@shared_task(name="consent.expire_consents", acks_late=True)
def expire_consents(**_: Any) -> None:
    """Look at every agency in turn; a message for each keeps a large one from holding up the others."""
    in_each_agency(lambda agency_id: expire_agency.delay(agency_id=agency_id))
