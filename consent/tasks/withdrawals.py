"""Carries withdrawals to vendors and to the agency's systems: woken by a commit, started again by beat."""

from datetime import datetime

from django.utils import timezone

from callprivacy.lib import pauses
from callprivacy.tenancy.jobs import agency_job, always, wake, waker
from consent.services import vendor_tasks, webhooks, withdrawals


@agency_job(name="consent.carry_out", every=60, due=always, work_for=40)
def carry_out(agency_id: int, at: datetime) -> bool:
    """Plan what is due of withdrawals, ask for deletions, and notify the agency's systems."""
    done = withdrawals.carry_out(agency_id=agency_id, at=at)
    done += withdrawals.ask_deletions(agency_id=agency_id, at=at)
    if not done:
        wake(deliver, agency_id=agency_id)
    return bool(done)


@agency_job(name="consent.deliver_webhooks", work_for=40)
def deliver(agency_id: int, at: datetime) -> bool:
    letter = webhooks.claim(agency_id=agency_id, at=at)
    if letter is None:
        return False
    status, words = webhooks.send(letter)
    webhooks.settle(
        agency_id=agency_id,
        letter=letter,
        status=status,
        words=words,
        chance=pauses.dice(),
        at=timezone.now(),
    )
    return True


@agency_job(name="consent.sweep_withdrawals", every=60)
def sweep_withdrawals(agency_id: int, at: datetime) -> None:
    """Remind people of vendors and of the law's dates, and remove old messages."""
    vendor_tasks.chase(agency_id=agency_id, at=at)
    withdrawals.watch(agency_id=agency_id, at=at)
    webhooks.purge(agency_id=agency_id, at=at)


nudge_withdrawals = waker(carry_out)
