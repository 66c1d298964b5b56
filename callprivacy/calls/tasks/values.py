"""Filling calls with what a person decided on the values that waited; the sweep of the inbox finds what is left."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from callprivacy.calls.services import values


@shared_task(name="calls.fill_values", acks_late=True)
def fill_values(*, agency_id: int, client_id: int, **_: Any) -> None:
    """Put into a client's calls what was decided on their sources and mediums."""
    values.fill(agency_id=agency_id, client_id=client_id, at=timezone.now())
