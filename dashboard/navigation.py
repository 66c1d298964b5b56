"""
The one declaration of where each staff page stands: entry, tab, page, and the right that the page needs.

The sidebar, the tabs, the sections, the breadcrumbs, the client switcher and the command palette are drawn from it.
A page claims the addresses that begin with its own, so that only the exceptions are named.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from django.urls import ResolverMatch, URLPattern, URLResolver, get_resolver

from callprivacy.accounts.enums import CLIENT_SIDE
from callprivacy.accounts.enums import AgencyRight as Right
from callprivacy.accounts.models import Membership
from callprivacy.tenancy.enums import Permission as May
from dashboard.access import may_see_proof

CHOSEN: Final = "client"
"""Under which name a session keeps the client that the person works in."""

type Need = May | Right


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
    together: tuple[May, ...] = ()
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
    label: str
    icon: str
    tabs: tuple[Tab, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address stands."""

    entry: Entry
    tab: Tab
    page: Page


def _tab(label: str, *pages: Page) -> Tab:
    return Tab(label, (Section("", pages),))


def _one(page: Page) -> Tab:
    return _tab(page.label, page)


def _is_officer(membership: Membership) -> bool:
    return Right.SIGN_OFF in membership.rights


def _is_client_side(membership: Membership) -> bool:
    return membership.role in CLIENT_SIDE


INBOX: Final = Entry(
    "Inbox",
    "queue",
    (
        _one(
            Page(
                "Decisions awaiting you",
                "rights:decisions",
                needs=(May.HANDLE_REQUESTS,),
                who=_is_client_side,
            )
        ),
        _one(Page("Inbox", "work:queue")),
        _one(Page("Notifications", "work:notifications")),
    ),
)

_NOTICES: Final = Section(
    "Notices",
    (
        Page("Notices", of_client="consent:notices", needs=(May.VIEW_CLIENT,)),
        Page("Posted notices", of_client="consent:posted", needs=(May.VIEW_CLIENT,)),
        Page("Copy snippets", of_client="consent:words", needs=(May.VIEW_CLIENT,)),
        Page("Privacy notice", of_client="rights:notice", needs=(May.VIEW_CLIENT,)),
        Page("Web page and form", of_client="consent:web", needs=(May.MANAGE_CONSENT,)),
        Page("Requests page", of_client="rights:page", needs=(May.MANAGE_CONSENT,)),
        Page("Phone menus and texts", of_client="consent:menus", needs=(May.MANAGE_CONSENT,)),
        Page(
            "Messages",
            of_client="consent:replies",
            needs=(May.MANAGE_CONSENT,),
            also=("consent:ask_by_text",),
        ),
        Page("Invitations", of_client="consent:invitations", needs=(May.MANAGE_CONSENT,)),
        Page("Signed terms", of_client="consent:terms", needs=(May.MANAGE_CONSENT,)),
        Page("Answering sites", of_client="consent:sites", needs=(May.VIEW_CLIENT,)),
    ),
)
_LEGAL_BASIS: Final = Section(
    "Legal basis",
    (
        Page("Standard and basis", of_client="consent:standard", needs=(May.VIEW_CLIENT,)),
        Page("Applicable law", of_client="consent:client_law", needs=(May.VIEW_CLIENT,)),
        Page("Thresholds", of_client="rights:reach", needs=(May.VIEW_CLIENT,)),
        Page("Consent expiry", of_client="consent:ages", needs=(May.MANAGE_CONSENT,)),
    ),
)
_OPT_OUTS: Final = Section(
    "Opt-outs",
    (
        Page("Withdrawals", of_client="consent:withdrawals", needs=(May.MANAGE_CONSENT,)),
        Page("Advertising", of_client="consent:destinations", needs=(May.MANAGE_CONSENT,)),
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
            Page("Setup", of_client="consent:setup", needs=(May.MANAGE_CONSENT,)),
        ),
        Tab("Consent and notices", (_NOTICES, _LEGAL_BASIS, _OPT_OUTS)),
        _tab(
            "Data and retention",
            Page("Retention rules", of_client="retention:policies", needs=(May.MANAGE_RETENTION,)),
            Page("Legal holds", of_client="retention:holds", needs=(May.MANAGE_RETENTION,)),
            Page("Deletion certificates", of_client="retention:certificates", needs=(May.MANAGE_RETENTION,)),
            Page(
                "Deletions at vendors", of_client="retention:vendor_deletions", needs=(May.MANAGE_RETENTION,)
            ),
            Page("Copies at vendors", of_client="retention:leftovers", needs=(May.MANAGE_RETENTION,)),
            Page("Evidence packs", of_client="dashboard:proof", needs=(May.VIEW_CLIENT,), who=may_see_proof),
            Page("Offboarding", of_client="retention:offboarding", needs=(May.MANAGE_RETENTION,)),
        ),
        _one(Page("People", of_client="accounts:client_people")),
        _tab(
            "Integrations",
            Page(
                "Numbers and connections",
                of_client="calls:client_connections",
                needs=(May.MANAGE_CONNECTIONS,),
                also=("calls:add_number", "calls:describe_number", "consent:describe_account"),
            ),
            Page("API keys", of_client="accounts:api_keys", needs=(May.MANAGE_CONNECTIONS,)),
            Page("Webhooks", of_client="consent:endpoints", needs=(May.MANAGE_CONNECTIONS,)),
        ),
    ),
)

