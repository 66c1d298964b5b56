"""
Jobs of exports and of the weekly sample; what is due is found in the database, so a lost message costs
nothing.
"""

from typing import Any
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from callprivacy.calls.services import exports, reveals
from callprivacy.calls.services.exports import Due
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Agency
from callprivacy.tenancy.scope import in_each_agency, job_scope

_LONGEST = 1800


@shared_task(name="calls.write_export", acks_late=True, soft_time_limit=_LONGEST - 10, time_limit=_LONGEST)
def write_export(*, agency_id: int, export_id: str, **_: Any) -> None:
    exports.write_export(due=Due(agency_id, UUID(export_id)), clock=timezone.now)


@shared_task(name="calls.sweep_exports", acks_late=True)
def sweep_exports(**_: Any) -> None:
    """Send every export that still waits on its way, and delete what has expired."""

    def sweep(agency_id: int) -> None:
        at = timezone.now()
        with job_scope(agency_id=agency_id):
            exports.delete_expired(agency_id=agency_id, at=at)
            waiting = exports.due_exports(agency_id=agency_id, at=at)
        for due in waiting:
            write_export.delay(agency_id=due.agency_id, export_id=str(due.export_id))

    in_each_agency(sweep)


@shared_task(name="calls.sample_reveals", acks_late=True)
def sample_reveals(**_: Any) -> None:
    """Draw each agency's sample of last week's reveals, from Monday on in its own zone, once."""

    def sample(agency_id: int) -> None:
        with job_scope(agency_id=agency_id):
            agency = Agency.objects.get(pk=agency_id)
            reveals.sample_week(agency=agency, by=Actor.job("calls.sample_reveals"), at=timezone.now())

    in_each_agency(sample)
