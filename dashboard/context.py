"""What the frame around every page shows: the entries, the clients, the bell."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.db.models import Case, Max, Min, QuerySet, Value, When
from django.http import HttpRequest
from django.urls import NoReverseMatch, ResolverMatch, reverse
from django.utils.functional import SimpleLazyObject

from callprivacy.accounts import access
from callprivacy.accounts.enums import CLIENT_SIDE, AgencyRight
from callprivacy.accounts.models import Membership
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from callprivacy.work import selectors as work
from dashboard.access import may_remove_demo, may_see_proof
from dashboard.views import mail

_SWITCHER_SHOWS = 50
_SAID_BEFORE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One of the entries, where its url exists and the person may open it.

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
    Entry(
        "Releases",
        "reports",
        "analytics:releases",
        "analytics",
        permission=Permission.RELEASE_DATA,
        instead_of=Permission.VIEW_ANALYTICS,
    ),
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
            "provider",
        ),
        "binders",
        *("password_known", "reset_factors", "decide_reset", "reviews", "review", "seats", "leaver"),
    }
)
# Pages of this room that stand under "Programme".
_IN_PROGRAMME = frozenset({"law_changes", "records", "record_words", "record"})
_NOWHERE = frozenset({"sessions", "agencies", "notifications"})


def shell(request: HttpRequest) -> dict[str, Any]:
    """
    Context of templates/base.html; for who has not signed in or works outside an agency only where mail is.

    What has to be asked of the database is a callable, which a template calls where it stands: a part of a page, and a
    page without the frame, ask nothing.
    """
    membership: Membership | None = getattr(request, "membership", None)
    if membership is None:
        return {"mail_url": lambda: _url("dashboard:mail") if mail.is_here(request) else ""}
    frame = _Frame(request, membership)
    return {
        "nav": frame.nav,
        "switcher_clients": frame.clients,
        "clients_url": _url("accounts:clients"),
        "current_client": frame.current_client,
        # Read by tags as well, which call nothing.
        "may_here": SimpleLazyObject(frame.may_here),
        "bell_count": frame.bell_count,
        "is_demo": membership.agency.is_demo,
        "may_remove_demo": frame.may_remove_demo,
        "may_see_proof": may_see_proof(membership),
        "may_search": frame.may_search,
        "new_menu": frame.new_menu,
        "imports_url": frame.imports_url,
        "membership": membership,
        "password_due_soon": frame.is_password_due_soon,
    }


class _Frame:
    """One page's frame, each part of it asked for once at most."""

    def __init__(self, request: HttpRequest, membership: Membership) -> None:
        self.request, self.membership = request, membership
        self.match = request.resolver_match
        self.slug = str(self.match.kwargs.get("slug", "")) if self.match else ""

    @cached_property
    def _permissions(self) -> tuple[dict[Permission, str], set[Permission]]:
        return _permissions(self.membership, self.slug or self._asked, at=self._at)

    @property
    def _asked(self) -> str:
        """The client that a list of several clients' things is narrowed to."""
        asked = self.request.GET.get("client", "")
        return asked if asked.isprintable() else ""

    @cached_property
    def _visible(self) -> QuerySet[Client]:
        return access.visible_clients(self.membership, at=self._at)

    @cached_property
    def _clients(self) -> list[dict[str, str]]:
        return [_client(client) for client in self._visible[:_SWITCHER_SHOWS]]

    @cached_property
    def _current(self) -> dict[str, str] | None:
        chosen = self.slug or self.request.GET.get("client", "")
        if not chosen:
            return None
        current = next((client for client in self._clients if client["slug"] == chosen), None)
        if self.slug and current is None and len(self._clients) == _SWITCHER_SHOWS:
            current = next((_client(client) for client in self._visible.filter(slug=self.slug)), None)
        return current

    @cached_property
    def _unread(self) -> int:
        return work.unread_count(self.membership)

    @property
    def _at(self) -> datetime:
        at: datetime = self.request.at  # type: ignore[attr-defined]  # the scope's middleware sets it
        return at

    @cached_property
    def _entries(self) -> list[dict[str, Any]]:
        granted, active = self._permissions[0], _entry_of(self.match)
        return [
            {
                "label": entry.label,
                "url": url,
                "icon": entry.icon,
                "active": entry.app == active,
                "count": None,
            }
            for entry in ENTRIES
            if _may_open(entry, self.membership, granted) and (url := _url(entry.url_name))
        ]

    def nav(self) -> list[dict[str, Any]]:
        """The entries that the person may open."""
        return self._entries

    def clients(self) -> list[dict[str, str]]:
        """The first of the clients that the person may see."""
        return self._clients

    def current_client(self) -> dict[str, str] | None:
        """The client whose page this is."""
        return self._current

    def may_here(self) -> set[Permission]:
        """What the person may do at that client."""
        return self._permissions[1] if self.slug else set()

    def bell_count(self) -> int:
        """How many notifications are not read."""
        return self._unread

    def may_search(self) -> bool:
        """Whether there are calls of somebody in which the person may look for a number."""
        return Permission.VIEW_CALLS in self._permissions[0]

    def may_remove_demo(self) -> bool:
        """Whether the person may end the demo."""
        return may_remove_demo(self.membership)

    @cached_property
    def _new_menu(self) -> list[dict[str, str]]:
        slug = self.slug if Permission.MANAGE_CONNECTIONS in self.may_here() else ""
        enters = (
            Permission.HANDLE_REQUESTS in self._permissions[0] and self.membership.role not in CLIENT_SIDE
        )
        return _new_menu(self.membership, slug, imports_at=self.imports_url(), enters=enters)

    def imports_url(self) -> str:
        """Where calls from a file come in, or its client is chosen; empty where the person may import none."""
        held, here = self._permissions
        if Permission.MANAGE_CONNECTIONS not in held:
            return ""
        chosen = self.slug or self._asked
        slug = chosen if Permission.MANAGE_CONNECTIONS in here else held[Permission.MANAGE_CONNECTIONS]
        return _url("calls:import_new", slug) if slug else _url("accounts:clients")

    def new_menu(self) -> list[dict[str, str]]:
        """What "+ New" offers."""
        return self._new_menu

    def is_password_due_soon(self) -> bool:
        """Whether every page says that the person's password is due within a week; its own page says so anyway."""
        due = self.membership.user.password_due_at
        is_there = self.match is not None and self.match.url_name == "account_change_password"
        if due is None or is_there or access.Through.of(self.request) is not None:
            return False
        return due <= self._at + _SAID_BEFORE


