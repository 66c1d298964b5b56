"""Carries withdrawals to vendors and to the agency's systems: woken by a nudge, found again by the sweep."""

import time
from typing import Any, Final

from celery import shared_task
from django.utils import timezone

from callprivacy.lib import pauses
from callprivacy.tenancy.scope import in_each_agency
from consent.services import vendor_tasks, webhooks, withdrawals
from consent.tasks.nudges import nudge_on_commit

_WORK_FOR: Final = 40.0


@shared_task(name="consent.carry_out", acks_late=True)
def carry_out(*, agency_id: int, **_: Any) -> None:
    """Plan what is due of one agency's withdrawals, ask for deletions, and tell its systems."""
    until = time.monotonic() + _WORK_FOR
    while time.monotonic() < until:
        done = withdrawals.carry_out(agency_id=agency_id, at=timezone.now())
        done += withdrawals.ask_deletions(agency_id=agency_id, at=timezone.now())
        if not done:
            break
    deliver.delay(agency_id=agency_id)


@shared_task(name="consent.deliver_webhooks", acks_late=True)
def deliver(*, agency_id: int, **_: Any) -> None:
    """Bring what is due to the agency's systems."""
    until = time.monotonic() + _WORK_FOR
    while time.monotonic() < until:
        letter = webhooks.claim(agency_id=agency_id, at=timezone.now())
        if letter is None:
            return
        status, words = webhooks.send(letter)
        webhooks.settle(
            agency_id=agency_id,
            letter=letter,
            status=status,
            words=words,
            chance=pauses.dice(),
            at=timezone.now(),
        )


def nudge_withdrawals(agency_id: int) -> None:
    """Have a withdrawal carried out as soon as it is committed."""
    nudge_on_commit(carry_out, agency_id)


@shared_task(name="consent.sweep_withdrawals", acks_late=True)
def sweep_withdrawals(**_: Any) -> None:
    """Wake the worker for every agency, remind people of vendors and the law's dates, and let old messages leave."""
    at = timezone.now()

    def sweep(agency_id: int) -> None:
        vendor_tasks.chase(agency_id=agency_id, at=at)
        withdrawals.watch(agency_id=agency_id, at=at)
        webhooks.purge(agency_id=agency_id, at=at)
        carry_out.delay(agency_id=agency_id)

    in_each_agency(sweep)
