"""List checks before calls: upload, choice of columns, progress, and download with a reason."""

from collections.abc import Callable
from typing import Any, Final, cast
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs, takes_files
from callprivacy.accounts.enums import Deed
from callprivacy.accounts.views.form_pages import WARNING, action, form_page
from callprivacy.accounts.views.tables import Column, Empty, Link, Moment, Pill, Table, list_page
from callprivacy.calls.enums import JobState
from callprivacy.calls.forms.calls import ReasonForm
from callprivacy.calls.http import SealedUpload, SealingUpload, opened
from callprivacy.calls.providers.base import UnparsableError
from callprivacy.calls.services.imports import Stored
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from callprivacy.vault import files
from callprivacy.vault.sealing import SealBrokenError
from consent.forms.list_checks import ColumnsForm, ListForm
from consent.models import ListCheck
from consent.selectors import contact as selectors
from consent.services import list_checks
from consent.services.contact import Aim, Code
from consent.services.list_checks import Head
from consent.tasks.list_checks import nudge_check

_WORDS: Final[dict[str, str]] = {
    JobState.DRAFT: "Not started",
    JobState.QUEUED: "Queued",
    JobState.RUNNING: "Checking the numbers",
    JobState.DONE: "Checked",
    JobState.FAILED: "Check failed",
    JobState.CANCELLED: "Canceled",
}
_TONES: Final[dict[str, str]] = {
    JobState.DRAFT: "warn",
    JobState.QUEUED: "info",
    JobState.RUNNING: "info",
    JobState.DONE: "good",
    JobState.FAILED: "bad",
    JobState.CANCELLED: "neutral",
}


def _context(client: Client, check: ListCheck | None = None, **more: Any) -> dict[str, Any]:
    context = {"client": client, **more}
    if check is not None:
        context |= {"check": check, "words": _WORDS[check.state], "aim": check.purpose}
    return context


def _find(client: Client, check_id: UUID) -> ListCheck:
    return get_object_or_404(selectors.checks_of(client), pk=check_id)


@require_safe
@never_cache
def choose_client(request: StaffRequest) -> HttpResponse:
    """Choose the client of the list; with one client, or one in the URL, go straight to its page."""
    clients = list(access.clients_with(request.membership, Permission.MANAGE_CONSENT, at=request.at))
    picked = request.GET.get("client", "")
    if not clients or (picked and not any(client.slug == picked for client in clients)):
        raise Http404
    if picked or len(clients) == 1:
        return redirect("consent:client_lists", picked or clients[0].slug)
    return render(request, "consent/lists_client.html", {"list_clients": clients})


def _list_address(client: Client) -> str:
    return reverse("consent:client_lists", args=[client.slug])


def _address(check: ListCheck) -> str:
    return reverse("consent:list_check", args=[check.client.slug, check.pk])


def _counted(name: str) -> Callable[[ListCheck], int | None]:
    return lambda check: getattr(check, name) if check.state == JobState.DONE else None


_CHECKS: Final = Table(
    label="List checks",
    columns=(
        Column("List", "name", link=_address, sort="name"),
        Column("For", lambda check: check.purpose.capitalize()),
        Column("State", lambda check: Pill(_WORDS[check.state], _TONES[check.state])),
        Column("Rows", "rows", sort="rows", is_number=True),
        Column("Allowed", _counted("allowed"), is_number=True),
        Column("Not allowed", _counted("blocked"), is_number=True),
        Column("Not checked", _counted("refused"), is_number=True),
        Column(
            "Uploaded",
            lambda check: Moment(check.created_at, check.client.time_zone),
            note=lambda check: check.created_by or "a job",
            sort="created_at",
        ),
    ),
    empty=Empty(
        "No list checks yet",
        "Upload the numbers you plan to call or text. You get the same rows back, with the result, the reason and the"
        " earliest time to contact each number.",
        "consent",
    ),
    file="list-checks",
)


@never_cache
@list_page(
    _CHECKS,
    right=Permission.MANAGE_CONSENT,
    lede=(
        "Check numbers against opt-outs, do-not-call and reassigned-number lists, local calling hours and marketing"
        f" consent. You can download checked rows for {list_checks.KEPT_FOR.days} days; the counts are kept."
    ),
    actions=lambda _, client: [
        Link("Check list", reverse("consent:new_list", args=[client.slug]), tone="primary")
    ],
)
def list_checked(request: StaffRequest, client: Client) -> QuerySet[ListCheck]:
    return selectors.checks_of(client)


