"""The job that goes on with clients that leave."""

from datetime import datetime

from billiard.exceptions import SoftTimeLimitExceeded

from callprivacy.lib import figures
from callprivacy.lib.logs import logger
from retention.enums import EndState
from retention.services.offboarding.asking import Clock, HeldError, NotNowError
from retention.services.offboarding.claims import claim, close_items, give_back, note_failure
from retention.services.offboarding.removing import erase_on
from retention.services.offboarding.writing import write_file

log = logger(__name__)


def work_off(*, agency_id: int, until: datetime, clock: Clock) -> bool:
    """Go on with an agency's offboardings until the clock says `until`; whether any is left. Outside any scope."""
    close_items(agency_id, clock())
    while clock() < until:
        row = claim(agency_id, clock())
        if row is None:
            return False
        try:
            if row.state == EndState.ERASING:
                erase_on(row, until, clock)
            else:
                write_file(row, clock)
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:  # noqa: BLE001  (what is due stays due; somebody is told)
            log.error("offboarding.failed", client=row.client_id, error=type(error).__name__)  # noqa: TRY400  (no values)
            if not isinstance(error, (HeldError, NotNowError)):
                figures.note_fault()
            note_failure(row, error, clock())
            return True
        give_back(row)
    return True
