"""What vendors still have, asked each night; what was opened before steps at vendors took its place is moved."""

from datetime import timedelta
from typing import Any, Final

from celery import shared_task
from django.utils import timezone

from callprivacy.lib import pauses
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.scope import in_each_agency, job_scope
from retention.selectors import runs as selectors
from retention.services import truth, vendors

_BUDGET: Final = timedelta(seconds=40)
_LEAST: Final = timedelta(seconds=5)


@shared_task(name="retention.check_vendors", acks_late=True)
def check_vendors(**_: Any) -> None:
    """Go on with the checks whose time has come, each agency its share of the time."""
    share = _BUDGET / max(len(tenancy.agency_ids()), 1)

    def check(agency_id: int) -> None:
        until = timezone.now() + max(share, _LEAST)
        truth.plan(agency_id=agency_id, at=timezone.now())
        while timezone.now() < until:
            claimed = truth.claim(agency_id=agency_id, at=timezone.now())
            if claimed is None:
                return
            truth.work_check(claimed=claimed, clock=timezone.now, chance=pauses.dice())

    in_each_agency(check)


@shared_task(name="retention.settle_vendors", acks_late=True)
def settle_vendors(**_: Any) -> None:
    """Forget what has been gone for long, move errands of before, and take over what vendors have done."""

    def settle(agency_id: int) -> None:
        at = timezone.now()
        truth.forget_gone(agency_id=agency_id, at=at)
        with job_scope(agency_id=agency_id):
            client_ids = selectors.client_ids()
        for client_id in client_ids:
            vendors.move_errands(agency_id=agency_id, client_id=client_id, at=at)
            truth.settle(agency_id=agency_id, client_id=client_id, at=at)

    in_each_agency(settle)
