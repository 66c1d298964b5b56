"""
Erasures that are taken up again: what a hold or a law kept leaves by itself once nothing keeps it.

A step of the case waits with what was left. A job looks what nothing keeps any more, and lets the step be due; then it
goes the way of an erasure, which looks at the holds again in the transaction that chooses. So a hold that is placed
meanwhile wins, a kill costs a repetition, and whoever takes a step up twice finds nothing left.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from django.db.models import Exists, OuterRef

from callprivacy.tenancy.scope import job_scope
from rights.enums import Copies, EventKind, StepKind, StepState
from rights.models import Finding, Step
from rights.selectors import reach, rests
from rights.services import erasing, steps

_ADOPTED_AT_MOST: Final = 100

type Clock = Callable[[], datetime]


def release(*, agency_id: int, clock: Clock) -> int:
    """
    Let those erasures of an agency be due of which nothing keeps something any more; returns how many. Called outside
    any scope.
    """
    with job_scope(agency_id=agency_id):
        at = clock()
        _adopt(agency_id, at)
        waiting = {step.pk: rests.left_of(step) for step in rests.waiting(agency_id)}
        freed = rests.freed([row for rows in waiting.values() for row in rows], at=at)
        ids = [pk for pk, rows in waiting.items() if not freed.isdisjoint(rows)]
        return steps.release(ids=ids, at=at) if ids else 0


def _adopt(agency_id: int, at: datetime) -> None:
    """Note what was left by erasures that a release carried out which noted nothing."""
    noted = Step.objects.filter(case=OuterRef("case"), kind=StepKind.REST)
    kept = Finding.objects.filter(
        submission_id=OuterRef("case__submission_id"), copies=Copies.IDENTITY, kept_why__in=rests.WAITS
    )
    done = Step.objects.filter(agency_id=agency_id, kind=StepKind.ERASE, state=StepState.DONE)
    for step in (
        done.filter(Exists(kept), ~Exists(noted)).select_related("case").order_by("pk")[:_ADOPTED_AT_MOST]
    ):
        lines = Finding.objects.filter(
            submission_id=step.case.submission_id, copies=Copies.IDENTITY, kept_why__in=rests.WAITS
        )
        callers = set(lines.values_list("client_id", "caller_id"))
        beyond = bool(step.wanted.get("beyond_floor"))
        left = [
            erasing.left_of(target, step.finished_at or at, beyond_floor=beyond).as_json()
            for target in reach.targets_of(step.case)
            if (target.client.pk, target.caller_id) in callers
        ]
        steps.plan_kept(case=step.case, kind=StepKind.REST, at=at, left=left)


def carry_out(*, step: Step, clock: Clock) -> None:
    """
    Erase what nothing keeps any more of what a case's erasure had left. Called outside any scope; may be repeated.
    """
    case, rows = step.case, rests.left_of(step)
    with job_scope(agency_id=case.agency_id):
        clients, taken = rests.clients_of(rows), rests.freed(rows, at=clock())
        if step.attempts > 1:
            # Of what an attempt before this one may have erased, how much is left is still to be noted.
            unanswered = rests.answered_first(rows)
            taken |= {row for row in rows if row.caller_id not in unanswered}
        targets = {
            row: row.target(clients[row.client_id])
            for row in rows
            if row in taken and row.client_id in clients
        }
        if reach.is_packed_first(case, list(targets.values()), asked_by=clock()):
            # A copy that the person asks for meanwhile holds what was kept.
            steps.put_off(step=step, at=clock())
            return
    left = [row for row in rows if row not in taken]
    outcome: dict[str, Any] = {}
    erased = dict.fromkeys((Copies.CALLS, Copies.IDENTITY, Copies.RECORDINGS, Copies.TRANSCRIPTS), 0)
    for number, (row, target) in enumerate(targets.items(), 1):
        done = erasing.erase_person(
            target=target, by=erasing.JOB, clock=clock, beyond_floor=row.beyond_floor, case_id=case.pk
        )
        with job_scope(agency_id=case.agency_id):
            erasing.note(case.submission_id, target, done)
            steps.hold(step=step, at=clock(), done=number, total=len(targets))
        outcome[f"{row.client_id}/{row.caller_id}"] = done.as_json()
        for copies in erased:
            erased[copies] += done.erased.get(copies, 0)
        if done.waits:
            left.append(row)
    with job_scope(agency_id=case.agency_id):
        if len(left) == len(rows) and not any(erased.values()):
            # A hold was placed meanwhile.
            steps.keep(step=step)
            return
        steps.finish(
            step=step,
            action="case.rest_erased",
            event=EventKind.REST_ERASED,
            at=clock(),
            outcome=outcome,
            left=[row.as_json() for row in left],
            shown=any(erased.values()),
            calls=erased[Copies.CALLS],
            numbers=erased[Copies.IDENTITY],
            waiting=len(left),
        )
