"""Rings agents who asked to call somebody back, and lets what is a day old leave."""

import time
from typing import Any, Final

from celery import shared_task
from django.utils import timezone

from callprivacy.tenancy.scope import in_each_agency
from consent.services import call_backs
from consent.tasks.nudges import nudge_on_commit

_WORK_FOR: Final = 30.0


@shared_task(name="consent.ring_agents", acks_late=True)
def ring_agents(*, agency_id: int, **_: Any) -> None:
    until = time.monotonic() + _WORK_FOR
    while time.monotonic() < until:
        order = call_backs.claim(agency_id=agency_id, at=timezone.now())
        if order is None:
            return
        outcome = call_backs.ring(order, at=timezone.now())
        call_backs.settle(agency_id=agency_id, order=order, outcome=outcome, at=timezone.now())


def nudge_call_backs(agency_id: int) -> None:
    """Have an agent be rung as soon as the question is committed."""
    nudge_on_commit(ring_agents, agency_id)


@shared_task(name="consent.sweep_call_backs", acks_late=True)
def sweep_call_backs(**_: Any) -> None:
    """Find who waits in every agency, and remove what is a day old."""
    at = timezone.now()

    def sweep(agency_id: int) -> None:
        if call_backs.has_due(agency_id=agency_id, at=at):
            ring_agents.delay(agency_id=agency_id)
        call_backs.purge(agency_id=agency_id, at=at)

    in_each_agency(sweep)
