"""
Jobs of exports and of the weekly sample; what is due is found in the database, so a lost message costs
nothing.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from callprivacy.calls.services import exports, reveals
from callprivacy.calls.services.exports import Due
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.jobs import agency_job, wake
from callprivacy.tenancy.models import Agency

_LONGEST = 1800


@shared_task(name="calls.write_export", acks_late=True, soft_time_limit=_LONGEST - 10, time_limit=_LONGEST)
def write_export(*, agency_id: int, export_id: str, **_: Any) -> None:
    exports.write_export(due=Due(agency_id, UUID(export_id)), clock=timezone.now)


@agency_job(name="calls.sweep_exports", every=60, in_scope=True)
def sweep_exports(agency_id: int, at: datetime) -> None:
    """Start every export that still waits, and delete what has expired."""
    exports.delete_expired(agency_id=agency_id, at=at)
    for due in exports.due_exports(agency_id=agency_id, at=at):
        wake(write_export, agency_id=agency_id, export_id=str(due.export_id))


@agency_job(name="calls.sample_reveals", every=3600, in_scope=True)
def sample_reveals(agency_id: int, at: datetime) -> None:
    """Draw the agency's sample of last week's reveals, from Monday on in its own zone, once."""
    agency = Agency.objects.get(pk=agency_id)
    reveals.sample_week(agency=agency, by=Actor.job("calls.sample_reveals"), at=at)
