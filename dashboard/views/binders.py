"""Evidence packs: of every client, of one; building, downloading, sharing by a link, and the page behind a link."""

from datetime import timedelta
from typing import Any, Final, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from callprivacy.accounts.access import StaffRequest, confirms, needs, needs_right, takes_files
from callprivacy.accounts.adapter import client_address
from callprivacy.accounts.enums import AgencyRight, Deed
from callprivacy.accounts.views.form_pages import INFO, Confirmation, action, form_page
from callprivacy.calls.enums import JobState
from callprivacy.lib.logs import logger
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from callprivacy.vault import signing
from consent.services.limits import Verdict, knock
from dashboard import selectors
from dashboard.access import may_make_binders, may_see_proof
from dashboard.forms.records import LinkForm
from dashboard.models import Binder, BinderLink
from dashboard.selectors import binders as queries
from dashboard.selectors import proof
from dashboard.services import binders
from dashboard.tasks import build_binder

log = logger(__name__)
LOOKS: Final = 60
"""How often an hour one address may open links, so that nobody guesses at them."""
DAYS: Final = 60


def _require_sight(request: StaffRequest) -> None:
    """:raises PermissionDenied: the person's role sees no binders."""
    if not may_see_proof(request.membership):
        raise PermissionDenied(
            "Evidence packs are for people who read the audit log, and for the client's side."
        )


def _require_making(request: StaffRequest) -> None:
    """:raises PermissionDenied: the person's role makes no binders."""
    if not may_make_binders(request.membership):
        raise PermissionDenied("Compliance officers build and share evidence packs.")


def _load(request: StaffRequest, client: Client, binder_id: UUID) -> Binder:
    _require_sight(request)
    return _find(client, binder_id)


def _load_to_change(request: StaffRequest, client: Client, binder_id: UUID) -> Binder:
    _require_making(request)
    return _find(client, binder_id)


def _find(client: Client, binder_id: UUID) -> Binder:
    row = queries.find(client, binder_id)
    if row is None:
        raise Http404
    return row


@require_safe
@needs_right(AgencyRight.VIEW_TRAIL)
def list_binders(request: StaffRequest) -> HttpResponse:
    """Each client that is granted with its newest binder, those without one first."""
    rows = queries.newest_by_client(request.membership, at=request.at)
    context = {
        "rows": rows,
        "keys": [key.hex() for key in signing.public_keys().values()],
        "zone": request.agency.time_zone,
    }
    return render(request, "dashboard/binders.html", context)


@never_cache
@require_safe
@needs(Permission.VIEW_CLIENT)
def show_proof(request: StaffRequest, client: Client) -> HttpResponse:
    _require_sight(request)
    page = queries.page_of(client, request.GET.get("page"))
    context = {
        "client": client,
        "page": page,
        "may_make": may_make_binders(request.membership),
        "building": Binder.objects.for_client(client)
        .filter(state__in=[JobState.QUEUED, JobState.RUNNING])
        .first(),
        "lines": selectors.client_duties(client),
        "judged": selectors.judged_by_client(),
        "chart": selectors.client_duty_chart(client, DAYS, at=request.at),
        "contents": [title for title, _ in proof.PARTS.values()],
        "days": binders.KEPT_FOR.days,
        "now": request.at,
    }
    return render(request, "dashboard/proof.html", context)


@require_POST
@needs(Permission.VIEW_CLIENT)
@takes_files
@confirms(Deed.RELEASE)
def make_binder(request: StaffRequest, client: Client) -> HttpResponse:
    _require_making(request)
    try:
        row = binders.request_binder(client=client, by=request.actor, at=request.at)
    except binders.OneIsBuiltError as error:
        messages.info(request, str(error))
        return redirect("dashboard:proof", client.slug)
    _send_on_commit(row)
    return redirect("dashboard:binder", client.slug, row.pk)


def _send_on_commit(row: Binder) -> None:
    """Start the job once the row is there. Without a broker the sweep starts it within a minute or two."""

    def send() -> None:
        try:
            build_binder.delay(agency_id=row.agency_id, binder_id=str(row.pk))
        except (RedisError, KombuError, OSError) as error:
            log.warning("binder.not_sent", error=type(error).__name__)

    transaction.on_commit(send)


@never_cache
@require_safe
@needs(Permission.VIEW_CLIENT)
def show_binder(request: StaffRequest, client: Client, binder_id: UUID) -> HttpResponse:
    """One evidence pack: its progress, files and links."""
    row = _load(request, client, binder_id)
    return render(request, "dashboard/binder.html", _context(request, client, row))


@never_cache
@require_safe
@needs(Permission.VIEW_CLIENT)
def show_progress(request: StaffRequest, client: Client, binder_id: UUID) -> HttpResponse:
    row = _load(request, client, binder_id)
    return render(request, "dashboard/binder_progress.html", _context(request, client, row))


@never_cache
@require_POST
@needs(Permission.VIEW_CLIENT)
@takes_files
@confirms(Deed.RELEASE)
def take_binder(request: StaffRequest, client: Client, binder_id: UUID, form: str) -> HttpResponse:
    """The evidence pack as PDF or JSON; the audit log records the download first."""
    row = _load(request, client, binder_id)
    if form not in {"pdf", "json"}:
        raise Http404
    try:
        file = binders.take(binder=row, as_pdf=form == "pdf", by=request.actor, at=request.at)
    except binders.BinderGoneError as error:
        messages.info(request, str(error))
        return redirect("dashboard:binder", client.slug, row.pk)
    return _file(file)


