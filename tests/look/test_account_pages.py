"""The account pages as allauth serves them: our templates, its forms."""

import re

import pytest
from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.test import Client

from callprivacy.accounts.models import User
from tests.accounts.browsers import inputs_of, signed_in
from tests.cast import Cast

pytestmark = pytest.mark.django_db


def test_sign_in_page_is_ours_and_offers_no_sign_up(client: Client) -> None:
    html = client.get("/accounts/login/").content.decode()

    assert 'class="door-main"' in html
    assert 'name="login"' in html
    assert 'href="/accounts/password/reset/"' in html
    assert "/accounts/signup/" not in html


def test_pages_that_ask_for_a_password_hide_what_is_typed(cast: Cast) -> None:
    browser, bob = Client(), signed_in(cast.bob)
    uid = user_pk_to_url_str(cast.bob.user)
    key = default_token_generator.make_token(cast.bob.user)
    new = browser.get(f"/accounts/password/reset/key/{uid}-{key}/")["Location"]

    asked = {
        "the door": inputs_of(browser.get("/accounts/login/").content.decode()),
        "a new one by mail": inputs_of(browser.get(new).content.decode()),
        "a new one": inputs_of(bob.get("/accounts/password/change/").content.decode()),
        "once more": inputs_of(bob.get("/accounts/reauthenticate/").content.decode()),
    }

    assert asked == {
        "the door": {"login": "email", "password": "password"},
        "a new one by mail": {"password1": "password", "password2": "password"},
        "a new one": {"oldpassword": "password", "password1": "password", "password2": "password"},
        "once more": {"password": "password"},
    }


def test_who_forgot_a_password_is_asked_for_an_address_alone(client: Client) -> None:
    page = client.get("/accounts/password/reset/").content.decode()

    assert inputs_of(page) == {"email": "email"}


def test_wrong_password_says_the_same_to_everybody(client: Client) -> None:
    User.objects.create_user("alice@acme.example", "Correct-Horse-7-Battery")

    said = [
        client.post(
            "/accounts/login/", {"login": f"{name}@acme.example", "password": "wrong"}
        ).content.decode()
        for name in ("alice", "nobody")
    ]

    alerts = [re.findall(r'role="alert">.*?<p>(.*?)</p>', html, re.DOTALL) for html in said]
    assert alerts[0] == alerts[1]
    assert len(alerts[0]) == 1


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/accounts/password/reset/", "Forgotten your password?"),
        ("/accounts/password/reset/done/", "Look at your mail"),
        ("/accounts/password/reset/key/1-set-password/", "This link no longer works"),
        ("/accounts/inactive/", "This account is switched off"),
    ],
)
def test_page_for_somebody_without_a_session(client: Client, path: str, words: str) -> None:
    html = client.get(path).content.decode()

    assert 'class="door-main"' in html
    assert words in html
