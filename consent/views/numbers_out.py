"""Exports of numbers with consent for the Reassigned Numbers Database: request, progress and download."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, Final, cast
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, confirms, needs
from callprivacy.accounts.enums import AgencyRight, Deed
from callprivacy.accounts.views.form_pages import Done, form_page
from callprivacy.calls.forms.calls import ReasonForm
from callprivacy.calls.selectors import exports
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from consent.models import NumbersOut
from consent.selectors import contact as selectors
from consent.services import numbers_out
from consent.tasks.registers import nudge_registers

LISTED: Final = 20


def _officers_only[**P](
    view: Callable[Concatenate[StaffRequest, Client, P], HttpResponse],
) -> Callable[Concatenate[StaffRequest, str, P], HttpResponse]:
    """Anyone with the permission may reveal one number; only an officer exports all of a client's."""

    def guarded(request: StaffRequest, client: Client, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not access.has_right(request.membership, AgencyRight.SIGN_OFF):
            raise PermissionDenied("Only a compliance officer can export all numbers of a client.")
        return view(request, client, *args, **kwargs)

    return needs(Permission.REVEAL_NUMBERS)(wraps(view)(guarded))


def _facts(request: StaffRequest, client: Client) -> dict[str, Any]:
    rows = selectors.numbers_out_of(client)[:LISTED]
    return {
        "client": client,
        "days": numbers_out.KEPT_FOR.days,
        "counts": selectors.resting_on_consent(client),
        "earlier": [(row, exports.words_of(exports.progress_of(row, at=request.at))) for row in rows],
    }


@never_cache
@form_page(
    ReasonForm,
    right=_officers_only,
    confirms=Deed.EXPORT,
    title=lambda client: f"Numbers of {client.name} with consent",
    lede="Export for the Reassigned Numbers Database: each line has a ten-digit number and its consent date.",
    button="Log request and create file",
    is_final=True,
    crumbs=lambda _: [("Do-not-call and reassigned-number lists", reverse("consent:registers"))],
    more=_facts,
    secret=("reason",),
    template="consent/numbers_out.html",
)
def ask(request: StaffRequest, client: Client, form: ReasonForm) -> Done:
    row = numbers_out.ask(client=client, by=request.actor, at=request.at, **form.cleaned_data)
    nudge_registers(client.agency_id)
    return Done(to=reverse("consent:numbers_file", args=[client.slug, row.pk]))


def _find(client: Client, numbers_id: UUID) -> NumbersOut:
    return get_object_or_404(selectors.numbers_out_of(client), pk=numbers_id)


def _context(request: StaffRequest, client: Client, row: NumbersOut) -> dict[str, Any]:
    state = exports.progress_of(row, at=request.at)
    is_over = bool(state.late or state.gone)
    return {
        "client": client,
        "row": row,
        "can_take": state.sent and not is_over,
        "is_over": is_over,
        "over": "The file is deleted" if state.gone else "The file has expired",
        "days": numbers_out.KEPT_FOR.days,
        "progress": {
            "id": "numbers-progress",
            "label": exports.words_of(state),
            "value": row.rows,
            "done": bool(state.sent),
            "failed": bool(state.failed or state.cancelled),
            "url": reverse("consent:numbers_progress", args=[client.slug, row.pk]),
            "rows": [{"label": "Lines written", "value": f"{row.rows:,}"}],
        },
    }


@require_safe
@never_cache
@_officers_only
def show(request: StaffRequest, client: Client, numbers_id: UUID) -> HttpResponse:
    return render(request, "consent/numbers_file.html", _context(request, client, _find(client, numbers_id)))


@require_POST
@never_cache
@_officers_only
def read_reason(request: StaffRequest, client: Client, numbers_id: UUID) -> HttpResponse:
    """Show the reason of a request; the audit log records that it was read."""
    row = _find(client, numbers_id)
    words = numbers_out.read_reason(row=row, by=request.actor, at=request.at)
    context = _context(request, client, row) | {"words": words, "has_read": True}
    return render(request, "consent/numbers_file.html", context)


@require_safe
@never_cache
@_officers_only
def progress(request: StaffRequest, client: Client, numbers_id: UUID) -> HttpResponse:
    return render(
        request, "consent/numbers_progress.html", _context(request, client, _find(client, numbers_id))
    )


@require_POST
@never_cache
@_officers_only
@confirms(Deed.EXPORT)
def take(request: StaffRequest, client: Client, numbers_id: UUID) -> HttpResponse:
    row = _find(client, numbers_id)
    try:
        file = numbers_out.open_file(row=row, by=request.actor, at=request.at)
    except numbers_out.NumbersGoneError:
        return render(request, "consent/numbers_file.html", _context(request, client, row), status=410)
    answer = FileResponse(file, content_type="text/csv; charset=utf-8")
    name = f"numbers-{client.slug}-{row.created_at:%Y-%m-%d}.csv"
    answer["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    # A streamed answer is no HttpResponse to the type checker; every middleware of ours takes both.
    return cast(HttpResponse, answer)
