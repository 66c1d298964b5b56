"""The jobs of the law: what packs change, and standards whose year is over."""

from datetime import timedelta
from typing import Any, Final

from celery import shared_task
from django.utils import timezone

from callprivacy.tenancy.scope import in_each_agency
from consent.services import law, standards

_BUDGET: Final = timedelta(seconds=40)


@shared_task(name="consent.count_packs", acks_late=True)
def count_packs(**_: Any) -> None:
    """Go on counting what imported rules would change."""
    until = timezone.now() + _BUDGET

    def count(agency_id: int) -> None:
        law.work_packs(agency_id=agency_id, until=until, clock=timezone.now)

    in_each_agency(count)


@shared_task(name="consent.expire_standards", acks_late=True)
def expire_standards(**_: Any) -> None:
    """Let lowered standards end on their day."""

    def expire(agency_id: int) -> None:
        standards.expire(agency_id=agency_id, at=timezone.now())

    in_each_agency(expire)
