"""
The one declaration of where each staff page stands: entry, tab, page, and the right that the page needs.

The sidebar, the tabs, the sections, the breadcrumbs, the client switcher and the command palette are drawn from it.
A page claims the addresses that begin with its own, so that only the exceptions are named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from django.urls import ResolverMatch, URLPattern, URLResolver, get_resolver

from callprivacy.accounts.enums import CLIENT_SIDE
from callprivacy.accounts.enums import AgencyRight as R
from callprivacy.accounts.models import Membership
from callprivacy.tenancy.enums import Permission as P  # noqa: N817  (the table below stays readable)
from dashboard.access import may_see_proof

CHOSEN: Final = "client"
"""Under which name a session keeps the client that the person works in."""

type Need = P | R


@dataclass(frozen=True, slots=True)
class Page:
    """
    A page that has a link of its own.

    :ivar name: url name of the page about the whole agency; empty where there is none.
    :ivar of_client: url name of the page about one client.
    :ivar needs: any one of these opens it: a permission at the client or at any client, or a right.
    :ivar together: all of these, held on one client, open it.
    :ivar who: a further condition on the person.
    :ivar narrows: the agency's page takes `?client=`.
    :ivar also: url names of pages below it whose addresses do not begin with its own.
    """

    label: str
    name: str = ""
    of_client: str = ""
    needs: tuple[Need, ...] = ()
    together: tuple[P, ...] = ()
    who: Callable[[Membership], bool] | None = None
    narrows: bool = False
    also: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Every url name that is declared to belong here."""
        return tuple(name for name in (self.name, self.of_client, *self.also) if name)


