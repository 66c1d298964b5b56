"""What the dashboard does behind the page."""

from typing import Any
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import in_each_agency, job_scope
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


@shared_task(name="dashboard.look_at_duties", acks_late=True)
def look_at_duties(**_: Any) -> None:
    """See how every agency's duties stand."""
    at = timezone.now()
    in_each_agency(lambda agency_id: posture.look(agency_id=agency_id, at=at))


@shared_task(name="dashboard.read_records", acks_late=True)
def read_records(**_: Any) -> None:
    """Read what is set up at each agency, for its records of processing."""
    at = timezone.now()
    in_each_agency(lambda agency_id: records.read(agency_id=agency_id, at=at))


@shared_task(
    name="dashboard.build_binder", acks_late=True, soft_time_limit=_LONGEST - 10, time_limit=_LONGEST
)
def build_binder(*, agency_id: int, binder_id: str, **_: Any) -> None:
    binders.build(due=Due(agency_id, UUID(binder_id)), clock=timezone.now)


@shared_task(name="dashboard.sweep_binders", acks_late=True)
def sweep_binders(**_: Any) -> None:
    """Send every binder that still waits on its way, and delete what is over."""

    def sweep(agency_id: int) -> None:
        at = timezone.now()
        with job_scope(agency_id=agency_id):
            binders.sweep(agency_id=agency_id, at=at)
            waiting = binders.due_binders(agency_id=agency_id, at=at)
        for due in waiting:
            build_binder.delay(agency_id=due.agency_id, binder_id=str(due.binder_id))

    in_each_agency(sweep)