def _client(client: Client) -> dict[str, str]:
    return {"name": client.name, "slug": client.slug, "url": _url("accounts:client", client.slug)}


def _permissions(
    membership: Membership, slug: str, *, at: datetime
) -> tuple[dict[Permission, str], set[Permission]]:
    """
    What the person may do at some client, and what at the client that is chosen.

    Beside each permission stands the only client on which the person holds it; empty where there are several.
    """
    here = Max(Case(When(content_object__slug=slug, then=1), default=0)) if slug else Value(0)
    first, last = Min("content_object__slug"), Max("content_object__slug")
    rows = (
        access.grants_of(membership, at=at)
        .order_by()
        .values("permission__codename")
        .annotate(here=here, first=first, last=last)
        .values_list("permission__codename", "here", "first", "last")
        .distinct()
    )
    found = {
        Permission(name): (is_here, first if first == last else "") for name, is_here, first, last in rows
    }
    return (
        {permission: only for permission, (_, only) in found.items()},
        {permission for permission, (is_here, _) in found.items() if is_here},
    )


def _entry_of(match: ResolverMatch | None) -> str:
    """The entry under which a page stands: a client's pages are Clients, whichever app draws them."""
    page = (match.url_name or "") if match else ""
    if match is None or page in _NOWHERE:
        return ""
    if page.startswith("trail") or page in _IN_SETTINGS:
        return "proof"
    if match.app_name == "dashboard" and page in _IN_PROGRAMME:
        return "governance"
    if match.route.startswith("clients/") and "/calls/" not in match.route:
        return "accounts"
    return match.app_name


def _may_open(entry: Entry, membership: Membership, granted: Collection[Permission]) -> bool:
    if entry.permission is not None and entry.permission not in granted:
        return False
    if entry.instead_of is not None and entry.instead_of in granted:
        return False
    return entry.right is None or access.has_right(membership, entry.right)


def _new_menu(membership: Membership, slug: str, *, imports_at: str, enters: bool) -> list[dict[str, str]]:
    """
    What "+ New" offers; with a client's slug, also what is made for that client.

    :param imports_at: where calls from a file come in; empty where the person may import none.
    :param enters: whether the person enters requests that came by mail, post, phone or in person.
    """
    wanted: list[tuple[str, str, str]] = []
    if imports_at:
        wanted.append(("Calls from a file", imports_at, "upload"))
    if slug:
        wanted.append(("Connection", _url("calls:create_connection", slug), "connections"))
    if enters:
        wanted.append(("Request", _url("rights:new"), "requests"))
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
