"""Runs: started once a night in the agency's zone or by hand, then worked off part by part, resumable at any point."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from billiard.exceptions import SoftTimeLimitExceeded
from django.db import connection, transaction
from django.db.models import Case, Exists, F, Value, When
from django.db.models.functions import Coalesce

from callprivacy.audit import services as audit
from callprivacy.calls.services import erasure
from callprivacy.lib import calendars
from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import RetentionState
from callprivacy.tenancy.models import Agency, Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.work import services as work
from retention import targets
from retention.enums import Category, PartState, RunCause, RunState, Then
from retention.models import Hold, Run, RunPart
from retention.models.runs import LEASE_AHEAD
from retention.selectors import policies, preview
from retention.selectors import runs as selectors
from retention.selectors.holds import LEASED_AT_MOST
from retention.services import certificates, erasing, holds, house

log = logger(__name__)

BATCH = 500
LEASE: Final = LEASED_AT_MOST
_FAILURES = 3
_PLANNED_AT_ONCE = 50
_CALLS = (Category.CALL, Category.CALL_OUT)
# With these go calls, or whose they were.
_PEOPLE = (*_CALLS, Category.IDENTITY)
# Their lines move each night, also where nothing is due.
_ALWAYS = frozenset({Category.CALL, Category.CALL_OUT})
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
    if local.hour < selectors.NIGHT_BEGINS:
        return None
    if not work.claim_period(
        agency_id=agency.pk,
        job=selectors.NIGHTLY,
        period=local.date().isoformat(),
        at=at,
        kept_for=work.OF_A_CLOCK,
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
        planned_on=calendars.day_in(agency.time_zone, at),
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
        _work_part(part, until, clock)
    house.work_off(agency_id=agency_id, run_id=run_id, until=until, clock=clock)
    with job_scope(agency_id=agency_id):
        run = Run.objects.get(pk=run_id)
        _finish_if_done(run, clock())
    certificates.issue_due(agency_id=agency_id, run_id=run_id, clock=clock)
    return run.state == RunState.RUNNING


# --- Planning -----------------------------------------------------------------------------------------------------


def _plan(agency_id: int, run_id: UUID, until: datetime, clock: Clock) -> None:
    """Count what is due, some clients at a time; observed clients are counted only."""
    with job_scope(agency_id=agency_id):
        run = Run.objects.running().filter(pk=run_id, planned_at=None).first()
        if run is None:
            return
        planned = RunPart.objects.filter(run_id=run_id).values("client_id")
        client_ids = list(Client.objects.exclude(pk__in=planned).order_by("pk").values_list("pk", flat=True))
        with_holds = list(
            Hold.objects.filter(client_id__in=client_ids)
            .order_by()
            .values_list("client_id", flat=True)
            .distinct()
        )
    for client_id in with_holds:
        with job_scope(agency_id=agency_id):
            holds.mark_held(client=Client.objects.select_related("agency").get(pk=client_id), at=clock())
    for start in range(0, len(client_ids), _PLANNED_AT_ONCE):
        if clock() >= until:
            return
        with job_scope(agency_id=agency_id):
            rows = Client.objects.select_related("agency").order_by("pk")
            _plan_clients(
                run, list(rows.filter(pk__in=client_ids[start : start + _PLANNED_AT_ONCE])), clock()
            )
    with job_scope(agency_id=agency_id):
        house.plan(run=run, at=clock())
        Run.objects.filter(pk=run_id, planned_at=None).update(planned_at=clock())


def _plan_clients(run: Run, clients: Sequence[Client], at: datetime) -> None:
    lines = preview.lines(clients, run.created_at)
    found = preview.extents(lines)
    parts: list[RunPart] = []
    for client in clients:
        extents = found[client.pk]
        of_calls = lines[client.pk].of(Category.CALL)
        is_due = any(extents.get(one, targets.Extent()).rows for one in _CALLS)
        forgotten = erasure.count_forgotten(of_calls) if is_due else (0, 0)
        parts += [
            _part(
                run,
                lines[client.pk],
                category,
                extents.get(category, targets.Extent()),
                forgotten=forgotten,
                at=at,
            )
            for category in targets.TARGETS
            if category in extents or category in _ALWAYS
        ]
    RunPart.objects.bulk_create(parts, ignore_conflicts=True)
    for client in clients:
        calls = sum(found[client.pk].get(one, targets.Extent()).rows for one in _CALLS)
        if calls and client.retention_state != RetentionState.LIVE:
            work.open_item(
                "go_live",
                agency_id=client.agency_id,
                client_id=client.pk,
                key=str(client.pk),
                at=at,
                count=calls,
            )


def _part(
    run: Run,
    lines: preview.Lines,
    category: Category,
    extent: targets.Extent,
    *,
    forgotten: tuple[int, int],
    at: datetime,
) -> RunPart:
    client, policy = lines.client, lines.policies[category]
    live = client.retention_state == RetentionState.LIVE
    callers = extent.callers
    if category in _CALLS and extent.rows:
        callers = forgotten[category is Category.CALL_OUT]
    return RunPart(
        agency_id=client.agency_id,
        client=client,
        run=run,
        category=category,
        then=policy.then,
        policy_version=policy.version,
        cutoff=lines.cutoffs[category],
        keep_for_days=policy.days,
        state=PartState.WAITING if live else PartState.OBSERVED,
        rows_due=extent.rows,
        rows_held=extent.held,
        recordings_due=extent.recordings,
        callers_due=callers,
        bytes_due=extent.size,
        finished_at=None if live else at,
    )


# --- Batches ------------------------------------------------------------------------------------------------------

# A part comes after those of its client that stand before it in the order of a run.
_NEXT: Final = """
    SELECT p.id FROM (
        SELECT DISTINCT ON (client_id) id, client_id, leased_until FROM retention_runpart
        WHERE run_id = %(run)s AND state IN ('waiting', 'running')
        ORDER BY client_id, array_position(%(order)s::text[], category::text)
    ) AS p
    WHERE (p.leased_until IS NULL OR p.leased_until <= %(at)s OR p.leased_until > %(ahead)s)
        AND EXISTS (SELECT FROM retention_run r WHERE r.id = %(run)s AND r.state = 'running')
    ORDER BY p.client_id LIMIT 1
