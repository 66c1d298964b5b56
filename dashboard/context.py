"""What the frame around every page shows: the entries, the clients, the bell."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, cast

from django.core.validators import slug_re
from django.db.models import Case, Count, Max, Min, QuerySet, Value, When
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.enums import CLIENT_SIDE, AgencyRight
from callprivacy.accounts.models import Membership
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from callprivacy.work import selectors as work
from dashboard import navigation
from dashboard.access import may_remove_demo
from dashboard.navigation import CHOSEN, Entry, Page, Tab
from dashboard.selectors.search import Hit
from dashboard.views import mail

_SWITCHER_SHOWS = 50
_PAGES_FOUND = 8
_SAID_BEFORE = timedelta(days=7)


def shell(request: HttpRequest) -> dict[str, Any]:
    """
    Context of templates/base.html; for who has not signed in or works outside an agency only where mail is.

    What has to be asked of the database is a callable, which a template calls where it stands: a part of a page, and a
    page without the frame, ask nothing.
    """
    if getattr(request, "membership", None) is None:
        return {"mail_url": lambda: _url("dashboard:mail") if mail.is_here(request) else ""}
    frame = Frame(cast("StaffRequest", request))
    return {
        "nav": frame.nav,
        "nav_settings": frame.nav_settings,
        "nav_crumbs": frame.crumbs,
        "nav_tabs": frame.tabs,
        "nav_sections": frame.sections,
        "switcher_clients": frame.clients,
        "all_clients_url": frame.all_clients_url,
        "clients_url": _url("accounts:clients"),
        "current_client": frame.current_client,
        # Read by tags as well, which call nothing.
        "may_here": SimpleLazyObject(frame.may_here),
        "bell_count": frame.bell_count,
        "is_demo": frame.membership.agency.is_demo,
        "may_remove_demo": frame.may_remove_demo,
        "may_search": frame.may_search,
        "new_menu": frame.new_menu,
        "imports_url": frame.imports_url,
        "membership": frame.membership,
        "password_due_soon": frame.is_password_due_soon,
    }


class Frame:
    """One page's frame, each part of it asked for once at most."""

    def __init__(self, request: StaffRequest) -> None:
        self.request, self.membership = request, request.membership
        self.match = request.resolver_match
        self.slug = str(self.match.kwargs.get("slug", "")) if self.match else ""
        self.place = navigation.place_of(self.match)

    # --- The client

    @cached_property
    def _asked(self) -> str:
        """The client that a list of several clients' things is narrowed to; nothing that is typed is repeated."""
        asked = self.request.GET.get("client", "")
        return asked if slug_re.match(asked) and self._visible.filter(slug=asked).exists() else ""

    @property
    def _chosen(self) -> str:
        """The client in which the person works until it is cleared."""
        return self._asked or str(self.request.session.get(CHOSEN, ""))

    @cached_property
    def _held(self) -> "_Held":
        return _permissions(self.membership, self.slug or self._chosen, at=self.request.at)

    @cached_property
    def _sole(self) -> str:
        """The only client of a person who sees one."""
        every = access.sees_every_client(self.membership)
        return "" if every else self._held.only.get(Permission.VIEW_CLIENT, "")

    @cached_property
    def _scope(self) -> str:
        """The client that the entries lead to."""
        return self.slug or self._chosen or self._sole

    @cached_property
    def _visible(self) -> QuerySet[Client]:
        return access.visible_clients(self.membership, at=self.request.at)

    @cached_property
    def _shown(self) -> list[Client]:
        return list(self._visible[:_SWITCHER_SHOWS])

    @cached_property
    def _clients(self) -> list[dict[str, str]]:
        return [
            {"name": client.name, "slug": client.slug, "url": self._switch_url(client.slug)}
            for client in self._shown
        ]

    def _switch_url(self, slug: str) -> str:
        """The page that is open, of another client; its workspace where the page is not about a client."""
        page = self.place.page if self.place else None
        if page is not None and slug in self._openable:
            if page.of_client and (url := _url(page.of_client, slug)):
                return f"{url}?client={slug}"
            if page.narrows:
                return f"{_url(page.name)}?client={slug}"
        return f"{_url('accounts:client', slug)}?client={slug}"

    @cached_property
    def _openable(self) -> set[str]:
        """The shown clients whose version of this page the person may open."""
        page, slugs = self.place.page if self.place else None, {client.slug for client in self._shown}
        wanted = {need for need in page.needs if isinstance(need, Permission)} if page else set()
        if not wanted or any(self._held.counts.get(need, 0) >= len(slugs) for need in wanted):
            return slugs
        granted = access.grants_of(self.membership, at=self.request.at).filter(
            permission__codename__in=wanted
        )
        return slugs & set(granted.values_list("content_object__slug", flat=True))

    def clients(self) -> list[dict[str, str]]:
        """The first of the clients that the person may see; none to choose from for a person with one."""
        return [] if self._sole else self._clients

    def all_clients_url(self) -> str:
        """The page that is open, of every client."""
        page = self.place.page if self.place else None
        url = _url(page.name) if page and page.name and (page.narrows or page.of_client) else ""
        return f"{url or _url('accounts:clients')}?client="

    @cached_property
    def _current(self) -> dict[str, str] | None:
        slug = self._scope
        if not slug:
            return None
        found = next((client for client in self._shown if client.slug == slug), None)
        if found is None and len(self._shown) == _SWITCHER_SHOWS:
            found = self._visible.filter(slug=slug).first()
        if found is None:
            return None
        return {"name": found.name, "slug": found.slug, "url": _url("accounts:client", found.slug)}

    def current_client(self) -> dict[str, str] | None:
        """The client whose page this is, or in which the person works."""
        return self._current

    def may_here(self) -> set[Permission]:
        """What the person may do at the client whose page this is."""
        return self._held.here if self.slug else set()

    # --- Where pages stand

    def _opens(self, page: Page, slug: str) -> bool:
        here = self._held.here if slug != self._sole else set(self._held.only)
        held = here if slug else set(self._held.only)
        if page.who is not None and not page.who(self.membership):
            return False
        if page.together and not (set(page.together) <= held and (slug or self._holds(page.together))):
            return False
        return not page.needs or any(need in held or need in self.membership.rights for need in page.needs)

    def _holds(self, together: tuple[Permission, ...]) -> bool:
        clients = (
            access.grants_of(self.membership, at=self.request.at)
            .filter(permission__codename__in=together)
            .order_by()
            .values("content_object_id")
            .annotate(held=Count("permission__codename", distinct=True))
        )
        return clients.filter(held=len(together)).exists()

    def _link(self, page: Page, slug: str) -> str:
        """Where a page is, of the client in scope where it has one; empty where the person may not open it."""
        if slug and page.of_client and self._opens(page, slug):
            return _url(page.of_client, slug)
        if not page.name or not self._opens(page, ""):
            return ""
        url = _url(page.name)
        narrowed = page.narrows and slug and slug != self._sole and self._opens(page, slug)
        return f"{url}?client={slug}" if url and narrowed else url

    def _first(self, tab: Tab, slug: str) -> str:
        return next((url for page in tab.pages if (url := self._link(page, slug))), "")

    def _entry(self, entry: Entry) -> dict[str, Any]:
        url = next((url for tab in entry.tabs if (url := self._first(tab, self._scope))), "")
        active = self.place is not None and self.place.entry is entry
        return {"label": entry.label, "url": url, "icon": entry.icon, "active": active, "count": None}

    @cached_property
    def _nav(self) -> list[dict[str, Any]]:
        return [drawn for entry in navigation.ENTRIES if (drawn := self._entry(entry))["url"]]

    @cached_property
    def _settings(self) -> dict[str, Any] | None:
        drawn = self._entry(navigation.SETTINGS)
        return drawn if drawn["url"] else None

    def nav(self) -> list[dict[str, Any]]:
        """The entries that the person may open."""
        return self._nav

    def nav_settings(self) -> dict[str, Any] | None:
        """The gear, for a person who may open anything there."""
        return self._settings

    @property
    def _tab_scope(self) -> str:
        """The client of the tabs: the address decides, and the choice where the address can say nothing."""
        if self.slug or self._asked:
            return self.slug or self._asked
        return "" if self.place and self.place.page.of_client else self._scope

    @cached_property
    def _tabs(self) -> list[dict[str, Any]]:
        if self.place is None:
            return []
        tabs = self.place.entry.tabs
        if self.place.entry is navigation.ACCOUNT and access.Through.of(self.request) is not None:
            tabs = tabs[-1:]
        drawn = [
            {"label": tab.label, "url": url, "active": tab is self.place.tab}
            for tab in tabs
            if (url := self._first(tab, self._tab_scope))
        ]
        return drawn if len(drawn) > 1 else []

    def tabs(self) -> list[dict[str, Any]]:
        """The tabs of the entry under which the page stands."""
        return self._tabs

    @cached_property
    def _sections(self) -> list[dict[str, Any]]:
        place = self.place
        if place is None or self.match is None:
            return []
        if self.match.view_name not in {place.page.name, place.page.of_client}:
            return []
        drawn = [
            {
                "label": section.label,
                "pages": [
                    {"label": page.label, "url": url, "active": page is place.page}
                    for page in section.pages
                    if (url := self._link(page, self._tab_scope))
                ],
            }
            for section in place.tab.sections
        ]
        return drawn if sum(len(section["pages"]) for section in drawn) > 1 else []

    def sections(self) -> list[dict[str, Any]]:
        """The pages of the tab, on a page that is one of them."""
        return self._sections

    def pages_called(self, words: str) -> list[Hit]:
        """The pages with these words in their name that the person may open."""
        wanted = words.lower()
        found: dict[str, Hit] = {}
        for place in navigation.places():
            name = f"{place.entry.label} {place.tab.label} {place.page.label}"
            if wanted in name.lower() and (url := self._link(place.page, self._scope)):
                found.setdefault(url, Hit(place.entry.label, place.page.label, url))
        return sorted(found.values(), key=lambda hit: wanted not in hit.label.lower())[:_PAGES_FOUND]

    @cached_property
    def _crumbs(self) -> list[dict[str, str]]:
        place = self.place
        if place is None or place.entry is navigation.ACCOUNT:
            return []
        is_clients = place.entry is navigation.CLIENTS
        first = [] if is_clients and self._sole else [self._entry_crumb(place.entry)]
        if self.slug and self._current:
            first.append((self._current["name"], self._current["url"]))
        elif is_clients:
            first = first[:1]
        first.append((place.tab.label, self._first(place.tab, self._tab_scope)))
        first.append((place.page.label, self._link(place.page, self._tab_scope)))
        here, seen = self.request.path, set[str]()
        found = []
        for label, url in first:
            path = url.partition("?")[0]
            if path and path != here and path not in seen:
                found.append({"label": label, "url": url})
            seen.add(path)
        return found

    def _entry_crumb(self, entry: Entry) -> tuple[str, str]:
        if entry is navigation.CLIENTS:
            return entry.label, _url("accounts:clients")
        return entry.label, str(self._entry(entry)["url"])

    def crumbs(self) -> list[dict[str, str]]:
        """What stands above the page, from its entry on; the page itself adds what it is."""
        return self._crumbs

    @cached_property
    def _unread(self) -> int:
        return work.unread_count(self.membership)

    def bell_count(self) -> int:
        """How many notifications are not read."""
        return self._unread

    def may_search(self) -> bool:
        """Whether there are calls of somebody in which the person may look for a number."""
        return Permission.VIEW_CALLS in self._held.only

    def may_remove_demo(self) -> bool:
        return may_remove_demo(self.membership)

    @cached_property
    def _new_menu(self) -> list[dict[str, str]]:
        slug = self.slug if Permission.MANAGE_CONNECTIONS in self.may_here() else ""
        enters = Permission.HANDLE_REQUESTS in self._held.only and self.membership.role not in CLIENT_SIDE
        return _new_menu(self.membership, slug, imports_at=self.imports_url(), enters=enters)

    def imports_url(self) -> str:
        """Where calls from a file come in, or its client is chosen; empty where the person may import none."""
        held = self._held
        if Permission.MANAGE_CONNECTIONS not in held.only:
            return ""
        chosen = self._scope if Permission.MANAGE_CONNECTIONS in held.here else ""
        slug = chosen or held.only[Permission.MANAGE_CONNECTIONS]
        return _url("calls:import_new", slug) if slug else _url("calls:import_client")

    def new_menu(self) -> list[dict[str, str]]:
        return self._new_menu

    def is_password_due_soon(self) -> bool:
        """Whether every page says that the person's password is due within a week; its own page says so anyway."""
        due = self.membership.user.password_due_at
        is_there = self.match is not None and self.match.url_name == "account_change_password"
        if due is None or is_there or access.Through.of(self.request) is not None:
            return False
        return due <= self.request.at + _SAID_BEFORE


@dataclass(frozen=True, slots=True)
class _Held:
    """
    What a person may do.

    :ivar only: permission held at some client -> the only client's slug; empty where there are several.
    :ivar counts: permission -> at how many clients.
    :ivar here: what the person may do at the client in scope.
    """

    only: dict[Permission, str]
    counts: dict[Permission, int]
    here: set[Permission]


def _permissions(membership: Membership, slug: str, *, at: datetime) -> _Held:
    here = Max(Case(When(content_object__slug=slug, then=1), default=0)) if slug else Value(0)
    rows = (
        access.grants_of(membership, at=at)
        .order_by()
        .values("permission__codename")
        .annotate(
            here=here,
            first=Min("content_object__slug"),
            last=Max("content_object__slug"),
            clients=Count("content_object_id", distinct=True),
        )
        .values_list("permission__codename", "here", "first", "last", "clients")
        .distinct()
    )
    found = {Permission(name): more for name, *more in rows}
    return _Held(
        {held: first if first == last else "" for held, (_, first, last, _) in found.items()},
        {held: clients for held, (*_, clients) in found.items()},
        {held for held, (is_here, *_) in found.items() if is_here},
    )


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
