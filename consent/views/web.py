"""Settings of a client's public page: its address, the snippet, the sites, and how to revoke them."""

from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.accounts.views.form_pages import Confirmation, form_page
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from consent.channels import embed
from consent.forms.web import SitesForm
from consent.models import WebPage
from consent.selectors import web as selectors
from consent.services import preferences, web

_GPC: Final = '{"gpc": true, "lastUpdate": "2026-11-24"}'


def _initial(client: Client, page: WebPage | None) -> dict[str, Any]:
    """The form of a client outside the US, Canada and Australia asks every visitor by default."""
    if page is None:
        return {"swap_needs_consent": client.home_country not in {"US", "CA", "AU"}}
    return {
        "origins": "\n".join(page.origins),
        "swap_url": page.swap_url,
        "swap_integrity": page.swap_integrity,
        "swap_needs_consent": page.swap_needs_consent,
    }


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONSENT)
def show_web(request: StaffRequest, client: Client) -> HttpResponse:
    """The public page and the form for other sites; saving publishes them."""
    page = selectors.page_of(client)
    may_swap = access.may(request.membership, Permission.MANAGE_CONNECTIONS, client, at=request.at)
    form = SitesForm(request.POST or None, initial=_initial(client, page), may_swap=may_swap)
    if request.method == "POST" and form.is_valid():
        web.save_page(client=client, by=request.actor, at=request.at, **form.cleaned_data)
        messages.success(request, "Page saved." if page else "Page published.")
        return redirect("consent:web", client.slug)
    path = reverse("consent:public_page", args=[page.key]) if page else ""
    context = {
        "client": client,
        "form": form,
        "page": page,
        "address": f"{settings.CALLPRIVACY_URL}{path}" if page else "",
        "snippet": embed.tag_for(page.key) if page else "",
        "script": embed.path(),
        "ours": f"{urlsplit(settings.CALLPRIVACY_URL).scheme}://{urlsplit(settings.CALLPRIVACY_URL).netloc}",
        "integrity": embed.integrity(),
        "gpc": _GPC,
        "purposes": selectors.purposes_asked(client),
    }
    return render(request, "consent/web.html", context)


def _load_page(_: StaffRequest, client: Client) -> WebPage | HttpResponse:
    return selectors.page_of(client) or redirect("consent:web", client.slug)


_page: Final = partial(form_page, right=Permission.MANAGE_CONSENT)


@_page(
    load=_load_page,
    title="Change page address",
    button="Change address",
    crumbs=lambda page: [("Web page and form", reverse("consent:web", args=[page.client.slug]))],
    confirm=lambda _, page: Confirmation(
        "The old address stops working now",
        "You cannot restore it. Paste the new snippet into each site.",
        extent=[
            {"label": "Sites whose form stops working", "value": ", ".join(page.origins) or "none"},
            {"label": "Pages", "value": 1},
            {"label": "Personal links and receipts", "value": "all"},
        ],
        stays=["All consent and opt-outs, with their evidence.", "The settings and the list of sites."],
    ),
)
def change_key(request: StaffRequest, page: WebPage, _: Any) -> str:
    web.rotate_key(client=page.client, by=request.actor, at=request.at)
    return "Page address changed. Paste the new snippet into each site."


@_page(
    title="End all personal links",
    button="End all personal links",
    crumbs=lambda client: [("Web page and form", reverse("consent:web", args=[client.slug]))],
    confirm=lambda _, client: Confirmation(
        "Personal links sent so far no longer open choices or accept consent",
        f"This affects all callers of {client.name} and cannot be undone. Links sent from now on work.",
        extent=[
            {"label": "Links sent so far", "value": "all"},
            {"label": "Requests to confirm an address", "value": "all"},
            {
                "label": "Emails that request consent",
                "value": "all: no reminder is sent, and YES replies by email wait for review",
            },
        ],
        stays=[
            "The page and the form: callers can still verify their phone with a code and withdraw consent.",
            "Opt-outs by links in emails that request consent.",
            "All consent and opt-outs.",
        ],
    ),
)
def revoke_links(request: StaffRequest, client: Client, _: Any) -> str:
    preferences.revoke_links(client=client, by=request.actor, at=request.at)
    return "Links revoked. Personal links sent until now no longer open preferences or accept consent."
