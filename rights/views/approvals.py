"""The client's word: asked for by staff, given behind a link without an account, or by who is signed in as approver."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.adapter import client_address
from callprivacy.accounts.views.form_pages import FORM, INFO, action
from callprivacy.accounts.views.tables import Column, Empty, Table, list_page
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
    entered = form.cleaned_data
    approvals.ask_client(
        case=question.case,
        kind=question.kind,
        to=entered["to"],
        said=entered["words"],
        by=request.actor,
        at=request.at,
        is_vouched=entered["is_vouched"],
    )
    return "The email is being sent. The deadline still runs."


def _asked(request: StaffRequest, case: Case, approval_id: UUID) -> Approval:
    rows = Approval.objects.filter(case=case).select_related("case__submission", "case__client")
    return get_object_or_404(rows, pk=approval_id)


@case_action(load=_asked, back=lambda row: address_of(row.case), errors={approvals.AnsweredError: INFO})
def take_back(request: StaffRequest, row: Approval, _: Any) -> str:
    approvals.take_back(approval=row, by=request.actor, at=request.at)
    return "The question is withdrawn. Its link no longer works."


@list_page(
    Table(
        label="Decisions awaiting you",
        columns=(
            Column("Request", "case.reference", link=lambda row: address_of(row.case)),
            Column("Client", "case.client.name"),
            Column("Decision", "get_kind_display"),
            Column("Due", "expires_at"),
        ),
        empty=Empty("No decisions awaiting you", "When the agency asks for your approval, it appears here."),
    ),
    right=None,
    more=lambda request: {
        "reports": access.clients_with(request.membership, Permission.VIEW_ANALYTICS, at=request.at)
    },
    template="rights/decisions.html",
)
def list_decisions(request: StaffRequest) -> QuerySet[Approval]:
    if works(request):
        raise PermissionDenied("This page is for the client's people. Your open items are in the inbox.")
    return casebook.decisions_awaiting([client.pk for client in clients_of(request)], at=request.at)


def _to_answer(request: StaffRequest, case: Case, approval_id: UUID) -> Approval:
    if works(request):
        raise PermissionDenied("Only an approver of the client answers this; send the client the link.")
    return _asked(request, case, approval_id)


@action(
    AnswerForm,
    right=of_case,
    load=_to_answer,
    back=lambda row: address_of(row.case),
    fill=lambda _, row: {"kind": row.kind},
    redraw=lambda request, row, form: page(request, row.case, 422, answer_form=form),
    errors={approvals.AnsweredError: INFO},
    secret=("words", "name"),
)
def answer_here(request: StaffRequest, row: Approval, form: AnswerForm) -> str:
    answer = form.cleaned_data
    approvals.answer_signed_in(
        approval=row,
        agrees=answer["agrees"] == "yes",
        name=answer["name"],
        said=answer["words"],
        by=request.actor,
        at=request.at,
    )
    return "Your answer is saved."


@login_not_required
@never_cache
@sensitive_post_parameters("words", "name")
@require_http_methods(["GET", "HEAD", "POST"])
def answer_by_link(request: HttpRequest, token: str) -> HttpResponse:
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
    answer = form.cleaned_data
    try:
        return approvals.answer(
            token=token, agrees=answer["agrees"] == "yes", name=answer["name"], said=answer["words"], at=at
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
