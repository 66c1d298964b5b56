"""Rings agents who asked to call somebody back, and removes requests that are a day old."""

from datetime import datetime

from django.utils import timezone

from callprivacy.tenancy.jobs import agency_job, waker
from consent.services import call_backs


@agency_job(name="consent.ring_agents", every=20, due=call_backs.has_due, work_for=30)
def ring_agents(agency_id: int, at: datetime) -> bool:
    order = call_backs.claim(agency_id=agency_id, at=at)
    if order is None:
        return False
    outcome = call_backs.ring(order, at=timezone.now())
    call_backs.settle(agency_id=agency_id, order=order, outcome=outcome, at=timezone.now())
    return True


purge_call_backs = agency_job(name="consent.purge_call_backs", every=60)(call_backs.purge)
nudge_call_backs = waker(ring_agents)
