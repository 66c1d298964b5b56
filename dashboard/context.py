"""What the frame around every page shows: the ten entries, the clients, the bell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from callprivacy.accounts import access
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.models import Membership
from callprivacy.tenancy.enums import Permission
from callprivacy.work import selectors as work

_SWITCHER_SHOWS = 50


@dataclass(frozen=True, slots=True)
class Entry:
    """One of the ten entries: its first url that exists and that the person may open."""

    label: str
    icon: str
    url_name: str
    app: str
    permission: Permission | None = None
    right: AgencyRight | None = None


ENTRIES = (
    Entry("Overview", "overview", "dashboard:overview", "dashboard"),
    Entry("Work queue", "queue", "work:queue", "work"),
    Entry("Clients", "clients", "accounts:clients", "accounts"),
    Entry("Calls", "calls", "calls:list", "calls", permission=Permission.VIEW_CALLS),
    Entry("Consent", "consent", "consent:home", "consent", permission=Permission.MANAGE_CONSENT),
    Entry("Requests", "requests", "rights:home", "rights", permission=Permission.HANDLE_REQUESTS),
    Entry("Reports", "reports", "analytics:home", "analytics", permission=Permission.VIEW_ANALYTICS),
    Entry("Retention", "retention", "retention:home", "retention", permission=Permission.MANAGE_RETENTION),
    Entry("Programme", "programme", "governance:home", "governance"),
    Entry("Proof and settings", "proof", "dashboard:trail", "proof", right=AgencyRight.VIEW_TRAIL),
)

# Pages of other apps that stand under "Proof and settings".
_IN_SETTINGS = frozenset({"people", "invite", "matrix", "person", "sees", "cell"})


def shell(request: HttpRequest) -> dict[str, Any]:
    """Context of templates/base.html; empty for who has not signed in or works outside an agency."""
    membership: Membership | None = getattr(request, "membership", None)
    if membership is None:
        return {}
    at = request.at  # type: ignore[attr-defined]
    granted = {
        Permission(name)
        for name in access.grants_of(membership, at=at)
        .values_list("permission__codename", flat=True)
        .distinct()
    }
    match = request.resolver_match
    app = match.app_name if match else ""
    page = (match.url_name or "") if match else ""
    active = "proof" if page.startswith("trail") or page in _IN_SETTINGS else app
    clients = [
        {"name": client.name, "slug": client.slug, "url": _url("accounts:client", client.slug)}
        for client in access.visible_clients(membership, at=at)[:_SWITCHER_SHOWS]
    ]
    slug = match.kwargs.get("slug") if match else None
    return {
        "nav": [
            {
                "label": entry.label,
                "url": url,
                "icon": entry.icon,
                "active": entry.app == active,
                "count": None,
            }
            for entry in ENTRIES
            if _may_open(entry, membership, granted) and (url := _url(entry.url_name))
        ],
        "clients": clients,
        "clients_url": _url("accounts:clients"),
        "current_client": next((client for client in clients if client["slug"] == slug), None),
        "bell_count": work.unread_count(membership),
        "is_demo": membership.agency.is_demo,
        "new_menu": _new_menu(membership),
        "membership": membership,
    }


def _may_open(entry: Entry, membership: Membership, granted: set[Permission]) -> bool:
    if entry.permission is not None and entry.permission not in granted:
        return False
    return entry.right is None or access.has_right(membership, entry.right)


def _new_menu(membership: Membership) -> list[dict[str, str]]:
    wanted = []
    if access.has_right(membership, AgencyRight.MANAGE_CLIENTS):
        wanted.append(("Client", "accounts:client_new", "clients"))
    if access.has_right(membership, AgencyRight.MANAGE_PEOPLE):
        wanted.append(("Invitation", "accounts:invite", "people"))
    return [{"label": label, "url": url, "icon": icon} for label, name, icon in wanted if (url := _url(name))]


def _url(name: str, *args: str) -> str:
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""
