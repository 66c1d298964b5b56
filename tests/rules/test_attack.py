"""The promises tried by hand: what a person with a browser, a member with a grudge or a forged header would try."""

import copy
import csv
import io
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse, QueryDict  # noqa: TID251  (what a view would answer, and is sent)
from django.test import Client as Browser
from django.test import RequestFactory, override_settings
from django.utils import timezone

from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import ClientGrant, Invitation, Membership, User
from callprivacy.audit.models import Event
from callprivacy.calls.models import CallImport, ImportRefusal, Reveal
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.work import services as work
from callprivacy.work.models import Item
from dashboard.middleware import MethodMiddleware
from retention.models import Errand
from tests import make
from tests.rules.test_urls import OURS, Address, ask, at_every_fourth, in_turn, methods_of, refuses_nobody
from tests.rules.world import NOTHING, World, browser_of
from tests.samples import moved
from tests.scale import some, times

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unlogged")]

NUL = "a\0b"
ENDLESS = "9" * 6000
# The demo's stand-in for Twilio, which is asked to delete what was recorded.
DELETES = {"demo/vendor/2010-04-01/Accounts/<str:account>/<path:rest>"}
HOSTILE = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("https://evil.example")']


def _alice(world: World) -> Browser:
    return _with_session_of(world.browsers["alice"])


def _bob(world: World) -> Browser:
    return _with_session_of(world.browsers["bob"])


def _with_session_of(browser: Browser) -> Browser:
    """One of the test's own, signed in already; what becomes of the session, the test rolls back."""
    own = Browser(raise_request_exception=False)
    own.cookies = copy.deepcopy(browser.cookies)
    return own


# --- Ids of others in sessions, bodies and lists ---


def test_a_forged_agency_in_the_session_opens_nothing(world: World) -> None:
    browser = _alice(world)
    session = browser.session
    session["agency_id"] = world.cast.globex.pk
    session.save()
    assert browser.get(f"/clients/florist/calls/{world.florist.call_id}/").status_code == 404
    assert world.florist.mark not in browser.get("/calls/").content.decode()
    assert browser.session["agency_id"] == world.cast.acme.pk


def test_another_agency_cannot_be_chosen(world: World) -> None:
    browser = _alice(world)
    for name in ("agency", "agency_id", "pk", "id"):
        browser.post("/agencies/", {name: world.cast.globex.pk})
    assert browser.get("/clients/florist/").status_code == 404


@pytest.mark.parametrize("deed", ["assign", "snooze", "close", "decide"])
def test_items_of_others_in_a_list_stay_as_they_are(world: World, deed: str) -> None:
    body = {"deed": deed, "item": [world.florist.item_id, world.plumber.item_id, "no-id", NUL], "days": "3",
            "owner": world.cast.bob.user_id}  # fmt: skip
    _bob(world).post("/work/items/", body)
    for agency, things in ((world.cast.acme, world.plumber), (world.cast.globex, world.florist)):
        with job_scope(agency_id=agency.pk):
            item = Item.objects.get(pk=things.item_id)
            assert (item.state, item.owner_id, item.snoozed_until) == ("open", None, None)


def test_an_item_goes_to_colleagues_alone(world: World) -> None:
    body = {"deed": "assign", "item": [world.dentist.item_id], "owner": world.cast.mallory.user_id}
    _alice(world).post("/work/items/", body)
    with job_scope(agency_id=world.cast.acme.pk):
        assert Item.objects.get(pk=world.dentist.item_id).owner_id is None


def test_errands_of_others_in_a_list_stay_open(world: World) -> None:
    ids = [world.dentist.errand_id, world.plumber.errand_id, world.florist.errand_id, "no-id"]
    _alice(world).post("/clients/dentist/errands/", {"errand": ids})
    with job_scope(agency_id=world.cast.acme.pk):
        assert set(Errand.objects.values_list("pk", flat=True)) == {world.plumber.errand_id}
    with job_scope(agency_id=world.cast.globex.pk):
        assert Errand.objects.filter(pk=world.florist.errand_id).exists()


