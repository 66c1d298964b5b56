"""Cells by the clock: what was touched is made anew, and what is old tells days alone."""

import time
from datetime import datetime
from typing import Any, Final

from celery import shared_task
from django.utils import timezone

from analytics.services import days, goals, making
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.jobs import agency_job, wake
from callprivacy.tenancy.scope import job_scope

SECONDS: Final = 50
"""How long one task goes on with a client; the next one finds the rest."""


@agency_job(name="analytics.make_cells", every=60, in_scope=True)
def make_cells(agency_id: int, at: datetime) -> None:
    """Start a task for each client that something touched."""
    for client_id in making.touched_clients():
        wake(make_client, agency_id=agency_id, client_id=client_id)


@shared_task(name="analytics.make_client_cells", acks_late=True)
def make_client(*, agency_id: int, client_id: int, **_: Any) -> None:
    """Make the spans of one client anew that something touched."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        made = making.work(agency_id=agency_id, client_id=client_id, at=timezone.now())
        if not made.has_more:
            return


@agency_job(name="analytics.roll_cells", every=3600)
def roll_cells(agency_id: int, at: datetime) -> None:
    """Reduce what is older than 35 days to days, remove counts of days that no page shows, and alert of goals."""
    making.roll(agency_id=agency_id, at=at)
    with job_scope(agency_id=agency_id):
        days.let_go(agency_id=agency_id, at=at)
    with job_scope(agency_id=agency_id):
        goals.alert_missed(agency_id=agency_id, by=Actor.job("analytics.roll_cells"), at=at)


watch_refusals = agency_job(name="analytics.watch_refusals", every=60)(making.watch)
