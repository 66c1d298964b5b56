"""Holds by the clock: what is new and covered is marked, what is placed settles, and days of review come."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from callprivacy.tenancy.scope import in_each_agency, job_scope
from retention.selectors import holds as selectors
from retention.services import holds


@shared_task(name="retention.settle_holds", acks_late=True)
def settle_holds(**_: Any) -> None:
    """Have each client that ever had a hold looked at, by a task of its own."""

    def settle(agency_id: int) -> None:
        with job_scope(agency_id=agency_id):
            client_ids = selectors.client_ids()
        for client_id in client_ids:
            settle_client.delay(agency_id=agency_id, client_id=client_id)

    in_each_agency(settle)


@shared_task(name="retention.settle_client_holds", acks_late=True)
def settle_client(*, agency_id: int, client_id: int, **_: Any) -> None:
    """Mark what the open holds of one client cover, at once where one was placed or lifted a moment ago."""
    at = timezone.now()
    holds.settle_client(agency_id=agency_id, client_id=client_id, at=at)
    holds.remind(agency_id=agency_id, client_id=client_id, at=at)
