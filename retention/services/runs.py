"""Runs: started once a night in the agency's zone or by hand, then worked off part by part, resumable at any point."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from billiard.exceptions import SoftTimeLimitExceeded
from django.db import connection, transaction
from django.db.models import F

from callprivacy.audit import services as audit
from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.enums import RetentionState
from callprivacy.tenancy.models import Agency, Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.work import services as work
from retention import targets
from retention.enums import PartState, RunCause, RunState
from retention.models import Run, RunPart
from retention.selectors import runs as selectors
from retention.services import erasing

log = logger(__name__)

NIGHT_BEGINS = 2
BATCH = 500
_LEASE = timedelta(minutes=2)
_FAILURES = 3
JOB = Actor.job("retention.run")
QUARANTINE = Actor.job("retention.erase_quarantined")

type Clock = Callable[[], datetime]


class AlreadyRunningError(ValueError):
    """An agency has one run at a time."""


class NotRunningError(ValueError):
    """The run is not in a state in which this can be done."""


@transaction.atomic
def start_nightly(*, agency: Agency, at: datetime) -> Run | None:
    """
    Start the night's run once two o'clock has passed in the agency's zone; None where it was started already, or
    where another does not end: that is somebody's work then.

    A night whose two o'clock a clock change leaves out starts at three, a repeated one starts once: the claim
    is the local date. A run that is still paused ends here, so that a forgotten pause keeps nothing for ever:
    what is due stays due, and the new run finds it.
    """
    local = at.astimezone(ZoneInfo(agency.time_zone))
    if local.hour < NIGHT_BEGINS:
        return None
    if not work.claim_period(
        agency_id=agency.pk, job="retention.run", period=local.date().isoformat(), at=at
    ):
        return None
    for paused in Run.objects.filter(agency=agency, state=RunState.PAUSED):
        cancel_run(run=paused, by=JOB, at=at)
    try:
        run = start_run(agency=agency, cause=RunCause.NIGHTLY, by=JOB, at=at)
    except AlreadyRunningError:
        work.open_item("retention_stuck", agency_id=agency.pk, key="run", at=at)
        return None
    work.close_item("retention_stuck", agency_id=agency.pk, key="run", at=at, by=JOB)
    return run


@transaction.atomic
def start_run(*, agency: Agency, cause: RunCause, by: Actor, at: datetime) -> Run:
    """
    Start a run; a worker counts what is due and erases it.

    :raises AlreadyRunningError: another run of the agency is not over yet.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('retention.run'), %s)", [agency.pk])
    if Run.objects.filter(agency=agency, state__in=[RunState.RUNNING, RunState.PAUSED]).exists():
        raise AlreadyRunningError("A run is under way: let it finish, or cancel it.")
    run = Run.objects.create(
        agency=agency,
        cause=cause,
        planned_on=at.astimezone(ZoneInfo(agency.time_zone)).date(),
        started_by_id=by.user_id,
        created_at=at,
    )
    audit.record("run.started", subject=run, by=by, at=at, cause=cause.value)
    return run


def work_run(*, agency_id: int, run_id: UUID, until: datetime, clock: Clock) -> bool:
    """
    Plan a run if it is not yet, and work its parts off in bounded batches until `until`; returns whether any is left.

    Called outside any scope. A part is leased while a batch runs, and a lease that its holder did not live
    to end runs out.
    """
    _plan(agency_id, run_id, until, clock)
    while clock() < until:
        part = _lease(agency_id, run_id, clock())
        if part is None:
            break
        try:
            erased = erasing.erase_batch(
                client=part.client, cutoff=part.cutoff, limit=BATCH, by=JOB, at=clock()
            )
        except Exception as error:  # noqa: BLE001  (one client's fault keeps no other client's calls)
            kind = type(error).__name__
            log.error("retention.batch_failed", client=part.client_id, error=kind)  # noqa: TRY400  (no values)
            _note_failure(part, clock())
        else:
            _note(part, erased, clock())
    with job_scope(agency_id=agency_id):
        run = Run.objects.get(pk=run_id)
        _finish_if_done(run, clock())
        return run.state == RunState.RUNNING


