"""
Every address, by GET and POST, by everybody, for own things, other people's things and things that are none.

Nothing here knows an address: the resolver lists them, the names of their parts say what to put there, and
the decorator of the view says who may. A part without an entry in `PARTS` fails. What the rules are:

- every role there is walks. In the suite few ask at one address, in turn: of who may one until somebody got in, of who
  may not one, by one method, of the strangers one of another agency and one of another client, of whom one who may do
  it at home, where there is one; of these two one by every method, the other by one. In `make assure` everybody asks
  everywhere;
- nobody gets a 5xx; who is not signed in is led to the sign-in, but for the public doors listed here;
- a thing of another agency, of a client that is not granted, or of another client than the one named answers
  exactly as one that does not exist: the same status and the same bytes;
- who lacks the permission or right gets 403 or 404, who has it gets in somewhere;
- who is suspended gets in nowhere, and the operator's pages are 404 for everybody but operators;
- no POST works without the token against forged forms, but for trackers: in the suite asked of each view that takes
  care of that itself, and of every fourth of those that are refused before they are reached.
"""

import copy
import hashlib
import inspect
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import batched, product
from typing import Any

import pytest
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse  # noqa: TID251  (what a view has to do with)
from django.test import Client as Browser
from django.test import RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.enums import BUNDLES, RIGHTS, AgencyRight, Deed, Role
from callprivacy.accounts.models import ApiKey, Membership
from callprivacy.accounts.services import api_keys
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from governance.models import SiteKey
from governance.services import badge_systems
from retention.enums import Category
from tests import ground, make
from tests.rules.world import NOTHING, OTHERS, SECRET, Things, World, ticket_of, undone
from tests.scale import times

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unlogged")]

