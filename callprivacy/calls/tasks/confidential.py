"""Rules by which calls become confidential, over the calls that are here."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from callprivacy.calls.services import confidential_rules
from callprivacy.tenancy.scope import in_each_agency


@shared_task(name="calls.apply_confidential_rules", acks_late=True)
def apply_confidential_rules(**_: Any) -> None:
    """Mark the calls of minors and employees, and those that holds keep, where a client's rules say so."""
    at = timezone.now()
    in_each_agency(lambda agency_id: confidential_rules.apply_rules(agency_id=agency_id, at=at))
