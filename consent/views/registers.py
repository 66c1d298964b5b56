"""Do-not-call and reassigned-number lists: import, progress and removal."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs_right
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.views.form_pages import INFO, action
from callprivacy.calls.enums import JobState
from callprivacy.calls.http import SealingUpload
from callprivacy.lib import calendars
from callprivacy.tenancy.enums import Permission
from consent.enums import ListKind
from consent.forms.registers import AnswersForm, AsOfForm, RegisterForm
from consent.models import NumberList
from consent.selectors import contact as selectors
from consent.services import contact, registers
from consent.tasks.registers import nudge_registers

LISTED: Final = 50
_WORDS: Final = {
    JobState.DRAFT: "Not started",
    JobState.QUEUED: "Queued",
    JobState.RUNNING: "Reading the file",
    JobState.DONE: "File read",
    JobState.FAILED: "File not read",
    JobState.CANCELLED: "Removed before it was read",
}
_ENDS: Final = (
    "This cannot be undone. A “yes” ends every consent of that number that predates the disconnection, at every client,"
    " on the disconnection date. If the answer gives no date, consent ends on the date you asked about, the earliest"
    " possible. Recordings from that date on are decided again. Withdrawals and refusals never change."
)
_OPEN: Final = frozenset({JobState.QUEUED, JobState.RUNNING})


def _today(request: StaffRequest) -> date:
    return calendars.day_in(request.agency.time_zone, request.at)


def _about(row: NumberList, at: datetime) -> dict[str, Any]:
    """A list with its age, and its state in words and a color."""
    register = selectors.register_of(row)
    days = contact.days_old(register, at)
    is_dnc = row.kind == ListKind.DO_NOT_CALL
    if row.state in _OPEN:
        words, tone = "Reading", "info"
    elif row.state == JobState.FAILED:
        words, tone = "Failed", "bad"
    elif not row.is_active:
        words, tone = ("Removed" if row.state == JobState.CANCELLED else "No longer used"), ""
    elif is_dnc and not contact.is_fresh(register, at):
        words, tone = "Outdated", "bad"
    else:
        words, tone = "Active", "good"
    return {"row": row, "days": days, "words": words, "tone": tone, "is_dnc": is_dnc}


@require_safe
@never_cache
@needs_right(AgencyRight.SIGN_OFF)
def list_registers(request: StaffRequest) -> HttpResponse:
    rows = list(selectors.registers()[:LISTED])
    of = {kind: [_about(row, request.at) for row in rows if row.kind == kind] for kind in ListKind}
    context = {
        "registers": of[ListKind.DO_NOT_CALL],
        "answers": of[ListKind.REASSIGNED],
        "fresh_for": contact.FRESH_FOR.days,
        "clients": access.clients_with(request.membership, Permission.REVEAL_NUMBERS, at=request.at),
    }
    return render(request, "consent/registers.html", context)


@csrf_exempt  # until the file is encrypted; `_bring` is protected
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs_right(AgencyRight.SIGN_OFF)
def new_register(request: StaffRequest) -> HttpResponse:
    return _sealing(request, registers.AT_MOST, _bring_register)


@csrf_exempt  # until the file is encrypted; `_bring` is protected
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs_right(AgencyRight.SIGN_OFF)
def new_answers(request: StaffRequest) -> HttpResponse:
    return _sealing(request, registers.ANSWERS_AT_MOST, _bring_answers)


type _Bring = Callable[[StaffRequest, SealingUpload], HttpResponse]


def _sealing(request: StaffRequest, at_most: int, bring: _Bring) -> HttpResponse:
    """Encrypt the file with the agency's keys on arrival, before the rest of the request is read."""
    holder = registers.holder_of(request.agency.pk)
    if request.method == "POST":
        registers.open_holder(agency_id=request.agency.pk, at=request.at)
    handler = SealingUpload(holder, at=request.at, at_most=at_most)
    request.upload_handlers = [handler]
    try:
        return bring(request, handler)
    finally:
        handler.forget_unclaimed()