# What stands in an address, by the name of its part, or by (address, name) where one name means several.
PARTS: dict[str, Callable[[Things], object]] = {
    name: (lambda things, name=name: getattr(things, name))  # type: ignore[misc]  # bound where the loop stands
    for name in (
        "slug", "call_id", "connection_id", "pull_run_id", "number_id", "export_id", "import_id", "errand_id",
        "hold_id", "run_id", "certificate_id", "form", "change_id", "category", "item_id", "notification_id",
        "event_id", "token", "key", "provider", "deed", "caller_id", "menu_id", "reply_id", "link", "receipt",
        "notice_id", "posted_id", "site_id", "acknowledgement_id", "pack_id", "call_back_id", "check_id",
        "api_key_id", "batch_id", "document_id", "withdrawal_id", "task_id", "destination_id", "endpoint_id",
        "delivery_id", "secret", "list_id", "numbers_id", "announcement_id", "reset_id", "review_id", "release_id",
        "trial_id", "recipient_id", "privacy_id", "asks", "number", "report_id", "cost_import_id", "goal_id", "paper",
        "breach_id", "told_id", "vendor_id", "engaged_id", "vouched_id", "completion_id", "assignment_id", "course",
        "screen",
        "place_id", "badge_id", "entry_id", "hours_id", "own_id", "picture_id", "site_key_id", "place", "kiosk",
        "binder_id", "door_id", "sheet", "case_id", "todo_id", "identity_id", "letter_id", "approval_id", "word_id",
        "how", "value_id",
    )
}  # fmt: skip
# Callers' pages: a key of their own stands where a tracker's stands elsewhere.
OF_CALLERS: dict[str, set[int]] = {
    "c/<str:key>/consent/": {200, 403},
    "c/<str:key>/receipt/<str:receipt>/": {200, 403},
    "c/<str:key>/choices/": {200, 403},
    "c/<str:key>/look.css": {200, 405},
    "c/<str:key>/config.json": {403, 405},
    "c/<str:key>/events": {403, 405},
    "c/<str:key>/ask/<str:secret>/": {200, 403},
    "p/<str:link>/": {200, 403},
}
# The pages of requests, with keys and links of their own.
OF_REQUESTS: dict[str, set[int]] = {
    "r/<str:key>/": {200, 405},
    "r/<str:key>/look.css": {200, 405},
    "r/<str:key>/privacy/": {200, 405},
    "r/<str:key>/privacy/<int:number>/": {200, 405},
    "r/<str:key>/<slug:asks>/": {200, 403},
    "q/<str:link>/": {200, 403},
}
# The page at a site's door, which takes entries and shows nobody's.
OF_DOORS: dict[str, set[int]] = {
    "k/<str:kiosk>/": {200, 405},
    "k/<str:kiosk>/visit/": {200, 403},
    "k/<str:kiosk>/come/": {200, 403},
    "k/<str:kiosk>/leave/": {200, 403},
}
# An agency's sign-in address. Nobody has set out for the provider, so nobody is let in who comes back from it, and none
# of these sessions began there, so none is confirmed there.
OF_PROVIDERS: dict[str, set[int]] = {
    "sso/<str:key>/": {200, 405},
    "sso/<str:key>/go/": {302, 405},
    "sso/<str:key>/back/": {403, 405, 429},
    "sso/<str:key>/confirm/": {404, 405},
    "sso/<str:key>/signed-out/": {400, 405, 429},
}
# Doors of the agency's systems, which a key opens and no session does: what they answer a form without one. What they
# answer a question without one is tried below, and each that is added is tried there of itself.
OF_SYSTEMS: dict[str, set[int]] = {
    "api/v1/consent/check": {405, 415},
    "api/v1/consent/events": {405, 415},
    "api/v1/contact/check": {405, 415},
    "api/v1/premises/entries": {405, 415},
}
# Of these, those that a site's own key opens.
OF_BADGE_SYSTEMS = {"api/v1/premises/entries"}
PARTS_OF: dict[tuple[str, str], Callable[[Things], object]] = (
    {(route, "key"): lambda things: things.consent_key for route in OF_CALLERS}
    | {(route, "key"): lambda things: things.request_key for route in OF_REQUESTS}
    | {(route, "key"): lambda things: things.sign_in_key for route in OF_PROVIDERS}
    | {("q/<str:link>/", "link"): lambda things: things.request_link}
    | {
        ("approve/<str:token>/", "token"): lambda things: things.approval,
        ("b/<str:token>/", "token"): lambda things: things.door,
        ("reports/releases/<slug:slug>/<uuid:release_id>/file/", "release_id"): lambda things: (
            things.released_id
        ),
        ("clients/<slug:slug>/leave/<slug:deed>/", "deed"): lambda things: "agree",
        ("clients/<slug:slug>/leave/<slug:how>/", "how"): lambda things: "agree",
        ("clients/<slug:slug>/consent/accounts/<uuid:connection_id>/", "connection_id"): lambda things: (
            things.twilio_id
        ),
        ("retention/certificates/<uuid:certificate_id>/", "certificate_id"): lambda things: (
            things.own_certificate_id
        ),
        ("retention/certificates/<uuid:certificate_id>/<slug:form>/", "certificate_id"): lambda things: (
            things.own_certificate_id
        ),
        ("retention/preview/<slug:category>/", "category"): lambda things: Category.PREMISES.value,
        ("people/invitations/<int:pk>/send/", "pk"): lambda things: things.invitation_id,
        ("people/invitations/<int:pk>/withdraw/", "pk"): lambda things: things.invitation_id,
        ("people/officers/<int:pk>/confirm/", "pk"): lambda things: things.invitation_id,
    }
    | {
        (route, "pk"): lambda things: things.membership_id
        for route in (
            "people/<int:pk>/",
            "people/<int:pk>/role/",
            "people/<int:pk>/suspend/",
            "people/<int:pk>/reactivate/",
            "people/<int:pk>/sees/",
            "people/<int:pk>/password/",
            "people/<int:pk>/factors/",
            "people/<int:pk>/leaves/",
            "people/<int:pk>/unlink/",
            "people/<int:pk>/clients/<slug:slug>/",
            "programme/training/people/<int:pk>/",
        )
    }
)
# Doors that a vendor signs for: what they answer a form that is not theirs.
SIGNED: dict[str, int] = {
    "hooks/<str:provider>/<str:key>/": 415,
    "sso/<str:key>/signed-out/": 400,
    "twilio/<str:key>/voice/": 415,
    "twilio/<str:key>/voice/step/": 415,
    "twilio/<str:key>/voice/status/": 415,
    "twilio/<str:key>/voice/recording/": 415,
    "twilio/<str:key>/voice/reading/": 415,
    "twilio/<str:key>/sms/": 415,
    "twilio/<str:key>/sms/status/": 415,
    "twilio/<str:key>/desk/<uuid:call_back_id>/": 415,
    "twilio/<str:key>/desk/<uuid:call_back_id>/connect/": 415,
    "demo/vendor/2010-04-01/Accounts/<str:account>/<path:rest>": 404,
}
# What is answered before everything else (dashboard.middleware).
PROBES = {"healthz", "readyz"}
# Doors for who is not signed in: what they answer there. Everything else leads to the sign-in.
PUBLIC: dict[str, set[int]] = {
    "healthz": {200, 405},
    "readyz": {200, 405},
    "metrics": {404, 405},
    "mail/": {404, 405},
    "demo/removed/": {200, 405},
    **{route: {405, status} for route, status in SIGNED.items()},
    **OF_CALLERS,
    **OF_REQUESTS,
    **OF_PROVIDERS,
    **OF_DOORS,
    **OF_SYSTEMS,
    # What the doors of systems are, for who connects one; nothing of anybody.
    "api/": {200, 405},
    "api/v1/": {302, 405},
    "api/v1/openapi.json": {200, 405},
    ".well-known/gpc.json": {200, 405},
    "invitation/<str:token>/": {200},
    ".well-known/change-password": {302, 405},
    "approve/<str:token>/": {200, 422},
    # By POST the file, which the world has none of.
    "b/<str:token>/": {200, 404},
    # a link that nobody has made opens nothing; what one opens is tried where clients leave
    "handover/<str:token>/": {404, 405},
    "accounts/login/": {200},
    "accounts/password/strength/": {200, 405},
    "accounts/2fa/authenticate/": {302},
    "accounts/2fa/webauthn/login/": {302},
    "accounts/logout/": {302},
    "accounts/signup/": {200, 302},
    "accounts/inactive/": {200, 405},
    "accounts/password/reset/": {200},
    "accounts/password/reset/done/": {200, 405},
    "accounts/password/reset/key/done/": {200, 405},
    "accounts/confirm-email/": {200, 302, 404, 405},
    "accounts/login/code/confirm/": {302, 404},
    "accounts/^confirm-email/(?P<key>[-:\\w]+)/$": {200, 302, 404},
    "accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$": {200, 302},
}
# Addresses of packages whose parts no thing of ours fills.
WRITTEN_OUT: dict[str, list[str]] = {
    "accounts/^confirm-email/(?P<key>[-:\\w]+)/$": ["/accounts/confirm-email/x:y/"],
    "accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$": [
        "/accounts/password/reset/key/1-abc/"
    ],
    "demo/vendor/2010-04-01/Accounts/<str:account>/<path:rest>": [
        "/demo/vendor/2010-04-01/Accounts/AC1/Messages.json"
    ],
    "operator/^(?P<app_label>tenancy|accounts)/$": ["/operator/tenancy/", "/operator/accounts/"],
    "operator/(?P<url>.*)$": ["/operator/nowhere"],
    "accounts/2fa/webauthn/keys/<int:pk>/edit/": ["/accounts/2fa/webauthn/keys/1/edit/"],
    "accounts/2fa/webauthn/keys/<int:pk>/remove/": ["/accounts/2fa/webauthn/keys/1/remove/"],
}
# Parts that name no thing of anybody: words of the product, the same for all.
WORDS = {"category", "asks", "number", "paper", "sheet", "course", "screen", "how"}
_OPERATOR_PARTS = {"object_id": "1", "pk": "1", "invitation_id": "1"}
# Views that every member may open, without a permission of their own: what they show is filtered inside.
FOR_EVERY_MEMBER = {
    "",
    "agencies/",
    "calls/",
    "calls/import/",
    "calls/search/",
    "clients/",
    "clients/<slug:slug>/",
    "clients/<slug:slug>/people/",
    "consent/",
    "consent/find/",
    "consent/lists/",
    "consent/withdrawals/",
    "demo/remove/",
    "find/",
    "desk/",
    "desk/find/",
    "desk/running/",
    "law/",
    "law/rules.csv",
    "notifications/",
    "notifications/<uuid:notification_id>/",
    "notifications/mail/",
    "notifications/read/",
    "overview/",
    "reports/",
    "reports/anonymized-export/",
    "reports/releases/",
    "programme/",
    "programme/breaches/report/",
    "programme/training/",
    "programme/training/<slug:course>/<int:screen>/",
    "programme/training/<slug:course>/questions/",
    "programme/training/<slug:course>/result/",
    "programme/training/<slug:course>/start/",
    "programme/training/pictures/<uuid:picture_id>/",
    "programme/training/passed/<uuid:completion_id>/",
    "programme/training/passed/<uuid:completion_id>/file/",
    "programme/visitors/",
    "requests/",
    "requests/figures.csv",
    "requests/figures/",
    "requests/new/",
    "requests/record.csv",
    "requests/told/",
    "retention/",
    "retention/calendar/",
    "retention/calendar/later/",
    "retention/changes/",
    "retention/changes/<uuid:change_id>/",
    "retention/changes/<uuid:change_id>/reason/",
    "retention/changes/<uuid:change_id>/withdraw/",
    "retention/holds/",
    "retention/policies/",
    "retention/preview/",
    "retention/runs/<uuid:run_id>/",
    "work/",
    "work/items/",
    "work/items/<uuid:item_id>/",
    "requests/decisions/",
}
# Nobody gets in here with things as they are, and why.
SHUT = {
    "demo/remove/": "the agency is no demo",
    "demo/phone/": "the agency is no demo",
    "demo/phone/sign/": "the agency is no demo",
    "demo/phone/heard/": "the agency is no demo",
}
# Addresses that one role alone gets into, which is therefore asked there in any case.
OPEN_TO = {
    "requests/<uuid:case_id>/asked/<uuid:approval_id>/": Role.APPROVER,
    "requests/decisions/": Role.APPROVER,
}
# What an address asks behind the question mark, without which there is nothing for anybody.
QUERIES: dict[str, Callable[[Things], str]] = {
    "clients/<slug:slug>/calls/<uuid:call_id>/recording/sound/": lambda things: (
        f"ticket={ticket_of(things, at=make.now())}"
    )
}


