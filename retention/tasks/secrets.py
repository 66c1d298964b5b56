"""Ages of secrets, looked at each hour, and rotations, gone on with each half minute."""

from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from callprivacy.tenancy.jobs import agency_job, share, wake
from callprivacy.tenancy.scope import job_scope
from retention.selectors import secrets as selectors
from retention.services import secrets

_BUDGET: Final = timedelta(seconds=40)
_LEAST: Final = timedelta(seconds=5)


@agency_job(name="retention.check_secrets", every=3600)
def check_secrets(agency_id: int, at: datetime) -> None:
    """Notify people of secrets that grow old, and begin the rotations that need nobody."""
    if secrets.check_ages(agency_id=agency_id, at=at):
        wake(work_rotations, agency_id=agency_id)


@agency_job(name="retention.rotate_keys", every=30)
def work_rotations(agency_id: int, at: datetime) -> None:
    """Go on with every rotation."""
    until = at + share(_BUDGET, least=_LEAST)
    with job_scope(agency_id=agency_id):
        rotation_ids = selectors.running_ids(at)
    for rotation_id in rotation_ids:
        secrets.work_rotation(agency_id=agency_id, rotation_id=rotation_id, until=until, clock=timezone.now)
        if timezone.now() >= until:
            return
