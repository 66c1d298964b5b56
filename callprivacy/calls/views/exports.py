"""Exports of a client's calls: asking for one with a reason, watching it, taking the file."""

from typing import Any, cast
from uuid import UUID

from django.db import transaction
from django.http import FileResponse, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from callprivacy.accounts.access import StaffRequest, confirms, needs
from callprivacy.accounts.enums import Deed
from callprivacy.calls.forms.calls import CallFilterForm, ExportForm
from callprivacy.calls.models import CallExport
from callprivacy.calls.selectors import calls as selectors
from callprivacy.calls.selectors import exports as export_selectors
from callprivacy.calls.services import exports
from callprivacy.calls.tasks.exports import write_export
from callprivacy.lib.logs import logger
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client

log = logger(__name__)
_LISTED = 20


def _send_on_commit(export: CallExport) -> None:
    """Start the job once the row is there. Without a broker the sweep starts it a minute later."""

    def send() -> None:
        try:
            write_export.delay(agency_id=export.agency_id, export_id=str(export.pk))
        except (RedisError, KombuError, OSError) as error:
            log.warning("export.not_sent", error=type(error).__name__)

    transaction.on_commit(send)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(Permission.EXPORT_CALLS)
@confirms(Deed.EXPORT)
@sensitive_post_parameters("reason")
def ask(request: StaffRequest, client: Client) -> HttpResponse:
    listed = selectors.listed_clients(request.membership, picked=client.slug, at=request.at)
    filter_form = CallFilterForm(request.GET, clients=[one for one in listed if one.pk == client.pk])
    form = ExportForm(request.POST or None)
    is_valid = filter_form.is_valid()
    if request.method == "POST" and is_valid and form.is_valid():
        try:
            export = exports.request_export(
                client=client,
                filters=filter_form.filters(),
                reason=form.cleaned_data["reason"],
                by=request.actor,
                at=request.at,
            )
        except exports.OfMinorsError as error:
            form.add_error(None, str(error))
        else:
            _send_on_commit(export)
            return redirect("calls:export", client.slug, export.pk)
    context = {
        "client": client,
        "form": form,
        "filter_form": filter_form,
        "asked": filter_form.described() if is_valid else [],
        "days": exports.KEPT_FOR.days,
        "earlier": [
            (row, export_selectors.words_of(export_selectors.progress_of(row, at=request.at)))
            for row in _earlier(client)
        ],
    }
    return render(request, "calls/export_new.html", context)


def _earlier(client: Client) -> list[CallExport]:
    rows = CallExport.objects.for_client(client).select_related("created_by").order_by("-created_at", "-pk")
    return list(rows[:_LISTED])


def _find(client: Client, export_id: UUID) -> CallExport:
    rows = CallExport.objects.for_client(client).select_related("created_by")
    return get_object_or_404(rows, pk=export_id)


def _context(request: StaffRequest, client: Client, export: CallExport) -> dict[str, Any]:
    found = export_selectors.progress_of(export, at=request.at)
    return {
        "client": client,
        "export": export,
        "progress": {
            "id": "export-progress",
            "label": export_selectors.words_of(found),
            "value": export.rows,
            "done": bool(found.sent),
            "failed": bool(found.failed or found.cancelled),
            "url": reverse("calls:export_progress", args=[client.slug, export.pk]),
            "rows": [{"label": "Calls written", "value": f"{export.rows:,}"}],
        },
        "is_over": found.late or found.gone,
        "over": "The file is deleted" if found.gone else "The file has expired",
        "can_take": found.sent and not (found.late or found.gone),
    }


@require_safe
@never_cache
@needs(Permission.EXPORT_CALLS)
def show(request: StaffRequest, client: Client, export_id: UUID) -> HttpResponse:
    return render(request, "calls/export.html", _context(request, client, _find(client, export_id)))


@require_safe
@never_cache
@needs(Permission.EXPORT_CALLS)
def progress(request: StaffRequest, client: Client, export_id: UUID) -> HttpResponse:
    return render(request, "calls/export_progress.html", _context(request, client, _find(client, export_id)))


@require_POST
@never_cache
@needs(Permission.EXPORT_CALLS)
@confirms(Deed.EXPORT)
def take(request: StaffRequest, client: Client, export_id: UUID) -> HttpResponse:
    export = _find(client, export_id)
    try:
        file = exports.open_export(export=export, by=request.actor, at=request.at)
    except exports.ExportGoneError:
        return render(request, "calls/export.html", _context(request, client, export), status=410)
    name = f"calls-{client.slug}-{export.created_at:%Y-%m-%d}.csv"
    answer = FileResponse(file, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    # A streamed answer is no HttpResponse to the type checker; every middleware of ours takes both.
    return cast(HttpResponse, answer)
