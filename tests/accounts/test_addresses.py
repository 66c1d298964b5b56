"""Where a request comes from, behind any number of proxies of ours, whatever the client claims."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import structlog
import time_machine
from allauth.usersessions.models import UserSession
from axes.models import AccessAttempt
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse  # noqa: TID251  (what a view answers)
from django.test import Client as Browser
from django.test import RequestFactory
from pytest_django import Settings

from callprivacy.accounts.adapter import AccountAdapter, client_address
from callprivacy.accounts.middleware import RequestLogMiddleware
from callprivacy.accounts.models import SignInFailure
from callprivacy.lib import logs
from tests import cast
from tests.make import NOON, PASSWORD

BOB = "bob@acme.example"
WRONG = "Wrong-Horse-7-Battery"
PROXY = "10.0.0.1"
BOBS, STRANGERS = "198.51.100.7", "203.0.113.9"


def address(proxies: int, forwarded: str | None, settings: Settings, *, spoke: str = PROXY) -> str | None:
    settings.CALLPRIVACY_PROXY_COUNT = proxies
    request = RequestFactory().get("/", REMOTE_ADDR=spoke)
    if forwarded is not None:
        request.META["HTTP_X_FORWARDED_FOR"] = forwarded
    return client_address(request)


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        # nobody in front: the header is the client's own invention
        (0, None, PROXY),
        (0, BOBS, PROXY),
        # one proxy that sets the header, or appends to what the client sent
        (1, BOBS, BOBS),
        (1, f"1.1.1.1, {BOBS}", BOBS),
        (1, f"1.1.1.1,2.2.2.2 ,  {BOBS} ", BOBS),
        (1, f"garbage, {BOBS}", BOBS),
        # two proxies: the outer one wrote the last but one
        (2, f"{BOBS}, 10.0.0.2", BOBS),
        (2, f"1.1.1.1, {BOBS}, 10.0.0.2", BOBS),
        # fewer entries than proxies, or no address where one belongs
        (1, None, PROXY),
        (1, "", PROXY),
        (1, "unknown", PROXY),
        (1, f"{BOBS}, unknown", PROXY),
        (2, BOBS, PROXY),
        (2, f"1.1.1.1, {BOBS}:x, 10.0.0.2", PROXY),
        # spellings
        (1, f"{BOBS}:4711", BOBS),
        (1, "2001:DB8:0::7", "2001:db8::7"),
        (1, "[2001:db8::7]", "2001:db8::7"),
        (1, "[2001:db8::7]:4711", "2001:db8::7"),
        (1, "fe80::7%eth0", "fe80::7"),
        (1, f"::ffff:{BOBS}", BOBS),
    ],
)
def test_only_what_our_proxies_wrote_counts(
    proxies: int, forwarded: str | None, expected: str, settings: Settings
) -> None:
    assert address(proxies, forwarded, settings) == expected


def test_a_bare_socket_has_no_address(settings: Settings) -> None:
    assert address(0, None, settings, spoke="") is None
    assert address(1, BOBS, settings, spoke="") == BOBS
    settings.CALLPRIVACY_PROXY_COUNT = 0
    with pytest.raises(PermissionDenied):
        AccountAdapter().get_client_ip(RequestFactory().get("/", REMOTE_ADDR=""))


def test_the_log_names_the_same_address_by_its_network(settings: Settings) -> None:
    settings.CALLPRIVACY_PROXY_COUNT = 1
    seen: list[object] = []

    def page(_: object) -> HttpResponse:
        seen.append(structlog.contextvars.get_contextvars()["network"])
        return HttpResponse()

    request = RequestFactory().get("/", REMOTE_ADDR=PROXY, HTTP_X_FORWARDED_FOR=f"1.1.1.1, {BOBS}")
    RequestLogMiddleware(page)(request)
    assert seen == [logs.network_of(BOBS)]
    assert BOBS not in str(seen)


# --- the door behind the README's nginx ---


@pytest.fixture
def people(cast: cast.Cast) -> cast.Cast:
    return cast


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def try_door(forwarded: str, password: str, *, browser: Browser | None = None) -> int:
    answer = (browser or Browser()).post(
        "/accounts/login/",
        {"login": BOB, "password": password},
        REMOTE_ADDR=PROXY,
        HTTP_X_FORWARDED_FOR=forwarded,
        HTTP_X_FORWARDED_PROTO="https",
    )
    return answer.status_code


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("proxies", "behind"), [(1, ""), pytest.param(2, ", 10.0.0.2", marks=pytest.mark.thorough)]
)
def test_five_wrong_tries_from_one_address_do_not_keep_bob_out_from_his_own(
    people: cast.Cast, clock: time_machine.Traveller, settings: Settings, proxies: int, behind: str
) -> None:
    settings.CALLPRIVACY_PROXY_COUNT = proxies
    for _ in range(5):
        try_door(STRANGERS + behind, WRONG)
        clock.shift(timedelta(seconds=20))
    assert try_door(STRANGERS + behind, PASSWORD) == 429
    assert set(AccessAttempt.objects.values_list("ip_address", flat=True)) == {STRANGERS}
    assert try_door(BOBS + behind, PASSWORD) == 302
    assert UserSession.objects.get().ip == BOBS


@pytest.mark.django_db
def test_a_forged_entry_neither_frees_the_stranger_nor_locks_bob(
    people: cast.Cast, clock: time_machine.Traveller, settings: Settings
) -> None:
    settings.CALLPRIVACY_PROXY_COUNT = 1
    for number in range(5):
        try_door(f"{BOBS}, 192.0.2.{number}, {STRANGERS}", WRONG)
        clock.shift(timedelta(seconds=20))
    assert try_door(f"192.0.2.77, {STRANGERS}", PASSWORD) == 429
    assert try_door(f"{STRANGERS}, {BOBS}", PASSWORD) == 302


@pytest.mark.django_db
def test_a_refused_address_that_goes_on_trying_does_not_make_bob_wait(
    people: cast.Cast, clock: time_machine.Traveller, settings: Settings
) -> None:
    settings.CALLPRIVACY_PROXY_COUNT = 1
    for _ in range(5):
        try_door(STRANGERS, WRONG)
        clock.shift(timedelta(seconds=20))
    counted = SignInFailure.objects.get().failures
    for _ in range(30):
        assert try_door(STRANGERS, WRONG) == 429
    assert SignInFailure.objects.get().failures == counted
    assert try_door(BOBS, PASSWORD) == 302
