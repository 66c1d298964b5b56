"""What vendors still have, asked each night; what was opened before steps at vendors took its place is moved."""

from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from callprivacy.lib import pauses
from callprivacy.tenancy.jobs import agency_job, share
from callprivacy.tenancy.scope import job_scope
from retention.selectors import runs as selectors
from retention.services import truth, vendors

_BUDGET: Final = timedelta(seconds=40)
_LEAST: Final = timedelta(seconds=5)


@agency_job(name="retention.check_vendors", every=120)
def check_vendors(agency_id: int, at: datetime) -> None:
    """Go on with the checks whose time has come."""
    until = at + share(_BUDGET, least=_LEAST)
    truth.plan(agency_id=agency_id, at=at)
    while timezone.now() < until:
        claimed = truth.claim(agency_id=agency_id, at=timezone.now())
        if claimed is None:
            return
        truth.work_check(claimed=claimed, clock=timezone.now, chance=pauses.dice())


@agency_job(name="retention.settle_vendors", every=300)
def settle_vendors(agency_id: int, at: datetime) -> None:
    """Forget what has been gone for long, move errands of before, and take over what vendors have done."""
    truth.forget_gone(agency_id=agency_id, at=at)
    with job_scope(agency_id=agency_id):
        client_ids = selectors.client_ids()
    for client_id in client_ids:
        vendors.move_errands(agency_id=agency_id, client_id=client_id, at=at)
        truth.settle(agency_id=agency_id, client_id=client_id, at=at)
