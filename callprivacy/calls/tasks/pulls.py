"""The pulls' worker: what is due is found in the database, so a lost message costs a minute."""

from datetime import datetime, timedelta
from typing import Any, Final

from celery import shared_task
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from callprivacy.calls.services import pulls
from callprivacy.calls.tasks import inbox
from callprivacy.lib import pauses
from callprivacy.lib.logs import logger
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.scope import in_each_agency

log = logger(__name__)

# A question begins within this and may take half a minute: both together are less than a task may work.
BUDGET: Final = timedelta(seconds=20)
_LEAST: Final = timedelta(seconds=5)


def nudge_on_commit(agency_id: int) -> None:
    """Have an agency's trackers asked as soon as what was decided is committed; a lost nudge costs a minute."""

    def nudge() -> None:
        try:
            pull_agency.delay(agency_id=agency_id)
        except (RedisError, KombuError, OSError) as error:
            log.warning("pull.not_nudged", agency=agency_id, error=type(error).__name__)

    transaction.on_commit(nudge)


@shared_task(name="calls.pull_calls", acks_late=True)
def pull_calls(**_: Any) -> None:
    """Make this hour's and this night's runs, and go on with those that wait, each agency its share of the time."""
    until = timezone.now() + BUDGET
    share = max(BUDGET / max(len(tenancy.agency_ids()), 1), _LEAST)

    def work(agency_id: int) -> None:
        at = timezone.now()
        pulls.plan(agency_id=agency_id, at=at)
        _work(agency_id, min(at + share, until))

    in_each_agency(work)


@shared_task(name="calls.pull_agency", acks_late=True)
def pull_agency(*, agency_id: int, **_: Any) -> None:
    """Go on with one agency's runs, because somebody waits for one."""
    _work(agency_id, timezone.now() + BUDGET)


def _work(agency_id: int, until: datetime) -> None:
    while timezone.now() < until:
        if not pulls.pull_page(agency_id=agency_id, clock=timezone.now, chance=pauses.dice()):
            return
        inbox.nudge_on_commit(agency_id)
