"""Holds by the clock: what is new and covered is marked, what is placed settles, and days of review come."""

from datetime import datetime
from typing import Any

from celery import shared_task
from django.utils import timezone

from callprivacy.tenancy.jobs import agency_job, wake
from retention.selectors import holds as selectors
from retention.services import holds


@agency_job(name="retention.settle_holds", every=60, in_scope=True)
def settle_holds(agency_id: int, at: datetime) -> None:
    """Start a task for each client that ever had a hold."""
    for client_id in selectors.client_ids():
        wake(settle_client, agency_id=agency_id, client_id=client_id)


@shared_task(name="retention.settle_client_holds", acks_late=True)
def settle_client(*, agency_id: int, client_id: int, **_: Any) -> None:
    """Mark what the open holds of one client cover, at once where one was placed or lifted a moment ago."""
    at = timezone.now()
    holds.settle_client(agency_id=agency_id, client_id=client_id, at=at)
    holds.remind(agency_id=agency_id, client_id=client_id, at=at)
