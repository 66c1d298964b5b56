"""Signed terms: documents, the callers they cover, and the files."""

from typing import Final
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from callprivacy.accounts.access import StaffRequest, needs, takes_files
from callprivacy.accounts.views.tables import Column, Empty, Link, Moment, Pill, Table, list_page
from callprivacy.calls.http import SealedUpload, SealingUpload, opened
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from callprivacy.vault import files
from callprivacy.vault.sealing import SealBrokenError
from consent.enums import Purpose
from consent.forms.terms import MoreForm, TermsForm
from consent.models import TermsDocument
from consent.selectors import standards
from consent.selectors import terms as selectors
from consent.services import ledger, posted, terms

_SUFFIXES: Final = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "application/pdf": "pdf"}
_CHANGED: Final = "Nothing was saved because a person on it was erased at the same moment. Submit it again."


def _find(client: Client, document_id: UUID) -> TermsDocument:
    return get_object_or_404(selectors.documents(client), pk=document_id)


def _list_address(client: Client) -> str:
    return reverse("consent:terms", args=[client.slug])


_DOCUMENTS: Final = Table(
    label="Signed terms",
    columns=(
        Column(
            "Document",
            "name",
            link=lambda row: reverse("consent:terms_document", args=[row.client.slug, row.pk]),
            note=lambda row: "List" if row.is_list else "",
            sort="name",
        ),
        Column("Signed on", "signed_on", sort="signed_on"),
        Column("Covers", "people", is_number=True),
        Column(
            "Clause",
            lambda row: Pill("Separate", "good") if row.stands_apart else Pill("Among general terms", "warn"),
        ),
        Column(
            "Added",
            lambda row: Moment(row.created_at, row.client.time_zone),
            note=lambda row: row.created_by or "a job",
            sort="created_at",
        ),
    ),
    empty=Empty(
        "No signed documents yet",
        "Add a signed form or contract with a clause about calls as proof of consent. CallPrivacy stores it encrypted,"
        " with its hash, its clause, and the callers it covers.",
        "consent",
    ),
    file="signed-terms",
)


@list_page(
    _DOCUMENTS,
    right=Permission.MANAGE_CONSENT,
    lede="Signed documents in which people agreed, and the callers that each one covers.",
    actions=lambda _, client: [
        Link("Add document", reverse("consent:add_terms", args=[client.slug]), tone="primary")
    ],
)
def list_terms(request: StaffRequest, client: Client) -> QuerySet[TermsDocument]:
    return selectors.documents(client)


@csrf_exempt  # until the document is encrypted; `_add` is protected
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(Permission.MANAGE_CONSENT)
def add_terms(request: StaffRequest, client: Client) -> HttpResponse:
    """Add a signed document. It is encrypted on arrival, before the rest of the request is read."""
    handler = SealingUpload(client.pk, at=request.at, at_most=terms.DOCUMENT_AT_MOST)
    request.upload_handlers = [handler]
    try:
        return _add(request, client, handler)
    finally:
        handler.forget_unclaimed()


@csrf_protect
def _add(request: StaffRequest, client: Client, handler: SealingUpload) -> HttpResponse:
    today = standards.today_at(client, request.at)
    form = TermsForm(
        request.POST or None,
        request.FILES or None,
        country=client.home_country,
        today=today,
        initial={"signed_on": today, "is_list": "no"},
    )
    if request.method == "POST":
        if handler.is_too_large:
            form.add_error("file", "The file is larger than 10 MB. Scan it at a lower resolution.")
        if form.is_valid():
            facts = dict(form.cleaned_data)
            upload: SealedUpload = facts.pop("file")
            try:
                with opened(client.pk, upload.stored) as stream:
                    file = posted.look_at(stream, file_id=upload.stored.file_id, digest=upload.stored.digest)
                row = terms.add_document(
                    client=client,
                    file=file,
                    size=upload.stored.size,
                    by=request.actor,
                    at=request.at,
                    **facts,
                )
            except posted.NoPictureError as error:
                form.add_error("file", str(error))
            except terms.ErasedSinceError as error:
                form.add_error("numbers", str(error))
            except ledger.CallerGoneError:
                form.add_error(None, _CHANGED)
            else:
                handler.is_claimed = True
                messages.success(request, "Document saved, with consent for everyone it covers.")
                return redirect("consent:terms_document", client.slug, row.pk)
    context = {
        "form": form,
        "title": "Add a signed document",
        "about": "A person's own signature has a higher evidence grade than a list that attests signatures.",
        "button": "Add document",
        "back": _list_address(client),
    }
    return render(request, "form_page.html", context)


@require_safe
@needs(Permission.MANAGE_CONSENT)
def show_terms(request: StaffRequest, client: Client, document_id: UUID) -> HttpResponse:
    return _page(request, client, _find(client, document_id))


def _page(
    request: StaffRequest, client: Client, row: TermsDocument, form: MoreForm | None = None
) -> HttpResponse:
    purposes = selectors.purposes_of(row)
    form = form or MoreForm(country=client.home_country, initial={"purposes": purposes})
    context = {
        "client": client,
        "row": row,
        "purposes": [Purpose(one).label for one in purposes],
        "held_back": selectors.held_back(row),
        "form": form,
    }
    return render(request, "consent/terms_document.html", context, status=422 if form.errors else 200)


@require_POST
@needs(Permission.MANAGE_CONSENT)
def cover_more(request: StaffRequest, client: Client, document_id: UUID) -> HttpResponse:
    row = _find(client, document_id)
    form = MoreForm(request.POST, country=client.home_country)
    if not form.is_valid():
        return _page(request, client, row, form)
    try:
        new = terms.cover_more(document=row, by=request.actor, at=request.at, **form.cleaned_data)
    except terms.NotOnePersonError:
        raise Http404 from None
    except terms.ErasedSinceError as error:
        form.add_error("numbers", str(error))
        return _page(request, client, row, form)
    except ledger.CallerGoneError:
        form.add_error(None, _CHANGED)
        return _page(request, client, row, form)
    messages.success(request, f"Saved {new} new consent entries.")
    return redirect("consent:terms_document", client.slug, row.pk)


@require_safe
@never_cache
@needs(Permission.MANAGE_CONSENT)
@takes_files
def show_file(request: StaffRequest, client: Client, document_id: UUID) -> HttpResponse:
    row = _find(client, document_id)
    if row.file_key is None or row.media_type not in _SUFFIXES:
        raise Http404
    try:
        with files.open(client.pk, row.file_key) as stream:
            body = stream.read()
    except FileNotFoundError:
        raise Http404 from None
    except SealBrokenError:
        messages.error(request, "CallPrivacy cannot open the stored document.")
        return redirect("consent:terms_document", client.slug, row.pk)
    answer = HttpResponse(body, content_type=row.media_type)
    answer["Content-Disposition"] = f'attachment; filename="document.{_SUFFIXES[row.media_type]}"'
    answer["X-Content-Type-Options"] = "nosniff"
    return answer
