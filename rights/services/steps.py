"""
What a job does for a case: planned in the transaction that wants it, found by its date, done once.

A step is claimed by moving its date on, so that a worker that dies loses nothing: the step is due again. One that
fails again and again waits longer each time, and a person is told.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.lookups import Exact

from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope
from callprivacy.work import services as work
from rights import kinds
from rights.enums import EventKind, StepKind, StepState
from rights.models import Case, Step
from rights.services import timeline

JOB: Final = Actor.job("rights.work_steps")
LEASE: Final = timedelta(minutes=5)
TOLD_AFTER: Final = 3
_LONGEST_WAIT: Final = timedelta(hours=6)


def plan(*, case: Case, kind: StepKind, at: datetime, wanted: dict[str, Any] | None = None) -> Step:
    """
    Let a job do something for a case, once; where it is planned already, the plan stays.

    :param wanted: small facts without personal values.
    """
    row = Step(
        agency_id=case.agency_id,
        client_id=case.client_id,
        case=case,
        kind=kind,
        wanted=wanted or {},
        due_at=at,
        created_at=at,
    )
    Step.objects.bulk_create([row], ignore_conflicts=True)
    return Step.objects.get(agency_id=case.agency_id, case=case, kind=kind)


def plan_kept(*, case: Case, kind: StepKind, at: datetime, left: list[dict[str, Any]]) -> None:
    """
    Note what a job has to do for a case once nothing keeps it, as `wanted["left"]`: it is due when that was seen
    (`release`).
    """
    row = Step(
        agency_id=case.agency_id,
        client_id=case.client_id,
        case=case,
        kind=kind,
        state=StepState.KEPT if left else StepState.DONE,
        wanted={"left": left},
        created_at=at,
    )
    Step.objects.bulk_create([row], ignore_conflicts=True)


def release(*, ids: Collection[UUID], at: datetime) -> int:
    """Let a job do what was kept until now; returns how many of these steps waited. In the agency's scope."""
    rows = Step.objects.filter(pk__in=list(ids), state=StepState.KEPT)
    return rows.update(state=StepState.WAITING, due_at=at, attempts=0, total=0, done=0)


def keep(*, step: Step, left: list[dict[str, Any]] | None = None) -> None:
    """
    Let a step that was claimed wait again, for all of it is kept. In the agency's scope.

    :param left: what it has to do once nothing keeps it, where that was not noted yet.
    """
    rows = Step.objects.filter(pk=step.pk, state=StepState.RUNNING)
    wanted = F("wanted") if left is None else {"left": left}
    rows.update(state=StepState.KEPT, due_at=None, last_error="", wanted=wanted)


def again(*, case: Case, kind: StepKind, at: datetime) -> bool:
    """
    Let a job do once more what it has done for a case, or does just now, because more is known; returns whether it had.
    """
    begun = Step.objects.filter(state__in=[StepState.RUNNING, StepState.DONE])
    rows = begun.filter(agency_id=case.agency_id, case=case, kind=kind)
    return bool(rows.update(state=StepState.WAITING, due_at=at, finished_at=None, attempts=0))


def claim(*, agency_id: int, at: datetime) -> Step | None:
    """Claim the next step that is due, for five minutes. Enters the agency's scope itself."""
    with job_scope(agency_id=agency_id):
        row = (
            Step.objects.filter(agency_id=agency_id)
            .due(at)
            .select_related(
                "case__submission__agency", "case__submission__client", "case__client__agency", "case__agency"
            )
            .select_for_update(skip_locked=True, of=("self",))
            # Who tells of a deed comes after it.
            .order_by("due_at", Exact(F("kind"), StepKind.PASS_ON), "pk")
            .first()
        )
        if row is not None:
            row.state, row.due_at, row.attempts = StepState.RUNNING, at + LEASE, row.attempts + 1
            row.save(update_fields=["state", "due_at", "attempts"])
        return row


def hold(*, step: Step, at: datetime, done: int, total: int) -> None:
    """Say how far a step is, and keep it for another five minutes. In the agency's scope."""
    Step.objects.filter(pk=step.pk).update(done=done, total=total, due_at=at + LEASE)


def put_off(*, step: Step, at: datetime) -> None:
    """Let a step that waits for something else be looked at again in a minute. In the agency's scope."""
    Step.objects.filter(pk=step.pk).update(
        state=StepState.WAITING, due_at=at + timedelta(minutes=1), attempts=F("attempts") - 1
    )


@transaction.atomic
def finish(
    *,
    step: Step,
    action: str,
    event: EventKind,
    at: datetime,
    outcome: dict[str, Any] | None = None,
    left: list[dict[str, Any]] | None = None,
    shown: bool = True,
    **details: str | int | bool | None,
) -> bool:
    """
    Note that a step that was claimed is done, in the agency's scope; returns whether this call did.

    :param left: what is still to be done once nothing keeps it, of a step that says so; nothing, and it is done.
    :param shown: the person's own page says so.
    """
    # One that is to be done once more waits already, and stays so.
    rows = Step.objects.filter(pk=step.pk, state=StepState.RUNNING)
    if not rows.update(
        state=StepState.KEPT if left else StepState.DONE,
        due_at=None,
        finished_at=at,
        done=F("total"),
        last_error="",
        outcome=outcome or {},
        wanted=F("wanted") if left is None else {"left": left},
    ):
        return False
    timeline.add_event(action, case=step.case, kind=event, by=JOB, at=at, shown=shown, **details)  # type: ignore[arg-type]  # no detail is named so
    return True


def fail(*, step: Step, error: Exception, at: datetime) -> None:
    """
    Let a step be due again later, longer each time, and tell a person after the third fault. Enters the scope itself.

    Of the fault its kind is kept: a text may hold a value.
    """
    wait = min(timedelta(minutes=1) * 2 ** min(step.attempts, 12), _LONGEST_WAIT)
    with job_scope(agency_id=step.agency_id):
        Step.objects.filter(pk=step.pk).exclude(state=StepState.DONE).update(
            state=StepState.FAILED if step.attempts >= TOLD_AFTER else StepState.WAITING,
            due_at=at + wait,
            last_error=type(error).__name__,
        )
        if step.attempts == TOLD_AFTER:
            timeline.add_event(
                "case.step_failed",
                case=step.case,
                kind=EventKind.FAILED,
                by=JOB,
                at=at,
                step=step.kind,
                error=type(error).__name__,
            )
            work.open_item(
                kinds.REQUEST_FAILS if step.client_id else kinds.REQUESTS_OF_AGENCY,
                agency_id=step.agency_id,
                client_id=step.client_id,
                key=str(step.client_id or "agency"),
                at=at,
                count=1,
            )