@never_cache
@require_POST
@needs(Permission.VIEW_CLIENT)
@takes_files
@confirms(Deed.RELEASE)
def make_link(request: StaffRequest, client: Client, binder_id: UUID) -> HttpResponse:
    """A link that downloads the evidence pack without a sign-in; it is shown once."""
    row = _load_to_change(request, client, binder_id)
    form = LinkForm(request.POST)
    if not form.is_valid():
        return render(request, "dashboard/binder.html", _context(request, client, row, form), status=422)
    try:
        token = binders.make_link(
            binder=row, good_for=timedelta(days=form.cleaned_data["days"]), by=request.actor, at=request.at
        )
    except binders.BinderGoneError as error:
        messages.info(request, str(error))
        return redirect("dashboard:binder", client.slug, row.pk)
    context = {"client": client, "binder": row, "address": binders.url_of(token)}
    return render(request, "dashboard/binder_link.html", context)


def _load_link(request: StaffRequest, client: Client, binder_id: UUID, door_id: UUID) -> BinderLink:
    links = _load_to_change(request, client, binder_id).links
    return get_object_or_404(links.select_related("binder__client"), pk=door_id)


def _address(row: Binder) -> str:
    return reverse("dashboard:binder", args=[row.client.slug, row.pk])


@action(
    right=Permission.VIEW_CLIENT,
    load=_load_link,
    back=lambda link: _address(link.binder),
    errors={binders.UnknownLinkError: INFO},
)
def end_link(request: StaffRequest, link: BinderLink, _: Any) -> str:
    binders.end_link(link=link, by=request.actor, at=request.at)
    return "The link no longer works."


def _confirm_withdrawal(request: StaffRequest, row: Binder) -> Confirmation:
    links = [link for link in queries.links_of(row) if link.ended_at is None and link.expires_at > request.at]
    return Confirmation(
        "Its files are deleted here",
        "People keep what they downloaded. This cannot be undone, but you can build a new evidence pack.",
        [
            {"label": "Files", "value": 2 if row.file_key else 0},
            {"label": "Links that end", "value": len(links)},
        ],
        ["The audit log's records that it was built, downloaded and withdrawn."],
    )


@form_page(
    right=Permission.VIEW_CLIENT,
    load=_load_to_change,
    title=lambda row: f"Withdraw evidence pack {row.number}",
    button="Withdraw the evidence pack",
    crumbs=lambda row: [
        ("Clients", reverse("accounts:clients")),
        (f"Evidence pack {row.number}", _address(row)),
    ],
    confirm=_confirm_withdrawal,
    errors={binders.BinderGoneError: INFO},
)
def withdraw_binder(request: StaffRequest, row: Binder, _: Any) -> str:
    binders.withdraw(binder=row, by=request.actor, at=request.at)
    return "The evidence pack is withdrawn. Its links no longer work."


# --- Behind a link --------------------------------------------------------------------------------------------------


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def open_link(request: HttpRequest, token: str) -> HttpResponse:
    """What a link opens: a page that says what it is, and by POST the file."""
    at = timezone.now()
    address = client_address(request) or ""
    if knock("binder", address, most=LOOKS, per=timedelta(hours=1), at=at) is Verdict.FULL:
        return _draw(request, "dashboard/public/binder_gone.html", {"is_full": True}, 429)
    try:
        if request.method == "POST":
            return _file(binders.take_by_link(token=token, as_pdf=request.POST.get("form") != "json", at=at))
        link = binders.show_by_link(token=token, at=at)
    except (binders.UnknownLinkError, binders.BinderGoneError):
        return _draw(request, "dashboard/public/binder_gone.html", {}, 404)
    context = {
        "link": link,
        "binder": link.binder,
        "client": link.binder.client,
        "digest": bytes(link.binder.digest or b"").hex(),
    }
    return _draw(request, "dashboard/public/binder.html", context, 200)


def _draw(request: HttpRequest, template: str, context: dict[str, Any], status: int) -> HttpResponse:
    response = render(request, template, context, status=status)
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response


_WORDS: Final = {
    JobState.DRAFT: "Waiting for you",
    JobState.QUEUED: "Waiting for a worker",
    JobState.RUNNING: "Gathering",
    JobState.DONE: "The evidence pack is built and signed",
    JobState.FAILED: "It could not be built",
    JobState.CANCELLED: "Withdrawn before it was built",
}


def _context(
    request: StaffRequest, client: Client, row: Binder, form: LinkForm | None = None
) -> dict[str, Any]:
    part = proof.PARTS[row.part][0] if row.part in proof.PARTS else ""
    return {
        "client": client,
        "binder": row,
        "form": form or LinkForm(),
        "links": queries.links_of(row),
        "now": request.at,
        "is_there": row.is_there(request.at),
        "may_make": may_make_binders(request.membership),
        "digest": bytes(row.digest or b"").hex(),
        "public": {name: key.hex() for name, key in signing.public_keys().items()}.get(row.key_id, ""),
        "progress": {
            "id": "binder-progress",
            "label": _WORDS[JobState(row.state)],
            "value": row.done,
            "max": row.parts,
            "detail": part,
            "done": row.state == JobState.DONE,
            "failed": row.state in {JobState.FAILED, JobState.CANCELLED},
            "url": reverse("dashboard:binder_progress", args=[client.slug, row.pk]),
        },
    }


def _file(file: binders.File) -> HttpResponse:
    answer = FileResponse(file.stream, content_type=file.media_type)
    answer["Content-Disposition"] = content_disposition_header(True, file.name) or "attachment"
    answer["Referrer-Policy"] = "no-referrer"
    # A streamed answer is no HttpResponse to the type checker; every middleware of ours takes both.
    return cast(HttpResponse, answer)
