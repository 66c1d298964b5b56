"""What the frame around every page shows: the ten entries, the clients, the bell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Case, Max, Value, When
from django.http import HttpRequest
from django.urls import NoReverseMatch, ResolverMatch, reverse

from callprivacy.accounts import access
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.models import Membership
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from callprivacy.work import selectors as work
from dashboard.access import may_remove_demo
from dashboard.views import mail

_SWITCHER_SHOWS = 50


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One of the ten entries, where its url exists and the person may open it.

    :ivar instead_of: it stands there for who lacks this permission, in the place of the entry that needs it.
    """

    label: str
    icon: str
    url_name: str
    app: str
    permission: Permission | None = None
    right: AgencyRight | None = None
    instead_of: Permission | None = None


ENTRIES = (
    Entry("Overview", "overview", "dashboard:overview", "dashboard"),
    Entry("Work queue", "queue", "work:queue", "work"),
    Entry("Clients", "clients", "accounts:clients", "accounts"),
    Entry("Calls", "calls", "calls:list", "calls", permission=Permission.VIEW_CALLS),
    Entry("Consent", "consent", "consent:home", "consent", permission=Permission.MANAGE_CONSENT),
    Entry(
        "Desk",
        "incoming",
        "consent:desk",
        "consent",
        permission=Permission.ANSWER_CALLS,
        instead_of=Permission.MANAGE_CONSENT,
    ),
    Entry("Requests", "requests", "rights:home", "rights", permission=Permission.HANDLE_REQUESTS),
    Entry("Reports", "reports", "analytics:home", "analytics", permission=Permission.VIEW_ANALYTICS),
    Entry("Retention", "retention", "retention:home", "retention", permission=Permission.MANAGE_RETENTION),
    Entry("Programme", "programme", "governance:home", "governance"),
    Entry("Proof and settings", "proof", "dashboard:trail", "proof", right=AgencyRight.VIEW_TRAIL),
)

# Pages of other apps that stand under "Proof and settings", and pages that stand under no entry.
_IN_SETTINGS = frozenset(
    {
        *(
            "people",
            "invite",
            "matrix",
            "person",
            "sees",
            "cell",
            "reveals",
            "agency",
            "passwords",
            "sign_in_policy",
        ),
        *("password_known", "reset_factors", "decide_reset", "reviews", "review", "seats", "leaver"),
    }
)
_NOWHERE = frozenset({"sessions", "agencies", "notifications"})


def shell(request: HttpRequest) -> dict[str, Any]:
    """Context of templates/base.html; for who has not signed in or works outside an agency only where mail is."""
    membership: Membership | None = getattr(request, "membership", None)
    if membership is None:
        return {"mail_url": _url("dashboard:mail")} if mail.is_here(request) else {}
    at = request.at  # type: ignore[attr-defined]
    match = request.resolver_match
    slug = str(match.kwargs.get("slug", "")) if match else ""
    granted, here = _permissions(membership, slug, at=at)
    visible = access.visible_clients(membership, at=at)
    clients = [_client(client) for client in visible[:_SWITCHER_SHOWS]]
    chosen = slug or request.GET.get("client", "")
    current = next((client for client in clients if client["slug"] == chosen), None)
    if slug and current is None and len(clients) == _SWITCHER_SHOWS:
        current = next((_client(client) for client in visible.filter(slug=slug)), None)
    active = _entry_of(match)
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
        "current_client": current,
        "may_here": here,
        "bell_count": work.unread_count(membership),
        "is_demo": membership.agency.is_demo,
        "may_remove_demo": may_remove_demo(membership),
        "new_menu": _new_menu(membership, slug if Permission.MANAGE_CONNECTIONS in here else ""),
        "membership": membership,
    }


def _client(client: Client) -> dict[str, str]:
    return {"name": client.name, "slug": client.slug, "url": _url("accounts:client", client.slug)}


def _permissions(
    membership: Membership, slug: str, *, at: datetime
) -> tuple[set[Permission], set[Permission]]:
    """What the person may do at some client, and what at the client whose page this is."""
    here = Max(Case(When(content_object__slug=slug, then=1), default=0)) if slug else Value(0)
    rows = (
        access.grants_of(membership, at=at)
        .order_by()
        .values("permission__codename")
        .annotate(here=here)
        .values_list("permission__codename", "here")
        .distinct()
    )
    found = {Permission(name): bool(is_here) for name, is_here in rows}
    return set(found), {permission for permission, is_here in found.items() if is_here}


def _entry_of(match: ResolverMatch | None) -> str:
    """The entry under which a page stands: a client's pages are Clients, whichever app draws them."""
    page = (match.url_name or "") if match else ""
    if match is None or page in _NOWHERE:
        return ""
    if page.startswith("trail") or page in _IN_SETTINGS:
        return "proof"
    if match.route.startswith("clients/") and "/calls/" not in match.route:
        return "accounts"
    return match.app_name


def _may_open(entry: Entry, membership: Membership, granted: set[Permission]) -> bool:
    if entry.permission is not None and entry.permission not in granted:
        return False
    if entry.instead_of is not None and entry.instead_of in granted:
        return False
    return entry.right is None or access.has_right(membership, entry.right)


def _new_menu(membership: Membership, slug: str) -> list[dict[str, str]]:
    """What "+ New" offers; with a client's slug, also what is made for that client."""
    wanted: list[tuple[str, str, str]] = []
    if slug:
        wanted.append(("Calls from a file", _url("calls:import_new", slug), "upload"))
        wanted.append(("Connection", _url("calls:create_connection", slug), "connections"))
    if access.has_right(membership, AgencyRight.MANAGE_CLIENTS):
        wanted.append(("Client", _url("accounts:new_client"), "clients"))
    if access.has_right(membership, AgencyRight.MANAGE_PEOPLE):
        wanted.append(("Invitation", _url("accounts:invite"), "people"))
    return [{"label": label, "url": url, "icon": icon} for label, url, icon in wanted if url]


def _url(name: str, *args: str) -> str:
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""
