"""Scheduled jobs of governance."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from callprivacy.tenancy.jobs import agency_job
from governance.services import breaches, premises, training, vendors

watch_clocks = agency_job(name="governance.watch_clocks", every=300)(breaches.watch_clocks)
watch_vendors = agency_job(name="governance.watch_vendors", every=6 * 3600)(vendors.watch_vendors)
watch_training = agency_job(name="governance.watch_training", every=3600)(training.watch_training)
watch_premises = agency_job(name="governance.watch_premises", every=3600)(premises.watch_premises)


@shared_task(name="governance.settle_training", acks_late=True)
def settle_training(*, agency_id: int, user_id: int, **_: Any) -> None:
    """Restore the access of a person who has passed, before the next scheduled run."""
    training.settle_person(agency_id=agency_id, user_id=user_id, at=timezone.now())
