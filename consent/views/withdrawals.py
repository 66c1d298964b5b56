"""The board of withdrawals, the steps that vendors owe, and what a person does with each."""

from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, confirms, needs
from callprivacy.accounts.enums import AgencyRight, Deed
from callprivacy.calls.enums import RevealReason
from callprivacy.calls.forms.calls import RevealForm
from callprivacy.calls.services import reveals
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from consent.enums import OnWithdrawal, VendorStep
from consent.forms.withdrawals import ChoiceForm, DoneForm, LetterForm, ReplyForm
from consent.models import VendorTask, Withdrawal
from consent.selectors import withdrawals as selectors
from consent.services import vendor_tasks, withdrawals
from consent.services.withdrawals import NAMES_CALLER
from consent.tasks.withdrawals import nudge_withdrawals

_STATES: Final = (
    ("open", "Open"),
    ("late", "Past target"),
    ("law", "Near or past the legal deadline"),
    ("failed", "Failed at Twilio"),
    ("done", "Closed"),
    ("", "All"),
)


@require_safe
def list_all(request: StaffRequest) -> HttpResponse:
    """The board over every client that the person looks after."""
    clients = list(access.clients_with(request.membership, Permission.MANAGE_CONSENT, at=request.at))
    if not clients:
        raise Http404
    return _board(request, clients, None)


@require_safe
@needs(Permission.MANAGE_CONSENT)
def list_withdrawals(request: StaffRequest, client: Client) -> HttpResponse:
    return _board(request, [client], client)


def _board(request: StaffRequest, clients: list[Client], client: Client | None) -> HttpResponse:
    state = request.GET.get("state", "open")
    state = state if state in dict(_STATES) else "open"
    found = selectors.board(
        [one.pk for one in clients], state=state, at=request.at, before=request.GET.get("before", "")
    )
    context: dict[str, Any] = {
        "client": client,
        "board": found,
        "state": state,
        "states": [
            {
                "label": label,
                "url": f"?state={value}",
                "active": value == state,
                "count": found.total_open if value == "open" else None,
            }
            for value, label in _STATES
        ],
        "pressing": selectors.pressing([one.pk for one in clients], at=request.at),
        "loose": selectors.loose_steps(client, at=request.at) if client is not None else [],
    }
    return render(request, "consent/withdrawals.html", context)


@require_safe
@needs(Permission.MANAGE_CONSENT)
def show_withdrawal(request: StaffRequest, client: Client, withdrawal_id: UUID) -> HttpResponse:
    """One withdrawal: what counts here since when, and how far each vendor is."""
    row = get_object_or_404(Withdrawal.objects.for_client(client).select_related("client"), pk=withdrawal_id)
    (line,) = selectors.board([client.pk], state="", at=request.at, withdrawal_id=row.pk).lines
    context = {"client": client, "line": line, "steps": selectors.steps_of(row, at=request.at)}
    return render(request, "consent/withdrawal.html", context)


def _find(request: StaffRequest, client: Client, task_id: UUID) -> selectors.Step:
    step = selectors.step_of(client, task_id, at=request.at)
    if step is None:
        raise Http404
    return step


def _page(
    request: StaffRequest, client: Client, step: selectors.Step, status: int = 200, **more: Any
) -> HttpResponse:
    task = step.task
    context = {
        "client": client,
        "step": step,
        "is_choice": task.step == VendorStep.CHOOSE,
        "numbers": withdrawals.ungated(client, task.connection)
        if task.step == VendorStep.CHOOSE and task.connection is not None
        else [],
        "choice": ChoiceForm(),
        "letter": LetterForm(initial={"words": task.ticket}),
        "reply": ReplyForm(initial={"words": task.reply}),
        "done": DoneForm(),
        "names_caller": task.step in NAMES_CALLER,
        "may_choose": access.has_right(request.membership, AgencyRight.SIGN_OFF),
        "reveal": RevealForm(initial={"reason_kind": RevealReason.VENDOR}),
        "limit": request.agency.reveals_per_hour,
        "seconds": int(reveals.SHOWN_FOR.total_seconds()),
        **more,
    }
    return render(request, "consent/vendor_task.html", context, status=status)


@require_safe
@needs(Permission.MANAGE_CONSENT)
def show_step(request: StaffRequest, client: Client, task_id: UUID) -> HttpResponse:
    """One step: what to do, the letter, the answer, the receipt."""
    return _page(request, client, _find(request, client, task_id))


@require_POST
@never_cache
@needs(Permission.MANAGE_CONSENT, also_left=True)
@confirms(Deed.REVEAL)
@sensitive_post_parameters("reason")
def show_reference(request: StaffRequest, client: Client, task_id: UUID) -> HttpResponse:
    """
    Show what the vendor has to find; that it was shown is in the trail.

    A number is shown to who may show numbers, for a reason and within the hour's limit; an address never is.
    """
    step = _find(request, client, task_id)
    if step.task.step not in NAMES_CALLER:
        shown = vendor_tasks.show_reference(task=step.task, by=request.actor, at=request.at)
        return _page(request, client, step, shown=shown, is_shown=True)
    access.require(request, Permission.REVEAL_NUMBERS, client)
    form = RevealForm(request.POST)
    if not form.is_valid():
        return _page(request, client, step, 422, reveal=form)
    try:
        revealed = vendor_tasks.reveal_number(
            task=step.task,
            agency=request.agency,
            reason_kind=RevealReason(form.cleaned_data["reason_kind"]),
            reason=form.cleaned_data["reason"],
            by=request.actor,
            at=request.at,
        )
    except vendor_tasks.RevealLimitError:
        return _page(request, client, step, HTTPStatus.TOO_MANY_REQUESTS, over_limit=True)
    except vendor_tasks.NoNumberError as error:
        form.add_error(None, str(error))
        return _page(request, client, step, 422, reveal=form)
    return _page(request, client, step, revealed=revealed)