def test_a_file_is_not_tied_to_another_clients_connection(world: World, settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path
    for things in (world.plumber, world.florist):
        file = SimpleUploadedFile(
            "calls.csv", b"Phone Number,Start Time\n(202) 555-0147,2026-11-20 10:00:00\n"
        )
        said = {
            "format": "callrail",
            "connection": str(things.connection_id),
            "time_zone": "UTC",
            "file": file,
        }
        answer = _alice(world).post("/clients/dentist/imports/new/", said)
        assert answer.status_code == 200, "shown again with the fault beside the field"
        assert things.mark not in answer.content.decode()
    with job_scope(agency_id=world.cast.acme.pk):
        assert CallImport.objects.filter(client=world.cast.dentist).count() == 1


def test_nobody_is_invited_to_another_agencys_client(world: World) -> None:
    body = {
        "name": "Eve",
        "email": "eve@people.example",
        "role": "officer",
        "clients": [world.cast.florist.pk],
    }
    _alice(world).post("/people/invite/", body)
    with job_scope(agency_id=world.cast.acme.pk):
        assert not Invitation.objects.filter(client_ids__contains=[world.cast.florist.pk]).exists()


def test_a_new_clients_people_are_of_the_agency(world: World) -> None:
    body = {"name": "New", "legal_name": "New LLC", "sector": "other", "time_zone": "America/New_York",
            "home_country": "US", "places": "US-NY", "brand_colour": "#2f5d62"}  # fmt: skip
    _alice(world).post("/clients/new/", body | {"people": [world.cast.mallory.pk]})
    with job_scope(agency_id=world.cast.acme.pk):
        assert not ClientGrant.objects.filter(user_id=world.cast.mallory.user_id).exists()


def test_an_admin_without_a_grant_gives_none_to_herself(world: World) -> None:
    carol = browser_of(world.cast.carol.user)
    for role in ("officer", "reviewer"):
        carol.post(f"/people/{world.cast.carol.pk}/clients/dentist/", {"bundle": role, "until": ""})
        carol.post(f"/people/{world.cast.carol.pk}/role/", {"role": role})
    with job_scope(agency_id=world.cast.acme.pk):
        assert not ClientGrant.objects.filter(user_id=world.cast.carol.user_id).exists()
        assert Membership.objects.get(pk=world.cast.carol.pk).role == Role.ADMIN
    assert carol.get(f"/clients/dentist/calls/{world.dentist.call_id}/").status_code in {403, 404}


def test_an_admin_without_a_grant_reads_no_words_about_a_call(world: World) -> None:
    carol = browser_of(world.cast.carol.user)
    answer = carol.post(f"/trail/{world.dentist.event_id}/reason/")
    assert world.dentist.mark not in answer.content.decode()
    assert (
        world.dentist.mark in _alice(world).post(f"/trail/{world.dentist.event_id}/reason/").content.decode()
    )


@pytest.mark.parametrize(
    "query",
    [
        "caller={caller_id}", "client=dentist&caller={caller_id}", "before={call_hex}", "after={call_hex}",
        "client={slug}", "client=dentist&client={slug}", "source=Source+{mark}", "campaign=Campaign+{mark}",
    ],
)  # fmt: skip
def test_ids_of_others_in_the_address_of_the_list_show_nothing(world: World, query: str) -> None:
    for things in (world.plumber, world.florist):
        asked = query.format(call_hex=things.call_id.hex, **vars(things))
        none = query.format(call_hex=NOTHING.call_id.hex, **vars(NOTHING))
        page = _bob(world).get(f"/calls/?{asked}")
        assert page.status_code == _bob(world).get(f"/calls/?{none}").status_code
        assert b"Line " + things.mark.encode() not in page.content


# --- Access that ends ---


def test_a_grant_that_has_ended_counts_for_nothing_at_once(world: World) -> None:
    browser, address = _bob(world), f"/clients/dentist/calls/{world.dentist.call_id}/"
    assert browser.get(address).status_code == 200
    make.grant(world.cast.bob, world.cast.dentist, ends_at=world.at - timedelta(seconds=1))
    assert browser.get(address).status_code == 404
    assert (
        browser.post(address + "reveal/", {"reason_kind": "call_back", "reason": "x" * 20}).status_code == 404
    )


def test_a_notification_about_a_client_that_was_taken_away_harms_nobody(world: World) -> None:
    with job_scope(agency_id=world.cast.acme.pk):
        work.notify(
            "inbox_rejected", agency_id=world.cast.acme.pk, client_id=world.cast.plumber.pk,
            user_ids=[world.cast.bob.user_id], at=world.at, key="taken-away",
        )  # fmt: skip
    browser = _bob(world)
    page = browser.get("/notifications/")
    assert page.status_code == 200
    assert b"Plumber" not in page.content
    from callprivacy.work.models import Notification

    with job_scope(agency_id=world.cast.acme.pk):
        pk = Notification.objects.get(key="taken-away").pk
    assert ask(browser, "post", f"/notifications/{pk}/").status in {302, 404}


def test_who_is_suspended_is_out_with_the_next_request(world: World) -> None:
    browser = _bob(world)
    assert browser.get("/calls/").status_code == 200
    assert _alice(world).post(f"/people/{world.cast.bob.pk}/suspend/").status_code == 302
    assert browser.get("/calls/").headers["Location"].startswith("/accounts/login/")


# --- Addresses, hosts, headers ---


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1:8000@evil.example", "127.0.0.1.evil.example", "a b"]
)
def test_another_host_is_refused(world: World, host: str) -> None:
    for path in ("/accounts/login/", "/accounts/password/reset/", "/calls/"):
        assert _alice(world).get(path, headers={"host": host}).status_code == 400


