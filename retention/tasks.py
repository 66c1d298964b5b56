"""The nightly run, and going on with runs that are not over."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from celery import shared_task
from django.utils import timezone

from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.models import Agency
from callprivacy.tenancy.scope import job_scope
from retention import selectors
from retention.services import runs, sweeping

_BUDGET = timedelta(seconds=40)


@shared_task(name="retention.start_nightly", acks_late=True)
def start_nightly(**_: Any) -> None:
    """Start each agency's run once its night has come."""
    for agency_id in tenancy.agency_ids():
        with job_scope(agency_id=agency_id):
            try:
                runs.start_nightly(agency=Agency.objects.get(pk=agency_id), at=timezone.now())
            except runs.AlreadyRunningError:
                continue


@shared_task(name="retention.work_runs", acks_late=True)
def work_runs(**_: Any) -> None:
    """Go on with every run that is not over, for as long as a task may take."""
    until = timezone.now() + _BUDGET
    for agency_id in tenancy.agency_ids():
        with job_scope(agency_id=agency_id):
            run_ids = selectors.running_ids()
        for run_id in run_ids:
            runs.work_run(agency_id=agency_id, run_id=run_id, until=until, clock=timezone.now)


@shared_task(name="retention.sweep_leftovers", acks_late=True)
def sweep_leftovers(**_: Any) -> None:
    """Remove what a crash left behind: keys without rows and callers without calls."""
    for agency_id in tenancy.agency_ids():
        with job_scope(agency_id=agency_id):
            clients = selectors.client_ids()
        for client_id in clients:
            sweeping.sweep_client(agency_id=agency_id, client_id=client_id, at=timezone.now())
