"""
Who was told of what people asked: recipients, in which way, and whether they have confirmed it; and who is told of an
erasure only once no hold keeps anything of the person at a client.
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Q, QuerySet

from callprivacy.calls.models import Call
from callprivacy.tenancy.models import Client
from retention.selectors import holds
from rights.enums import Copies, IdentityState, NoticeState, StepKind, StepState
from rights.models import Case, Finding, RecipientNotice, Step
from rights.selectors import rests

OPEN: Final = (NoticeState.WAITING, NoticeState.SENT, NoticeState.FAILED)
STATES: Final[tuple[tuple[str, str], ...]] = (
    ("", "Without a receipt"),
    (NoticeState.WAITING, "To be sent"),
    (NoticeState.SENT, "Sent"),
    (NoticeState.FAILED, "Not delivered"),
    (NoticeState.CONFIRMED, "Confirmed"),
    ("all", "All"),
)
_LONE: Final = Q(caller_id=None, copies=Copies.CALLS, kept_why="hold")
"""A withheld call that a hold keeps; once none does its line says so by itself."""


def notices(client_ids: Collection[int], *, state: str, reference: str = "") -> QuerySet[RecipientNotice]:
    """Notifications about these clients' requests, the newest first; those without a receipt by default."""
    rows = RecipientNotice.objects.filter(client_id__in=list(client_ids))
    if reference:
        rows = rows.filter(case__reference=reference)
    if state in NoticeState.values:
        rows = rows.filter(state=state)
    elif state != "all":
        rows = rows.filter(state__in=OPEN)
    rows = rows.select_related("case__client", "sent_by").defer("case__answer", "case__laws")
    return rows.order_by("-created_at")


def find(case_id: UUID, notice_id: UUID) -> RecipientNotice | None:
    return RecipientNotice.objects.filter(pk=notice_id, case_id=case_id).select_related("sent_by").first()


# --- While a hold keeps something ---------------------------------------------------------------------------------


def left_of(step: Step) -> set[int]:
    """Ids of the clients at which a step that tells recipients has still to tell trackers and systems."""
    return {int(row["client"]) for row in step.wanted.get("left", [])}


def waits(case: Case) -> bool:
    """Whether somebody is told of an erasure only once a hold ends."""
    return any(left_of(step) for step in Step.objects.filter(case=case, kind=StepKind.PASS_ON))


def is_held(case: Case, client: Client, caller_ids: Collection[UUID]) -> bool:
    """Whether a hold keeps anything of the person of a case at a client, be it only a withheld call."""
    lone = Finding.objects.filter(_LONE, submission_id=case.submission_id, client=client)
    return bool(held_callers(client, caller_ids)) or lone.exists()


def held_callers(client: Client, caller_ids: Collection[UUID]) -> set[UUID]:
    """
    Those of these callers of whom a hold keeps anything, their number or a call of whenever: by what open holds say,
    and by the marks on calls, which follow a hold that was lifted. Three queries, and two for each open hold.
    """
    calls = Call.objects.for_client(client).filter(caller_id__in=list(caller_ids))
    calls = calls.filter(Q(on_hold=True) | holds.kept_by(holds.open_holds(client)))
    return set(calls.values_list("caller_id", flat=True).distinct()) | (
        holds.named_caller_ids(client) & set(caller_ids)
    )


def freed(agency_id: int, *, at: datetime) -> list[UUID]:
    """
    Steps that wait to tell recipients at a client where no hold keeps anything of the person any more, or which has
    left; what nothing else keeps either is erased here first. Four queries, and some twelve for each client.
    """
    steps = Step.objects.filter(agency_id=agency_id, kind=StepKind.PASS_ON, state=StepState.KEPT)
    waiting = {
        step.pk: (step.case.submission_id, step.case_id, left_of(step))
        for step in steps.select_related("case")
        .defer("case__answer", "case__laws")
        .order_by("created_at", "pk")
    }
    ids = {client_id for _, _, client_ids in waiting.values() for client_id in client_ids}
    people = _people([submission_id for submission_id, _, _ in waiting.values()], ids)
    lone = Finding.objects.filter(_LONE, submission_id__in=[one for one, _, _ in waiting.values()])
    held = set(lone.values_list("submission_id", "client_id"))
    clients = Client.objects.filter(archived_at=None).in_bulk(ids)
    for client_id, client in clients.items():
        callers = {one: whose for (place, one), whose in people.items() if place == client_id}
        held |= {(pk, client_id) for one in held_callers(client, callers) for pk in callers[one]}
    open_ = {
        (pk, case_id, client_id)
        for pk, (submission_id, case_id, client_ids) in waiting.items()
        for client_id in client_ids
        if (submission_id, client_id) not in held
    }
    first = _erased_first({case_id for _, case_id, _ in open_}, at)
    free = {pk for pk, case_id, client_id in open_ if (case_id, client_id) not in first}
    return [pk for pk in waiting if pk in free]


def _people(
    submission_ids: Collection[UUID], client_ids: Collection[int]
) -> dict[tuple[int, UUID], set[UUID]]:
    """Client id and caller id -> the requests that are about this person."""
    rows = Finding.objects.filter(
        submission_id__in=list(submission_ids),
        client_id__in=list(client_ids),
        copies=Copies.IDENTITY,
        identity__state=IdentityState.PROVEN,
    )
    found: dict[tuple[int, UUID], set[UUID]] = defaultdict(set)
    for client_id, caller_id, submission_id in rows.values_list("client_id", "caller_id", "submission_id"):
        if caller_id is not None:
            found[client_id, caller_id].add(submission_id)
    return found


def _erased_first(case_ids: Collection[UUID], at: datetime) -> set[tuple[UUID, int]]:
    """Of which cases at which clients a job still has to erase what nothing keeps, or waits to be allowed to."""
    rests_of = Step.objects.filter(case_id__in=list(case_ids), kind=StepKind.REST).exclude(
        state=StepState.DONE
    )
    rows = [(step, row) for step in rests_of for row in rests.left_of(step)]
    left = [row for _, row in rows]
    freed_, unanswered = rests.freed(left, at=at), rests.answered_first(left)
    return {
        (step.case_id, row.client_id)
        for step, row in rows
        if step.state != StepState.KEPT or row in freed_ or row.caller_id in unanswered
    }
