"""Posted notices: where, from when to when, with their text and a picture."""

from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.text import Truncator
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.accounts.views.form_pages import WARNING, form_page
from callprivacy.accounts.views.tables import Column, Empty, Link, Pill, Table, list_page
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


def _find(client: Client, posted_id: UUID) -> PostedNotice:
    return get_object_or_404(selectors.posted_rows(client), pk=posted_id)


def _numbers(client: Client) -> list[TrackingNumber]:
    return list(TrackingNumber.objects.for_client(client).order_by("label", "number"))


def _list_address(client: Client) -> str:
    return reverse("consent:posted", args=[client.slug])


def _address(row: PostedNotice) -> str:
    return reverse("consent:posted_notice", args=[row.client.slug, row.pk])


def _text(row: PostedNotice) -> str:
    if row.version is not None:
        return f"{row.version.notice.name}, version {row.version.number}"
    return Truncator(row.words).words(12)


_POSTED: Final = Table(
    label="Posted notices",
    columns=(
        Column("Where", "place", link=_address, note="get_where_display", sort="place"),
        Column("Number", "tracking_number", nothing="all numbers"),
        Column("Text", _text),
        Column("From", "from_on", sort="from_on"),
        Column("To", lambda row: row.to_on or Pill("Posted", "good"), sort="to_on"),
        Column("Picture", lambda row: "yes" if row.picture_key else "", nothing="none"),
    ),
    filters=PostedFilter,
    empty=Empty(
        "No posted notices yet",
        "Record which text is posted where, from when to when, with a picture: on the website, in an ad, or on a sign.",
        "consent",
    ),
)


def _add_link(request: StaffRequest, client: Client) -> list[Link]:
    if not access.may(request.membership, Permission.MANAGE_CONSENT, client, at=request.at):
        return []
    return [Link("Add posted notice", reverse("consent:post_notice", args=[client.slug]), tone="primary")]


@list_page(
    _POSTED,
    right=Permission.VIEW_CLIENT,
    lede=(
        "Notices posted where callers find the client’s numbers; a posted notice alone is never enough where all"
        " parties must consent."
    ),
    actions=_add_link,
    more=lambda request, client: {
        "uncovered": selectors.numbers_without_posted(client, on=standards.today_at(client, request.at))
    },
    template="consent/posted.html",
)
def list_posted(request: StaffRequest, client: Client) -> QuerySet[PostedNotice]:
    return selectors.posted_rows(client)


@csrf_exempt  # until the picture is encrypted; `_post` is protected
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(Permission.MANAGE_CONSENT)
def post_notice(request: StaffRequest, client: Client) -> HttpResponse:
    """Add a posted notice. The picture is encrypted on arrival, before the rest of the request is read."""
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
        "back": _list_address(client),
    }
    return render(request, "form_page.html", context)


def _proposal(request: StaffRequest, client: Client) -> dict[str, Any]:
    """The number in the URL, and the text in force for posted notices."""
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
        ("Posted notices", _list_address(row.client)),
        (Truncator(row.place).chars(40), _address(row)),
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
