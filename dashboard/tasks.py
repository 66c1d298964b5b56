"""What the dashboard does behind the page."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.utils import timezone

from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import in_each_agency
from dashboard import services
from dashboard.services import posture


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
