"""The beat that looks into folders which files of calls are dropped into."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from callprivacy.calls.services import drops
from callprivacy.tenancy.scope import in_each_agency, job_scope
from callprivacy.work import services as work

_WORK_FOR: Final = timedelta(seconds=35)


@shared_task(name="calls.look_at_drop", acks_late=True)
def look_at_drop(*, agency_id: int, connection_id: str, **_: Any) -> None:
    """Look into one connection's folder, because somebody waits for it; the next beat does it otherwise."""
    drops.look(agency_id=agency_id, connection_id=UUID(connection_id), clock=timezone.now)


@shared_task(name="calls.take_drops", acks_late=True)
def take_drops(**_: Any) -> None:
    """Read what lies in each agency's folders, for half a minute; what is not done is gone on with by the next beat."""
    if not drops.is_set_up():
        return

    def take(agency_id: int) -> None:
        at = timezone.now()
        with job_scope(agency_id=agency_id):
            if not work.claim_period(
                agency_id=agency_id, job="calls.drops", period=f"{at:%Y-%m-%dT%H:%M}", at=at
            ):
                return
        drops.take(agency_id=agency_id, until=at + _WORK_FOR, clock=timezone.now)

    in_each_agency(take)
