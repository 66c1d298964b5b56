"""What waited for a hold to end, of calls from which their tracker has taken the person out."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from callprivacy.calls.services import redaction
from callprivacy.tenancy.scope import in_each_agency


@shared_task(name="calls.redact_released", acks_late=True)
def redact_released(**_: Any) -> None:
    """Take people out of calls that are no longer held."""
    at = timezone.now()

    def work(agency_id: int) -> None:
        while redaction.work_off(agency_id=agency_id, at=at):
            pass

    in_each_agency(work)