@dataclass(frozen=True)
class Address:
    """One pattern of the resolver."""

    route: str
    view: Callable[..., Any]
    parts: tuple[str, ...]

    @property
    def needs(self) -> Permission | AgencyRight | None:
        found: Permission | AgencyRight | None = getattr(self.view, "needs", None)
        return found

    @property
    def is_of_operators(self) -> bool:
        return self.route.startswith("operator/")

    @property
    def is_own_account(self) -> bool:
        return self.route.startswith("accounts/")

    def paths(self, things: Things, inner: Things | None = None) -> list[str]:
        """
        The address with these things in it.

        :param inner: whose things stand behind the client's slug, where they are another client's.
        """
        if self.route in WRITTEN_OUT:
            return WRITTEN_OUT[self.route]
        path = "/" + self.route
        for part in self.parts:
            of = things if part == "slug" or inner is None else inner
            value = _OPERATOR_PARTS.get(part) if self.is_of_operators else None
            if value is None:
                value = str((PARTS_OF.get((self.route, part)) or PARTS[part])(of))
            path = re.sub(rf"<(\w+:)?{part}>", value, path)
        if self.route in QUERIES:
            path = f"{path}?{QUERIES[self.route](inner or things)}"
        return [path]


def _walk(resolver: URLResolver, before: str = "") -> Iterator[Address]:
    for entry in resolver.url_patterns:
        route = before + str(entry.pattern)
        if isinstance(entry, URLPattern):
            yield Address(route, entry.callback, tuple(re.findall(r"<(?:\w+:)?(\w+)>", route)))
        else:
            yield from _walk(entry, route)


