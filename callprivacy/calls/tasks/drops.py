"""The beat that looks into folders which files of calls are dropped into."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from celery import shared_task
from django.core.cache import caches
from django.utils import timezone
from redis.exceptions import RedisError

from callprivacy.calls.services import drops
from callprivacy.lib.logs import logger
from callprivacy.tenancy.jobs import job
from callprivacy.tenancy.scope import in_each_agency, job_scope
from callprivacy.work import services as work

FLAG: Final = "drops"
_WORK_FOR: Final = timedelta(seconds=35)
# A large file of a slow bucket is long on its way. Shorter than the broker waits until it hands a task out again; what
# is left behind the first limit is for a bucket's program to let go, and for the fault to be written down.
_LONGEST: Final = 270
_ENOUGH: Final = 230

log = logger(__name__)


@shared_task(name="calls.look_at_drop", acks_late=True)
def look_at_drop(*, agency_id: int, connection_id: str, **_: Any) -> None:
    """Look into one connection's folder, because somebody waits for it; the next beat does it otherwise."""
    drops.look(agency_id=agency_id, connection_id=UUID(connection_id), clock=timezone.now)


@job(name="calls.take_drops", every=60, soft_time_limit=_ENOUGH, time_limit=_LONGEST)
def take_drops(**_: Any) -> None:
    """Read what lies in each agency's folders, for half a minute; what is not done is gone on with by the next beat."""
    if not drops.is_set_up() or not _begin():
        return
    try:
        _take_of_all(timezone.now() + _WORK_FOR)
    finally:
        _end()


def _take_of_all(until: datetime) -> None:
    def take(agency_id: int) -> None:
        at = timezone.now()
        with job_scope(agency_id=agency_id):
            if not work.claim_period(
                agency_id=agency_id,
                job="calls.drops",
                period=f"{at:%Y-%m-%dT%H:%M}",
                at=at,
                kept_for=timedelta(days=1),
            ):
                return
        drops.take(agency_id=agency_id, until=until, clock=timezone.now)

    in_each_agency(take)


def _begin() -> bool:
    """
    False while another worker is at it: a slow bucket holds one of them for minutes, and must not hold all.

    A worker that was killed lets the next one in once its longest time is over. Two at one file do no harm.
    """
    try:
        return bool(caches["hints"].add(FLAG, 1, timeout=_LONGEST))
    except RedisError as error:
        log.warning("drops.unguarded", error=type(error).__name__)
        return True


def _end() -> None:
    try:
        caches["hints"].delete(FLAG)
    except RedisError as error:
        log.warning("drops.flag_stays", error=type(error).__name__)
