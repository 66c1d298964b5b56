"""Cells by the clock: what was touched is made anew, and what is old tells days alone."""

import time
from typing import Any, Final

from celery import shared_task
from django.utils import timezone

from analytics.services import days, goals, making
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import in_each_agency, job_scope

SECONDS: Final = 50
"""How long one task goes on with a client; the next one finds the rest."""


@shared_task(name="analytics.make_cells", acks_late=True)
def make_cells(**_: Any) -> None:
    """Have each client that something touched worked at, by a task of its own."""

    def look(agency_id: int) -> None:
        with job_scope(agency_id=agency_id):
            client_ids = making.touched_clients()
        for client_id in client_ids:
            make_client.delay(agency_id=agency_id, client_id=client_id)

    in_each_agency(look)


@shared_task(name="analytics.make_client_cells", acks_late=True)
def make_client(*, agency_id: int, client_id: int, **_: Any) -> None:
    """Make the spans of one client anew that something touched."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        made = making.work(agency_id=agency_id, client_id=client_id, at=timezone.now())
        if not made.has_more:
            return


@shared_task(name="analytics.roll_cells", acks_late=True)
def roll_cells(**_: Any) -> None:
    """Let what is older than 35 days tell days alone, counts of days go that no page shows, and alert of goals."""

    def roll(agency_id: int) -> None:
        at = timezone.now()
        making.roll(agency_id=agency_id, at=at)
        with job_scope(agency_id=agency_id):
            days.let_go(agency_id=agency_id, at=at)
        with job_scope(agency_id=agency_id):
            goals.alert_missed(agency_id=agency_id, by=Actor.job("analytics.roll_cells"), at=at)

    in_each_agency(roll)


@shared_task(name="analytics.watch_refusals", acks_late=True)
def watch_refusals(**_: Any) -> None:
    """Touch what the vault's list of those who refused has changed, at every client with cells."""
    in_each_agency(lambda agency_id: making.watch(agency_id=agency_id, at=timezone.now()))
