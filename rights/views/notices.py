"""A client's privacy notice: the current text, publishing it, and its versions."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.accounts.views.form_pages import WARNING, action
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from consent.enums import Language
from rights.forms.page import SeenForm
from rights.selectors import notice as selectors
from rights.services import notice


def _language(request: StaffRequest) -> Language:
    name = request.GET.get("language", "")
    return Language(name) if name in Language.values else Language.ENGLISH


@require_safe
@needs(Permission.VIEW_CLIENT)
def show_notice(request: StaffRequest, client: Client) -> HttpResponse:
    language = _language(request)
    page = selectors.page_of(client, agency_id=client.agency_id)
    if page is None:
        return render(request, "rights/notice.html", {"client": client, "page": None})
    stands = selectors.standing(client, page, at=request.at)
    body = selectors.body_of(stands.facts)
    context = {
        "client": client,
        "page": page,
        "address": selectors.address_of(page),
        "stands": stands,
        "language": language,
        "languages": Language.choices,
        "body": body[language.value],
        "seen": selectors.digest_of(stands.facts.as_json(), body).hex(),
        "changes": selectors.changes(stands.published, body, language) if stands.published else [],
        "versions": selectors.published(client),
    }
    return render(request, "rights/notice.html", context)


@action(
    right=Permission.MANAGE_CONSENT,
    back=lambda client: reverse("rights:notice", args=[client.slug]),
    errors={notice.ChangedMeanwhileError: WARNING, notice.NothingNewError: WARNING},
)
def publish(request: StaffRequest, client: Client, _: Any) -> str:
    form = SeenForm(request.POST)
    seen = form.cleaned_data["seen"] if form.is_valid() else b""
    row = notice.publish(client=client, seen=seen, by=request.actor, at=request.at)
    return f"Version {row.number} is published on the requests page."


@require_safe
@needs(Permission.VIEW_CLIENT)
def show_version(request: StaffRequest, client: Client, privacy_id: UUID) -> HttpResponse:
    versions = {row.pk: row for row in selectors.published(client)}
    version = versions.get(privacy_id)
    if version is None:
        raise Http404
    language = _language(request)
    before = next((row for row in versions.values() if row.number == version.number - 1), None)
    context = {
        "client": client,
        "version": version,
        "before": before,
        "language": language,
        "languages": Language.choices,
        "body": version.body[language.value],
        "digest": bytes(version.digest).hex(),
        "changes": selectors.changes(before, version.body, language) if before else [],
    }
    return render(request, "rights/notice_version.html", context)
