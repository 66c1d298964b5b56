"""The sweep of the keys under which events and files of one day were sealed."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from callprivacy.calls.services import day_keys
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import in_each_agency, job_scope


@shared_task(name="calls.sweep_day_keys", acks_late=True)
def sweep_day_keys(**_: Any) -> None:
    """Have each client's old keys looked through, and those that the agency holds, by a task of its own each."""

    def hand_out(agency_id: int) -> None:
        with job_scope(agency_id=agency_id):
            client_ids = list(Client.objects.order_by("pk").values_list("pk", flat=True))
        # Below zero is the agency itself, as the holder of files of its own.
        for client_id in (*client_ids, -agency_id):
            destroy_day_keys.delay(agency_id=agency_id, client_id=client_id)

    in_each_agency(hand_out)


@shared_task(name="calls.destroy_day_keys", acks_late=True)
def destroy_day_keys(*, agency_id: int, client_id: int, **_: Any) -> None:
    """Destroy a client's keys of days from which nothing is left."""
    day_keys.destroy_unused(agency_id=agency_id, client_id=client_id, at=timezone.now())
