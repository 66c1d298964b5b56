"""Changes of policies whose hour has come."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from callprivacy.lib.logs import logger
from callprivacy.tenancy.scope import in_each_agency, job_scope
from retention.selectors import changes as selectors
from retention.services import policies

log = logger(__name__)


@shared_task(name="retention.apply_policies", acks_late=True)
def apply_policies(**_: Any) -> None:
    """Put delayed changes in force once their hour has come, each in a transaction of its own."""

    def apply(agency_id: int) -> None:
        at = timezone.now()
        with job_scope(agency_id=agency_id):
            change_ids = selectors.due_change_ids(at)
        for change_id in change_ids:
            try:
                with job_scope(agency_id=agency_id):
                    policies.apply_due(change_id=change_id, at=at)
            except Exception as error:  # noqa: BLE001  (one change's fault keeps no other waiting; it stays due)
                kind = type(error).__name__
                log.error("policy.not_applied", change=str(change_id), error=kind)  # noqa: TRY400  (no values)

    in_each_agency(apply)