"""


class _TakenError(Exception):
    """The part is another worker's by now, or the run was stopped, or its client is not live any more."""


def _lease(agency_id: int, run_id: UUID, at: datetime) -> RunPart | None:
    with job_scope(agency_id=agency_id):
        while True:
            with connection.cursor() as cursor:
                order = [category.value for category in targets.TARGETS]
                cursor.execute(_NEXT, {"run": run_id, "order": order, "at": at, "ahead": at + LEASE_AHEAD})
                row = cursor.fetchone()
            if row is None:
                return None
            part: RunPart = RunPart.objects.select_related("client__agency", "run").get(pk=row[0])
            if part.client.retention_state != RetentionState.LIVE:
                # What has left already is stated by the certificate; a batch that is under way loses its lease.
                stopped = Case(
                    When(rows_erased__gt=0, then=Value(PartState.DONE)), default=Value(PartState.OBSERVED)
                )
                RunPart.objects.unfinished().filter(run_id=run_id, client_id=part.client_id).update(
                    state=stopped, leased_until=None, finished_at=at, cursor=None
                )
                continue
            taken = RunPart.objects.free(at).filter(pk=part.pk)
            begun = Coalesce("started_at", Value(at))
            if taken.update(leased_until=at + LEASE, state=PartState.RUNNING, started_at=begun):
                part.leased_until = at + LEASE
                return part
            # Another worker was quicker with this one; there may be others.


class _Book:
    """
    A part of a run as the place where its batches are written down.

    :ivar may_end: nothing that came before was passed by: the part ends with the batch that leaves nothing, in the
    transaction that removes it. :ivar has_ended: it did.
    """

    def __init__(self, part: RunPart, target: targets.Target, at: datetime, *, may_end: bool) -> None:
        self.part, self.target, self.at = part, target, at
        self.line: targets.Line | None = None
        self.may_end = may_end and not part.rows_held
        self.has_more = self.is_sure = self.has_ended = False

    def draw(self) -> targets.Line:
        """The line as it stands: it moves back with a policy that was lengthened since, never on."""
        part = self.part
        lines = preview.lines([part.client], part.run.created_at)[part.client_id]
        self.line = lines.of(self.target.category, at_most=part.cutoff)
        return self.line

    def begin(self) -> targets.Line:
        part = self.part
        mine = RunPart.objects.unfinished().filter(pk=part.pk, leased_until=part.leased_until)
        # Who stops the erasing is heard before the next batch, not after the part.
        mine = mine.filter(client__retention_state=RetentionState.LIVE)
        if not mine.filter(Exists(Run.objects.running().filter(pk=part.run_id))).update(
            leased_until=self.at + LEASE
        ):
            raise _TakenError
        part.leased_until = self.at + LEASE
        holds.mark_held(client=part.client, at=self.at)
        line = self.draw()
        if part.cursor is None and part.rows_erased == 0:
            _keep_totals(line, part)
            _settle_cells(line, part, self.at)
        return line

    def note_errands(self, count: int) -> None:
        if count:
            RunPart.objects.filter(pk=self.part.pk).update(vendor_steps=F("vendor_steps") + count)

    def note_removed(self, chosen: targets.Chosen, removed: targets.Removed) -> None:
        row = RunPart.objects.select_for_update().get(pk=self.part.pk)
        if row.leased_until != self.part.leased_until or certificates.is_issued(row):
            # Who slept past the lease removes nothing: it would be counted nowhere. The rows are still due.
            raise _TakenError
        row.digest = erasing.digest_after(bytes(row.digest), removed.ids)
        row.rows_erased += len(removed.ids)
        row.recordings_erased += removed.recordings
        row.callers_erased += removed.callers
        row.bytes_erased += removed.size
        if removed.is_whole:
            row.cursor = chosen.cursor
        self.has_more = chosen.is_cut or len(chosen.ids) >= self.target.batch
        # Nothing was passed by: no row was kept by a hold or a lock, and none came late.
        is_whole = removed.is_whole and len(removed.ids) == len(chosen.ids)
        self.is_sure = is_whole and self.line is not None and not self.line.is_held
        self.has_ended = self.may_end and self.is_sure and not self.has_more
        if self.has_ended:
            row.leased_until, row.state, row.finished_at, row.cursor = None, PartState.DONE, self.at, None
        row.save(
            update_fields=[
                "digest", "rows_erased", "recordings_erased", "callers_erased", "bytes_erased", "cursor",
                "leased_until", "state", "finished_at",
            ]
        )  # fmt: skip
        if self.has_ended:
            _settle_failures(self.part, self.at)
        self.part.cursor, self.part.rows_erased = row.cursor, row.rows_erased


