"""What the dashboard does behind the page."""

from datetime import datetime
from typing import Any
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from callprivacy.lib.scope import Actor
from callprivacy.tenancy.jobs import agency_job, wake
from dashboard import services
from dashboard.services import binders, posture, records
from dashboard.services.binders import Due

_LONGEST = 1800


@shared_task(name="dashboard.remove_demo", acks_late=True)
def remove_demo(*, agency_id: int, **_: Any) -> None:
    """Remove a demo; a second message finds nothing left to remove."""
    try:
        services.remove_demo(agency_id=agency_id, by=Actor.job("dashboard.remove_demo"), at=timezone.now())
    except services.NotADemoError:
        return


look_at_duties = agency_job(name="dashboard.look_at_duties", every=900)(posture.look)
read_records = agency_job(name="dashboard.read_records", every=900)(records.read)


@shared_task(
    name="dashboard.build_binder", acks_late=True, soft_time_limit=_LONGEST - 10, time_limit=_LONGEST
)
def build_binder(*, agency_id: int, binder_id: str, **_: Any) -> None:
    binders.build(due=Due(agency_id, UUID(binder_id)), clock=timezone.now)


@agency_job(name="dashboard.sweep_binders", every=120, in_scope=True)
def sweep_binders(agency_id: int, at: datetime) -> None:
    """Start every evidence pack that still waits, and delete what is over."""
    binders.sweep(agency_id=agency_id, at=at)
    for due in binders.due_binders(agency_id=agency_id, at=at):
        wake(build_binder, agency_id=agency_id, binder_id=str(due.binder_id))
