"""Numbers that rest on consent, for the database of reassigned numbers: asked for with a reason, watched, taken."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, Final, cast
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, confirms, needs
from callprivacy.accounts.enums import AgencyRight, Deed
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
) -> Callable[Concatenate[StaffRequest, Client, P], HttpResponse]:
    """To see one number is one thing; all of a client's in a file are an officer's."""

    def guarded(request: StaffRequest, client: Client, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not access.has_right(request.membership, AgencyRight.SIGN_OFF):
            raise PermissionDenied("Only a compliance officer can export all numbers of a client.")
        return view(request, client, *args, **kwargs)

    return wraps(view)(guarded)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(Permission.REVEAL_NUMBERS)
@_officers_only
@confirms(Deed.EXPORT)
@sensitive_post_parameters("reason")
def ask(request: StaffRequest, client: Client) -> HttpResponse:
    """Say why, and have the file written."""
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        row = numbers_out.ask(
            client=client, reason=form.cleaned_data["reason"], by=request.actor, at=request.at
        )
        nudge_registers(client.agency_id)
        return redirect("consent:numbers_file", client.slug, row.pk)
    context = {
        "client": client,
        "form": form,
        "days": numbers_out.KEPT_FOR.days,
        "counts": selectors.resting_on_consent(client),
        "earlier": [
            (row, exports.words_of(exports.progress_of(row, at=request.at)))
            for row in selectors.numbers_out_of(client)[:LISTED]
        ],
    }
    return render(request, "consent/numbers_out.html", context)


def _find(client: Client, numbers_id: UUID) -> NumbersOut:
    return get_object_or_404(selectors.numbers_out_of(client), pk=numbers_id)


def _context(request: StaffRequest, client: Client, row: NumbersOut) -> dict[str, Any]:
    found = exports.progress_of(row, at=request.at)
    is_over = bool(found.late or found.gone)
    return {
        "client": client,
        "row": row,
        "can_take": found.sent and not is_over,
        "is_over": is_over,
        "over": "The file is deleted" if found.gone else "The file has expired",
        "days": numbers_out.KEPT_FOR.days,
        "progress": {
            "id": "numbers-progress",
            "label": exports.words_of(found),
            "value": row.rows,
            "done": bool(found.sent),
            "failed": bool(found.failed or found.cancelled),
            "url": reverse("consent:numbers_progress", args=[client.slug, row.pk]),
            "rows": [{"label": "Lines written", "value": f"{row.rows:,}"}],
        },
    }


@require_safe
@never_cache
@needs(Permission.REVEAL_NUMBERS)
@_officers_only
def show(request: StaffRequest, client: Client, numbers_id: UUID) -> HttpResponse:
    """How far the file is, and taking it."""
    return render(request, "consent/numbers_file.html", _context(request, client, _find(client, numbers_id)))


@require_POST
@never_cache
@needs(Permission.REVEAL_NUMBERS)
@_officers_only
def read_reason(request: StaffRequest, client: Client, numbers_id: UUID) -> HttpResponse:
    """Why somebody asked for them; that it was read is in the trail."""
    row = _find(client, numbers_id)
    words = numbers_out.read_reason(row=row, by=request.actor, at=request.at)
    context = _context(request, client, row) | {"words": words, "has_read": True}
    return render(request, "consent/numbers_file.html", context)


@require_safe
@never_cache
@needs(Permission.REVEAL_NUMBERS)
@_officers_only
def progress(request: StaffRequest, client: Client, numbers_id: UUID) -> HttpResponse:
    """The moving part."""
    return render(
        request, "consent/numbers_progress.html", _context(request, client, _find(client, numbers_id))
    )


@require_POST
@never_cache
@needs(Permission.REVEAL_NUMBERS)
@_officers_only
@confirms(Deed.EXPORT)
def take(request: StaffRequest, client: Client, numbers_id: UUID) -> HttpResponse:
    """Give out the file, once it is written down who takes it."""
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