CALLS: Final = Entry(
    "Calls",
    "calls",
    (
        _one(Page("Calls", "calls:list", needs=(May.VIEW_CALLS,), narrows=True, also=("calls:call",))),
        _one(Page("Recordings", of_client="consent:recordings", needs=(May.VIEW_CALLS,))),
        _one(
            Page(
                "Confidential calls",
                of_client="calls:confidential_calls",
                needs=(May.VIEW_CALLS,),
                who=_is_officer,
            )
        ),
        _one(Page("Imports", "calls:import_client", "calls:imports", needs=(May.MANAGE_CONNECTIONS,))),
        _one(Page("Export", of_client="calls:export_new", needs=(May.EXPORT_CALLS,))),
    ),
)

REQUESTS: Final = Entry(
    "Requests",
    "requests",
    (
        _one(
            Page(
                "Requests",
                "rights:home",
                needs=(May.HANDLE_REQUESTS, Right.SIGN_OFF),
                narrows=True,
                also=("rights:board",),
            )
        ),
        _one(
            Page(
                "Withdrawals",
                "consent:all_withdrawals",
                needs=(May.MANAGE_CONSENT,),
                narrows=True,
                also=("consent:withdrawal", "consent:vendor_task"),
            )
        ),
        _one(
            Page("Recipient notifications", "rights:recipients", needs=(May.HANDLE_REQUESTS, Right.SIGN_OFF))
        ),
        _one(
            Page(
                "Figures",
                "rights:metrics",
                needs=(May.HANDLE_REQUESTS, Right.SIGN_OFF),
                also=("rights:metrics_file", "rights:record_file"),
            )
        ),
    ),
)

CONSENT: Final = Entry(
    "Consent",
    "consent",
    (
        _one(Page("Coverage", "consent:home", needs=(May.MANAGE_CONSENT,), narrows=True)),
        _one(Page("Callers", of_client="consent:callers", needs=(May.VIEW_CALLS,))),
        _tab(
            "List checks",
            Page("List checks", "consent:list_checks", "consent:client_lists", needs=(May.MANAGE_CONSENT,)),
            Page("Do-not-call and reassigned-number lists", "consent:registers", needs=(Right.SIGN_OFF,)),
            Page(
                "Numbers for a list",
                of_client="consent:numbers_out",
                needs=(May.REVEAL_NUMBERS,),
                who=_is_officer,
            ),
        ),
        _one(
            Page(
                "Desk",
                "consent:desk",
                needs=(May.ANSWER_CALLS,),
                narrows=True,
                also=("consent:desk_tap", "consent:desk_call_back", "consent:desk_call_back_state"),
            )
        ),
    ),
)

REPORTS: Final = Entry(
    "Reports",
    "reports",
    (
        _one(Page("Overview", "dashboard:overview", needs=(May.VIEW_ANALYTICS, Right.MANAGE_CLIENTS))),
        _one(Page("Campaigns", "analytics:home", "analytics:campaigns", needs=(May.VIEW_ANALYTICS,))),
        _one(
            Page(
                "Explorer",
                of_client="analytics:explore",
                needs=(May.VIEW_ANALYTICS, May.VIEW_EXACT_REPORTS),
                also=("analytics:save",),
            )
        ),
        _one(Page("Saved reports", of_client="analytics:saved", needs=(May.VIEW_ANALYTICS,))),
        _one(Page("Goals", of_client="analytics:goals", needs=(May.VIEW_ANALYTICS,))),
        _one(Page("Costs", of_client="analytics:costs", needs=(May.VIEW_ANALYTICS,))),
        _one(
            Page(
                "Releases",
                "analytics:releases",
                "analytics:client_releases",
                needs=(May.RELEASE_DATA,),
                also=("analytics:release_floor", "analytics:anonymized_export"),
            )
        ),
        _one(Page("Conversion rule", of_client="analytics:rule", needs=(May.MANAGE_CONSENT,))),
    ),
)

