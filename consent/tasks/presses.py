"""Reads the keys that trackers report; what waits is found in the database."""

import time
from datetime import datetime
from typing import Final

from django.utils import timezone

from callprivacy.tenancy.jobs import agency_job, wake
from consent.services import presses
from consent.tasks.decisions import decide_recordings
from consent.tasks.withdrawals import carry_out

_WORK_FOR: Final = 40.0


@agency_job(name="consent.read_presses", every=30)
def read_presses(agency_id: int, at: datetime) -> None:
    """Read what waits; what does not get done is found by the next run."""
    until = time.monotonic() + _WORK_FOR
    after = 0
    while time.monotonic() < until:
        done, after = presses.read(agency_id=agency_id, at=timezone.now(), after=after)
        if done:
            wake(decide_recordings, agency_id=agency_id)
            wake(carry_out, agency_id=agency_id)
        if not after:
            return