ADDRESSES = list(_walk(get_resolver()))
OURS = [address for address in ADDRESSES if not address.is_of_operators]
MEMBERS = ("alice", "bob", "carol", "mallory")
METHODS = ("get", "post")
# An address may be written down twice: those who take turns skip nobody for that.
_PLACE = {route: place for place, route in enumerate(dict.fromkeys(address.route for address in OURS))}


def by_route(addresses: Sequence[Address], *, one_in: int = 1) -> pytest.MarkDecorator:
    """
    A test for every few of these addresses, named after the first, as each test costs something of its own.

    :param one_in: every so many-th address is asked in the suite, the others where everything is tried.
    """
    return pytest.mark.parametrize(
        "several",
        [
            pytest.param(several, marks=[pytest.mark.thorough] if first else [])
            for first in range(one_in)
            for several in batched(addresses[first::one_in], 16)
        ],
        ids=lambda several: several[0].route or "home",
    )


def at_each(several: Sequence[Address], rule: Callable[[Address], None]) -> None:
    """Try a rule at each of these addresses, as if it were asked first, and tell of every one where it is broken."""
    faults = []
    for address in several:
        ground.count_anew()
        try:
            rule(address)
        except Exception as fault:  # noqa: BLE001  (a fault at one address hides none at the next)
            fault.add_note(f"at {address.route or 'home'}")
            faults.append(fault)
    if faults:
        raise ExceptionGroup(f"{len(faults)} of {len(several)} addresses", faults)


def in_turn[T](some: Sequence[T], address: Address, *, about: str = "") -> T:
    """
    One of some, another at another address; which one it is does not change when addresses are added.

    :param about: what is chosen, so that choices that meet at an address do not go together.
    """
    digest = hashlib.sha256(f"{about} {address.route}".encode()).digest()
    return some[int.from_bytes(digest[:8]) % len(some)]


def at_every_fourth(address: Address, *, about: str) -> bool:
    """Whether something is tried at an address: at every fourth, at other ones about something else; or at each."""
    return times(in_turn((True, False, False, False), address, about=about), many=True)


@dataclass(frozen=True)
class Answer:
    """What came back, without what differs by chance and without the address that was asked for."""

    status: int
    where: str
    body: bytes


_TOKEN = re.compile(rb"[A-Za-z0-9]{64}")


def ask(browser: Browser, method: str, path: str, **more: Any) -> Answer:
    """Ask, and undo what it did, in the browser too."""
    cookies = copy.deepcopy(browser.cookies)
    try:
        with undone():
            response = getattr(browser, method)(path, **more)
            body = b"".join(response) if response.streaming else response.content
    finally:
        browser.cookies = cookies
    body = _TOKEN.sub(b"TOKEN", body).replace(path.encode() if len(path) > 1 else b"\0", b"PATH")
    where = response.headers.get("Location", "").partition("?next=")[0]
    return Answer(response.status_code, where, body)


# --- The walk knows every address ---


def test_every_part_of_every_address_has_something_to_put_there() -> None:
    missing = {
        f"{address.route} ({part})"
        for address in ADDRESSES
        if address.route not in WRITTEN_OUT
        for part in address.parts
        if part not in PARTS
        and (address.route, part) not in PARTS_OF
        and not (address.is_of_operators and part in _OPERATOR_PARTS)
    }
    assert missing == set(), "add them to Things, PARTS and build() in world.py"


def test_every_view_says_who_may_or_is_listed_as_for_every_member() -> None:
    open_to_members = {
        address.route
        for address in OURS
        if address.needs is None and not address.is_own_account and address.route not in PUBLIC
    }
    assert open_to_members == FOR_EVERY_MEMBER


def test_every_deed_that_asks_who_is_there_is_asked_somewhere() -> None:
    asked = {getattr(address.view, "confirms", None) for address in OURS} - {None}
    assert asked == set(Deed)


@pytest.mark.parametrize(
    ("route", "deed"),
    [
        ("clients/<slug:slug>/calls/<uuid:call_id>/reveal/", Deed.REVEAL),
        ("requests/<uuid:case_id>/identities/<uuid:identity_id>/number/", Deed.REVEAL),
        ("clients/<slug:slug>/consent/steps/<uuid:task_id>/reference/", Deed.REVEAL),
        ("clients/<slug:slug>/consent/numbers/<uuid:numbers_id>/file/", Deed.EXPORT),
        ("clients/<slug:slug>/lists/<uuid:check_id>/rows/", Deed.EXPORT),
        ("clients/<slug:slug>/callers/<uuid:caller_id>/evidence/", Deed.EXPORT),
        ("people/<int:pk>/reactivate/", Deed.GRANTS),
        ("agency/", Deed.POLICY),
        ("law/packs/<uuid:pack_id>/activate/", Deed.POLICY),
        ("law/packs/shipped/", Deed.POLICY),
        ("clients/<slug:slug>/recordings/handling/", Deed.POLICY),
        ("clients/<slug:slug>/engagement/", Deed.POLICY),
        ("clients/<slug:slug>/proof/<uuid:binder_id>/link/", Deed.RELEASE),
        ("clients/<slug:slug>/proof/<uuid:binder_id>/<slug:form>/", Deed.RELEASE),
        ("reports/releases/<slug:slug>/<uuid:release_id>/file/", Deed.RELEASE),
        ("reports/releases/<slug:slug>/recipients/<uuid:recipient_id>/figures/", Deed.RELEASE),
    ],
)
def test_every_way_to_numbers_and_back_to_access_asks_who_is_there(route: str, deed: Deed) -> None:
    (address,) = [one for one in OURS if one.route == route]
    assert getattr(address.view, "confirms", None) is deed