@dataclass(frozen=True, slots=True)
class Section:
    """Pages of a tab under one heading."""

    label: str
    pages: tuple[Page, ...]


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab of an entry: one page, or several in sections."""

    label: str
    sections: tuple[Section, ...]

    @property
    def pages(self) -> Iterator[Page]:
        """Its pages in their order; the tab leads to the first that the person may open."""
        return (page for section in self.sections for page in section.pages)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the sidebar."""

    label: str
    icon: str
    tabs: tuple[Tab, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address stands."""

    entry: Entry
    tab: Tab
    page: Page


def _tab(label: str, *parts: Page | Section) -> Tab:
    if all(isinstance(part, Section) for part in parts):
        return Tab(label, parts)  # type: ignore[arg-type]  # all are sections
    return Tab(label, (Section("", parts),))  # type: ignore[arg-type]  # all are pages


def _one(label: str, *args: str, **more: object) -> Tab:
    return _tab(label, Page(label, *args, **more))  # type: ignore[arg-type]  # as Page takes them


def _is_officer(membership: Membership) -> bool:
    return R.SIGN_OFF in membership.rights


def _is_client_side(membership: Membership) -> bool:
    return membership.role in CLIENT_SIDE


INBOX: Final = Entry(
    "Inbox",
    "queue",
    (
        _one("Decisions awaiting you", "rights:decisions", needs=(P.HANDLE_REQUESTS,), who=_is_client_side),
        _one("Inbox", "work:queue"),
        _one("Notifications", "work:notifications"),
    ),
)

_NOTICES: Final = Section(
    "Notices",
    (
        Page("Notices", of_client="consent:notices", needs=(P.VIEW_CLIENT,)),
        Page("Posted notices", of_client="consent:posted", needs=(P.VIEW_CLIENT,)),
        Page("Copy snippets", of_client="consent:words", needs=(P.VIEW_CLIENT,)),
        Page("Privacy notice", of_client="rights:notice", needs=(P.VIEW_CLIENT,)),
        Page("Web page and form", of_client="consent:web", needs=(P.MANAGE_CONSENT,)),
        Page("Requests page", of_client="rights:page", needs=(P.MANAGE_CONSENT,)),
        Page("Phone menus and texts", of_client="consent:menus", needs=(P.MANAGE_CONSENT,)),
        Page(
            "Messages", of_client="consent:replies", needs=(P.MANAGE_CONSENT,), also=("consent:ask_by_text",)
        ),
        Page("Invitations", of_client="consent:invitations", needs=(P.MANAGE_CONSENT,)),
        Page("Signed terms", of_client="consent:terms", needs=(P.MANAGE_CONSENT,)),
        Page("Answering sites", of_client="consent:sites", needs=(P.VIEW_CLIENT,)),
    ),
)
_LEGAL_BASIS: Final = Section(
    "Legal basis",
    (
        Page("Standard and basis", of_client="consent:standard", needs=(P.VIEW_CLIENT,)),
        Page("Applicable law", of_client="consent:client_law", needs=(P.VIEW_CLIENT,)),
        Page("Thresholds", of_client="rights:reach", needs=(P.VIEW_CLIENT,)),
        Page("Consent expiry", of_client="consent:ages", needs=(P.MANAGE_CONSENT,)),
    ),
)
_OPT_OUTS: Final = Section(
    "Opt-outs",
    (
        Page("Withdrawals", of_client="consent:withdrawals", needs=(P.MANAGE_CONSENT,)),
        Page("Advertising", of_client="consent:destinations", needs=(P.MANAGE_CONSENT,)),
    ),
)

CLIENTS: Final = Entry(
    "Clients",
    "clients",
    (
        _tab(
            "Summary",
            Page(
                "Summary",
                "accounts:clients",
                "accounts:client",
                also=("accounts:new_client", "accounts:edit_client", "accounts:edit_engagement"),
            ),
            Page("Setup", of_client="consent:setup", needs=(P.MANAGE_CONSENT,)),
        ),
        _tab("Consent and notices", _NOTICES, _LEGAL_BASIS, _OPT_OUTS),
        _tab(
            "Data and retention",
            Page("Retention rules", of_client="retention:policies", needs=(P.MANAGE_RETENTION,)),
            Page("Legal holds", of_client="retention:holds", needs=(P.MANAGE_RETENTION,)),
            Page("Deletion certificates", of_client="retention:certificates", needs=(P.MANAGE_RETENTION,)),
            Page("Deletions at vendors", of_client="retention:errands", needs=(P.MANAGE_RETENTION,)),
            Page("Copies at vendors", of_client="retention:leftovers", needs=(P.MANAGE_RETENTION,)),
            Page("Evidence packs", of_client="dashboard:proof", needs=(P.VIEW_CLIENT,), who=may_see_proof),
            Page("Offboarding", of_client="retention:offboarding", needs=(P.MANAGE_RETENTION,)),
        ),
        _one("People", of_client="accounts:client_people"),
        _tab(
            "Integrations",
            Page(
                "Numbers and connections",
                of_client="calls:client_connections",
                needs=(P.MANAGE_CONNECTIONS,),
                also=("calls:add_number", "calls:describe_number", "consent:describe_account"),
            ),
            Page("API keys", of_client="accounts:api_keys", needs=(P.MANAGE_CONNECTIONS,)),
            Page("Webhooks", of_client="consent:endpoints", needs=(P.MANAGE_CONNECTIONS,)),
        ),
    ),
)

CALLS: Final = Entry(
    "Calls",
    "calls",
    (
        _one("Calls", "calls:list", needs=(P.VIEW_CALLS,), narrows=True, also=("calls:call",)),
        _one("Recordings", of_client="consent:recordings", needs=(P.VIEW_CALLS,)),
        _one(
            "Confidential calls",
            of_client="calls:confidential_calls",
            needs=(P.VIEW_CALLS,),
            who=_is_officer,
        ),
        _one("Imports", "calls:import_client", "calls:imports", needs=(P.MANAGE_CONNECTIONS,)),
        _one("Export", of_client="calls:export_new", needs=(P.EXPORT_CALLS,)),
    ),
)

REQUESTS: Final = Entry(
    "Requests",
    "requests",
    (
        _one(
            "Requests",
            "rights:home",
            needs=(P.HANDLE_REQUESTS, R.SIGN_OFF),
            narrows=True,
            also=("rights:board",),
        ),
        _one(
            "Withdrawals",
            "consent:all_withdrawals",
            needs=(P.MANAGE_CONSENT,),
            narrows=True,
            also=("consent:withdrawal", "consent:vendor_task"),
        ),
        _one("Recipient notifications", "rights:recipients", needs=(P.HANDLE_REQUESTS, R.SIGN_OFF)),
        _one(
            "Figures",
            "rights:metrics",
            needs=(P.HANDLE_REQUESTS, R.SIGN_OFF),
            also=("rights:metrics_file", "rights:record_file"),
        ),
    ),
)

CONSENT: Final = Entry(
    "Consent",
    "consent",
    (
        _one("Coverage", "consent:home", needs=(P.MANAGE_CONSENT,), narrows=True),
        _one("Callers", of_client="consent:callers", needs=(P.VIEW_CALLS,)),
        _tab(
            "List checks",
            Page("List checks", "consent:list_checks", "consent:client_lists", needs=(P.MANAGE_CONSENT,)),
            Page("Do-not-call and reassigned-number lists", "consent:registers", needs=(R.SIGN_OFF,)),
            Page(
                "Numbers for a list",
                of_client="consent:numbers_out",
                needs=(P.REVEAL_NUMBERS,),
                who=_is_officer,
            ),
        ),
        _one(
            "Desk",
            "consent:desk",
            needs=(P.ANSWER_CALLS,),
            narrows=True,
            also=("consent:desk_tap", "consent:desk_call_back", "consent:desk_call_back_state"),
        ),
    ),
)

REPORTS: Final = Entry(
    "Reports",
    "reports",
    (
        _one("Overview", "dashboard:overview", needs=(P.VIEW_ANALYTICS, R.MANAGE_CLIENTS)),
        _one("Campaigns", "analytics:home", "analytics:campaigns", needs=(P.VIEW_ANALYTICS,)),
        _one(
            "Explorer",
            of_client="analytics:explore",
            needs=(P.VIEW_ANALYTICS, P.VIEW_EXACT_REPORTS),
            also=("analytics:save",),
        ),
        _one("Saved reports", of_client="analytics:saved", needs=(P.VIEW_ANALYTICS,)),
        _one("Goals", of_client="analytics:goals", needs=(P.VIEW_ANALYTICS,)),
        _one("Costs", of_client="analytics:costs", needs=(P.VIEW_ANALYTICS,)),
        _one(
            "Releases",
            "analytics:releases",
            "analytics:client_releases",
            needs=(P.RELEASE_DATA,),
            also=("analytics:release_floor", "analytics:anonymized_export"),
        ),
        _one("Conversion rule", of_client="analytics:rule", needs=(P.MANAGE_CONSENT,)),
    ),
)

COMPLIANCE: Final = Entry(
    "Compliance",
    "proof",
    (
        _tab(
            "Status",
            Page("Controls", "dashboard:posture", needs=(R.MANAGE_CLIENTS,)),
            Page("Governance", "governance:home"),
        ),
        _tab(
            "Breaches",
            Page("Breaches", "governance:breaches", needs=(R.MANAGE_CLIENTS,), also=("governance:touched",)),
            Page("Report a breach", "governance:report_breach"),
        ),
        _one("Vendors", "governance:vendors", needs=(R.MANAGE_CLIENTS,)),
        _tab(
            "Training",
            Page("Your training", "governance:training"),
            Page(
                "Team training",
                "governance:training_matrix",
                needs=(R.MANAGE_CLIENTS,),
                also=("governance:training_assign", "governance:training_outside"),
            ),
            Page("Progress", "governance:training_campaign", needs=(R.MANAGE_CLIENTS,)),
            Page("Own courses", "governance:own_courses", needs=(R.MANAGE_CLIENTS,)),
        ),
        _tab(
            "Records",
            Page("Records of processing", "dashboard:records", needs=(R.SIGN_OFF,)),
            Page("Premises", "governance:entries", needs=(R.MANAGE_CLIENTS,)),
            Page("Your visitors", "governance:visitors"),
        ),
        _tab(
            "Law",
            Page("Law changes", "dashboard:law_changes", needs=(R.MANAGE_CLIENTS,)),
            Page("Rules by place", "consent:law"),
            Page("Rule packs", "consent:packs", needs=(R.SIGN_OFF,)),
        ),
        _tab(
            "Audit log",
            Page("Audit log", "dashboard:trail", needs=(R.VIEW_TRAIL,), narrows=True),
            Page("Reveal log", "calls:reveals", needs=(R.SIGN_OFF,)),
        ),
        _one("Evidence", "dashboard:binders", needs=(R.VIEW_TRAIL,)),
        _tab(
            "Retention",
            Page(
                "Due now",
                "retention:home",
                needs=(P.MANAGE_RETENTION, R.RUN_JOBS),
                also=("retention:start_run",),
            ),
            Page(
                "Schedule",
                "retention:calendar",
                together=(P.MANAGE_RETENTION, P.VIEW_CALLS),
                narrows=True,
            ),
            Page("Rules", "retention:policy_matrix", needs=(P.MANAGE_RETENTION, R.SIGN_OFF)),
            Page("Changes", "retention:changes", needs=(P.MANAGE_RETENTION, R.SIGN_OFF, R.MANAGE_CLIENTS)),
            Page("Holds", "retention:all_holds", needs=(P.MANAGE_RETENTION,)),
            Page(
                "Preview",
                "retention:preview_all",
                needs=(P.MANAGE_RETENTION, R.RUN_JOBS),
                also=("retention:preview_own",),
            ),
            Page("Agency certificates", "retention:own_certificates", needs=(R.SIGN_OFF,)),
            Page("Offboarding", "retention:leaving", needs=(R.MANAGE_CLIENTS,)),
        ),
    ),
)

SETTINGS: Final = Entry(
    "Settings",
    "settings",
    (
        _tab(
            "People and access",
            Page("People", "accounts:people", needs=(R.MANAGE_PEOPLE,)),
            Page("Officers", "accounts:officers", needs=(R.MANAGE_PEOPLE,)),
            Page("Permission matrix", "accounts:matrix", needs=(R.MANAGE_PEOPLE,)),
            Page("Access reviews", "accounts:reviews", needs=(R.MANAGE_PEOPLE,), also=("accounts:seats",)),
        ),
        _tab(
            "Security",
            Page(
                "Passwords",
                "accounts:passwords",
                needs=(R.MANAGE_PEOPLE,),
                also=("accounts:password_known", "accounts:reset_factors", "accounts:decide_reset"),
            ),
            Page("Single sign-on", "accounts:provider", needs=(R.MANAGE_PEOPLE,)),
            Page("Keys and secrets", "retention:secrets", needs=(R.MANAGE_CLIENTS,)),
        ),
        _tab(
            "Agency",
            Page("Agency", "accounts:agency", needs=(R.MANAGE_PEOPLE,)),
            Page("Requests page", "rights:agency_page", needs=(R.SIGN_OFF,)),
            Page("Consent expiry", "consent:agency_ages", needs=(R.SIGN_OFF,)),
            Page("Blueprints", "consent:blueprints", needs=(R.MANAGE_CLIENTS,)),
        ),
        _one("Integrations and API", "api_docs", needs=(R.MANAGE_CLIENTS, P.MANAGE_CONNECTIONS)),
        _tab(
            "System health",
            Page("Monitoring", "retention:watch", needs=(R.MANAGE_CLIENTS,)),
            Page("Backups", "retention:backups", needs=(R.MANAGE_CLIENTS,)),
        ),
    ),
)

ACCOUNT: Final = Entry(
    "Your account",
    "people",
    (
        _one("Password", "account_change_password", also=("account_set_password",)),
        _one("Second factor", "mfa_index"),
        _one("Active sessions", "usersessions_list", also=("accounts:sessions",)),
    ),
)
"""A person's own pages: in the person's menu, not in the sidebar."""

ENTRIES: Final = (INBOX, CLIENTS, CALLS, REQUESTS, CONSENT, REPORTS, COMPLIANCE)
ALL: Final = (*ENTRIES, SETTINGS, ACCOUNT)

# Addresses that every page below a client or an agency begins with: they claim nothing but themselves.
_CLAIM_NOTHING: Final = frozenset(
    {"accounts:clients", "accounts:client", "governance:home", "retention:home"}
)


def places() -> Iterator[Place]:
    """Every page that is declared, in order."""
    return (Place(entry, tab, page) for entry in ALL for tab in entry.tabs for page in tab.pages)


def place_of(match: ResolverMatch | None) -> Place | None:
    """Where an address stands; None for what is no staff page: a caller's page, a program's, a probe."""
    if match is None:
        return None
    by_name, by_route = _claims()
    if found := by_name.get(match.view_name):
        return found
    return next((place for route, place in by_route if match.route.startswith(route)), None)


@cache
def _claims() -> tuple[Mapping[str, Place], list[tuple[str, Place]]]:
    """The places by url name, and by the beginning of an address, the longest first."""
    routes = dict(_routes(get_resolver().url_patterns))
    by_name = {name: place for place in places() for name in place.page.names}
    by_route = [
        (routes[name], place)
        for name, place in by_name.items()
        if name in routes and name not in _CLAIM_NOTHING
    ]
    return by_name, sorted(by_route, key=lambda one: len(one[0]), reverse=True)


def _routes(
    patterns: list[URLPattern | URLResolver], before: str = "", space: str = ""
) -> Iterator[tuple[str, str]]:
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, route, pattern.namespace or space)
        elif pattern.name:
            yield f"{space}:{pattern.name}" if space else pattern.name, route
