"""
The imports' worker: woken when somebody starts one, and by the sweep where a message or a worker was lost.

One task works for less than a minute and lets another go on: a deployment never waits for a long file.
"""

from datetime import timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from celery import shared_task
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from callprivacy.calls.services import imports
from callprivacy.lib.logs import logger
from callprivacy.tenancy.scope import in_each_agency

log = logger(__name__)

_WORK_FOR: Final = timedelta(seconds=35)


def nudge_on_commit(agency_id: int, import_id: UUID) -> None:
    """Wake a worker for an import once what was decided has been committed; a lost nudge costs a minute."""
    transaction.on_commit(partial(_nudge, agency_id, import_id))


def _nudge(agency_id: int, import_id: UUID) -> None:
    try:
        run_import.delay(agency_id=agency_id, import_id=str(import_id))
    except (RedisError, KombuError, OSError) as error:
        log.warning("import.not_nudged", agency=agency_id, error=type(error).__name__)


@shared_task(name="calls.run_import", acks_late=True)
def run_import(*, agency_id: int, import_id: str, **_: Any) -> None:
    """Look a draft through, or go on with an import; whichever it waits for."""
    identity = UUID(import_id)
    imports.check_import(agency_id=agency_id, import_id=identity, clock=timezone.now)
    is_over = imports.run_import(
        agency_id=agency_id, import_id=identity, clock=timezone.now, until=timezone.now() + _WORK_FOR
    )
    if not is_over:
        _nudge(agency_id, identity)


@shared_task(name="calls.sweep_imports", acks_late=True)
def sweep_imports(**_: Any) -> None:
    """Wake a worker for every import that waits for one, and clear up behind those that are over."""
    in_each_agency(_sweep_of)


def _sweep_of(agency_id: int) -> None:
    for import_id in imports.sweep(agency_id=agency_id, at=timezone.now()):
        run_import.delay(agency_id=agency_id, import_id=str(import_id))