COMPLIANCE: Final = Entry(
    "Compliance",
    "proof",
    (
        _tab(
            "Status",
            Page("Controls", "dashboard:posture", needs=(Right.MANAGE_CLIENTS,)),
            Page("Governance", "governance:home"),
        ),
        _tab(
            "Breaches",
            Page(
                "Breaches", "governance:breaches", needs=(Right.MANAGE_CLIENTS,), also=("governance:touched",)
            ),
            Page("Report a breach", "governance:report_breach"),
        ),
        _one(Page("Vendors", "governance:vendors", needs=(Right.MANAGE_CLIENTS,))),
        _tab(
            "Training",
            Page("Your training", "governance:training"),
            Page(
                "Team training",
                "governance:training_matrix",
                needs=(Right.MANAGE_CLIENTS,),
                also=("governance:training_assign", "governance:training_outside"),
            ),
            Page("Progress", "governance:training_campaign", needs=(Right.MANAGE_CLIENTS,)),
            Page("Custom courses", "governance:own_courses", needs=(Right.MANAGE_CLIENTS,)),
        ),
        _tab(
            "Records",
            Page("Records of processing", "dashboard:records", needs=(Right.SIGN_OFF,)),
            Page("Premises", "governance:entries", needs=(Right.MANAGE_CLIENTS,)),
            Page("Your visitors", "governance:visitors"),
        ),
        _tab(
            "Law",
            Page("Law changes", "dashboard:law_changes", needs=(Right.MANAGE_CLIENTS,)),
            Page("Rules by place", "consent:law"),
            Page("Rule packs", "consent:packs", needs=(Right.SIGN_OFF,)),
        ),
        _tab(
            "Audit log",
            Page("Audit log", "dashboard:trail", needs=(Right.VIEW_TRAIL,), narrows=True),
            Page("Reveal log", "calls:reveals", needs=(Right.SIGN_OFF,)),
        ),
        _one(Page("Evidence", "dashboard:binders", needs=(Right.VIEW_TRAIL,))),
        _tab(
            "Retention",
            Page(
                "Due now",
                "retention:home",
                needs=(May.MANAGE_RETENTION, Right.RUN_JOBS),
                also=("retention:start_run",),
            ),
            Page(
                "Schedule",
                "retention:calendar",
                together=(May.MANAGE_RETENTION, May.VIEW_CALLS),
                narrows=True,
            ),
            Page("Rules", "retention:policy_matrix", needs=(May.MANAGE_RETENTION, Right.SIGN_OFF)),
            Page(
                "Changes",
                "retention:changes",
                needs=(May.MANAGE_RETENTION, Right.SIGN_OFF, Right.MANAGE_CLIENTS),
            ),
            Page("Holds", "retention:all_holds", needs=(May.MANAGE_RETENTION,)),
            Page(
                "Preview",
                "retention:preview_all",
                needs=(May.MANAGE_RETENTION, Right.RUN_JOBS),
                also=("retention:preview_own",),
            ),
            Page("Agency certificates", "retention:own_certificates", needs=(Right.SIGN_OFF,)),
            Page("Offboarding", "retention:leaving", needs=(Right.MANAGE_CLIENTS,)),
        ),
    ),
)

SETTINGS: Final = Entry(
    "Settings",
    "settings",
    (
        _tab(
            "People and access",
            Page("People", "accounts:people", needs=(Right.MANAGE_PEOPLE,)),
            Page("Officers", "accounts:officers", needs=(Right.MANAGE_PEOPLE,)),
            Page("Permission matrix", "accounts:matrix", needs=(Right.MANAGE_PEOPLE,)),
            Page(
                "Access reviews", "accounts:reviews", needs=(Right.MANAGE_PEOPLE,), also=("accounts:seats",)
            ),
        ),
        _tab(
            "Security",
            Page(
                "Passwords",
                "accounts:passwords",
                needs=(Right.MANAGE_PEOPLE,),
                also=("accounts:password_known", "accounts:reset_factors", "accounts:decide_reset"),
            ),
            Page("Single sign-on", "accounts:provider", needs=(Right.MANAGE_PEOPLE,)),
            Page("Keys and secrets", "retention:secrets", needs=(Right.MANAGE_CLIENTS,)),
        ),
        _tab(
            "Agency",
            Page("Agency", "accounts:agency", needs=(Right.MANAGE_PEOPLE,)),
            Page("Requests page", "rights:agency_page", needs=(Right.SIGN_OFF,)),
            Page("Consent expiry", "consent:agency_ages", needs=(Right.SIGN_OFF,)),
            Page("Blueprints", "consent:blueprints", needs=(Right.MANAGE_CLIENTS,)),
        ),
        _one(Page("Integrations and API", "api_docs", needs=(Right.MANAGE_CLIENTS, May.MANAGE_CONNECTIONS))),
        _tab(
            "System health",
            Page("Monitoring", "retention:watch", needs=(Right.MANAGE_CLIENTS,)),
            Page("Backups", "retention:backups", needs=(Right.MANAGE_CLIENTS,)),
        ),
    ),
)

ACCOUNT: Final = Entry(
    "Your account",
    "people",
    (
        _one(Page("Password", "account_change_password", also=("account_set_password",))),
        _one(Page("Second factor", "mfa_index")),
        _one(Page("Active sessions", "usersessions_list", also=("accounts:sessions",))),
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