@csrf_protect
def _bring_register(request: StaffRequest, handler: SealingUpload) -> HttpResponse:
    clients = access.clients_with(request.membership, Permission.MANAGE_CONSENT, at=request.at)
    form = RegisterForm(request.POST or None, request.FILES or None, clients=clients, today=_today(request))
    if request.method == "POST" and _is_good(form, handler, "256 MB"):
        row = registers.bring_register(
            agency=request.agency,
            client=form.cleaned_data["client"],
            name=form.cleaned_data["name"],
            as_of=form.cleaned_data["as_of"],
            area_codes=form.cleaned_data["area_codes"],
            stored=form.cleaned_data["file"].stored,
            by=request.actor,
            at=request.at,
        )
        return _brought(request, handler, row)
    context = {
        "form": form,
        "title": "Import a do-not-call list",
        "about": "It replaces the list of the same name once the whole file is read.",
        "button": "Import list",
        "back": reverse("consent:registers"),
    }
    return render(request, "form_page.html", context)


@csrf_protect
def _bring_answers(request: StaffRequest, handler: SealingUpload) -> HttpResponse:
    form = AnswersForm(request.POST or None, request.FILES or None, today=_today(request))
    if request.method == "POST" and _is_good(form, handler, "32 MB"):
        row = registers.bring_answers(
            agency=request.agency,
            as_of=form.cleaned_data["as_of"],
            stored=form.cleaned_data["file"].stored,
            by=request.actor,
            at=request.at,
        )
        return _brought(request, handler, row)
    context = {
        "form": form,
        "title": "Import reassigned-number answers",
        "about": _ENDS,
        "button": "Import answers and end consents",
        "is_final": True,
        "back": reverse("consent:registers"),
    }
    return render(request, "form_page.html", context)


def _is_good(form: AsOfForm, handler: SealingUpload, limit: str) -> bool:
    if handler.is_too_large:
        form.add_error("file", f"The file is larger than {limit}. Split it by area code.")
    return form.is_valid()


def _brought(request: StaffRequest, handler: SealingUpload, row: NumberList) -> HttpResponse:
    handler.is_claimed = True
    nudge_registers(request.agency.pk)
    return redirect("consent:register", row.pk)


def _find(list_id: UUID) -> NumberList:
    return get_object_or_404(selectors.registers(), pk=list_id)


def _progress(row: NumberList) -> dict[str, Any]:
    answers = [
        {"label": label, "value": f"{row.answers.get(name, 0):,}"}
        for name, label in (
            ("yes", "Disconnected"),
            ("no", "Not disconnected"),
            ("no_data", "No data"),
        )
    ]
    is_dnc = row.kind == ListKind.DO_NOT_CALL
    return {
        "id": "register-progress",
        "url": reverse("consent:register_progress", args=[row.pk]),
        "label": _WORDS[JobState(row.state)],
        "value": row.line,
        "done": row.state == JobState.DONE,
        "failed": row.state in {JobState.FAILED, JobState.CANCELLED},
        "detail": row.failure,
        "rows": [
            *([{"label": "Numbers read", "value": f"{row.size:,}"}] if is_dnc else answers),
            *([] if is_dnc else [{"label": "Consents ended", "value": f"{row.invalidated:,}"}]),
            {"label": "Skipped lines", "value": f"{row.refused:,}"},
        ],
    }


@require_safe
@never_cache
@needs_right(AgencyRight.SIGN_OFF)
def show_register(request: StaffRequest, list_id: UUID) -> HttpResponse:
    row = _find(list_id)
    context = {
        "about": _about(row, request.at),
        "row": row,
        "progress": _progress(row),
        "more_refused": max(0, row.refused - len(row.refusals)),
        "may_take_out": row.is_active or row.state in _OPEN,
        "fresh_for": contact.FRESH_FOR.days,
    }
    return render(request, "consent/register.html", context)


@require_safe
@never_cache
@needs_right(AgencyRight.SIGN_OFF)
def register_progress(request: StaffRequest, list_id: UUID) -> HttpResponse:
    """The progress; once it is complete, the page reloads."""
    row = _find(list_id)
    answer = render(request, "consent/register_progress.html", {"progress": _progress(row)})
    if row.state not in _OPEN:
        answer["HX-Refresh"] = "true"
    return answer


@action(
    right=AgencyRight.SIGN_OFF,
    load=lambda _, list_id: _find(list_id),
    back=lambda _: reverse("consent:registers"),
    errors={registers.OverError: INFO},
)
def take_out(request: StaffRequest, row: NumberList, _: Any) -> str:
    registers.take_out(row=row, by=request.actor, at=request.at)
    return "List removed. Its data is being deleted."
