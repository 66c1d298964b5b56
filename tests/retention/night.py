"""A night's run, from its start to its certificates."""

from datetime import datetime, timedelta

from callprivacy.tenancy.enums import RetentionState
from callprivacy.tenancy.models import Agency, Client
from callprivacy.tenancy.scope import job_scope
from retention.enums import RunCause
from retention.models import Run
from retention.services import runs
from tests import make


def live(client: Client) -> None:
    """Let what is due at a client leave."""
    with job_scope(agency_id=client.agency_id):
        Client.objects.filter(pk=client.pk).update(
            retention_state=RetentionState.LIVE, went_live_at=make.NOON
        )


def start(agency: Agency, at: datetime = make.NOON) -> Run:
    """Start a run, of which nothing is worked off yet."""
    with job_scope(agency_id=agency.pk):
        return runs.start_run(agency=agency, cause=RunCause.BY_HAND, by=make.JOB, at=at)


def work(run: Run, at: datetime = make.NOON) -> None:
    """Let a worker go on with it, certificates and all."""
    runs.work_run(agency_id=run.agency_id, run_id=run.pk, until=at + timedelta(minutes=1), clock=lambda: at)


def spend(agency: Agency, at: datetime = make.NOON) -> Run:
    """A whole run."""
    run = start(agency, at)
    work(run, at)
    return run