def test_nothing_is_listed_that_is_not_there() -> None:
    routes = {address.route for address in ADDRESSES}
    assert (PUBLIC.keys() | FOR_EVERY_MEMBER | SHUT.keys()) - routes == set()


# What addresses name by a word of ours, which is the same for everybody.
_ARE_WORDS = {"xlsx", "callrail", "pause", "call", "json", "csv", "delete", "approve", "phishing", 1}


def test_things_that_do_not_exist_do_not(world: World) -> None:
    for name in ("dentist", "plumber", "florist"):
        things = getattr(world, name)
        assert set(vars(things).values()) & (set(vars(NOTHING).values()) - _ARE_WORDS) == set()


# --- Who is not signed in, and who is suspended ---


@by_route(OURS)
def test_who_is_not_signed_in_or_suspended_gets_in_nowhere(world: World, several: Sequence[Address]) -> None:
    """A stranger is led to the sign-in, for what is there and for what is not; so is who is suspended."""
    at_each(several, partial(_lets_in_members_alone, world))


def _lets_in_members_alone(world: World, address: Address) -> None:
    browser = world.browsers["anonymous"]
    for method, path in product(METHODS, address.paths(world.dentist)):
        answer = ask(browser, method, path)
        if address.route in PUBLIC:
            assert answer.status in PUBLIC[address.route], (method, path)
            continue
        assert answer.status == 302, (method, path)
        assert answer.where.startswith("/accounts/login/"), (method, path)
        # Who is led away is so before anything is looked for: by one method in turn.
        is_tried = bool(address.parts) and times(method == in_turn(METHODS, address), many=True)
        for nowhere in address.paths(NOTHING) if is_tried else ():
            assert ask(browser, method, nowhere).status == answer.status, (method, nowhere)
    if address.route in PUBLIC or address.is_own_account:
        return
    # What leads them away knows no method: one in turn.
    for method, path in product(times([in_turn(METHODS, address)], METHODS), address.paths(world.dentist)):
        suspended = ask(world.browsers["dave"], method, path)
        assert (suspended.status, suspended.where) == (302, "/accounts/login/"), ("dave", method, path)


# --- Members ---


def others_at(address: Address) -> list[str]:
    """
    Who of the roles that are not in the cast may be asked at an address: one in turn, so that each is at its part of
    them; in `make assure` all.
    """
    count = times(1, len(OTHERS))
    chosen: list[Role] = [OTHERS[(_PLACE[address.route] + n) % len(OTHERS)] for n in range(count)]
    if (always := OPEN_TO.get(address.route)) and always not in chosen:
        chosen.append(always)
    return [role.value for role in chosen]


def test_every_role_walks(world: World) -> None:
    assert {Role(one.role) for one in world.people.values()} == set(Role)
    offered = [name for address in OURS for name in others_at(address)]
    assert {Role(name) for name in offered} == set(OTHERS)
    assert min(offered.count(role.value) for role in OTHERS) >= len(_PLACE) // len(OTHERS)
    for role in OTHERS:
        with job_scope(agency_id=world.cast.acme.pk):
            may = access.permissions_on(world.people[role.value], world.cast.dentist.pk, at=world.at)
        assert may == BUNDLES[role]
        assert world.browsers[role.value].get("/clients/dentist/").status_code == 200


def test_every_role_is_asked_as_who_may_as_who_may_not_and_as_a_stranger(world: World) -> None:
    """In turn is not never: each is asked first at several addresses. There is nothing that an officer may not."""
    first = [role_of(name, world) for address in OURS for name in _who_may(address, world)[:1]]
    refused = [role_of(name, world) for address in OURS for name in _who_may_not(address, world)]
    strangers = [
        role_of(name, world)
        for address in OURS
        if _names_a_thing(address)
        for name in _strangers(address, world)
    ]
    for role in Role:
        asked = first.count(role), refused.count(role), strangers.count(role)
        assert min(asked[0], asked[2]) >= 3, (role, asked)
        assert asked[1] >= 3 or (role is Role.OFFICER and not asked[1]), (role, asked)


def role_of(person: str, world: World) -> Role:
    return Role(world.people[person].role)


_unknown: dict[tuple[str, str], bool] = {}
_OF_METHODS = require_http_methods([])(lambda _: None).__code__


def methods_of(view: Callable[..., Any] | None) -> frozenset[str] | None:
    """The methods that a view says it knows, by Django's decorators; nothing of a package's view."""
    while view is not None and getattr(view, "__code__", None) is not _OF_METHODS:
        view = getattr(view, "__wrapped__", None)
    return view and frozenset(inspect.getclosurevars(view).nonlocals["request_method_list"])


def refuses_nobody(view: Callable[..., Any], method: str) -> bool:
    """
    Whether a view refuses a method to a request of nobody for nothing: without a person, a session, or what stands in
    the address there is nothing that it could have looked at, and nothing was done.
    """
    method, known = method.upper(), methods_of(view)
    if known is None or method in known:
        return False
    with suppress(AttributeError, TypeError):  # of a view that looks first
        return bool(view(RequestFactory().generic(method, "/")).status_code == 405)
    return False


