"""Asks Twilio to stop and delete recordings of people who withdrew on the call, and removes old sessions."""

from datetime import datetime

from django.utils import timezone

from callprivacy.lib import pauses
from callprivacy.tenancy.jobs import agency_job, wake
from consent.services import menu_calls
from consent.tasks.withdrawals import carry_out


@agency_job(name="consent.stop_recordings", every=30, due=menu_calls.has_due, work_for=40)
def stop_recordings(agency_id: int, at: datetime) -> bool:
    """Carry out one thing that is due at Twilio; what fails comes back by itself."""
    order = menu_calls.claim_order(agency_id=agency_id, at=at)
    if order is None:
        return False
    outcome = menu_calls.carry_out(order)
    menu_calls.settle(
        agency_id=agency_id, order=order, outcome=outcome, chance=pauses.dice(), at=timezone.now()
    )
    return True


def nudge_stops(agency_id: int) -> None:
    """Have running recordings stopped, and vendors notified, as soon as the withdrawal is committed."""
    wake(stop_recordings, agency_id=agency_id)
    wake(carry_out, agency_id=agency_id)


purge_menu_calls = agency_job(name="consent.purge_menu_calls", every=30)(menu_calls.purge)
