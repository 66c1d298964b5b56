"""What a session and a stored password are made of."""

from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.test import Client as Browser
from django.test import override_settings

from rights.channels import links
from tests.accounts.browsers import is_in, signed_in
from tests.cast import Cast
from tests.make import PASSWORD


@pytest.mark.django_db
def test_a_sign_in_changes_the_sessions_key(cast: Cast) -> None:
    """Who was handed a session before signing in has nothing of it afterwards."""
    browser = Browser()
    session = browser.session
    session["planted"] = "by a stranger"
    session.save()
    before = str(session.session_key)
    browser.cookies[settings.SESSION_COOKIE_NAME] = before
    answer = browser.post("/accounts/login/", {"login": cast.bob.user.email, "password": PASSWORD})
    assert answer.status_code == 302
    after = browser.cookies[settings.SESSION_COOKIE_NAME].value
    assert after not in {None, "", before}
    stranger = Browser()
    stranger.cookies[settings.SESSION_COOKIE_NAME] = before
    assert stranger.get("/calls/").headers["Location"].startswith("/accounts/login/")


@pytest.mark.django_db
def test_a_planned_change_of_the_key_keeps_links_and_ends_sessions(cast: Cast) -> None:
    """A session that went on would have a name that no list of a person's sessions knows."""
    browser = signed_in(cast.alice)
    assert is_in(browser)
    named = links.Named(cast.acme.pk, 0, uuid4())
    link = links.link_of(named)
    before = settings.SECRET_KEY
    with override_settings(SECRET_KEY="n" * 50):
        with pytest.raises(links.UnknownLinkError):
            links.read(link)
        with override_settings(SECRET_KEY_FALLBACKS=[before]):
            assert links.read(link) == named
            assert not is_in(browser)


def test_passwords_are_stored_by_argon2() -> None:
    """The suite itself hashes by something quick; the settings file is what an installation has."""
    text = Path(settings.BASE_DIR, "callprivacy", "settings.py").read_text(encoding="utf-8")
    begin = text.index("PASSWORD_HASHERS = [")
    assert text[begin:].splitlines()[1].strip() == '"django.contrib.auth.hashers.Argon2PasswordHasher",'
    hasher = Argon2PasswordHasher()
    assert hasher.memory_cost >= 19 * 1024
    assert hasher.time_cost >= 2
