"""Checks lists before they are dialed. What is due is found in the database."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from callprivacy.tenancy.jobs import agency_job, wake
from consent.models import ListCheck
from consent.services import list_checks
from consent.services.list_checks import Due

_LONGEST: Final = 1800


@shared_task(name="consent.check_list", acks_late=True, soft_time_limit=_LONGEST - 10, time_limit=_LONGEST)
def check_list(*, agency_id: int, check_id: str, **_: Any) -> None:
    list_checks.run_check(due=Due(agency_id, UUID(check_id)), clock=timezone.now)


def nudge_check(check: ListCheck) -> None:
    """Start the check once the row is there."""
    wake(check_list, agency_id=check.agency_id, check_id=str(check.pk))


@agency_job(name="consent.sweep_lists", every=60, in_scope=True)
def sweep_lists(agency_id: int, at: datetime) -> None:
    """Start the checks that still wait, and delete what has expired."""
    list_checks.clear_up(agency_id=agency_id, at=at)
    for due in list_checks.due_checks(agency_id=agency_id, at=at):
        wake(check_list, agency_id=agency_id, check_id=str(due.check_id))
