"""Withdrawals, and their steps at vendors."""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, confirms, needs
from callprivacy.accounts.enums import AgencyRight, Deed
from callprivacy.accounts.views.form_pages import INFO, WARNING, Done, action
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
    board = selectors.board(
        [one.pk for one in clients], state=state, at=request.at, before=request.GET.get("before", "")
    )
    context: dict[str, Any] = {
        "client": client,
        "board": board,
        "state": state,
        "states": [
            {
                "label": label,
                "url": f"?state={value}",
                "active": value == state,
                "count": board.total_open if value == "open" else None,
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
    """One withdrawal: when it took effect here, and the status at each vendor."""
    row = get_object_or_404(Withdrawal.objects.for_client(client).select_related("client"), pk=withdrawal_id)
    (line,) = selectors.board([client.pk], state="", at=request.at, withdrawal_id=row.pk).lines
    context = {"client": client, "line": line, "steps": selectors.steps_of(row, at=request.at)}
    return render(request, "consent/withdrawal.html", context)


def _load(request: StaffRequest, client: Client, task_id: UUID) -> selectors.Step:
    step = selectors.step_of(client, task_id, at=request.at)
    if step is None:
        raise Http404
    return step


def _page(request: StaffRequest, step: selectors.Step, status: int = 200, **more: Any) -> HttpResponse:
    task = step.task
    context = {
        "client": task.client,
        "step": step,
        "is_choice": task.step == VendorStep.CHOOSE,
        "numbers": withdrawals.ungated(task.client, task.connection)
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
    """One step: the task, the letter, the answer, the receipt."""
    return _page(request, _load(request, client, task_id))


@require_POST
@never_cache
@needs(Permission.MANAGE_CONSENT, also_left=True)
@confirms(Deed.REVEAL)
@sensitive_post_parameters("reason")
def show_reference(request: StaffRequest, client: Client, task_id: UUID) -> HttpResponse:
    """
    Show the vendor ID or reveal the number; the audit log records it.

    A number takes the permission to reveal numbers, a reason, and the hourly limit; an address is never shown.
    """
    step = _load(request, client, task_id)
    if step.task.step not in NAMES_CALLER:
        shown = vendor_tasks.show_reference(task=step.task, by=request.actor, at=request.at)
        return _page(request, step, shown=shown, is_shown=True)
    access.require(request, Permission.REVEAL_NUMBERS, client)
    form = RevealForm(request.POST)
    if not form.is_valid():
        return _page(request, step, 422, reveal=form)
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
        return _page(request, step, HTTPStatus.TOO_MANY_REQUESTS, over_limit=True)
    except vendor_tasks.NoNumberError as error:
        form.add_error(None, str(error))
        return _page(request, step, 422, reveal=form)
    return _page(request, step, revealed=revealed)


def _address(task: VendorTask) -> str:
    return reverse("consent:vendor_task", args=[task.client.slug, task.pk])


def _above(task: VendorTask) -> str:
    if task.withdrawal_id is not None:
        return reverse("consent:withdrawal", args=[task.client.slug, task.withdrawal_id])
    return reverse("consent:withdrawals", args=[task.client.slug])


def _redraw(name: str) -> Callable[[StaffRequest, selectors.Step, forms.Form], HttpResponse]:
    return lambda request, step, form: _page(request, step, 422, **{name: form})


_action: Final = partial(
    action,
    right=needs(Permission.MANAGE_CONSENT, also_left=True),
    load=_load,
    back=lambda step: _address(step.task),
)


def _load_choice(request: StaffRequest, client: Client, task_id: UUID) -> selectors.Step:
    access.require(request, AgencyRight.SIGN_OFF, client)
    return _load(request, client, task_id)


@_action(ChoiceForm, load=_load_choice, redraw=_redraw("choice"))
def choose(request: StaffRequest, step: selectors.Step, form: ChoiceForm) -> Done:
    """Choose how the tracker leaves the caller unrecorded; an officer does."""
    task = step.task
    if form.cleaned_data["for_all"]:
        access.require(request, Permission.MANAGE_CONNECTIONS, task.client)
    try:
        follow = withdrawals.choose(
            task=task,
            choice=OnWithdrawal(form.cleaned_data["choice"]),
            for_all=form.cleaned_data["for_all"],
            by=request.actor,
            at=request.at,
        )
    except withdrawals.NotToChooseError:
        return Done("This step was decided already.", level=INFO)
    nudge_withdrawals(task.agency_id)
    if follow:
        address = reverse("consent:vendor_task", args=[task.client.slug, follow[0].pk])
        return Done("Choice saved. The next step is below.", address)
    return Done(
        "Choice saved. Each later recording of this caller gets a deletion step for the vendor.", _above(task)
    )


@_action(LetterForm, errors={vendor_tasks.KeptBackError: WARNING}, redraw=_redraw("letter"))
def mark_sent(request: StaffRequest, step: selectors.Step, form: LetterForm) -> Done:
    try:
        vendor_tasks.mark_sent(task=step.task, by=request.actor, at=request.at, **form.cleaned_data)
    except vendor_tasks.NotOpenError:
        return Done("This step is no longer waiting to be sent.", level=INFO)
    return Done("Saved as sent. You get a reminder after 7 days and another after 14.")


@_action(ReplyForm, redraw=_redraw("reply"))
def note_reply(request: StaffRequest, step: selectors.Step, form: ReplyForm) -> Done:
    try:
        vendor_tasks.note_reply(task=step.task, by=request.actor, at=request.at, **form.cleaned_data)
    except vendor_tasks.NotOpenError:
        return Done("This step has no open letter.", level=INFO)
    return Done("Reply saved. Check the vendor's own page before you confirm the step.")


@_action(DoneForm, redraw=_redraw("done"))
def confirm_done(request: StaffRequest, step: selectors.Step, form: DoneForm) -> Done:
    """Confirm that the vendor completed the step, and that a team member checked."""
    try:
        vendor_tasks.confirm_done(task=step.task, by=request.actor, at=request.at, **form.cleaned_data)
    except vendor_tasks.NotOpenError:
        return Done("This step was done already.", _above(step.task), INFO)
    nudge_withdrawals(step.task.agency_id)
    return Done(
        "Step completed with its receipt. The details for the vendor are deleted here.", _above(step.task)
    )


@_action()
def try_again(request: StaffRequest, step: selectors.Step, _: Any) -> Done:
    try:
        vendor_tasks.try_again(task=step.task, by=request.actor, at=request.at)
    except vendor_tasks.NotOpenError:
        return Done("This step has not failed.", level=INFO)
    return Done("Retry queued. It runs within a minute.")
