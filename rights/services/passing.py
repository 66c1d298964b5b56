"""
Passing on: everybody to whom data of the person were given is told, and what they answered is kept.

GDPR article 19 wants it of an erasure, a correction and a restriction, Cal. Civ. Code 1798.105(c) and 1798.135(f) of an
erasure and an opt-out. A refusal is carried by consent's own withdrawals, which already reach vendors, advertisers and
the agency's systems; its steps are listed here with their receipts. Of the rest the agency's systems are told by
signed webhooks, advertisers and trackers by tickets, which staff send and note the answer of; whoever was given a file
of calls by a mail of its own (`files_told`). No ticket holds a number:
whoever sends it opens the number on the page of the case, with a reason.

Of an erasure, trackers and the agency's systems are told only where no hold keeps anything of the person: they may have
the one copy of what it is to keep. The step waits with these clients (`wanted["left"]`), and a job lets it be due once
nothing is kept. Advertisers have no evidence, and who has a file of calls has an extract of what the hold keeps here.
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.db import models, transaction

from analytics.models import Removal
from callprivacy.calls.models import Connection
from callprivacy.calls.providers import TRACKERS
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from consent.enums import Language, WaitingState
from consent.models import AdDestination, VendorTask, WebhookDelivery, Withdrawal
from consent.services import webhooks
from rights.enums import (
    Ask,
    Copies,
    EventKind,
    IdentityKind,
    IdentityState,
    NoticeAbout,
    NoticeState,
    NoticeWay,
    StepKind,
    StepState,
)
from rights.models import Case, Finding, Identity, RecipientNotice, Step
from rights.selectors import corrections, reach, told, words
from rights.services import files_told, restricting, steps, timeline
from rights.services.stopping import PURPOSES, said_at

JOB: Final = Actor.job("rights.tell_recipients")
_ABOUT: Final = {
    Ask.DELETE: NoticeAbout.ERASURE,
    Ask.CORRECT: NoticeAbout.CORRECTION,
    Ask.RESTRICT: NoticeAbout.RESTRICTION,
}
_SAID: Final = {
    NoticeAbout.ERASURE: "has asked to be erased. Please erase what you hold of this person, in every copy",
    NoticeAbout.CORRECTION: "has had data corrected. Please correct what you hold of this person as described below",
    NoticeAbout.RESTRICTION: "has asked that use be restricted. Please keep what you hold and use it for nothing else",
}

type Clock = Callable[[], datetime]


class NotOpenError(LookupError):
    """The notice is confirmed already, or goes by a webhook or a vendor's step of its own."""


def carry_out(*, step: Step, clock: Clock) -> None:
    """Tell the recipients of everybody whom a case is about. Called outside any scope; a second time tells nobody."""
    case = step.case
    about = _ABOUT.get(Ask(case.asks), NoticeAbout.OPT_OUT)
    with job_scope(agency_id=case.agency_id):
        at = clock()
        if told.left_of(step):
            _go_on(step, at)
            return
        erasures = Step.objects.filter(case=case, kind=StepKind.ERASE)
        if about is NoticeAbout.ERASURE and erasures.exclude(state=StepState.DONE).exists():
            # What a hold keeps is known once the erasure has looked.
            steps.put_off(step=step, at=at)
            return
        found, left = _people(case), list[dict[str, Any]]()
        if about is NoticeAbout.OPT_OUT:
            # Sent to the agency it is carried to the clients by a step of its own, which says where it was known.
            if _is_carried_yet(case) is False or not _mirror(case, found, at):
                steps.put_off(step=step, at=at)
                return
        else:
            for client, callers in found.values():
                _tell_advertisers(case, client, about, at)
                if about is NoticeAbout.ERASURE and told.is_held(case, client, callers):
                    left += _left(client)
                else:
                    _tell_holders(case, client, callers, about, at)
        if case.asks == Ask.OBJECT:
            # Staff decide it, and only a job may write what the search found.
            for target in reach.targets_of(case):
                restricting.note_others(case=case, target=target)
        refused = PURPOSES.get(Ask(case.asks), frozenset()) - set(step.wanted.get("going_on", ()))
        for client, callers in found.values():
            files_told.tell(case=case, client=client, callers=callers, about=about, refused=refused, at=at)
        _finish(step, left, at)


def _finish(step: Step, left: list[dict[str, Any]], at: datetime) -> None:
    case = step.case
    count = RecipientNotice.objects.filter(case=case).count()
    if left and not count:
        steps.keep(step=step, left=left)
        return
    steps.finish(
        step=step,
        action="case.passed_on",
        event=EventKind.PASSED_ON,
        at=at,
        outcome={"recipients": count},
        left=left or ([] if told.left_of(step) else None),
        # To the agency a no needs no proof: that there was somebody to tell would say that the number is known. Nor is
        # the person shown that those who have the data were told while only some are.
        shown=not left and (case.client is not None or not Ask(case.asks).works_at_once),
        recipients=count,
        **{"waiting": len(left)} if left else {},
    )


