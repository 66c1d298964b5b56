"""What the dashboard does behind the page."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.utils import timezone

from callprivacy.lib.scope import Actor
from dashboard import services


@shared_task(name="dashboard.remove_demo", acks_late=True)
def remove_demo(*, agency_id: int, **_: Any) -> None:
    """Remove a demo; a second message finds nothing left to remove."""
    try:
        services.remove_demo(agency_id=agency_id, by=Actor.job("dashboard.remove_demo"), at=timezone.now())
    except services.NotADemoError:
        return