def _keep_totals(line: targets.Line, part: RunPart) -> None:
    """What a policy keeps of calls is counted before the first of them leaves, or is nobody's."""
    for category in _CALLS:
        out = category is Category.CALL_OUT
        if (part.category == category and part.then == Then.REDUCE) or (
            part.category == Category.IDENTITY
            and policies.effective(line.client, category).then == Then.REDUCE
        ):
            targets.keep_totals(client=line.client, before=line.cutoff, out=out)


def _settle_cells(line: targets.Line, part: RunPart, at: datetime) -> None:
    """What reports are made of is brought up to date while all calls, and whose they are, are still there."""
    if part.category in _PEOPLE:
        targets.settle_cells(client=line.client, before=line.cutoff, at=at)


def _work_part(part: RunPart, until: datetime, clock: Clock) -> None:
    """Go on with a leased part until it is done, the time is over, or somebody stops the run."""
    target = targets.TARGETS[Category(part.category)]
    # A second pass, once, takes what a hold or a moment's lock kept when the first one passed it by.
    is_second, is_sure = False, part.cursor is None
    evidence_until = _evidence_until(part, clock())
    try:
        while clock() < until:
            book = _Book(part, target, clock(), may_end=is_sure)
            removed = erasing.erase_batch(
                target=target,
                client=part.client,
                after=part.cursor,
                limit=target.batch,
                deed=targets.Deed(JOB, book.at, evidence_until),
                book=book,
            )
            if book.has_ended:
                return
            if removed is not None:
                is_sure = is_sure and book.is_sure
                if book.has_more:
                    continue
            if is_second or is_sure:
                _end_part(book, clock())
                return
            is_second, part.cursor = True, None
    except _TakenError:
        pass
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:  # noqa: BLE001  (one client's fault keeps no other client's rows)
        kind = type(error).__name__
        log.error("retention.batch_failed", client=part.client_id, category=part.category, error=kind)  # noqa: TRY400  (no values)
        _note_failure(part, clock())
        return
    _give_back(part)


def _evidence_until(part: RunPart, at: datetime) -> date:
    """Until when evidence of a person who is forgotten now may be asked for; only forgetting people needs it."""
    if part.category != Category.IDENTITY:
        return at.date()
    with job_scope(agency_id=part.agency_id, client_id=part.client_id):
        return preview.lines([part.client], part.run.created_at)[part.client_id].evidence_until(at)


def _give_back(part: RunPart) -> None:
    with job_scope(agency_id=part.agency_id, client_id=part.client_id):
        RunPart.objects.filter(pk=part.pk, leased_until=part.leased_until).update(leased_until=None)


def _end_part(book: _Book, at: datetime) -> None:
    """
    End a part; only who still holds the lease does, and the row that was looked at last is forgotten.

    What holds keep at its end is what the certificate says was kept, whenever they were placed.
    """
    part = book.part
    with job_scope(agency_id=part.agency_id, client_id=part.client_id):
        line = book.line or book.draw()
        if part.rows_held or line.is_held:
            found = book.target.count([line]).get(part.client_id, targets.Extent())
            RunPart.objects.filter(pk=part.pk).update(rows_held=found.held)
        mine = RunPart.objects.filter(pk=part.pk, leased_until=part.leased_until)
        if mine.update(leased_until=None, state=PartState.DONE, finished_at=at, cursor=None):
            _settle_failures(part, at)


def _settle_failures(part: RunPart, at: datetime) -> None:
    """A part has ended: what was told of the client's failures is over, unless another part of it has failed."""
    failed = RunPart.objects.filter(run=part.run_id, client=part.client_id, state=PartState.FAILED)
    if not failed.exists():
        work.close_item("retention_failed", agency_id=part.agency_id, key=str(part.client_id), at=at, by=JOB)


def _note_failure(part: RunPart, at: datetime) -> None:
    """After a few faults the part ends, so that the run can, and somebody is told."""
    with job_scope(agency_id=part.agency_id, client_id=part.client_id):
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
        or house.is_open(run.pk)
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