@pytest.mark.as_committed
@pytest.mark.parametrize("header", ["X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-For", "Forwarded"])
def test_a_link_in_a_mail_leads_to_our_address_whatever_the_header_says(world: World, header: str) -> None:
    mail.outbox.clear()
    Browser().post(
        "/accounts/password/reset/", {"email": world.cast.bob.user.email}, headers={header: "evil.example"}
    )
    (message,) = mail.outbox
    assert f"{settings.CALLPRIVACY_URL}/accounts/password/reset/" in message.body
    assert "evil.example" not in str(message.message())


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "https:evil.example",
     "/%0d%0aSet-Cookie:a=b", "\t//evil.example"],
)  # fmt: skip
def test_no_page_sends_a_person_elsewhere(world: World, target: str) -> None:
    answers = [
        Browser().post(
            "/accounts/login/",
            {"login": world.cast.bob.user.email, "password": make.PASSWORD, "next": target},
        ),
        _alice(world).post(
            f"/people/{world.cast.bob.pk}/clients/dentist/",
            {"bundle": "reviewer", "next": target, "back": target},
        ),
        _alice(world).get(
            f"/people/{world.cast.bob.pk}/clients/dentist/?next={target}&back={target}",
            headers={"referer": target},
        ),
        _alice(world).post("/notifications/read/", {"next": target}, headers={"referer": target}),
        _alice(world).post("/agencies/", {"agency": world.cast.acme.pk, "next": target}),
        _alice(world).post("/accounts/logout/", {"next": target}),
    ]
    for answer in answers:
        where = answer.headers.get("Location", "/")
        assert where.startswith("/"), where
        assert not where.startswith(("//", "/\\")), where
        assert "\n" not in where
        assert "Set-Cookie:a" not in answer.headers.get("Set-Cookie", "")
        assert f'href="{target}"' not in answer.content.decode()


HERE = Browser(REMOTE_ADDR="127.0.0.1", HTTP_HOST="localhost")


