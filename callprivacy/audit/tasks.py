"""The sealer, every minute."""

from typing import Any

import structlog
from django.utils import timezone

from callprivacy.audit import services
from callprivacy.audit.services import lineage
from callprivacy.lib import figures
from callprivacy.tenancy.jobs import job
from callprivacy.tenancy.scope import in_each_agency, job_scope

# A backlog is worked off in several seals; what is left waits for the next minute.
_SEALS_A_RUN = 10

log = structlog.get_logger(__name__)


@job(name="audit.seal_events", every=60)
def seal_events(**_: Any) -> None:
    """
    Seal every agency's new events; one that cannot be sealed is logged and does not hold up the others.

    Refusals whose hour is over are counted afterwards, and sealed with the next minute's events.
    """
    in_each_agency(_seal_events_of)
    # Behind the seals, so that none of them goes up to a newer one.
    lineage.note_newest()
    services.fold_refusals(at=timezone.now())


def _seal_events_of(agency_id: int) -> None:
    try:
        for _seal in range(_SEALS_A_RUN):
            with job_scope(agency_id=agency_id):
                if not services.seal_events(agency_id=agency_id, at=timezone.now()):
                    break
    except services.RestoredError as error:
        # What is written now would be found as added, for ever: from here on nothing is.
        log.error("trail.not_sealed", agency_id=agency_id, why=str(error))  # noqa: TRY400  (no traceback)
        figures.note_fault()
        lineage.note_carried(sealed_in=error.sealed.epoch)
    except services.SEALING_ERRORS as error:
        log.error("trail.not_sealed", agency_id=agency_id, why=str(error))  # noqa: TRY400  (no traceback)