# --- Where a hold keeps something ---------------------------------------------------------------------------------


def release(*, agency_id: int, at: datetime) -> int:
    """
    Let those be told of erasures who were not, where no hold keeps anything of the person any more; returns of how many
    cases. In the agency's scope.
    """
    ids = told.freed(agency_id, at=at)
    return steps.release(ids=ids, at=at) if ids else 0


def _left(client: Client) -> list[dict[str, Any]]:
    """Whom a client's step has to tell later: a tracker that is disconnected meanwhile has the data all the same."""
    trackers = Connection.objects.for_client(client).filter(is_active=True).values_list("pk", flat=True)
    if trackers or webhooks.has_endpoints(client):
        return [{"client": client.pk, "trackers": sorted(map(str, trackers))}]
    return []


def _go_on(step: Step, at: datetime) -> None:
    """Tell trackers and systems at the clients that were left, where no hold keeps anything of the person any more."""
    case, rows, left = step.case, step.wanted["left"], list[dict[str, Any]]()
    found = _people(case, told.left_of(step))
    here = Client.objects.filter(pk__in=told.left_of(step), archived_at=None).in_bulk()
    for row in rows:
        if row["client"] not in here or row["client"] not in found:
            continue
        client, callers = found[row["client"]]
        if told.is_held(case, client, callers):
            left.append(row)
        else:
            trackers = [uuid.UUID(one) for one in row["trackers"]]
            _tell_holders(case, client, callers, NoticeAbout.ERASURE, at, also=trackers)
    if len(left) == len(rows):
        # A hold was placed meanwhile.
        steps.keep(step=step)
    else:
        _finish(step, left, at)


def _carrying(case: Case) -> Step | None:
    """The step that carries a refusal to the agency to its clients; of an objection, what was decided of it."""
    kind = StepKind.OBJECT if case.asks == Ask.OBJECT else StepKind.SUPPRESS
    return Step.objects.filter(case=case, kind=kind).first() if case.client is None else None


def _is_carried_yet(case: Case) -> bool | None:
    """Whether a refusal has reached every client of the agency; None where it was not sent to the agency."""
    step = _carrying(case)
    return None if step is None else step.state == StepState.DONE


def _carried_to(case: Case) -> dict[int, tuple[Client, dict[uuid.UUID, str]]]:
    """Client id -> the client, and its callers whom a refusal to the agency has stopped there."""
    step = _carrying(case)
    callers: dict[str, list[str]] = step.outcome.get("callers", {}) if step is not None else {}
    clients = Client.objects.select_related("agency").in_bulk([int(one) for one in callers])
    return {
        client.pk: (client, dict.fromkeys(map(uuid.UUID, callers[str(client.pk)]), ""))
        for client in clients.values()
    }


def _people(case: Case, left: Collection[int] = ()) -> dict[int, tuple[Client, dict[uuid.UUID, str]]]:
    """
    Client id -> the client, and its callers with their numbers as the person gave them.

    :param left: ids of clients that the case has reached, whoever answers for them by now.
    """
    key = words.key_of(case.submission)
    rows = Identity.objects.filter(submission_id=case.submission_id, kind=IdentityKind.PHONE)
    numbers = {row.pk: words.text(row.value, key) for row in rows}
    found = _carried_to(case)
    for target in reach.targets_of(case):
        _, callers = found.setdefault(target.client.pk, (target.client, {}))
        callers[target.caller_id] = numbers.get(target.identity_id, "")
    if case.client is not None:
        _, callers = found.setdefault(case.client.pk, (case.client, {}))
        callers |= {row.caller_id: numbers[row.pk] for row in rows if row.caller_id is not None}
    for client in Client.objects.filter(pk__in=set(left) - found.keys()).select_related("agency"):
        lines = Finding.objects.filter(
            submission_id=case.submission_id, client=client, identity__state=IdentityState.PROVEN
        ).filter(copies=Copies.IDENTITY, caller_id__isnull=False)
        known = lines.values_list("caller_id", "identity_id")
        found[client.pk] = (client, {one: numbers.get(pk, "") for one, pk in known if one is not None})
    return found


def _notice(case: Case, client: Client, about: NoticeAbout, way: NoticeWay, at: datetime) -> RecipientNotice:
    return RecipientNotice(
        agency_id=client.agency_id,
        client_id=client.pk,
        case=case,
        about=about,
        way=way,
        created_at=at,
    )