def does_not_know(world: World, address: Address, method: str) -> bool:
    """
    Whether a view does not know a method: it says so before it looks at anything.

    Where it does not say so to nobody, one of each kind of asker shows it for all: who may, who may not, a stranger,
    and what is nowhere.
    """
    about = (address.route, method)
    if method.upper() in (methods_of(address.view) or ()):
        return False
    if about not in _unknown:
        _unknown[about] = refuses_nobody(address.view, method) or all(
            ask(world.browsers[person], method, path).status == 405
            for person, things in (
                # First who is shown least, which is answered soonest.
                ("carol", NOTHING), ("mallory", world.dentist), ("bob", world.plumber), ("alice", world.dentist),
            )
            for path in address.paths(things)
        )  # fmt: skip
    return _unknown[about]


def _names_a_thing(address: Address) -> bool:
    return bool(set(address.parts) - WORDS) and address.route not in WRITTEN_OUT | PUBLIC.keys()


# What is a client's, and not the agency's as a whole.
_OF_A_CLIENT = {"slug", "item_id", "notification_id"}


def _strangers(address: Address, world: World) -> dict[str, Things]:
    """
    Who asks for what is not theirs, and whose things: of another agency, and of a client of the own one that was not
    granted. One of each in turn, of those who may do it with their own, as nobody else would get at it by a fault;
    in `make assure` all.
    """
    abroad = {"alice": world.florist, "carol": world.florist, "mallory": world.dentist}
    if address.needs in RIGHTS[Role.ADMIN]:
        abroad["trudy"] = world.dentist
    nearby: dict[str, Things] = {}
    if _OF_A_CLIENT & set(address.parts):
        nearby = dict.fromkeys(("bob", *others_at(address)), world.plumber)
    else:
        # What belongs to the agency as a whole is no stranger's for bob.
        abroad |= dict.fromkeys(others_at(address), world.florist)
    return times(
        {name: some[name] for some in (abroad, nearby) if some for name in [_able(address, some, world)]},
        abroad | nearby,
    )


def _able(address: Address, some: dict[str, Things], world: World) -> str:
    able = [name for name in some if _may(address, world.people[name], world)]
    return in_turn(able or list(some), address)


@by_route([address for address in OURS if _names_a_thing(address)])
def test_what_is_not_theirs_answers_as_if_it_did_not_exist(world: World, several: Sequence[Address]) -> None:
    at_each(several, partial(_tells_nothing_of_what_is_not_theirs, world))


def _tells_nothing_of_what_is_not_theirs(world: World, address: Address) -> None:
    (nowhere,) = address.paths(NOTHING)
    known = [method for method in METHODS if not does_not_know(world, address, method)]
    strangers = _strangers(address, world)
    # Who of them asks by every method, where the other one asks by one.
    by_all = in_turn(list(strangers), address)
    for person, things in strangers.items():
        for method in times(known if person == by_all or not known else [in_turn(known, address)], known):
            none = ask(world.browsers[person], method, nowhere)
            assert none.status in {403, 404, 405}, (person, method, nowhere)
            (path,) = address.paths(things)
            assert ask(world.browsers[person], method, path) == none, (person, method, path)


def _is_within_a_client(address: Address) -> bool:
    return "slug" in address.parts and bool(set(address.parts) - {"slug", "pk"} - WORDS)


@by_route([address for address in OURS if _is_within_a_client(address)])
def test_a_thing_of_another_client_is_none_behind_this_clients_name(
    world: World, several: Sequence[Address]
) -> None:
    at_each(several, partial(_knows_this_clients_things_alone, world))


def _knows_this_clients_things_alone(world: World, address: Address) -> None:
    (nowhere,) = address.paths(world.dentist, NOTHING)
    for method in METHODS:
        if does_not_know(world, address, method):
            continue
        # Alice may see the plumber's, too: only not here. PostgreSQL hides the other ones from her, and these from bob.
        none = ask(world.browsers["alice"], method, nowhere)
        assert none.status in {403, 404, 405}
        for others in times([world.plumber], [world.plumber, world.florist]):
            (path,) = address.paths(world.dentist, others)
            assert ask(world.browsers["alice"], method, path) == none, (method, path)
        for person in times([], ["bob"]):
            (path,) = address.paths(world.dentist, world.plumber)
            assert ask(world.browsers[person], method, path).status in {403, 404, 405}, (method, path)


_held: dict[tuple[Permission | AgencyRight | None, Permission | None, int], bool] = {}


def _may(address: Address, membership: Membership, world: World) -> bool:
    """Whether somebody may do at their own client, or in their agency, what a view needs; asked once of each need."""
    about = (address.needs, getattr(address.view, "or_else", None), membership.pk)
    if about not in _held:
        client = world.cast.florist if membership.agency_id == world.cast.globex.pk else world.cast.dentist
        with job_scope(agency_id=membership.agency_id):
            if isinstance(address.needs, Permission):
                enough = {address.needs, getattr(address.view, "or_else", None)}
                _held[about] = bool(enough & access.permissions_on(membership, client.pk, at=world.at))
            else:
                _held[about] = address.needs is None or access.has_right(membership, address.needs)
    return _held[about]