def _plan(agency_id: int, run_id: UUID, until: datetime, clock: Clock) -> None:
    """Count what is due, one client a transaction; observed clients are counted only."""
    with job_scope(agency_id=agency_id):
        if not Run.objects.running().filter(pk=run_id, planned_at=None).exists():
            return
        planned = RunPart.objects.filter(run_id=run_id).values("client_id")
        client_ids = list(
            Client.objects.exclude(pk__in=planned).order_by("name").values_list("pk", flat=True)
        )
    for client_id in client_ids:
        if clock() >= until:
            return
        with job_scope(agency_id=agency_id):
            _plan_part(run_id, Client.objects.select_related("agency").get(pk=client_id), clock())
    with job_scope(agency_id=agency_id):
        Run.objects.filter(pk=run_id, planned_at=None).update(planned_at=clock())


def _plan_part(run_id: UUID, client: Client, at: datetime) -> None:
    cutoff = tenancy.cutoff_of(client, at)
    due = targets.CALLS.count(client, cutoff)
    live = client.retention_state == RetentionState.LIVE
    part = RunPart(
        agency_id=client.agency_id,
        client=client,
        run_id=run_id,
        cutoff=cutoff,
        keep_for_days=client.keep_for_days,
        state=PartState.WAITING if live else PartState.OBSERVED,
        rows_due=due.calls,
        recordings_due=due.recordings,
        callers_due=due.callers,
        finished_at=None if live else at,
    )
    RunPart.objects.bulk_create([part], ignore_conflicts=True)
    if not live and due.calls:
        work.open_item(
            "go_live",
            agency_id=client.agency_id,
            client_id=client.pk,
            key=str(client.pk),
            at=at,
            count=due.calls,
        )


def _lease(agency_id: int, run_id: UUID, at: datetime) -> RunPart | None:
    with job_scope(agency_id=agency_id):
        if not Run.objects.running().filter(pk=run_id).exists():
            return None
        for part in (
            RunPart.objects.free(at).filter(run_id=run_id).select_related("client__agency").order_by("pk")
        ):
            client = part.client
            if client.retention_state != RetentionState.LIVE:
                RunPart.objects.filter(pk=part.pk).update(state=PartState.OBSERVED, finished_at=at)
                continue
            taken = RunPart.objects.free(at).filter(pk=part.pk)
            if taken.update(leased_until=at + _LEASE, state=PartState.RUNNING):
                part.leased_until = at + _LEASE
                part.cutoff = min(part.cutoff, tenancy.cutoff_of(client, at))
                return part
    return None


def _note(part: RunPart, erased: targets.Erased | None, at: datetime) -> None:
    """Add what a batch removed; only who still holds the lease gives it back or ends the part."""
    with job_scope(agency_id=part.agency_id):
        mine = RunPart.objects.filter(pk=part.pk, leased_until=part.leased_until)
        if erased is None:
            if mine.update(leased_until=None, state=PartState.DONE, finished_at=at):
                work.close_item(
                    "retention_failed", agency_id=part.agency_id, key=str(part.client_id), at=at, by=JOB
                )
            return
        RunPart.objects.filter(pk=part.pk).update(
            rows_erased=F("rows_erased") + erased.calls,
            recordings_erased=F("recordings_erased") + erased.recordings,
            callers_erased=F("callers_erased") + erased.callers,
        )
        mine.update(leased_until=None)