# --- Uploading a list -----------------------------------------------------------------------------------------------


@csrf_exempt  # until the upload is encrypted; `_upload` is protected
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(Permission.MANAGE_CONSENT)
def new_list(request: StaffRequest, client: Client) -> HttpResponse:
    """Upload a list. It is encrypted on arrival, before the rest of the request is read."""
    handler = SealingUpload(client.pk, at=request.at, at_most=list_checks.UPLOAD_AT_MOST)
    request.upload_handlers = [handler]
    try:
        return _upload(request, client, handler)
    finally:
        handler.forget_unclaimed()


@csrf_protect
def _upload(request: StaffRequest, client: Client, handler: SealingUpload) -> HttpResponse:
    form = ListForm(request.POST or None, request.FILES or None)
    if request.method == "POST":
        if handler.is_too_large:
            form.add_error("file", "The list is larger than 32 MB. Split it or compress it with gzip.")
        if form.is_valid():
            check = _create(request, client, form)
            if check is not None:
                handler.is_claimed = True
                return redirect("consent:list_check", client.slug, check.pk)
    context = {
        "form": form,
        "title": "Check list",
        "about": f"Upload the numbers you plan to call or text for {client.name}; they are not added to its callers.",
        "button": "Upload and choose columns",
        "back": _list_address(client),
    }
    return render(request, "form_page.html", context)


def _create(request: StaffRequest, client: Client, form: ListForm) -> ListCheck | None:
    """Create the check; a list that cannot be read becomes an error of the form."""
    stored: Stored = cast(SealedUpload, form.cleaned_data["file"]).stored
    try:
        with opened(client.pk, stored) as source:
            head = list_checks.head_of(source, country=client.home_country)
        with opened(client.pk, stored) as source:
            rows = list_checks.count_rows(source, country=client.home_country)
    except UnparsableError as error:
        form.add_error("file", str(error))
        return None
    return list_checks.create_check(
        client=client,
        name=form.cleaned_data["name"],
        aim=Aim(form.cleaned_data["purpose"]),
        stored=stored,
        rows=rows,
        column=head.likely,
        by=request.actor,
        at=request.at,
    )


# --- One list ------------------------------------------------------------------------------------------------------


@require_safe
@never_cache
@needs(Permission.MANAGE_CONSENT)
def show_list(request: StaffRequest, client: Client, check_id: UUID) -> HttpResponse:
    check = _find(client, check_id)
    if check.state == JobState.DRAFT:
        return _show_draft(request, client, check)
    context = _context(client, check, progress=_progress(client, check), **_result(request, check))
    return render(request, "consent/lists_check.html", context)


def _show_draft(
    request: StaffRequest, client: Client, check: ListCheck, form: ColumnsForm | None = None
) -> HttpResponse:
    head = _head(client, check)
    if form is None and head is not None:
        form = ColumnsForm(head=head)
    return render(request, "consent/lists_columns.html", _context(client, check, form=form, head=head))


def _head(client: Client, check: ListCheck) -> Head | None:
    """The columns of a draft's list; None if its file no longer opens."""
    if check.file_key is None:
        return None
    try:
        with files.open(client.pk, check.file_key) as source:
            return list_checks.head_of(source, country=client.home_country)
    except (UnparsableError, SealBrokenError, FileNotFoundError):
        return None


type _Draft = tuple[ListCheck, Head]


def _load_draft(request: StaffRequest, client: Client, check_id: UUID) -> _Draft | HttpResponse:
    check = _find(client, check_id)
    head = _head(client, check) if check.state == JobState.DRAFT else None
    if head is not None:
        return check, head
    messages.warning(request, "This check has started already, or the list is deleted.")
    return redirect(_address(check))


@action(
    ColumnsForm,
    right=Permission.MANAGE_CONSENT,
    load=_load_draft,
    back=lambda draft: _address(draft[0]),
    fill=lambda _, draft: {"head": draft[1]},
    errors={list_checks.NotReadyError: WARNING},
    redraw=lambda request, draft, form: _show_draft(request, draft[0].client, draft[0], form),
)
def start(request: StaffRequest, draft: _Draft, form: ColumnsForm) -> None:
    list_checks.start_check(check=draft[0], by=request.actor, at=request.at, **form.cleaned_data)
    nudge_check(draft[0])