# --- Erasures, corrections, restrictions --------------------------------------------------------------------------


def _tell_advertisers(case: Case, client: Client, about: NoticeAbout, at: datetime) -> None:
    ads = AdDestination.objects.for_client(client).filter(is_active=True)
    tickets = _tickets_to(case, client, about, [(ad.name, ad.pk, ad.instructions) for ad in ads], at)
    RecipientNotice.objects.bulk_create(tickets, ignore_conflicts=True)


def _tell_holders(
    case: Case,
    client: Client,
    callers: Mapping[uuid.UUID, str],
    about: NoticeAbout,
    at: datetime,
    *,
    also: Collection[uuid.UUID] = (),
) -> None:
    """
    Tell the agency's systems and the call trackers, which may have what we have ourselves.

    :param also: trackers that are told though they are not connected any more.
    """
    rows = []
    for delivery in webhooks.announce_request(
        client=client, kind=f"request.{about.value}", request_id=case.pk, callers=callers, at=at
    ):
        row = _notice(case, client, about, NoticeWay.WEBHOOK, at)
        row.recipient, row.target_id = delivery.endpoint.name, delivery.endpoint_id
        row.delivery_id, row.due_at = delivery.pk, at
        rows.append(row)
    ways = Connection.objects.for_client(client).filter(
        models.Q(is_active=True) | models.Q(pk__in=list(also))
    )
    whom = [(f"{TRACKERS.get(way.provider, way.provider)} ({way.name})", way.pk, "") for way in ways]
    rows += _tickets_to(case, client, about, whom, at)
    RecipientNotice.objects.bulk_create(rows, ignore_conflicts=True)


def _tickets_to(
    case: Case, client: Client, about: NoticeAbout, whom: Sequence[tuple[str, uuid.UUID, str]], at: datetime
) -> list[RecipientNotice]:
    """Tickets to recipients by name, with how it is done with each; not written yet."""
    if not whom:
        return []
    corrected = (
        corrections.lines(case, Language.ENGLISH, client=client) if about is NoticeAbout.CORRECTION else []
    )
    rows = []
    for name, target_id, how in whom:
        row = _notice(case, client, about, NoticeWay.TICKET, at)
        row.recipient, row.target_id = name[:120], target_id
        row.ticket = _ticket(case, client, about, name, how=how, corrected=corrected)
        rows.append(row)
    return rows


def _ticket(
    case: Case, client: Client, about: NoticeAbout, name: str, *, how: str, corrected: Sequence[str]
) -> str:
    said = "".join(f"- {line}\n" for line in corrected)
    return (
        f"To {name}\n\nA person whose data {client.legal_name} gave to you {_SAID[about]}, and tell us when it is done."
        f"\n\nPerson: [insert the number: reveal it on the page of request {case.reference}]\n"
        + (f"\nWhat is corrected, as the person is told it:\n{said}\n" if said else "")
        + f"Our reference: {case.reference}\n"
        + (f"\nHow it is done with you: {how}\n" if how else "")
    )


# --- Refusals -----------------------------------------------------------------------------------------------------


def _mirror(case: Case, found: Mapping[int, tuple[Client, Mapping[uuid.UUID, str]]], at: datetime) -> bool:
    """List what consent does about a refusal at each client; returns whether all of it is planned."""
    people = [caller_id for _, callers in found.values() for caller_id in callers]
    rows = Withdrawal.objects.filter(
        client_id__in=list(found), caller_id__in=people, happened_at=said_at(case)
    )
    withdrawals = list(rows)
    if any(one.planned_at is None for one in withdrawals):
        return False
    ids = [one.pk for one in withdrawals]
    notices = []
    for task in VendorTask.objects.filter(client_id__in=list(found), withdrawal_id__in=ids).select_related(
        "destination", "connection"
    ):
        row = _notice(case, found[task.client_id][0], NoticeAbout.OPT_OUT, NoticeWay.TICKET, at)
        whom = task.destination or task.connection
        row.recipient = f"{whom.name if whom else 'Tracker'}: {task.get_step_display()}"[:120]
        row.target_id, row.task_id, row.due_at = task.pk, task.pk, at
        notices.append(row)
    for delivery in WebhookDelivery.objects.filter(
        client_id__in=list(found), event_id__in=ids
    ).select_related("endpoint"):
        row = _notice(case, found[delivery.client_id][0], NoticeAbout.OPT_OUT, NoticeWay.WEBHOOK, at)
        row.recipient, row.target_id = delivery.endpoint.name, delivery.pk
        row.delivery_id, row.due_at = delivery.pk, at
        notices.append(row)
    RecipientNotice.objects.bulk_create(notices, ignore_conflicts=True)
    return True