def _note_failure(part: RunPart, at: datetime) -> None:
    """After a few faults the part ends, so that the run can, and somebody is told."""
    with job_scope(agency_id=part.agency_id):
        RunPart.objects.filter(pk=part.pk).update(failures=F("failures") + 1)
        given_up = RunPart.objects.unfinished().filter(pk=part.pk, failures__gte=_FAILURES)
        if given_up.update(state=PartState.FAILED, finished_at=at):
            work.open_item(
                "retention_failed",
                agency_id=part.agency_id,
                client_id=part.client_id,
                key=str(part.client_id),
                at=at,
            )


def _finish_if_done(run: Run, at: datetime) -> None:
    if (
        run.state != RunState.RUNNING
        or run.planned_at is None
        or RunPart.objects.unfinished().filter(run=run).exists()
    ):
        return
    if Run.objects.running().filter(pk=run.pk).update(state=RunState.DONE, finished_at=at):
        run.state = RunState.DONE
        audit.record("run.finished", subject=run, by=JOB, at=at)


@transaction.atomic
def pause_run(*, run: Run, by: Actor, at: datetime) -> None:
    """
    Stop a run after the batch that is under way.

    :raises NotRunningError: it does not run.
    """
    _move(run, before=RunState.RUNNING, after=RunState.PAUSED, action="run.paused", by=by, at=at)


@transaction.atomic
def resume_run(*, run: Run, by: Actor, at: datetime) -> None:
    """
    Go on with a paused run.

    :raises NotRunningError: it is not paused.
    """
    _move(run, before=RunState.PAUSED, after=RunState.RUNNING, action="run.resumed", by=by, at=at)


@transaction.atomic
def cancel_run(*, run: Run, by: Actor, at: datetime) -> None:
    """
    End a run before its time; what is due stays due, and the next night finds it.

    :raises NotRunningError: it is over.
    """
    changed = Run.objects.filter(pk=run.pk, state__in=[RunState.RUNNING, RunState.PAUSED]).update(
        state=RunState.CANCELLED, finished_at=at
    )
    if not changed:
        raise NotRunningError("This run is over.")
    audit.record("run.cancelled", subject=run, by=by, at=at)


def _move(run: Run, *, before: RunState, after: RunState, action: str, by: Actor, at: datetime) -> None:
    if not Run.objects.filter(pk=run.pk, state=before).update(state=after):
        raise NotRunningError(f"This run is not {before.label.lower()}.")
    audit.record(action, subject=run, by=by, at=at)


# --- Quarantine ---------------------------------------------------------------------------------------------------


def work_quarantine(*, agency_id: int, until: datetime, clock: Clock) -> int:
    """
    Erase the recordings and transcripts of an agency whose quarantine is over, until `until`; returns how many.

    Called outside any scope. One client's fault keeps no other's, and somebody is told of it.
    """
    with job_scope(agency_id=agency_id):
        client_ids = selectors.clients_with_quarantined(agency_id, clock())
    count = 0
    for client_id in client_ids:
        with job_scope(agency_id=agency_id):
            client = Client.objects.select_related("agency").filter(pk=client_id).first()
        if client is None:
            continue
        count += _empty_quarantine(client, until, clock)
    return count


def _empty_quarantine(client: Client, until: datetime, clock: Clock) -> int:
    count = 0
    key = f"quarantine-{client.pk}"
    try:
        while clock() < until:
            erased = erasing.erase_quarantined(client=client, limit=BATCH, by=QUARANTINE, at=clock())
            if erased is None:
                with job_scope(agency_id=client.agency_id):
                    work.close_item(
                        "retention_failed", agency_id=client.agency_id, key=key, at=clock(), by=QUARANTINE
                    )
                break
            count += erased.recordings + erased.transcripts
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:  # noqa: BLE001  (what is due stays due, and the next run finds it)
        log.error("retention.quarantine_failed", client=client.pk, error=type(error).__name__)  # noqa: TRY400  (no values)
        with job_scope(agency_id=client.agency_id):
            work.open_item(
                "retention_failed",
                agency_id=client.agency_id,
                client_id=client.pk,
                key=key,
                at=clock(),
            )
    return count
