"""The staff's page about a client's public page: its address, the snippet, the sites, and how to shut it."""

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
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from consent.channels import embed
from consent.forms.web import SitesForm
from consent.models import WebPage
from consent.selectors import web as selectors
from consent.services import preferences, web

_GPC: Final = '{"gpc": true, "lastUpdate": "2026-11-24"}'


def _context(client: Client, **more: Any) -> dict[str, Any]:
    return {"client": client, **more}


def _initial(client: Client, page: WebPage | None) -> dict[str, Any]:
    """A client at home outside America asks every visitor, until somebody says otherwise."""
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
    """The public page and the form for other sites; saving opens them where they are not open yet."""
    page = selectors.page_of(client)
    may_swap = access.may(request.membership, Permission.MANAGE_CONNECTIONS, client, at=request.at)
    form = SitesForm(request.POST or None, initial=_initial(client, page), may_swap=may_swap)
    if request.method == "POST" and form.is_valid():
        web.save_page(client=client, by=request.actor, at=request.at, **form.cleaned_data)
        messages.success(request, "Page saved." if page else "Page published.")
        return redirect("consent:web", client.slug)
    context = _context(
        client,
        form=form,
        page=page,
        address=f"{settings.CALLPRIVACY_URL}{reverse('consent:public_page', args=[page.key])}"
        if page
        else "",
        snippet=embed.tag_for(page.key) if page else "",
        script=embed.path(),
        ours=f"{urlsplit(settings.CALLPRIVACY_URL).scheme}://{urlsplit(settings.CALLPRIVACY_URL).netloc}",
        integrity=embed.integrity(),
        gpc=_GPC,
        purposes=selectors.purposes_asked(client),
    )
    return render(request, "consent/web.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONSENT)
def change_key(request: StaffRequest, client: Client) -> HttpResponse:
    """Give the page another address, after saying what stops working."""
    page = selectors.page_of(client)
    if page is None:
        return redirect("consent:web", client.slug)
    if request.method == "POST":
        web.rotate_key(client=client, by=request.actor, at=request.at)
        messages.success(request, "Page address changed. Paste the new snippet into each site.")
        return redirect("consent:web", client.slug)
    return render(request, "consent/web_key.html", _context(client, page=page))


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONSENT)
def revoke_links(request: StaffRequest, client: Client) -> HttpResponse:
    """Let no personal link that was sent so far open choices or take a yes, after saying what that means."""
    if request.method == "POST":
        preferences.revoke_links(client=client, by=request.actor, at=request.at)
        messages.success(
            request,
            "Links revoked. Personal links sent until now no longer open preferences or accept consent.",
        )
        return redirect("consent:web", client.slug)
    return render(request, "consent/web_links.html", _context(client))
