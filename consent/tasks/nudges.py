"""
Waking a worker once what it will find is committed. A nudge is a hint: where the queue does not answer it is
dropped, for the sweep finds the same rows.
"""

from functools import partial
from typing import Any

from celery import Task
from django.db import transaction
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from callprivacy.lib.logs import logger

log = logger(__name__)


def nudge_on_commit(task: Task, agency_id: int) -> None:
    """Send an agency's task once the running transaction, if any, commits. Never raises."""
    transaction.on_commit(partial(_nudge, task, agency_id))


def _nudge(task: Any, agency_id: int) -> None:
    try:
        task.delay(agency_id=agency_id)
    except (RedisError, KombuError, OSError) as error:
        log.warning("consent.not_nudged", task=task.name, agency=agency_id, error=type(error).__name__)