def _who_may(address: Address, world: World) -> list[str]:
    """Who may, of all that may be asked at an address; who comes first is another one at another address."""
    able = [one for one in (*MEMBERS, *others_at(address)) if _may(address, world.people[one], world)]
    first = able.index(in_turn(able, address)) if able else 0
    return able[first:] + able[:first]


def _who_may_not(address: Address, world: World) -> list[str]:
    """Who may not: one in turn; in `make assure` all."""
    lacks = [one for one in (*MEMBERS, *others_at(address)) if not _may(address, world.people[one], world)]
    return times([in_turn(lacks, address)] if lacks else [], lacks)


@by_route(OURS)
def test_who_may_gets_in_and_who_may_not_does_not(world: World, several: Sequence[Address]) -> None:
    at_each(several, partial(_lets_in_who_may_alone, world))


def _lets_in_who_may_alone(world: World, address: Address) -> None:
    methods = [method for method in METHODS if not does_not_know(world, address, method)]

    def answers(person: str, by: Sequence[str]) -> Iterator[Answer]:
        things = world.florist if person == "mallory" else world.dentist
        for method, path in product(by, address.paths(things)):
            answer = ask(world.browsers[person], method, path)
            assert answer.status < 500, (person, method, path)
            assert answer.status in {403, 404, 405} or _may(address, world.people[person], world), (
                person, method, path,
            )  # fmt: skip
            yield answer

    # Who may not is told so before anything knows of a method: one in turn.
    one = times([in_turn(methods, address, about="who may not")] if methods else [], methods)
    for person in _who_may_not(address, world):
        list(answers(person, one))
    got_in = False
    is_for_members = not address.is_own_account and address.route not in PUBLIC
    for person in _who_may(address, world):
        for answer in answers(person, methods):
            got_in = got_in or answer.status < 400 or answer.status == 422
            if times(got_in, many=False):
                break
        if times(got_in or not is_for_members, many=False):
            break
    if is_for_members:
        assert got_in is (address.route not in SHUT), (
            "nobody gets in: this walk shows nothing; or it is not shut"
        )


def test_a_view_that_looks_first_does_not_pass_for_one_that_refuses_nobody() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(str(request.user))

    assert refuses_nobody(require_POST(view), "get")
    assert refuses_nobody(never_cache(require_POST(view)), "get")
    assert not refuses_nobody(require_POST(view), "post")
    assert not refuses_nobody(login_required(require_POST(view)), "get")
    assert not refuses_nobody(view, "get")


def test_a_person_with_the_grant_sees_the_clients_own_marks(world: World) -> None:
    """The walk would be worthless in an empty world."""
    page = world.browsers["alice"].get(f"/clients/dentist/calls/{world.dentist.call_id}/").content.decode()
    assert world.dentist.mark in page


def test_an_address_where_a_rule_is_broken_is_named_and_hides_no_other() -> None:
    asked = []

    def rule(address: Address) -> None:
        asked.append(address)
        assert address is not OURS[1]
        if address is OURS[2]:
            raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as caught:
        at_each(OURS[:4], rule)
    assert asked == OURS[:4]
    first, second = caught.value.exceptions
    assert isinstance(first, AssertionError)
    assert isinstance(second, ZeroDivisionError)
    assert [fault.__notes__ for fault in (first, second)] == [[f"at {one.route}"] for one in OURS[1:3]]


