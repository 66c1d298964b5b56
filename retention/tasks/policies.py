"""Changes of policies whose hour has come."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.utils import timezone

from callprivacy.tenancy.scope import in_each_agency, job_scope
from retention.selectors import changes as selectors
from retention.services import policies


@shared_task(name="retention.apply_policies", acks_late=True)
def apply_policies(**_: Any) -> None:
    """Put delayed changes in force once their hour has come, each in a transaction of its own."""

    def apply(agency_id: int) -> None:
        at = timezone.now()
        with job_scope(agency_id=agency_id):
            change_ids = selectors.due_change_ids(at)
        for change_id in change_ids:
            with job_scope(agency_id=agency_id):
                policies.apply_due(change_id=change_id, at=at)

    in_each_agency(apply)