@action(
    right=Permission.MANAGE_CONSENT,
    load=lambda _, client, check_id: _find(client, check_id),
    back=lambda check: _list_address(check.client),
    errors={list_checks.NotReadyError: WARNING},
)
def cancel(request: StaffRequest, check: ListCheck, _: Any) -> str:
    list_checks.cancel_check(check=check, by=request.actor, at=request.at)
    return "Check canceled. The list is deleted."


def _progress(client: Client, check: ListCheck) -> dict[str, Any]:
    state = JobState(check.state)
    return {
        "id": "list-progress",
        "url": reverse("consent:list_progress", args=[client.slug, check.pk]),
        "label": _WORDS[state],
        "value": check.rows_done,
        "max": check.rows,
        "done": state == JobState.DONE,
        "failed": state in {JobState.FAILED, JobState.CANCELLED},
    }


@require_safe
@never_cache
@needs(Permission.MANAGE_CONSENT)
def progress(request: StaffRequest, client: Client, check_id: UUID) -> HttpResponse:
    """The progress; once it is complete, the page reloads."""
    state = _progress(client, _find(client, check_id))
    answer = render(request, "consent/lists_progress.html", {"progress": state})
    if state["done"] or state["failed"]:
        answer["HX-Refresh"] = "true"
    return answer


def _result(request: StaffRequest, check: ListCheck) -> dict[str, Any]:
    """The result: rows by reason, and whether the file can be downloaded."""
    named = {code.value: code.words for code in Code} | list_checks.REFUSED
    order = list(named)
    reasons = sorted(check.reasons.items(), key=lambda pair: (-pair[1], order.index(pair[0])))
    return {
        "reasons": [{"name": named[code], "count": count} for code, count in reasons],
        "is_there": list_checks.is_there(check, at=request.at),
        "may_take": _may_take(request, check),
        "is_marketing": check.purpose == Aim.MARKETING.value,
    }


def _may_take(request: StaffRequest, check: ListCheck) -> bool:
    """
    The person who uploaded the numbers has them already; others need permission to reveal numbers. A person from whom
    files are withheld downloads neither.
    """
    if access.is_withheld(request.membership, at=request.at):
        return False
    return check.created_by_id == request.membership.user_id or access.may(
        request.membership, Permission.REVEAL_NUMBERS, check.client_id, at=request.at
    )


def _load_result(request: StaffRequest, client: Client, check_id: UUID) -> ListCheck | HttpResponse:
    check = _find(client, check_id)
    if not _may_take(request, check):
        raise PermissionDenied(
            "You do not have permission to see the numbers of a list that another team member uploaded."
        )
    if not list_checks.is_there(check, at=request.at):
        status = 410 if request.method == "POST" else 200
        return render(request, "consent/lists_gone.html", _context(client, check), status=status)
    return check


@never_cache
@form_page(
    ReasonForm,
    right=lambda view: needs(Permission.MANAGE_CONSENT)(takes_files(view)),
    load=_load_result,
    confirms=Deed.EXPORT,
    title="Download rows",
    lede=lambda check: (
        f"The {check.rows:,} rows of “{check.name}” in their original order, with three added columns: allowed,"
        " reason, not before. The audit log records your name, the time and your reason."
    ),
    button="Log and download",
    crumbs=lambda check: [("List checks", _list_address(check.client)), (check.name, _address(check))],
    errors={list_checks.GoneError: WARNING},
    secret=("reason",),
    template="consent/lists_take.html",
)
def take(request: StaffRequest, check: ListCheck, form: ReasonForm) -> HttpResponse:
    """Ask for the reason, log it, and give the rows of the list with their results."""
    file = list_checks.open_result(check=check, by=request.actor, at=request.at, **form.cleaned_data)
    name = f"checked-{check.client.slug}-{check.created_at:%Y-%m-%d}.csv"
    answer = FileResponse(file, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    # A streamed answer is no HttpResponse to the type checker; every middleware of ours takes both.
    return cast(HttpResponse, answer)
