"""The nightly run, and going on with runs that are not over."""

from datetime import timedelta
from typing import Any

from celery import shared_task
from django.utils import timezone

from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.models import Agency
from callprivacy.tenancy.scope import in_each_agency, job_scope
from retention.selectors import runs as selectors
from retention.services import certificates, runs, sweeping

_BUDGET = timedelta(seconds=40)
# Below the half minute in which the beat sends again: as a rule one process works at runs, and the other cores answer.
_RUNS_FOR = timedelta(seconds=28)
_LEAST = timedelta(seconds=2)
# A run that ended has its certificates within a minute or two of the last lease; the rest of it is for outages.
_OWING_FOR = timedelta(days=14)


@shared_task(name="retention.start_nightly", acks_late=True)
def start_nightly(**_: Any) -> None:
    """Start each agency's run once its night has come."""

    def start(agency_id: int) -> None:
        with job_scope(agency_id=agency_id):
            runs.start_nightly(agency=Agency.objects.get(pk=agency_id), at=timezone.now())

    in_each_agency(start)


@shared_task(name="retention.work_runs", acks_late=True)
def work_runs(**_: Any) -> None:
    """
    Go on with every run that is not over, for as long as a task may take, each agency its share of it; and issue the
    certificates that runs which are over still owe, because somebody ended them or a worker did.
    """
    ids = tenancy.agency_ids()
    share = _RUNS_FOR / max(len(ids), 1)

    def go_on(agency_id: int) -> None:
        until = timezone.now() + max(share, _LEAST)
        with job_scope(agency_id=agency_id):
            run_ids = selectors.running_ids()
            over = certificates.owing(agency_id, since=timezone.now() - _OWING_FOR)
        for run_id in over:
            certificates.issue_due(agency_id=agency_id, run_id=run_id, clock=timezone.now)
        for run_id in run_ids:
            runs.work_run(agency_id=agency_id, run_id=run_id, until=until, clock=timezone.now)

    in_each_agency(go_on)


@shared_task(name="retention.erase_quarantined", acks_late=True)
def erase_quarantined(**_: Any) -> None:
    """Erase withheld recordings and transcripts whose quarantine is over, each agency its share of the time."""
    share = _BUDGET / max(len(tenancy.agency_ids()), 1)

    def go_on(agency_id: int) -> None:
        until = timezone.now() + max(share, _LEAST)
        runs.work_quarantine(agency_id=agency_id, until=until, clock=timezone.now)

    in_each_agency(go_on)


@shared_task(name="retention.sweep_leftovers", acks_late=True)
def sweep_leftovers(**_: Any) -> None:
    """Have each client's leftovers removed, by a task of its own."""

    def hand_out(agency_id: int) -> None:
        with job_scope(agency_id=agency_id):
            client_ids = selectors.client_ids()
        for client_id in client_ids:
            sweep_client.delay(agency_id=agency_id, client_id=client_id)

    in_each_agency(hand_out)


@shared_task(name="retention.sweep_client", acks_late=True, soft_time_limit=590, time_limit=600)
def sweep_client(*, agency_id: int, client_id: int, **_: Any) -> None:
    """Remove what a crash left behind at one client: keys without rows, callers without calls."""
    sweeping.sweep_client(agency_id=agency_id, client_id=client_id, at=timezone.now())
