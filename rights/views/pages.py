"""The staff's page about a requests page: its address, what stands there, and what the client puts on its own site."""

from functools import partial
from typing import Any, Final

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.urls import reverse
from django.views.decorators.http import require_safe

from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.views.form_pages import Confirmation, Done, form_page
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


def _initial(page: RequestPage | None) -> dict[str, Any]:
    return {} if page is None else {name: getattr(page, name) for name in _OF_FORM}


def _since(client: Client, page: RequestPage) -> str:
    return gpc.gpc_file(calendars.day_in(client.time_zone, page.created_at))


type _Owned = tuple[Client | None, RequestPage | None]
"""The client, None for the agency itself, and its page, None where it is not open yet."""

_page = partial(
    form_page,
    button=lambda owned: "Save" if owned[1] else "Save and open the page",
    fill=lambda _, owned: {"initial": _initial(owned[1])},
)


def _save(request: StaffRequest, owned: _Owned, form: PageForm | ClientPageForm) -> Done:
    client, page = owned
    notice.save_page(
        agency=request.agency, client=client, said=form.cleaned_data, by=request.actor, at=request.at
    )
    where = reverse("rights:page", args=[client.slug]) if client else reverse("rights:agency_page")
    return Done("Saved." if page else "The requests page is open.", where)


@_page(
    ClientPageForm,
    right=Permission.MANAGE_CONSENT,
    load=lambda _, client: (client, selectors.page_of(client, agency_id=client.agency_id)),
    title="Requests page",
    lede=lambda owned: (
        f"Callers of {owned[0].name} ask here to see, correct or delete their data, or opt out."
    ),
    crumbs=lambda owned: [("Client", reverse("accounts:client", args=[owned[0].slug]))],
    more=lambda _, owned: {"client": owned[0], "page": owned[1], **(_to_paste(*owned) if owned[1] else {})},
    template="rights/page.html",
)
def show_page(request: StaffRequest, owned: _Owned, form: ClientPageForm) -> Done:
    return _save(request, owned, form)


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
    notice.rotate_key(page=page, by=request.actor, at=request.at)
    return "The page has a new address. Replace the old one everywhere."


@require_safe
@needs(Permission.MANAGE_CONSENT)
def take_gpc(request: StaffRequest, client: Client) -> HttpResponse:
    page = selectors.page_of(client, agency_id=client.agency_id)
    if page is None:
        return redirect("rights:page", client.slug)
    answer = HttpResponse(_since(client, page), content_type="application/json")
    answer.headers["Content-Disposition"] = 'attachment; filename="gpc.json"'
    return answer


@_page(
    PageForm,
    right=AgencyRight.SIGN_OFF,
    load=lambda request: (None, selectors.page_of(None, agency_id=request.agency.pk)),
    title="The agency’s requests page",
    lede="For people who know the agency but not the business they called. It names no client.",
    crumbs=lambda _: [("Requests", reverse("rights:home"))],
    more=lambda _, owned: {
        "page": owned[1],
        "address": selectors.address_of(owned[1]) if owned[1] else "",
    },
    template="rights/agency_page.html",
)
def show_agency_page(request: StaffRequest, owned: _Owned, form: PageForm) -> Done:
    return _save(request, owned, form)
