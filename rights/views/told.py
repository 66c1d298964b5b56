"""Notifications of recipients about erasures, corrections, restrictions and opt-outs, with their receipts."""

from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.views.form_pages import INFO
from callprivacy.accounts.views.tables import Column, Empty, Pill, Table, list_page
from rights.enums import NoticeState
from rights.forms.cases import ReceiptForm
from rights.models import Case, RecipientNotice
from rights.selectors import told
from rights.services import passing
from rights.views.doors import address_of, case_action, clients_of, of_case, works

_TONES: Final = {NoticeState.CONFIRMED: "good", NoticeState.FAILED: "bad", NoticeState.SENT: "info"}


def _address(notice: RecipientNotice) -> str:
    return reverse("rights:told", args=[notice.case_id, notice.pk])


_NOTICES: Final = Table(
    label="Recipient notifications",
    columns=(
        Column("Recipient", "recipient", link=_address),
        Column("Request", "case.reference", link=lambda row: address_of(row.case), note="case.client.name"),
        Column("Subject", "get_about_display"),
        Column("Channel", "get_way_display"),
        Column("State", lambda row: Pill(row.get_state_display(), _TONES.get(row.state, "warn"))),
        Column("Receipt", "receipt", note="confirmed_at", nothing="none yet"),
    ),
    empty=Empty(
        "No recipients to notify",
        "When shared data must be erased, corrected or no longer shared, the recipients and their receipts are here.",
    ),
)
OF_CASE: Final = replace(
    _NOTICES, columns=[column for column in _NOTICES.columns if column.label != "Request"]
)


@list_page(
    _NOTICES,
    right=None,
    lede="Each recipient of a person’s data is to be notified of an erasure, correction, restriction or opt-out.",
    tabs=[(name, label, _NOTICES.empty) for name, label in told.STATES],
)
def list_told(request: StaffRequest) -> QuerySet[RecipientNotice]:
    client_ids = [client.pk for client in clients_of(request)]
    return told.notices(
        client_ids, state=request.GET.get("show", ""), reference=request.GET.get("case", "")[:12]
    )


def _find(request: StaffRequest, case: Case, word_id: UUID) -> RecipientNotice:
    notice = told.find(case.pk, word_id)
    if notice is None:
        raise Http404
    notice.case = case
    return notice


@require_safe
@of_case
def show_told(request: StaffRequest, case: Case, word_id: UUID) -> HttpResponse:
    return _page(request, _find(request, case, word_id), ReceiptForm(), 200)


def _page(
    request: StaffRequest, notice: RecipientNotice, form: ReceiptForm, status: int = 422
) -> HttpResponse:
    context = {
        "case": notice.case,
        "notice": notice,
        "form": form,
        "works": works(request),
        "zone": (notice.case.client or notice.case.agency).time_zone,
    }
    return render(request, "rights/told_one.html", context, status=status)


@case_action(load=_find, back=_address, errors={passing.NotOpenError: INFO})
def mark_sent(request: StaffRequest, notice: RecipientNotice, _: Any) -> str:
    passing.mark_sent(notice=notice, by=request.actor, at=request.at)
    return "Saved as sent. Record the recipient’s receipt when it arrives."


@case_action(ReceiptForm, load=_find, back=_address, redraw=_page, errors={passing.NotOpenError: INFO})
def confirm(request: StaffRequest, notice: RecipientNotice, form: ReceiptForm) -> str:
    passing.confirm(notice=notice, receipt=form.cleaned_data["receipt"], by=request.actor, at=request.at)
    return "Confirmed, with its receipt."
