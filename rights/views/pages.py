"""The staff's page about a requests page: its address, what stands there, and what the client puts on its own site."""

from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from callprivacy.accounts.access import StaffRequest, needs, needs_right
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.views.form_pages import Confirmation, form_page
from callprivacy.lib import calendars
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from consent.enums import Language
from consent.selectors import web as consent_pages
from rights.channels import gpc
from rights.forms.page import ClientPageForm, PageForm
from rights.models import RequestPage
from rights.selectors import notice as selectors
from rights.services import notice

_OF_FORM: Final = ("email", "phone", "address", "officer", "sells", "others", "more_en", "more_es")


def _context(client: Client, **more: Any) -> dict[str, Any]:
    return {"client": client, **more}


def _initial(page: RequestPage | None) -> dict[str, Any]:
    return {} if page is None else {name: getattr(page, name) for name in _OF_FORM}


def _since(client: Client, page: RequestPage) -> str:
    return gpc.gpc_file(calendars.day_in(client.time_zone, page.created_at))


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONSENT)
def show_page(request: StaffRequest, client: Client) -> HttpResponse:
    """A client's requests page; saving opens it where it is not open yet."""
    page = selectors.page_of(client, agency_id=client.agency_id)
    form = ClientPageForm(request.POST or None, initial=_initial(page))
    if request.method == "POST" and form.is_valid():
        notice.save_page(
            agency=request.agency, client=client, said=form.cleaned_data, by=request.actor, at=request.at
        )
        messages.success(request, "Saved." if page else "The requests page is open.")
        return redirect("rights:page", client.slug)
    context = _context(client, form=form, page=page, **(_to_paste(client, page) if page else {}))
    return render(request, "rights/page.html", context)


def _to_paste(client: Client, page: RequestPage) -> dict[str, Any]:
    address, icon = selectors.address_of(page), f"{settings.CALLPRIVACY_URL}{static(gpc.ICON)}"
    consent_page = consent_pages.page_of(client)
    return {
        "address": address,
        "gpc": _since(client, page),
        "icon": static(gpc.ICON),
        "sites": [f"{origin}{gpc.WELL_KNOWN}" for origin in consent_page.origins] if consent_page else [],
        "snippets": [(language.label, _snippet(address, icon, language)) for language in Language],
    }


def _snippet(address: str, icon: str, language: Language) -> str:
    link = gpc.link_tag(address, icon, language=language.value)
    return f"{link}\n{gpc.notice_tag(address, language=language.value)}"


def _load(request: StaffRequest, client: Client) -> RequestPage | HttpResponse:
    page = selectors.page_of(client, agency_id=client.agency_id)
    return page if page is not None else redirect("rights:page", client.slug)


@form_page(
    right=Permission.MANAGE_CONSENT,
    load=_load,
    title="Change the address of the requests page",
    button="Change the address",
    crumbs=lambda page: [("Requests page", reverse("rights:page", args=[page.client.slug]))],
    confirm=lambda *_: Confirmation(
        "The old address opens nothing from this moment",
        "It cannot be brought back. The links on the client's site have to be pasted again.",
        extent=[
            {"label": "Pages", "value": "1, with the privacy notice"},
            {"label": "Links on the client's site", "value": "all"},
        ],
        stays=[
            "Requests that came in, and the personal pages of those who sent them.",
            "Every published notice.",
        ],
    ),
)
def change_key(request: StaffRequest, page: RequestPage, _: Any) -> str:
    """Give the requests page another address, after saying what stops working."""
    notice.rotate_key(page=page, by=request.actor, at=request.at)
    return "The page has a new address. Put it wherever the old one stood."


@require_safe
@needs(Permission.MANAGE_CONSENT)
def take_gpc(request: StaffRequest, client: Client) -> HttpResponse:
    """The file for the client's own site, to download."""
    page = selectors.page_of(client, agency_id=client.agency_id)
    if page is None:
        return redirect("rights:page", client.slug)
    answer = HttpResponse(_since(client, page), content_type="application/json")
    answer.headers["Content-Disposition"] = 'attachment; filename="gpc.json"'
    return answer


@require_http_methods(["GET", "HEAD", "POST"])
@needs_right(AgencyRight.SIGN_OFF)
def show_agency_page(request: StaffRequest) -> HttpResponse:
    """The agency's own requests page, which names no client."""
    page = selectors.page_of(None, agency_id=request.agency.pk)
    form = PageForm(request.POST or None, initial=_initial(page))
    if request.method == "POST" and form.is_valid():
        notice.save_page(
            agency=request.agency, client=None, said=form.cleaned_data, by=request.actor, at=request.at
        )
        messages.success(request, "Saved." if page else "The requests page is open.")
        return redirect("rights:agency_page")
    context = {"form": form, "page": page, "address": selectors.address_of(page) if page else ""}
    return render(request, "rights/agency_page.html", context)
