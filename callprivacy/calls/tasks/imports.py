"""
The imports' worker: woken when somebody starts one, and by the sweep where a message or a worker was lost.

One task works for less than a minute and lets another go on: a deployment never waits for a long file.
"""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from callprivacy.calls.services import imports
from callprivacy.tenancy.jobs import agency_job, wake

_WORK_FOR: Final = timedelta(seconds=35)


def nudge_on_commit(agency_id: int, import_id: UUID) -> None:
    """Start a worker for an import once what was decided is committed."""
    wake(run_import, agency_id=agency_id, import_id=str(import_id))


@shared_task(name="calls.run_import", acks_late=True)
def run_import(*, agency_id: int, import_id: str, **_: Any) -> None:
    """Look a draft through, or go on with an import; whichever it waits for."""
    identity = UUID(import_id)
    imports.check_import(agency_id=agency_id, import_id=identity, clock=timezone.now)
    is_over = imports.run_import(
        agency_id=agency_id, import_id=identity, clock=timezone.now, until=timezone.now() + _WORK_FOR
    )
    if not is_over:
        nudge_on_commit(agency_id, identity)


@agency_job(name="calls.sweep_imports", every=60)
def sweep_imports(agency_id: int, at: datetime) -> None:
    """Start a worker for every import that waits for one, and clear up behind those that are over."""
    for import_id in imports.sweep(agency_id=agency_id, at=at):
        nudge_on_commit(agency_id, import_id)
