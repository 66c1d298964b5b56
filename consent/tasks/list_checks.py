"""Checks lists before they are dialled; what is due is found in the database, so a lost message costs a minute."""

from functools import partial
from typing import Any, Final
from uuid import UUID

from celery import shared_task
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from callprivacy.lib.logs import logger
from callprivacy.tenancy.scope import in_each_agency, job_scope
from consent.models import ListCheck
from consent.services import list_checks
from consent.services.list_checks import Due

log = logger(__name__)

_LONGEST: Final = 1800


def nudge_check(check: ListCheck) -> None:
    """Start the job once the row is there. Without a broker the sweep starts it a minute later."""
    transaction.on_commit(partial(_send, check.agency_id, check.pk))


def _send(agency_id: int, check_id: UUID) -> None:
    try:
        check_list.delay(agency_id=agency_id, check_id=str(check_id))
    except (RedisError, KombuError, OSError) as error:
        log.warning("list.not_sent", agency=agency_id, error=type(error).__name__)


@shared_task(name="consent.check_list", acks_late=True, soft_time_limit=_LONGEST - 10, time_limit=_LONGEST)
def check_list(*, agency_id: int, check_id: str, **_: Any) -> None:
    list_checks.run_check(due=Due(agency_id, UUID(check_id)), clock=timezone.now)


@shared_task(name="consent.sweep_lists", acks_late=True)
def sweep_lists(**_: Any) -> None:
    """Send every list that still waits on its way, and delete what has expired."""

    def sweep(agency_id: int) -> None:
        at = timezone.now()
        with job_scope(agency_id=agency_id):
            list_checks.clear_up(agency_id=agency_id, at=at)
            waiting = list_checks.due_checks(agency_id=agency_id, at=at)
        for due in waiting:
            check_list.delay(agency_id=due.agency_id, check_id=str(due.check_id))

    in_each_agency(sweep)