# --- Receipts -----------------------------------------------------------------------------------------------------

_DONE: Final = (NoticeState.CONFIRMED,)


def settle(*, agency_id: int, at: datetime) -> int:
    """
    Note the receipts of what goes by webhook, by a vendor's step or by a mail of its own; returns of how many there is
    news.

    In the agency's scope.
    """
    rows = list(
        RecipientNotice.objects.filter(agency_id=agency_id)
        .due(at)
        .exclude(state__in=_DONE)
        .order_by("due_at")[:500]
    )
    deliveries = WebhookDelivery.objects.in_bulk([row.delivery_id for row in rows if row.delivery_id])
    tasks = VendorTask.objects.in_bulk([row.task_id for row in rows if row.task_id])
    removals = Removal.objects.select_related("release").in_bulk(
        [row.removal_id for row in rows if row.removal_id]
    )
    by_state: dict[NoticeState, int] = defaultdict(int)
    for row in rows:
        was = row.state
        if row.delivery_id is not None:
            _of_delivery(row, deliveries.get(row.delivery_id), at)
        elif row.task_id is not None:
            _of_task(row, tasks.get(row.task_id), at)
        elif row.removal_id is not None:
            files_told.settle(row, removals.get(row.removal_id), at)
        is_over = row.state in _DONE or (row.removal_id is not None and row.state == NoticeState.SENT)
        row.due_at = None if is_over else at + steps.LEASE
        row.save(update_fields=["state", "sent_at", "confirmed_at", "receipt", "due_at"])
        by_state[NoticeState(row.state)] += row.state != was
    return sum(by_state.values())


def _of_delivery(row: RecipientNotice, found: WebhookDelivery | None, at: datetime) -> None:
    if found is None:
        return
    if found.state == WaitingState.DONE:
        row.state, row.sent_at = NoticeState.CONFIRMED, found.delivered_at or at
        row.confirmed_at, row.receipt = found.delivered_at or at, found.last_status
    elif found.state in {WaitingState.FAILED, WaitingState.CANCELLED}:
        row.state, row.receipt = NoticeState.FAILED, found.last_status


def _of_task(row: RecipientNotice, found: VendorTask | None, at: datetime) -> None:
    if found is None:
        return
    row.sent_at = found.sent_at
    if found.state == WaitingState.DONE:
        row.state, row.confirmed_at, row.receipt = NoticeState.CONFIRMED, found.done_at or at, found.receipt
    elif found.state == WaitingState.SENT:
        row.state = NoticeState.SENT
    elif found.state in {WaitingState.FAILED, WaitingState.CANCELLED}:
        row.state = NoticeState.FAILED


@transaction.atomic
def mark_sent(*, notice: RecipientNotice, by: Actor, at: datetime) -> None:
    """
    Note that a ticket has gone out.

    :raises NotOpenError: it is confirmed, or is no ticket of ours.
    """
    rows = _tickets(notice).filter(state=NoticeState.WAITING, removal_id=None)
    if not rows.update(state=NoticeState.SENT, sent_at=at, sent_by_id=by.user_id):
        raise NotOpenError("This ticket has gone out already.")
    _write_down(EventKind.NOTICE_SENT, notice, by, at)


@transaction.atomic
def confirm(*, notice: RecipientNotice, receipt: str, by: Actor, at: datetime) -> None:
    """
    Note that a recipient has done it, and by what that is known.

    :raises NotOpenError: it is confirmed, or is no ticket of ours. :raises ValueError: no receipt.
    """
    said = " ".join(receipt.split())
    if not said:
        raise ValueError("Write by what it is known that they have done it.")
    rows = _tickets(notice).exclude(state=NoticeState.CONFIRMED)
    if not rows.update(state=NoticeState.CONFIRMED, confirmed_at=at, receipt=said[:300]):
        raise NotOpenError("This ticket is confirmed already.")
    _write_down(EventKind.NOTICE_ACKNOWLEDGED, notice, by, at)


def _tickets(notice: RecipientNotice) -> models.QuerySet[RecipientNotice]:
    return RecipientNotice.objects.filter(pk=notice.pk, way=NoticeWay.TICKET, task_id=None, delivery_id=None)


def _write_down(kind: EventKind, notice: RecipientNotice, by: Actor, at: datetime) -> None:
    case = Case.objects.select_related("submission").get(pk=notice.case_id)
    action = "notice.sent" if kind is EventKind.NOTICE_SENT else "notice.confirmed"
    timeline.add_event(action, case=case, kind=kind, by=by, at=at, about=notice.about, notice=str(notice.pk))