def test_the_page_of_mails_is_for_who_sits_at_the_machine(world: World) -> None:
    make.agency("Northlight", is_demo=True)
    assert HERE.get("/mail/").status_code == 200
    assert Browser(REMOTE_ADDR="192.0.2.7", HTTP_HOST="localhost").get("/mail/").status_code == 404
    assert HERE.get("/mail/", HTTP_X_FORWARDED_FOR="192.0.2.7").status_code == 404


@pytest.mark.parametrize(
    "header", [{"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, {"HTTP_VIA": "1.1 x"}, {"HTTP_HOST": "calls.example"}]
)
def test_the_page_of_mails_ends_where_a_proxy_stands_in_front(world: World, header: dict[str, Any]) -> None:
    make.agency("Northlight", is_demo=True)
    with override_settings(ALLOWED_HOSTS=["*"]):
        assert HERE.get("/mail/", **header).status_code == 404


def test_the_page_of_mails_is_a_demos(world: World) -> None:
    assert HERE.get("/mail/").status_code == 404


_NOWHERE_KNOWN = ("put", "patch", "delete", "trace")


def _is_asked(address: Address, method: str) -> bool:
    """Always where a view does something by POST as well or does not say what it knows; else every fourth."""
    if refuses_nobody(address.view, method):
        return False
    known = methods_of(address.view)
    return known is None or "POST" in known or at_every_fourth(address, about=method)


@pytest.mark.parametrize("method", some([*_NOWHERE_KNOWN, "options", "head"], one_in=2))
def test_other_methods_do_nothing(world: World, method: str) -> None:
    """
    What no page knows is refused at the front door, whatever the address: one at each, in `make assure` all. HEAD and
    OPTIONS are asked wherever a form is taken, too, and of pages that only show something every fourth.
    """
    browser = _alice(world)
    browser.raise_request_exception = False
    with job_scope(agency_id=world.cast.acme.pk):
        before = Event.objects.exclude(action="access.refused").count()
    for address in OURS:
        if method in _NOWHERE_KNOWN:
            if not times(in_turn(_NOWHERE_KNOWN, address) == method or address.route in DELETES, many=True):
                continue
        elif not _is_asked(address, method):
            continue
        for path in address.paths(world.dentist):
            answer = getattr(browser, method)(path)
            assert answer.status_code < 500, (method, path)
            assert answer.status_code != 201
            if method not in {"head", "options"} and not (method == "delete" and address.route in DELETES):
                assert (answer.status_code, answer.content) == (405, b""), path
            if address.route.startswith("accounts/logout"):
                browser = _alice(world)
                browser.raise_request_exception = False
    with job_scope(agency_id=world.cast.acme.pk):
        after = Event.objects.exclude(
            # HEAD reads what GET reads, and that a message was read is written down.
            action__in=["access.refused", "person.signed_in", "person.signed_out", "reply.read"]
        ).count()
    assert after == before


def test_the_front_door_lets_in_every_method_that_a_page_knows() -> None:
    door = MethodMiddleware(lambda _: HttpResponse("in"))
    shut = {
        (address.route, method)
        for address in OURS
        for method, path in product(methods_of(address.view) or ("GET", "POST"), address.paths(NOTHING))
        if door(RequestFactory().generic(method, path)).content != b"in"
    }
    assert shut == set()


# --- What does not fit ---


def _some(values: Sequence[str], path: str) -> Sequence[str]:
    """
    The first two, which have harmed most, and a fifth of the others, in turn; in `make assure` all. Where a day is
    asked for, always both ends of Python's calendar.
    """
    every = times(5, 1)
    ends = ENDS if re.search(r"[?&](\w*_on|on|since|until|week)=\{\}", path) else ()
    return [*values[:2], *ends, *values[2 + zlib.crc32(path.encode()) % every :: every]]


ENDS = ("0001-01-01", "9999-12-31")
ABSURD = (
    "a%00b", ENDLESS, "-1", "0001-01-01", "9999-12-31", "%ED%A0%80", "1e400", "²", "f" * 32,
    "00000000-0000-0000-0000-000000000000", "9223372036854775808-1", "253402300800000000-1", "' OR 1=1--",
)  # fmt: skip
ABSURD_IN_FORMS = (
    NUL, ENDLESS, "-1", "99999999999999999999", "0001-01-01", "9999-12-31T23:59", "\ud7ff\uffff", "=1+1",
    "\r\nBcc: evil@evil.example", "x" * 100_000, "9999-12-31",
)  # fmt: skip
WHY = "Because the client asked for it in writing."
IN_A_YEAR = f"{timezone.now() + timedelta(days=365):%Y-%m-%d}"  # noqa: TID251  (requests ask the clock)
# What the page itself wrote into its form.
FORM, IDENTITY = "form", "identity"
CLIENT: dict[str, str | None] = {
    "name": "New", "legal_name": "New LLC", "sector": "other", "time_zone": "America/New_York", "home_country": "US",
    "places": "US-NY", "brand_colour": "#2f5d62", "policy_url": "https://new.example/privacy",
}  # fmt: skip


@pytest.mark.parametrize(
    "path",
    some([
        "/calls/?before={}", "/calls/?client={}", "/calls/?source={}", "/calls/?from_on={}", "/calls/?region={}",
        "/calls/?until_on={}",
        "/calls/?caller={}", "/calls/?length={}", "/trail/?before={}", "/trail/?client={}", "/trail/?since={}",
        "/trail/?until={}", "/clients/dentist/posted/?on={}",
        "/reports/clients/dentist/?period=own&until_on=2026-11-01&from_on={}",
        "/reports/clients/dentist/?period=own&from_on=2026-11-01&until_on={}",
        "/reveals/?before={}", "/reveals/?week={}", "/work/?page={}", "/work/?client={}", "/work/?kind={}",
        "/clients/?q={}", "/clients/?page={}", "/people/?q={}", "/people/?page={}", "/people/matrix/?people={}",
        "/people/matrix/?clients={}", "/people/matrix/?c={}", "/notifications/?page={}",
        "/clients/dentist/connections/?after={}", "/clients/dentist/policies/preview/?after={}",
        "/clients/dentist/errands/?page={}", "/invitation/{}/", "/hooks/callrail/{}/", "/hooks/{}/key/",
        "/clients/dentist/calls/export/?source={}", "/accounts/password/reset/key/{}-abc/", "/operator/{}",
        "/accounts/login/?next={}", "/clients/dentist/calls/{}/", "/c/{}/consent/", "/c/{}/config.json", "/p/{}/",
        "/p/key.{}/", "/r/{}/", "/r/{}/privacy/", "/r/{}/see/", "/r/key/{}/", "/q/{}/", "/q/a.{}/",
    ], one_in=3),
)  # fmt: skip
def test_absurd_values_in_addresses_are_no_fault_of_ours(world: World, path: str) -> None:
    browser = _alice(world)
    browser.raise_request_exception = False
    with _names_read() as names:
        for value in _some(ABSURD, path):
            answer = ask(browser, "get", path.format(value))
            assert answer.status < 500, path.format(value)[:80]
    assert set(re.findall(r"[?&](\w+)=\{\}", path)) - names == set(), "nobody reads this"


# Bodies that are taken as they are; each of their fields is then changed, one at a time, so that what lies behind the
# form is reached. None: not part of it, and tried beside it.
FORMS: list[tuple[str, dict[str, str | None]]] = [
    ("/calls/search/", {"number": "(202) 555-0147"}),
    ("/clients/dentist/calls/{call_id}/reveal/", {"reason": WHY, "reason_kind": "call_back"}),
    ("/clients/dentist/calls/export/", {"reason": WHY}),
    ("/reveals/", {"week": "2026-11-16"}),
    ("/reveals/finished/", {"week": "2026-11-16"}),
    ("/clients/dentist/policies/change/call/", {"days": "400", "then": "erase", "reason": WHY}),
    (
        "/clients/dentist/policies/go-live/",
        {
            "calls": "1", "recordings": "0", "callers": "1", "leaving": None, "allowed": None, "withheld": None,
            "keep_for_days": None, "keep_out_for_days": None, "others": None, "quarantine_hours": None,
            "at_vendor": None, "phrase": "Dentist", "reason": WHY,
        },
    ),
    ("/clients/dentist/policies/observe/", {"reason": WHY}),
    ("/retention/policies/call/", {"days": "400", "then": "erase", "reason": WHY}),
    (
        "/clients/dentist/holds/new/",
        {
            "name": "Case", "matter": "1", "reason": WHY, "scope": "everything", "review_on": IN_A_YEAR,
            "ends_on": IN_A_YEAR, "from_on": "2026-01-01", "until_on": "2026-11-01", "numbers": None, "people": None,
        },
    ),
    ("/clients/dentist/connections/new/", {"name": "Main", "secret": "s" * 20, "provider": "callrail"}),
    ("/clients/dentist/connections/{connection_id}/rotate/", {"secret": "s" * 20, "overlap_hours": "24"}),
    (
        "/clients/dentist/connections/{connection_id}/list/back/",
        {"from_on": moved("2026-11-01"), "until_on": moved("2026-11-10")},
    ),
    (
        "/clients/dentist/numbers/{number_id}/",
        {
            "label": "Main", "announcement": "Recorded.", "tested_at": "2026-11-01T10:00",
            "announced_from": "2026-11-01", "region": "GA",
        },
    ),
    (
        "/clients/dentist/numbers/new/",
        {
            "number": "+14045550190", "provider": "callrail", "region": "GA", "label": "Main",
            "tested_at": "2026-11-01T10:00",
        },
    ),
    ("/clients/new/", CLIENT),
    ("/clients/dentist/edit/", CLIENT),
    (
        "/clients/dentist/engagement/",
        {
            "measure_as": "processor", "record_as": "processor", "contact_as": "processor", "answered_by": "agency",
            "at_end": "erase", "instructions": "As agreed.", "breach_notice_hours": "24", "dpa_on": "2026-01-01",
            "contract_on": "2026-01-01",
        },
    ),
    ("/people/invite/", {"name": "Eve", "email": "eve@people.example", "role": "reviewer", "clients": "{client_id}"}),
    ("/people/{membership_id}/role/", {"role": "analyst"}),
    ("/people/{membership_id}/clients/dentist/", {"bundle": "analyst", "until": IN_A_YEAR}),
    ("/work/items/", {"item": "{item_id}", "deed": "snooze", "days": "3", "owner": None}),
    ("/work/items/", {"item": "{item_id}", "deed": "assign", "owner": "{user_id}"}),
    ("/clients/dentist/errands/", {"errand": "{errand_id}"}),
    ("/agencies/", {"agency": "{agency_id}"}),
    (
        "/invitation/{token}/",
        {"name": "Dora", "password1": "Another-Horse-8-Battery", "password2": "Another-Horse-8-Battery"},
    ),
    (
        "/clients/dentist/consent/web/",
        {"origins": "https://www.example.com", "swap_url": "https://cdn.example/swap.js", "swap_integrity": ""},
    ),
    (
        "/clients/dentist/requests-page/",
        {"email": "a@b.example", "others": "Host", "more_en": "More.", "more_es": "Más.", "address": "1 Street"},
    ),
    (
        "/c/{consent_key}/consent/",
        {"number": "(202) 555-0147", "purposes": "record", "deed": "give", "form": FORM, "lang": "en"},
    ),
    (
        "/c/{consent_key}/choices/",
        {"number": "(202) 555-0147", "form": FORM, "challenge": None, "code": None},
    ),
    ("/c/{consent_key}/receipt/{receipt}/", {"form": FORM, "challenge": None, "code": None}),
    ("/p/{link}/", {"deed": "withdraw", "purpose": "record", "form": FORM}),
    ("/p/{link}/", {"deed": "updates", "address": "a@people.example", "on_change": "on", "form": FORM}),
    (
        "/r/{request_key}/see/",
        {
            "on_behalf": "self", "number": "(202) 555-0147", "number_2": "(202) 555-0148", "place": "US-CA",
            "withheld_day": "2026-11-01", "withheld_time": "10:00", "withheld_business": "Dentist", "name": "Ann Lee",
            "mail": "ann@people.example", "form": FORM,
        },
    ),
    ("/q/{request_link}/", {"deed": "code", "identity": IDENTITY, "way": "text", "challenge": None, "form": FORM}),
    (
        "/q/{request_link}/",
        {"deed": "prove", "identity": IDENTITY, "way": "text", "challenge": None, "code": "000000", "form": FORM},
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "plain"), some(FORMS, one_in=6), ids=[f"{path} {' '.join(body)}" for path, body in FORMS]
)
def test_absurd_values_in_forms_are_no_fault_of_ours(
    world: World, path: str, plain: dict[str, str | None]
) -> None:
    browser = _alice(world)
    browser.raise_request_exception = False
    things = vars(world.dentist) | {"agency_id": world.cast.acme.pk}
    address = path.format(**things)
    body = _filled(
        browser, address, {name: value for name, value in plain.items() if value is not None}, things
    )
    with _names_read() as names:
        taken = ask(browser, "post", address, data=body)
        if "code" in body:  # the form is whole, and the code is not the one that was sent
            assert taken.status == 422
        else:
            assert taken.status in {200, 302, 303}, taken.status
            assert b'aria-invalid="true"' not in taken.body
        for name in plain:
            for value in _absurd(path, name, body.get(name, "")):
                answer = ask(browser, "post", address, data=body | {name: value})
                assert answer.status < 500, (name, value[:20])
    assert set(plain) - names == set(), "nobody reads these"


def _filled(browser: Browser, address: str, body: dict[str, str], things: dict[str, Any]) -> dict[str, str]:
    """The body with the ids of things, and with what the page wrote into its form."""
    if FORM in body.values() or IDENTITY in body.values():
        page = browser.get(address).content.decode()
        for name in ("form", "identity"):
            if name in body:
                wrote = re.search(rf'name="{name}" value="([^"]*)"', page)
                assert wrote is not None, name
                body[name] = wrote[1]
    return {name: value.format(**things) if value[:1] == "{" else value for name, value in body.items()}


def _absurd(path: str, name: str, plain: str) -> list[str]:
    """
    One, in turn, and at every second field one of those that have harmed most; in `make assure` those and two others.
    A day is always both ends of Python's calendar as well.
    """
    turn = zlib.crc32(f"{path} {name}".encode())
    worst, others = ABSURD_IN_FORMS[:2], ABSURD_IN_FORMS[2:]
    some = worst if turn % 2 else others
    at = turn // 2 % len(others)
    two = (others * 2)[at : at + 2]
    found = times([some[turn // 2 % len(some)]], [*worst, *two])
    if re.fullmatch(r"\d{4}-\d\d-\d\d(T\d\d:\d\d)?", plain):
        found += [f"{day}{plain[10:]}" for day in ENDS]
    return found


@contextmanager
def _names_read() -> Iterator[set[str]]:
    """The names that are asked of what comes with requests meanwhile."""
    names: set[str] = set()
    with pytest.MonkeyPatch.context() as patched:
        for reader in ("__getitem__", "__contains__", "getlist"):
            patched.setattr(QueryDict, reader, _noting(names, getattr(QueryDict, reader)))
        yield names


def _noting(names: set[str], read: Callable[..., Any]) -> Callable[..., Any]:
    def noting(self: QueryDict, name: str, *more: Any, **others: Any) -> Any:
        names.add(name)
        return read(self, name, *more, **others)

    return noting


@pytest.mark.parametrize("key", ["%00", "a%00b", "%FF", "%ED%A0%80", "x" * 5000])
def test_absurd_keys_of_trackers_are_keys_that_are_none(world: World, key: str) -> None:
    browser = Browser(raise_request_exception=False)
    for provider in ("callrail", key):
        answer = browser.post(f"/hooks/{provider}/{key}/", b"{}", content_type="application/json")
        assert answer.status_code == 404


def test_a_body_of_a_thousand_fields_is_refused_not_chewed(world: World) -> None:
    browser = _alice(world)
    answer = browser.post("/work/items/", {f"f{number}": "x" for number in range(5000)})
    assert answer.status_code == 400
    assert browser.post("/calls/search/", {"number": "1" * (3 * 1024 * 1024)}).status_code in {400, 413}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"CONTENT_LENGTH": str(1024 * 1024 + 1)}, 413),
        ({"CONTENT_LENGTH": "-5"}, 403),
        ({"CONTENT_LENGTH": "many"}, 400),
        ({"CONTENT_TYPE": "text/html"}, 415),
        ({"CONTENT_TYPE": "application/json; charset=" + "x" * 4000}, 403),
    ],
)
def test_a_trackers_odd_request_is_answered_in_one_line(
    world: World, headers: dict[str, str], status: int
) -> None:
    browser = Browser(raise_request_exception=False)
    answer = browser.generic(
        "POST",
        f"/hooks/callrail/{world.dentist.key}/",
        b"{}",
        content_type="application/json",
        **headers,  # type: ignore[arg-type]  # facts of a table
    )
    assert answer.status_code == status
    assert len(answer.content) < 60


# --- Files that a spreadsheet would run ---


def _cells(text: str) -> list[str]:
    return [cell for row in csv.reader(io.StringIO(text.lstrip("\ufeff"))) for cell in row]


def _is_a_formula(cell: str) -> bool:
    return cell.lstrip().startswith(("=", "+", "@")) or cell.startswith(("-1", "\t", "\r"))


@pytest.mark.parametrize("words", HOSTILE)
def test_names_that_are_formulas_leave_the_trails_table_as_words(world: World, words: str) -> None:
    with job_scope(agency_id=world.cast.acme.pk):
        Client.objects.filter(pk=world.cast.dentist.pk).update(name=words)
    User.objects.filter(pk=world.cast.alice.user_id).update(name=words)
    text = _alice(world).post("/trail/table/").content.decode()
    assert "number.revealed" in text
    assert [cell for cell in _cells(text) if _is_a_formula(cell)] == []


@pytest.mark.parametrize("words", HOSTILE)
def test_columns_that_are_formulas_leave_the_list_of_refusals_as_words(world: World, words: str) -> None:
    with job_scope(agency_id=world.cast.acme.pk):
        ImportRefusal.objects.filter(call_import_id=world.dentist.import_id).update(
            column=words, reason=words
        )
    answer = _alice(world).get(f"/clients/dentist/imports/{world.dentist.import_id}/refusals/")
    text = (b"".join(answer.streaming_content) if answer.streaming else answer.content).decode()  # type: ignore[attr-defined]  # a file's answer
    assert [cell for cell in _cells(text) if _is_a_formula(cell)] == []


# --- Reveals ---


def test_a_reveal_that_cannot_be_written_down_shows_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from callprivacy.audit import services as audit

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("the trail is full")

    monkeypatch.setattr(audit, "record", refuse)
    browser = _alice(world)
    browser.raise_request_exception = False
    answer = browser.post(
        f"/clients/dentist/calls/{world.dentist.call_id}/reveal/",
        {"reason_kind": "call_back", "reason": "The caller asked to be called back."},
    )
    assert answer.status_code == 500
    assert b"555-0111" not in answer.content
    with job_scope(agency_id=world.cast.acme.pk):
        assert Reveal.objects.filter(client=world.cast.dentist).count() == 1


def test_settings_that_guard_the_browser(world: World) -> None:
    answer = _alice(world).get("/calls/")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert settings.SESSION_COOKIE_HTTPONLY
    for path in ("/calls/", f"/clients/dentist/calls/{world.dentist.call_id}/"):
        assert "no-store" in _alice(world).get(path).headers["Cache-Control"]