def test_the_walk_would_notice_a_door_that_tells(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 403 where a stranger's thing should be none is found by the rule above."""

    def tell(_request: object, slug: str, _permission: Permission, **_: object) -> None:
        raise PermissionDenied if slug == "plumber" else Http404

    monkeypatch.setattr(access, "get_client_or_404", tell)
    address = next(a for a in OURS if a.route == "clients/<slug:slug>/calls/<uuid:call_id>/")
    with pytest.raises(AssertionError):
        _tells_nothing_of_what_is_not_theirs(world, address)


def test_the_walk_would_notice_a_role_that_may_too_much(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person of any role who is let in without the permission is found by the rule above."""
    get = access.get_client_or_404

    def lets_in(request: StaffRequest, slug: str, permission: Permission, **more: Any) -> Client:
        lacks = request.membership.role in OTHERS and permission is Permission.MANAGE_RETENTION
        return get(request, slug, Permission.VIEW_CLIENT if lacks else permission, **more)

    monkeypatch.setattr(access, "get_client_or_404", lets_in)
    address = next(
        a
        for a in OURS
        if a.needs is Permission.MANAGE_RETENTION and not set(a.parts) - {"slug"}
        if {role_of(name, world) for name in _who_may_not(a, world)} & set(OTHERS)
    )
    with pytest.raises(AssertionError):
        _lets_in_who_may_alone(world, address)


# --- Forged forms ---


def _is_asked_for_its_token(address: Address) -> bool:
    """
    Where a view takes care of that itself, always. All others are refused before they are reached, and every fourth of
    them is asked; in `make assure` every one.
    """
    return getattr(address.view, "csrf_exempt", False) or at_every_fourth(address, about="forged forms")


@by_route([address for address in OURS if _is_asked_for_its_token(address)])
def test_no_form_works_without_its_token(world: World, several: Sequence[Address]) -> None:
    at_each(several, partial(_refuses_a_forged_form, world))


def _refuses_a_forged_form(world: World, address: Address) -> None:
    browser = Browser(enforce_csrf_checks=True, raise_request_exception=False)
    browser.cookies = world.browsers["alice"].cookies
    for path in address.paths(world.dentist):
        answer = ask(browser, "post", path)
        if address.route in SIGNED:
            assert answer.status == SIGNED[address.route]
        elif address.route in OF_SYSTEMS:
            assert answer.status == 415, "there is no session that a forged form could ride on"
        elif address.route in PROBES:
            assert answer.status == 405, "it is answered before anything knows of a session"
        else:
            assert answer.status == 403, path


# --- The agency's systems ---

QUESTIONS = [a for a in OURS if a.route.startswith("api/v1/") and a.route in OF_SYSTEMS]


def test_every_door_of_systems_is_tried() -> None:
    told = {"api/v1/", "api/v1/openapi.json"}
    assert {a.route for a in OURS if a.route.startswith("api/v1/")} == OF_SYSTEMS.keys() | told


def _question(browser: Browser, address: Address, key: str | None) -> Answer:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return ask(
        browser, "post", f"/{address.route}", data=b"{}", content_type="application/json", headers=headers
    )


@pytest.mark.parametrize("address", QUESTIONS, ids=lambda address: address.route)
def test_no_session_and_no_wrong_key_opens_a_door_of_systems(world: World, address: Address) -> None:
    none = _question(world.browsers["anonymous"], address, None)
    assert none.status == 401
    assert json.loads(none.body)["error"] == "unauthorised"
    for person in (*MEMBERS, "dave", "operator"):
        assert _question(world.browsers[person], address, None) == none, person
    by = Actor.staff(user_id=world.cast.alice.user_id)
    with job_scope(agency_id=world.cast.acme.pk):
        api_keys.revoke_key(key=ApiKey.objects.get(pk=world.dentist.api_key_id), by=by, at=world.at)
        badge_systems.revoke_key(key=SiteKey.objects.get(pk=world.dentist.site_key_id), by=by, at=world.at)
    right, other = world.florist.api_key, world.florist.site_key
    if address.route in OF_BADGE_SYSTEMS:
        right, other = other, right
    name, _, secret = right.partition(".")
    wrong = ("", "x", "cpk_", "cps_", NOTHING.api_key, world.dentist.api_key, world.dentist.site_key, right[:-1],
             f"{name}.{'A' * 43}", f"{name[:4]}{'0' * 20}.{secret}", other, world.florist.key,
             world.florist.consent_key)  # fmt: skip
    for key_text in wrong:
        assert _question(world.browsers["anonymous"], address, key_text) == none, key_text
    assert _question(world.browsers["anonymous"], address, right).status == 422


@pytest.mark.parametrize(
    "address", [a for a in QUESTIONS if a.route not in OF_BADGE_SYSTEMS], ids=lambda address: address.route
)
def test_a_key_without_the_scope_opens_nothing(world: World, address: Address) -> None:
    with job_scope(agency_id=world.cast.acme.pk):
        ApiKey.objects.filter(pk=world.dentist.api_key_id).update(scopes=[])
    answer = _question(world.browsers["anonymous"], address, world.dentist.api_key)
    assert (answer.status, json.loads(answer.body)["error"]) == (403, "scope_missing")


# --- Trackers ---


def test_a_tracker_is_told_nothing_about_whose_key_it_is(world: World) -> None:
    """A key that is none and another provider's answer alike; a forged event is told nothing more."""
    post = {"data": b"{}", "content_type": "application/json"}
    browser = world.browsers["anonymous"]
    none = ask(browser, "post", "/hooks/callrail/no-such-key/", **post)
    assert none.status == 404
    form = {"data": "a=b", "content_type": "application/x-www-form-urlencoded"}
    other = ask(browser, "post", f"/hooks/twilio/{world.dentist.key}/", **form)
    assert (other.status, other.body) == (none.status, none.body)
    assert ask(browser, "post", "/hooks/nobody/no-such-key/", **post) == none
    forged = [
        ask(browser, "post", f"/hooks/callrail/{things.key}/", **post)
        for things in (world.dentist, world.florist)
    ]
    assert forged[0] == forged[1]
    assert forged[0].status == 403
    assert SECRET.encode() not in forged[0].body


# --- The operator's pages ---


@pytest.mark.parametrize(
    "address", [a for a in ADDRESSES if a.is_of_operators], ids=lambda address: address.route
)
def test_the_operators_pages_are_there_for_operators_alone(world: World, address: Address) -> None:
    members = (*MEMBERS, "dave")
    for method, path in product(METHODS, address.paths(world.dentist)):
        # Who is no operator is told so before anything is looked at, whoever it is: one in turn.
        for person in times([in_turn(members, address)], members):
            answer = ask(world.browsers[person], method, path)
            expected = {404} if person != "dave" else {302, 404}
            assert answer.status in expected, (person, path)
        stranger = ask(world.browsers["anonymous"], method, path)
        assert stranger.status == 302, path
        assert "/accounts/login/" in stranger.where or "/operator/login/" in stranger.where, path
        seen = ask(world.browsers["operator"], method, path)
        assert seen.status < 500, path
        assert b"MARK-OF" not in seen.body, path


def test_an_operator_gets_in(world: World) -> None:
    assert world.browsers["operator"].get("/operator/tenancy/agency/").status_code == 200


def test_an_operator_is_no_member(world: World) -> None:
    answer = ask(world.browsers["operator"], "get", f"/clients/dentist/calls/{world.dentist.call_id}/")
    assert (answer.status, answer.where) == (302, "/operator/")
