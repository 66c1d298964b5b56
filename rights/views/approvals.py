"""The client's word: asked for by staff, given behind a link without an account, or by who is signed in as approver."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.adapter import client_address
from callprivacy.accounts.views.form_pages import FORM, INFO
from callprivacy.tenancy.enums import Permission
from consent.services.limits import Verdict, knock
from rights.enums import ApprovalKind
from rights.forms.cases import AnswerForm, AskForm
from rights.models import Approval, Case
from rights.selectors import casebook
from rights.selectors import letters as letter_selectors
from rights.services import approvals
from rights.views.cases import page
from rights.views.doors import above, address_of, case_action, case_page, clients_of, of_case, works

LOOKS: Final = 60
"""How often an hour one address may open links, so that nobody guesses at them."""


@dataclass(frozen=True, slots=True)
class _Question:
    """What the client is asked of a case, and whom of the client the agency knows."""

    case: Case
    kind: ApprovalKind
    known: dict[str, Any]

    @property
    def hands_over(self) -> bool:
        return self.kind is ApprovalKind.TAKE_OVER

    def pick(self, hands_over: str, asks: str) -> str:
        """One of two texts, with the client's name in it."""
        return (hands_over if self.hands_over else asks).format(self.case.client)


def _question(request: StaffRequest, case: Case, how: str) -> _Question:
    kind = {"approve": ApprovalKind.APPROVE, "hand-over": ApprovalKind.TAKE_OVER}.get(how)
    if kind is None or case.closed_at is not None:
        raise Http404
    return _Question(case, kind, dict(approvals.known_addresses(case, at=request.at)))


@case_page(
    AskForm,
    load=_question,
    title=lambda question: question.pick("Hand it over to {}", "Ask {}"),
    button=lambda question: question.pick("Hand it over", "Ask"),
    crumbs=lambda question: above(question.case),
    fill=lambda _, question: {"known": question.known},
    errors={approvals.NotToAskError: FORM, approvals.UnknownAddressError: FORM},
    secret=("words", "to"),
    template="rights/ask.html",
)
def ask_client(request: StaffRequest, question: _Question, form: AskForm) -> str:
    """Ask the client's person whether it may be done, or hand the case over."""
    said = form.cleaned_data
    approvals.ask_client(
        case=question.case,
        kind=question.kind,
        to=said["to"],
        said=said["words"],
        by=request.actor,
        at=request.at,
        is_vouched=said["is_vouched"],
    )
    return "The email is being sent. The deadline still runs."


def _find(case: Case, approval_id: UUID) -> Approval:
    row = (
        Approval.objects.filter(pk=approval_id, case=case)
        .select_related("case__submission", "case__client")
        .first()
    )
    if row is None:
        raise Http404
    return row


def _asked(request: StaffRequest, case: Case, approval_id: UUID) -> Approval:
    return _find(case, approval_id)


@case_action(load=_asked, back=lambda row: address_of(row.case), errors={approvals.AnsweredError: INFO})
def take_back(request: StaffRequest, row: Approval, _: Any) -> str:
    """Take a question back; its link opens nothing any more."""
    approvals.take_back(approval=row, by=request.actor, at=request.at)
    return "The question is taken back; its link opens nothing any more."


@require_safe
def list_decisions(request: StaffRequest) -> HttpResponse:
    """What waits for the answer of the client's person, earliest due first, and the reports of the company."""
    if works(request):
        raise PermissionDenied("This page is for the client's people. Your open items are in the inbox.")
    clients = clients_of(request)
    reports = access.clients_with(request.membership, Permission.VIEW_ANALYTICS, at=request.at)
    context = {
        "decisions": casebook.decisions_awaiting([client.pk for client in clients], at=request.at),
        "reports": list(reports),
    }
    return render(request, "rights/decisions.html", context)


@require_POST
@sensitive_post_parameters("words", "name")
@of_case
def answer_here(request: StaffRequest, case: Case, approval_id: UUID) -> HttpResponse:
    """The client's person answers who is signed in; nobody of the agency approves for the client."""
    if works(request):
        raise PermissionDenied("Only who approves for the client answers this; send the client the link.")
    row = _find(case, approval_id)
    form = AnswerForm(request.POST, kind=row.kind)
    if not form.is_valid():
        return page(request, case, 422, answer_form=form)
    said = form.cleaned_data
    try:
        approvals.answer_signed_in(
            approval=row,
            agrees=said["agrees"] == "yes",
            name=said["name"],
            said=said["words"],
            by=request.actor,
            at=request.at,
        )
    except approvals.AnsweredError as error:
        messages.info(request, str(error))
    else:
        messages.success(request, "Your answer is written down.")
    return redirect("rights:case", case.pk)


@login_not_required
@never_cache
@sensitive_post_parameters("words", "name")
@require_http_methods(["GET", "HEAD", "POST"])
def answer_by_link(request: HttpRequest, token: str) -> HttpResponse:
    """The client's page behind a link: what is asked, one answer, and its receipt."""
    at = timezone.now()
    if (
        knock("approve", client_address(request) or "", most=LOOKS, per=timedelta(hours=1), at=at)
        is Verdict.FULL
    ):
        return _draw(request, "rights/public/approval_gone.html", {"is_full": True}, 429)
    try:
        asked = approvals.show(token=token, at=at)
        form = AnswerForm(request.POST or None, kind=asked.approval.kind)
        if request.method == "POST" and form.is_valid():
            asked = _answer(token, form, at) or approvals.show(token=token, at=at)
    except approvals.UnknownLinkError:
        return _draw(request, "rights/public/approval_gone.html", {}, 404)
    wrong = request.method == "POST" and not form.is_valid() and asked.is_open
    return _draw(request, "rights/public/approval.html", _context(asked, form), 422 if wrong else 200)


def _answer(token: str, form: AnswerForm, at: datetime) -> approvals.Asked | None:
    """Write the answer down; None where the question is not open any more, and its page says so."""
    said = form.cleaned_data
    try:
        return approvals.answer(
            token=token, agrees=said["agrees"] == "yes", name=said["name"], said=said["words"], at=at
        )
    except approvals.AnsweredError:
        return None


def _context(asked: approvals.Asked, form: AnswerForm) -> dict[str, Any]:
    return {
        "asked": asked,
        "case": asked.case,
        "zone": letter_selectors.zone_of(asked.case),
        "form": form,
    }


def _draw(request: HttpRequest, template: str, context: dict[str, Any], status: int) -> HttpResponse:
    response = render(request, template, context, status=status)
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response
