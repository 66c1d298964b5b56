"""Recipients who are told of erasures, corrections, restrictions and opt-outs, with their passing."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.views.form_pages import INFO
from consent.selectors import pages
from rights.forms.cases import ReceiptForm
from rights.models import Case, RecipientNotice
from rights.selectors import told
from rights.services import passing
from rights.views.doors import case_action, clients_of, of_case, work_of_case, works


@require_safe
def list_told(request: StaffRequest) -> HttpResponse:
    """Everybody who is told, over every client that the person looks after; without a receipt first."""
    clients = clients_of(request)
    state = request.GET.get("state", "open")
    state = state if state in dict(told.STATES) else "open"
    found, older = pages.newest(
        told.notices([one.pk for one in clients], state=state, reference=request.GET.get("case", "")[:12]),
        "created_at",
        before=request.GET.get("before", ""),
        size=told.PAGE,
    )
    tabs = [
        {"label": label, "url": f"?state={value}", "active": value == state} for value, label in told.STATES
    ]
    return render(request, "rights/told.html", {"rows": found, "older": older, "tabs": tabs})


def _find(case: Case, notice_id: UUID) -> RecipientNotice:
    found = told.find(case.pk, notice_id)
    if found is None:
        raise Http404
    found.case = case
    return found


@require_safe
@of_case
def show_told(request: StaffRequest, case: Case, word_id: UUID) -> HttpResponse:
    """One recipient: what was said, and the receipt."""
    return _page(request, case, _find(case, word_id), ReceiptForm())


def _page(
    request: StaffRequest, case: Case, notice: RecipientNotice, form: ReceiptForm, status: int = 200
) -> HttpResponse:
    context = {
        "case": case,
        "notice": notice,
        "form": form,
        "works": works(request),
        "zone": (case.client or case.agency).time_zone,
    }
    return render(request, "rights/told_one.html", context, status=status)


def _load(request: StaffRequest, case: Case, word_id: UUID) -> RecipientNotice:
    return _find(case, word_id)


@case_action(
    load=_load,
    back=lambda notice: reverse("rights:told", args=[notice.case_id, notice.pk]),
    errors={passing.NotOpenError: INFO},
)
def mark_sent(request: StaffRequest, notice: RecipientNotice, _: Any) -> str:
    """The letter went out."""
    passing.mark_sent(notice=notice, by=request.actor, at=request.at)
    return "Saved as sent. Record the recipient’s receipt when it arrives."


@require_POST
@work_of_case
def confirm(request: StaffRequest, case: Case, word_id: UUID) -> HttpResponse:
    notice = _find(case, word_id)
    form = ReceiptForm(request.POST)
    if not form.is_valid():
        return _page(request, case, notice, form, 422)
    try:
        passing.confirm(notice=notice, receipt=form.cleaned_data["receipt"], by=request.actor, at=request.at)
    except passing.NotOpenError as error:
        messages.info(request, str(error))
    else:
        messages.success(request, "Confirmed, with its receipt.")
    return redirect("rights:told", case.pk, word_id)
