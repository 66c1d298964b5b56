"""
Restriction and correction: what the person asked for holds everywhere the data are used.

A restricted caller's calls stay where they are and are neither shown, nor exported, nor counted: `restricted_at` of
the caller says so, and nobody opens recordings or words of them. Lifting it is told to the person first (GDPR article
18(3)). A correction changes what is known here of the person's place, and facts of single calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.calls.models import Call, Caller
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import services as vault
from consent.enums import Purpose
from consent.law import places
from consent.models import MinorMark, Rejudgement
from consent.services import minors
from rights.enums import EventKind
from rights.models import Case, Step
from rights.selectors import reach
from rights.selectors.reach import Target
from rights.services import steps, timeline

JOB: Final = Actor.job("rights.restrict_people")
FIELDS: Final = ("first_call", "qualified", "source", "campaign", "medium", "country", "region")
"""What of a call may be corrected: what was read into it, not when it was and how long."""

type Clock = Callable[[], datetime]


class NotCorrectableError(ValueError):
    """What is to be corrected is not something that can be."""


# --- Restriction --------------------------------------------------------------------------------------------------


def carry_out(*, step: Step, clock: Clock) -> None:
    """Restrict everybody whom a case reaches. Called outside any scope; may be repeated."""
    case = step.case
    with job_scope(agency_id=case.agency_id):
        at = clock()
        targets = reach.targets_of(case)
        for target in targets:
            restrict(client=target.client, caller_id=target.caller_id, by=JOB, at=at)
        steps.finish(
            step=step,
            action="case.restricted",
            event=EventKind.RESTRICTED,
            at=at,
            outcome={"callers": len(targets)},
            callers=len(targets),
        )


@transaction.atomic
def restrict(*, client: Client, caller_id: UUID, by: Actor, at: datetime) -> bool:
    """Use nothing of a caller's for anything any more; returns whether that is new. In a job's scope."""
    if (
        not Caller.objects.for_client(client)
        .filter(pk=caller_id, restricted_at=None)
        .update(restricted_at=at)
    ):
        return False
    audit.record("caller.restricted", subject=Caller(pk=caller_id, client_id=client.pk), by=by, at=at)
    _look_again(client, caller_id, at)
    return True


@transaction.atomic
def lift(*, case: Case, by: Actor, at: datetime) -> int:
    """
    End a restriction that a case brought, once the person has been told; returns of how many callers.

    In the scope of who may write the client's callers.
    """
    count = 0
    for target in reach.targets_of(case):
        rows = Caller.objects.for_client(target.client).filter(
            pk=target.caller_id, restricted_at__isnull=False
        )
        if rows.update(restricted_at=None):
            count += 1
            _look_again(target.client, target.caller_id, at)
            audit.record(
                "caller.restriction_lifted",
                subject=Caller(pk=target.caller_id, client_id=target.client.pk),
                by=by,
                at=at,
            )
    if count:
        timeline.add_event(
            "case.restriction_lifted",
            case=case,
            kind=EventKind.RESTRICTED,
            by=by,
            at=at,
            shown=True,
            lifted=True,
            callers=count,
        )
    return count


def _look_again(client: Client, caller_id: UUID, at: datetime) -> None:
    """What was decided of the caller's calls is decided anew; what was counted of them a trigger has counted anew."""
    ours = {"agency_id": client.agency_id, "client_id": client.pk}
    Rejudgement.objects.bulk_create(
        [Rejudgement(**ours, caller_id=caller_id, cause="restriction", due_at=at, created_at=at)]
    )


# --- Correction ---------------------------------------------------------------------------------------------------


def check(corrections: list[dict[str, Any]]) -> None:
    """
    Look whether corrections are of the kind that can be made.

    :raises NotCorrectableError: one is not; the text says which.
    """
    for one in corrections:
        if one.get("what") == "place":
            if not places.is_place(str(one.get("country", "")), str(one.get("region", ""))):
                raise NotCorrectableError("That is no place that is known here.")
        elif one.get("what") == "call":
            if one.get("field") not in FIELDS:
                raise NotCorrectableError("Of a call only what was read into it can be corrected.")
        else:
            raise NotCorrectableError("A correction is of a place or of a call.")


def correct(*, step: Step, clock: Clock) -> None:
    """Make the corrections that were decided. Called outside any scope; may be repeated."""
    case = step.case
    corrections = list(step.wanted.get("corrections", ()))
    check(corrections)
    with job_scope(agency_id=case.agency_id):
        at = clock()
        targets = reach.targets_of(case)
        changed = sum(_correct(target, one, at) for target in targets for one in corrections)
        steps.finish(
            step=step,
            action="case.corrected",
            event=EventKind.CORRECTED,
            at=at,
            outcome={"changed": changed},
            changed=changed,
        )


def _correct(target: Target, one: Mapping[str, Any], at: datetime) -> int:
    client = target.client
    if one["what"] == "place":
        rows = Caller.objects.for_client(client).filter(pk=target.caller_id)
        count = rows.update(country=str(one["country"]), region=str(one.get("region", "")))
        _look_again(client, target.caller_id, at)
        subject: Caller | Call = Caller(pk=target.caller_id, client_id=client.pk)
    else:
        call = Call.objects.for_client(client).filter(caller_id=target.caller_id, pk=UUID(str(one["call"])))
        count = call.update(**{str(one["field"]): one.get("value")})
        subject = Call(pk=UUID(str(one["call"])), client_id=client.pk)
    if count:
        audit.record(
            "person.corrected", subject=subject, by=JOB, at=at, what=str(one["what"]), field=one.get("field")
        )
    return count


# --- Minors -------------------------------------------------------------------------------------------------------


def mark_minors(*, case: Case, by: Actor, at: datetime) -> int:
    """
    Note of everybody whom a case about a child reaches that they are minors: nothing of theirs is shared or released.

    Returns of how many that is new. In the scope of a job.
    """
    count = 0
    for target in reach.targets_of(case):
        caller = Caller.objects.for_client(target.client).filter(pk=target.caller_id).first()
        known = MinorMark.objects.for_client(target.client).filter(caller_id=target.caller_id)
        if caller is not None and not known.exists():
            count += minors.mark(client=target.client, caller=caller, by=by, at=at)
            vault.suppress_callers(
                client_id=target.client.pk,
                caller_ids=[target.caller_id],
                purposes={Purpose.SHARE.value},
                at=at,
            )
    return count
