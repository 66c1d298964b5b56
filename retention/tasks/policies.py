"""Changes of policies whose hour has come."""

from datetime import datetime

from callprivacy.lib.logs import logger
from callprivacy.tenancy.jobs import agency_job
from callprivacy.tenancy.scope import job_scope
from retention.selectors import changes as selectors
from retention.services import policies

log = logger(__name__)


@agency_job(name="retention.apply_policies", every=60)
def apply_policies(agency_id: int, at: datetime) -> None:
    """Put delayed changes in force once their hour has come, each in a transaction of its own."""
    with job_scope(agency_id=agency_id):
        change_ids = selectors.due_change_ids(at)
    for change_id in change_ids:
        try:
            with job_scope(agency_id=agency_id):
                policies.apply_due(change_id=change_id, at=at)
        except Exception as error:  # noqa: BLE001  (one change's fault keeps no other waiting; it stays due)
            kind = type(error).__name__
            log.error("policy.not_applied", change=str(change_id), error=kind)  # noqa: TRY400  (no values)
