"""
The inbox's worker: woken by a nudge when something came, and by the sweep each minute where one was lost.

A nudge is a hint. It is skipped while one is on its way already, and when Redis does not answer at once; the
row in the inbox is what counts.
"""

import time
from datetime import datetime
from functools import partial
from typing import Any, Final

from celery import shared_task
from django.core.cache import caches
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from callprivacy.calls.selectors import connections as selectors
from callprivacy.calls.services import inbox, values
from callprivacy.calls.tasks.values import fill_values
from callprivacy.lib.logs import logger
from callprivacy.tenancy.jobs import agency_job, wake
from callprivacy.tenancy.scope import job_scope

log = logger(__name__)

_ON_ITS_WAY_FOR: Final = 10
_QUIET_AFTER_FAILURE: Final = 5.0
_WORK_FOR: Final = 30.0
_REST_FOR: Final = 0.8


class _Broker:
    """When this process may next try to reach Redis; after a failure it leaves it alone for a while."""

    def __init__(self) -> None:
        self.quiet_until = 0.0

    def is_quiet(self) -> bool:
        return time.monotonic() < self.quiet_until

    def failed(self) -> None:
        self.quiet_until = time.monotonic() + _QUIET_AFTER_FAILURE


_broker = _Broker()


def nudge_on_commit(agency_id: int) -> None:
    """Wake the worker for an agency's inbox once the running transaction, if any, commits. Never raises."""
    transaction.on_commit(partial(_nudge, agency_id))


def _nudge(agency_id: int) -> None:
    if _broker.is_quiet():
        return
    hints = caches["hints"]
    try:
        if hints.add(_flag(agency_id), 1, timeout=_ON_ITS_WAY_FOR):
            process_inbox.delay(agency_id=agency_id)
    except (RedisError, KombuError, OSError) as error:
        _broker.failed()
        log.warning("inbox.not_nudged", agency=agency_id, error=type(error).__name__)


def _flag(agency_id: int) -> str:
    return f"inbox-nudge:{agency_id}"


def _say(agency_id: int, *, on_its_way: bool) -> None:
    """Tell the web whether this worker will look at the inbox again by itself."""
    try:
        if on_its_way:
            caches["hints"].set(_flag(agency_id), 1, timeout=_ON_ITS_WAY_FOR)
        else:
            caches["hints"].delete(_flag(agency_id))
    except RedisError as error:
        log.warning("inbox.flag_stays", agency=agency_id, error=type(error).__name__)


@shared_task(name="calls.process_inbox", acks_late=True)
def process_inbox(*, agency_id: int, **_: Any) -> None:
    """
    Read what is due in an agency's inbox, for half a minute at most; then let another task go on.

    While events keep coming it rests between batches: ten events cost little more together than one alone.
    """
    until = time.monotonic() + _WORK_FOR
    while True:
        # Before the claim: whatever is committed after it sends a nudge of its own.
        _say(agency_id, on_its_way=False)
        count = inbox.process_batch(agency_id=agency_id, at=timezone.now())
        if count == 0:
            return
        if time.monotonic() >= until:
            nudge_on_commit(agency_id)
            return
        if 1 < count < inbox.BATCH:
            _say(agency_id, on_its_way=True)
            time.sleep(_REST_FOR)


@agency_job(name="calls.sweep_inbox", every=60)
def sweep_inbox(agency_id: int, at: datetime) -> None:
    """Start the worker where something is due, purge what was rejected a week ago, and fill calls."""
    inbox.purge(agency_id=agency_id, at=at)
    with job_scope(agency_id=agency_id):
        waits = selectors.has_due(agency_id, at=at)
        to_fill = values.clients_to_fill(agency_id)
    if waits:
        wake(process_inbox, agency_id=agency_id)
    for client_id in to_fill:
        wake(fill_values, agency_id=agency_id, client_id=client_id)
