"""The sweep of the keys under which events and files of one day were sealed."""

from datetime import datetime
from typing import Any

from celery import shared_task
from django.utils import timezone

from callprivacy.calls.services import day_keys
from callprivacy.tenancy.jobs import agency_job, wake
from callprivacy.tenancy.models import Client


@agency_job(name="calls.sweep_day_keys", every=6 * 3600, in_scope=True)
def sweep_day_keys(agency_id: int, at: datetime) -> None:
    """Start a task for each client's old keys, and for those that the agency holds."""
    client_ids = Client.objects.order_by("pk").values_list("pk", flat=True)
    # Below zero is the agency itself, as the holder of files of its own.
    for client_id in (*client_ids, -agency_id):
        wake(destroy_day_keys, agency_id=agency_id, client_id=client_id)


@shared_task(name="calls.destroy_day_keys", acks_late=True)
def destroy_day_keys(*, agency_id: int, client_id: int, **_: Any) -> None:
    """Destroy a client's keys of days from which nothing is left."""
    day_keys.destroy_unused(agency_id=agency_id, client_id=client_id, at=timezone.now())
