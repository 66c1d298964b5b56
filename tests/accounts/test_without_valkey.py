"""Valkey is away: people sign in, confirm and choose passwords, and what was guarded still is."""

import importlib.util
import re
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from allauth.account import app_settings as account
from allauth.mfa import app_settings as mfa
from django.conf import settings as installed
from django.core import mail
from django.test import Client as Browser
from pytest_django import Settings

from tests import ground
from tests.accounts.browsers import code_of, is_in, sign_in, signed_in
from tests.accounts.test_factors import BOB, with_codes
from tests.cast import Cast
from tests.make import NOON, PASSWORD

FRESH = {"password1": "Another-Horse-8-Battery", "password2": "Another-Horse-8-Battery"}
RESET = "/accounts/password/reset/"


@pytest.fixture
def without_valkey(settings: Settings) -> None:
    settings.CACHES = {
        name: cache | {"LOCATION": "redis://127.0.0.1:1/0"} for name, cache in installed.CACHES.items()
    }


@pytest.mark.usefixtures("without_valkey")
def test_a_code_opens_once(cast: Cast) -> None:
    secret = with_codes(cast.bob)
    with time_machine.travel(NOON, tick=False):
        for is_first in (True, False):
            browser = Browser()
            sign_in(browser, BOB)
            browser.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})
            assert is_in(browser) == is_first


@pytest.mark.usefixtures("without_valkey")
def test_people_confirm_choose_a_password_and_are_offered_a_passkey(cast: Cast) -> None:
    browser = signed_in(cast.bob)
    assert browser.post("/accounts/reauthenticate/", {"password": PASSWORD}).status_code == 302
    change = browser.post("/accounts/password/change/", FRESH | {"oldpassword": PASSWORD})
    assert change.status_code == 302
    door = "/accounts/2fa/webauthn/login/"
    assert Browser().get(door, headers={"X-Requested-With": "XMLHttpRequest"}).status_code == 200
    assert Browser().post(door, {"credential": "{}"}).status_code < 500


@pytest.mark.usefixtures("without_valkey")
def test_guesses_of_the_present_password_wait(cast: Cast) -> None:
    browser = signed_in(cast.bob)
    with time_machine.travel(NOON, tick=False):
        wrong = "Guess-1-Horse-Battery"
        changes = [
            browser.post("/accounts/password/change/", FRESH | {"oldpassword": wrong}) for _ in range(6)
        ]
        assert "Too many wrong passwords" in changes[-1].content.decode()
        again = [browser.post("/accounts/reauthenticate/", {"password": wrong}) for _ in range(6)]
        assert again[-1].status_code == 429
        assert "There were too many failed tries from here" in again[-1].content.decode()


@pytest.mark.as_committed
@pytest.mark.parametrize("is_away", [True, False])
def test_links_for_a_new_password_wait_by_name_and_by_sender(
    cast: Cast, mailoutbox: list[mail.EmailMessage], is_away: bool, request: pytest.FixtureRequest
) -> None:
    if is_away:
        request.getfixturevalue("without_valkey")

    def ask(name: str, number: int) -> str:
        ground.count_anew()
        browser = Browser(REMOTE_ADDR=f"198.51.100.{number}")
        return browser.post(RESET, {"email": name}, follow=True).content.decode()

    with time_machine.travel(NOON, tick=False) as clock:
        for number in range(5):
            assert "Look at your mail" in ask(BOB, number)
        assert "Wait 1 second, then try again" in ask(BOB, 5)
        assert len(mailoutbox) == 5
        for number in range(5):
            ask(f"nobody{number}@acme.example", 99)
        assert "Wait 1 second, then try again" in ask("carol@acme.example", 99)
        assert len(mailoutbox) == 10
        clock.shift(timedelta(seconds=2))
        ask(BOB, 6)
        assert len(mailoutbox) == 11


def test_the_library_keeps_nothing_else_in_the_cache() -> None:
    found = set()
    for name in ("allauth", "axes", "guardian"):
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        root = Path(spec.origin).parent
        for path in root.rglob("*.py"):
            if re.search(r"^from django\.core\.cache import", path.read_text(encoding="utf-8"), re.MULTILINE):
                found.add(path.relative_to(root.parent).as_posix())
    absent = ("allauth/socialaccount/", "allauth/idp/", "allauth/headless/", "guardian/testapp/")
    assert {path for path in found if not path.startswith(absent)} == {
        "allauth/core/internal/ratelimit.py",
        "allauth/mfa/totp/internal/auth.py",
        "axes/helpers.py",  # for the handler that counts in a cache, which is not ours
        "guardian/utils.py",  # for an anonymous person, whom there is not
    }
    assert set(account.RATE_LIMITS) | set(mfa.RATE_LIMITS) <= {
        *("change_password", "reauthenticate", "reset_password", "reset_password_from_key", "webauthn_login"),
        *("signup", "manage_email", "confirm_email", "change_phone", "verify_phone", "request_login_code"),
        *("login", "login_failed"),
    }
    assert account.RATE_LIMITS["login"] is None
    assert account.RATE_LIMITS["login_failed"] is None


def test_the_product_itself_keeps_hints_and_the_demos_telephone() -> None:
    by_default = re.compile(r"django\.core\.cache import .*\bcache\b|caches\[[^\]]*default")
    folders = ("callprivacy", "consent", "analytics", "retention", "rights", "governance", "dashboard")
    paths = [path for folder in folders for path in (ground.ROOT / folder).rglob("*.py")]
    found = [path for path in paths if by_default.search(path.read_text(encoding="utf-8"))]
    assert [path.relative_to(ground.ROOT).as_posix() for path in found] == ["consent/services/phone.py"]
