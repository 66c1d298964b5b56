"""The nightly run, and going on with runs that are not over."""

from datetime import datetime, timedelta
from typing import Any

from celery import shared_task
from django.utils import timezone

from callprivacy.tenancy.jobs import agency_job, share, wake
from callprivacy.tenancy.models import Agency
from callprivacy.tenancy.scope import job_scope
from retention.selectors import runs as selectors
from retention.services import certificates, runs, sweeping

_BUDGET = timedelta(seconds=40)
# Below the half minute in which the beat sends again: as a rule one process works at runs, and the other cores answer.
_RUNS_FOR = timedelta(seconds=28)
_LEAST = timedelta(seconds=2)
# A run that ended has its certificates within a minute or two of the last lease; the rest of it is for outages.
_OWING_FOR = timedelta(days=14)


@agency_job(name="retention.start_nightly", every=300, in_scope=True)
def start_nightly(agency_id: int, at: datetime) -> None:
    """Start the agency's run once its night has come."""
    runs.start_nightly(agency=Agency.objects.get(pk=agency_id), at=at)


@agency_job(name="retention.work_runs", every=30)
def work_runs(agency_id: int, at: datetime) -> None:
    """
    Go on with every run that is not over, and issue the certificates that runs which are over still owe, because
    somebody ended them or a worker did.
    """
    until = at + share(_RUNS_FOR, least=_LEAST)
    with job_scope(agency_id=agency_id):
        run_ids = selectors.running_ids()
        over = certificates.owing(agency_id, since=at - _OWING_FOR)
    for run_id in over:
        certificates.issue_due(agency_id=agency_id, run_id=run_id, clock=timezone.now)
    for run_id in run_ids:
        runs.work_run(agency_id=agency_id, run_id=run_id, until=until, clock=timezone.now)


@agency_job(name="retention.erase_quarantined", every=120)
def erase_quarantined(agency_id: int, at: datetime) -> None:
    """Erase withheld recordings and transcripts whose quarantine is over."""
    until = at + share(_BUDGET, least=_LEAST)
    runs.work_quarantine(agency_id=agency_id, until=until, clock=timezone.now)


@agency_job(name="retention.sweep_leftovers", every=6 * 3600, in_scope=True)
def sweep_leftovers(agency_id: int, at: datetime) -> None:
    """Start a task that removes each client's leftovers."""
    for client_id in selectors.client_ids():
        wake(sweep_client, agency_id=agency_id, client_id=client_id)


@shared_task(name="retention.sweep_client", acks_late=True, soft_time_limit=590, time_limit=600)
def sweep_client(*, agency_id: int, client_id: int, **_: Any) -> None:
    """Remove what a crash left behind at one client: keys without rows, callers without calls."""
    sweeping.sweep_client(agency_id=agency_id, client_id=client_id, at=timezone.now())
