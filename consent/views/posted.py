"""The register of posted notices: what hangs where, from when to when, in which words, with a picture."""

from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.text import Truncator
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_safe

from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.accounts.views.form_pages import WARNING, form_page
from callprivacy.calls.http import SealedUpload, SealingUpload, opened
from callprivacy.calls.models import TrackingNumber
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from callprivacy.vault.sealing import SealBrokenError
from consent.forms.posted import EndForm, PostedFilter, PostedForm
from consent.models import PostedNotice
from consent.selectors import notices as selectors
from consent.selectors import standards
from consent.services import posted
from consent.tasks.decisions import nudge_decisions

_SUFFIXES: Final = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "application/pdf": "pdf"}


def _context(client: Client, **more: Any) -> dict[str, Any]:
    return {"client": client, **more}


def _find(client: Client, posted_id: UUID) -> PostedNotice:
    return get_object_or_404(selectors.posted_rows(client), pk=posted_id)


def _numbers(client: Client) -> list[TrackingNumber]:
    return list(TrackingNumber.objects.for_client(client).order_by("label", "number"))


@require_safe
@needs(Permission.VIEW_CLIENT)
def list_posted(request: StaffRequest, client: Client) -> HttpResponse:
    """What hangs where, the newest first; what it is narrowed to stands in the address."""
    form = PostedFilter(request.GET, numbers=_numbers(client))
    wanted = form.cleaned_data if form.is_valid() else {}
    today = standards.today_at(client, request.at)
    rows, after = selectors.posted_page(
        client, selectors.PostedFilter(**wanted), today=today, after=request.GET.get("after", "")
    )
    context = _context(
        client,
        form=form,
        rows=rows,
        after=after,
        today=today,
        active=sum(bool(value) for value in wanted.values()),
        uncovered=selectors.numbers_without_posted(client, on=today),
    )
    return render(request, "consent/posted.html", context)


@csrf_exempt  # until the picture goes where it is sealed; `_post` is protected
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(Permission.MANAGE_CONSENT)
def post_notice(request: StaffRequest, client: Client) -> HttpResponse:
    """Write down what hangs. The picture is sealed while it arrives, before anything else is looked at."""
    handler = SealingUpload(client.pk, at=request.at, at_most=posted.PICTURE_AT_MOST)
    request.upload_handlers = [handler]
    try:
        return _post(request, client, handler)
    finally:
        handler.forget_unclaimed()


@csrf_protect
def _post(request: StaffRequest, client: Client, handler: SealingUpload) -> HttpResponse:
    numbers = {str(row.pk): row for row in _numbers(client)}
    versions = {str(row.pk): row for row in selectors.versions_to_post(client)}
    today = standards.today_at(client, request.at)
    form = PostedForm(
        request.POST or None,
        request.FILES or None,
        numbers=numbers.values(),
        versions=versions.values(),
        today=today,
        initial=_proposal(request, client) | {"from_on": today},
    )
    if request.method == "POST":
        if handler.is_too_large:
            form.add_error("picture", "The file is larger than 8 MB. Upload a smaller one.")
        if form.is_valid():
            facts = dict(form.cleaned_data)
            try:
                picture = _picture(client, facts.pop("picture"))
            except posted.NoPictureError as error:
                form.add_error("picture", str(error))
            else:
                row = posted.post_notice(
                    client=client,
                    tracking_number=numbers.get(facts.pop("tracking_number")),
                    version=versions.get(facts.pop("version")),
                    picture=picture,
                    by=request.actor,
                    at=request.at,
                    **facts,
                )
                handler.is_claimed = picture is not None
                nudge_decisions(client.agency_id)
                messages.success(request, "Posted notice saved.")
                return redirect("consent:posted_notice", client.slug, row.pk)
    context = {
        "form": form,
        "title": "Add a posted notice",
        "about": "It counts as notice for calls from the day it was posted; to change it later, mark it as taken down"
        " and add another.",
        "button": "Add posted notice",
        "back": reverse("consent:posted", args=[client.slug]),
    }
    return render(request, "form_page.html", context)


def _proposal(request: StaffRequest, client: Client) -> dict[str, Any]:
    """The number that the address names, and the words that are in force for posted notices."""
    version = next(iter(selectors.versions_to_post(client)), None)
    known: dict[str, Any] = {"tracking_number": request.GET.get("number", "")}
    if version is not None:
        known |= {"version": str(version.pk), "words": selectors.said_in_full(version).replace("\n\n", " ")}
    return known


def _picture(client: Client, upload: SealedUpload | None) -> posted.Picture | None:
    if upload is None:
        return None
    stored = upload.stored
    with opened(client.pk, stored) as stream:
        return posted.look_at(stream, file_id=stored.file_id, digest=stored.digest)


@require_safe
@needs(Permission.VIEW_CLIENT)
def show_posted(request: StaffRequest, client: Client, posted_id: UUID) -> HttpResponse:
    row = _find(client, posted_id)
    context = {
        "client": client,
        "posted": row,
        "digest": bytes(row.picture_digest).hex() if row.picture_digest else "",
        "kind": posted.TYPES.get(row.picture_type, ""),
        "is_pdf": row.picture_type == "application/pdf",
    }
    return render(request, "consent/posted_notice.html", context)


def _load_posted(request: StaffRequest, client: Client, posted_id: UUID) -> PostedNotice | HttpResponse:
    row = _find(client, posted_id)
    if row.to_on is not None:
        messages.info(request, "This notice is already marked as taken down.")
        return redirect("consent:posted_notice", client.slug, row.pk)
    return row


def _end_form(request: StaffRequest, row: PostedNotice) -> dict[str, Any]:
    today = standards.today_at(row.client, request.at)
    return {"today": today, "initial": {"to_on": today}}


@form_page(
    EndForm,
    right=Permission.MANAGE_CONSENT,
    load=_load_posted,
    title="Mark as taken down",
    lede=(
        "It stops counting as notice from that day; recordings from that day on that relied on it alone are"
        " quarantined."
    ),
    button="Mark as taken down",
    crumbs=lambda row: [
        ("Posted notices", reverse("consent:posted", args=[row.client.slug])),
        (Truncator(row.place).chars(40), reverse("consent:posted_notice", args=[row.client.slug, row.pk])),
    ],
    fill=_end_form,
    errors={posted.EndsTooEarlyError: "to_on", posted.EndedError: WARNING},
)
def end_posted(request: StaffRequest, row: PostedNotice, form: EndForm) -> str:
    on = form.cleaned_data["to_on"]
    posted.end_posted(posted=row, client=row.client, on=on, by=request.actor, at=request.at)
    nudge_decisions(row.agency_id)
    return "Notice marked as taken down."


@require_safe
@never_cache
@needs(Permission.VIEW_CLIENT)
def show_picture(request: StaffRequest, client: Client, posted_id: UUID) -> HttpResponse:
    """The picture as it was brought; a PDF is handed out as a file."""
    row = _find(client, posted_id)
    try:
        content = posted.picture_of(row)
    except FileNotFoundError:
        raise Http404 from None
    except (posted.PictureChangedError, SealBrokenError):
        messages.error(request, "The stored picture is damaged or changed. Upload it again.")
        return redirect("consent:posted_notice", client.slug, row.pk)
    answer = HttpResponse(content, content_type=row.picture_type)
    kind = "attachment" if row.picture_type == "application/pdf" else "inline"
    answer["Content-Disposition"] = f'{kind}; filename="notice-{row.pk}.{_SUFFIXES[row.picture_type]}"'
    return answer
