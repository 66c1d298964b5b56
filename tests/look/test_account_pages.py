"""The account pages as allauth serves them: our templates, its forms."""

import re

import pytest
from django.test import Client

from callprivacy.accounts.models import User

pytestmark = pytest.mark.django_db


def test_sign_in_page_is_ours_and_offers_no_sign_up(client: Client) -> None:
    html = client.get("/accounts/login/").content.decode()

    assert 'class="door-main"' in html
    assert 'name="login"' in html
    assert 'href="/accounts/password/reset/"' in html
    assert "/accounts/signup/" not in html


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
