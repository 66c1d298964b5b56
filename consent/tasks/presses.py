"""Reads the keys that trackers report; what waits is found in the database."""

import time
from typing import Any, Final

from celery import shared_task
from django.utils import timezone

from callprivacy.tenancy.scope import in_each_agency
from consent.services import presses
from consent.tasks.decisions import nudge_decisions
from consent.tasks.withdrawals import nudge_withdrawals

_WORK_FOR: Final = 40.0


@shared_task(name="consent.read_presses", acks_late=True)
def read_presses(**_: Any) -> None:
    """Read what waits in every agency; what does not get done is found by the next run."""
    until = time.monotonic() + _WORK_FOR

    def read(agency_id: int) -> None:
        after = 0
        while time.monotonic() < until:
            done, after = presses.read(agency_id=agency_id, at=timezone.now(), after=after)
            if done:
                nudge_decisions(agency_id)
                nudge_withdrawals(agency_id)
            if not after:
                return

    in_each_agency(read)
