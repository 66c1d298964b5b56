"""What a session and a stored password are made of."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.test import Client as Browser

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


def test_passwords_are_stored_by_argon2() -> None:
    """The suite itself hashes by something quick; the settings file is what an installation has."""
    text = Path(settings.BASE_DIR, "callprivacy", "settings.py").read_text(encoding="utf-8")
    begin = text.index("PASSWORD_HASHERS = [")
    assert text[begin:].splitlines()[1].strip() == '"django.contrib.auth.hashers.Argon2PasswordHasher",'
    hasher = Argon2PasswordHasher()
    assert hasher.memory_cost >= 19 * 1024
    assert hasher.time_cost >= 2
