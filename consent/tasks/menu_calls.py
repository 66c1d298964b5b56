"""Asks Twilio to stop and delete recordings of people who withdrew on the call, and lets old sessions leave."""

import time
from typing import Any, Final

from celery import shared_task
from django.utils import timezone

from callprivacy.lib import pauses
from callprivacy.tenancy.scope import in_each_agency
from consent.services import menu_calls
from consent.tasks.nudges import nudge_on_commit
from consent.tasks.withdrawals import carry_out

_WORK_FOR: Final = 40.0


@shared_task(name="consent.stop_recordings", acks_late=True)
def stop_recordings(*, agency_id: int, **_: Any) -> None:
    """Carry out what is due at Twilio for one agency; what does not get done comes back by itself."""
    until = time.monotonic() + _WORK_FOR
    while time.monotonic() < until:
        order = menu_calls.claim_order(agency_id=agency_id, at=timezone.now())
        if order is None:
            return
        outcome = menu_calls.carry_out(order)
        menu_calls.settle(
            agency_id=agency_id, order=order, outcome=outcome, chance=pauses.dice(), at=timezone.now()
        )


def nudge_stops(agency_id: int) -> None:
    """Have running recordings stopped, and vendors told, as soon as the withdrawal is committed."""
    nudge_on_commit(stop_recordings, agency_id)
    nudge_on_commit(carry_out, agency_id)


@shared_task(name="consent.sweep_menu_calls", acks_late=True)
def sweep_menu_calls(**_: Any) -> None:
    """Find what is due at Twilio in every agency, and remove sessions whose time is over."""

    at = timezone.now()

    def sweep(agency_id: int) -> None:
        if menu_calls.has_due(agency_id=agency_id, at=at):
            stop_recordings.delay(agency_id=agency_id)
        menu_calls.purge(agency_id=agency_id, at=at)

    in_each_agency(sweep)
