"""The worker of clients that leave: what is due stands on their rows."""

from datetime import timedelta
from typing import Any, Final

from celery import shared_task
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from callprivacy.lib.logs import logger
from callprivacy.tenancy.scope import in_each_agency
from retention.services import offboarding

log = logger(__name__)

_WORK_FOR: Final = timedelta(seconds=40)
# A file is written in one go, however large the ledger is; its row's lease is renewed meanwhile.
_LONGEST: Final = 3600


def nudge_on_commit(agency_id: int) -> None:
    """Have an agency's offboardings gone on with once what was decided is committed; a lost nudge costs a minute."""

    def nudge() -> None:
        try:
            work_offboarding.delay(agency_id=agency_id)
        except (RedisError, KombuError, OSError) as error:
            log.warning("offboarding.not_nudged", agency=agency_id, error=type(error).__name__)

    transaction.on_commit(nudge)


@shared_task(
    name="retention.work_offboardings", acks_late=True, soft_time_limit=_LONGEST - 10, time_limit=_LONGEST
)
def work_offboardings(**_: Any) -> None:
    """Go on with the clients that leave, of each agency."""
    in_each_agency(_work)


@shared_task(
    name="retention.work_offboarding", acks_late=True, soft_time_limit=_LONGEST - 10, time_limit=_LONGEST
)
def work_offboarding(*, agency_id: int, **_: Any) -> None:
    """Go on with one agency's, because somebody waits."""
    _work(agency_id)


def _work(agency_id: int) -> None:
    offboarding.work_off(agency_id=agency_id, until=timezone.now() + _WORK_FOR, clock=timezone.now)