@require_POST
@needs(Permission.MANAGE_CONSENT, also_left=True)
def choose(request: StaffRequest, client: Client, task_id: UUID) -> HttpResponse:
    """Choose how the tracker leaves the caller unrecorded; an officer does."""
    access.require(request, AgencyRight.SIGN_OFF, client)
    step = _find(request, client, task_id)
    form = ChoiceForm(request.POST)
    if not form.is_valid():
        return _page(request, client, step, 422, choice=form)
    if form.cleaned_data["for_all"]:
        access.require(request, Permission.MANAGE_CONNECTIONS, client)
    try:
        follow = withdrawals.choose(
            task=step.task,
            choice=OnWithdrawal(form.cleaned_data["choice"]),
            for_all=form.cleaned_data["for_all"],
            by=request.actor,
            at=request.at,
        )
    except withdrawals.NotToChooseError:
        messages.info(request, "This step was decided already.")
        return redirect("consent:vendor_task", client.slug, task_id)
    nudge_withdrawals(client.agency_id)
    if follow:
        messages.success(request, "Choice saved. The next step is below.")
        return redirect("consent:vendor_task", client.slug, follow[0].pk)
    messages.success(
        request, "Choice saved. Each later recording of this caller gets a deletion step for the vendor."
    )
    return _back(client, step.task)


def _back(client: Client, task: VendorTask) -> HttpResponse:
    if task.withdrawal_id is not None:
        return redirect("consent:withdrawal", client.slug, task.withdrawal_id)
    return redirect("consent:withdrawals", client.slug)


@require_POST
@needs(Permission.MANAGE_CONSENT, also_left=True)
def mark_sent(request: StaffRequest, client: Client, task_id: UUID) -> HttpResponse:
    """The letter went out."""
    step = _find(request, client, task_id)
    form = LetterForm(request.POST)
    if not form.is_valid():
        return _page(request, client, step, 422, letter=form)
    try:
        vendor_tasks.mark_sent(
            task=step.task, words=form.cleaned_data["words"], by=request.actor, at=request.at
        )
    except vendor_tasks.KeptBackError as error:
        messages.warning(request, str(error))
    except vendor_tasks.NotOpenError:
        messages.info(request, "This step is no longer waiting to be sent.")
    else:
        messages.success(request, "Saved as sent. You get a reminder after 7 days and another after 14.")
    return redirect("consent:vendor_task", client.slug, task_id)


@require_POST
@needs(Permission.MANAGE_CONSENT, also_left=True)
def note_reply(request: StaffRequest, client: Client, task_id: UUID) -> HttpResponse:
    """What the vendor answered."""
    step = _find(request, client, task_id)
    form = ReplyForm(request.POST)
    if not form.is_valid():
        return _page(request, client, step, 422, reply=form)
    try:
        vendor_tasks.note_reply(
            task=step.task, words=form.cleaned_data["words"], by=request.actor, at=request.at
        )
    except vendor_tasks.NotOpenError:
        messages.info(request, "This step has no open letter.")
    else:
        messages.success(request, "Reply saved. Check the vendor's own page before you confirm the step.")
    return redirect("consent:vendor_task", client.slug, task_id)


@require_POST
@needs(Permission.MANAGE_CONSENT, also_left=True)
def confirm_done(request: StaffRequest, client: Client, task_id: UUID) -> HttpResponse:
    """It is done at the vendor, and somebody looked."""
    step = _find(request, client, task_id)
    form = DoneForm(request.POST)
    if not form.is_valid():
        return _page(request, client, step, 422, done=form)
    try:
        vendor_tasks.confirm_done(
            task=step.task,
            receipt=form.cleaned_data["receipt"],
            was_checked=form.cleaned_data["was_checked"],
            by=request.actor,
            at=request.at,
        )
    except vendor_tasks.NotOpenError:
        messages.info(request, "This step was done already.")
    else:
        nudge_withdrawals(client.agency_id)
        messages.success(
            request, "Step completed with its receipt. The details for the vendor are deleted here."
        )
    return _back(client, step.task)


@require_POST
@needs(Permission.MANAGE_CONSENT, also_left=True)
def try_again(request: StaffRequest, client: Client, task_id: UUID) -> HttpResponse:
    """Ask the vendor's interface once more."""
    step = _find(request, client, task_id)
    try:
        vendor_tasks.try_again(task=step.task, by=request.actor, at=request.at)
    except vendor_tasks.NotOpenError:
        messages.info(request, "This step has not failed.")
    else:
        messages.success(request, "Retry queued. It runs within a minute.")
    return redirect("consent:vendor_task", client.slug, task_id)
