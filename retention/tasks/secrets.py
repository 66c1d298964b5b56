"""Ages of secrets, looked at each hour, and rotations, gone on with each half minute."""

from datetime import timedelta
from typing import Any, Final

from celery import shared_task
from django.utils import timezone

from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.scope import in_each_agency, job_scope
from retention.selectors import secrets as selectors
from retention.services import secrets

_BUDGET: Final = timedelta(seconds=40)
_LEAST: Final = timedelta(seconds=5)


@shared_task(name="retention.check_secrets", acks_late=True)
def check_secrets(**_: Any) -> None:
    """Tell of secrets that grow old, and begin the rotations that need nobody."""
    at = timezone.now()

    def check(agency_id: int) -> None:
        if secrets.check_ages(agency_id=agency_id, at=at):
            work_rotations.delay()

    in_each_agency(check)


@shared_task(name="retention.rotate_keys", acks_late=True)
def work_rotations(**_: Any) -> None:
    """Go on with every rotation for as long as a task may take, each agency its share of it."""
    share = max(_BUDGET / max(len(tenancy.agency_ids()), 1), _LEAST)

    def go_on(agency_id: int) -> None:
        until = timezone.now() + share
        with job_scope(agency_id=agency_id):
            found = selectors.running_ids(timezone.now())
        for rotation_id in found:
            secrets.work_rotation(
                agency_id=agency_id, rotation_id=rotation_id, until=until, clock=timezone.now
            )
            if timezone.now() >= until:
                return

    in_each_agency(go_on)
