"""Signing in as a person, with and without the door."""

import re
import time
from datetime import datetime

from allauth.mfa.totp.internal import auth as totp
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpResponse  # noqa: TID251  (what a view answers)
from django.test import Client as Browser
from django.utils import timezone

from callprivacy.accounts.models import Membership, User
from callprivacy.audit.models import Event
from callprivacy.tenancy.scope import job_scope
from tests.make import PASSWORD

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


def come_in(browser: Browser, user: User) -> None:
    """
    Let a browser have a session of who came through the door.

    Nothing is written that the door writes besides: Django's own way has all of it done, in eighteen statements.
    """
    session = SessionStore()
    session[SESSION_KEY], session[BACKEND_SESSION_KEY] = str(user.pk), BACKEND
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    browser.cookies[settings.SESSION_COOKIE_NAME] = str(session.session_key)


def signed_in(person: Membership) -> Browser:
    """A browser in which the person is signed in, without passing the door."""
    browser = Browser()
    come_in(browser, person.user)
    return browser


def sign_in(
    browser: Browser, email: str, password: str = PASSWORD, *, address: str = "127.0.0.1"
) -> HttpResponse:
    """Try the door."""
    return browser.post(  # type: ignore[return-value]  # the test client's answer
        "/accounts/login/", {"login": email, "password": password}, REMOTE_ADDR=address
    )


def is_in(browser: Browser) -> bool:
    """Whether the session of this browser still opens a page."""
    return browser.get("/work/").status_code == 200


def give_codes(user: User) -> str:
    """Give a person codes from an app, and return the seed."""
    secret = str(totp.generate_totp_secret())
    totp.TOTP.activate(user, secret)
    return secret


def code_of(secret: str) -> str:
    """What an app shows now; one that was shown before would be right, too, until its next step."""
    return str(totp.format_hotp_value(totp.hotp_value(secret, int(time.time()) // 30)))


def inputs_of(page: str) -> dict[str, str]:
    """What a page asks for in its middle: name of each field that is typed into or chosen -> its type."""
    found = {}
    page = page.partition("<main")[2].partition("</main>")[0]
    for tag in re.findall(r"<(?:input|select|textarea)\b[^>]*>", page):
        said = dict(re.findall(r'\b(name|type)="([^"]*)"', tag))
        if said.get("name") and said.get("type") != "hidden":
            found[said["name"]] = said.get("type", "")
    return found


def actions_of(agency_id: int) -> list[str]:
    """The names of an agency's events, oldest first."""
    with job_scope(agency_id=agency_id):
        return list(Event.objects.order_by("id").values_list("action", flat=True))


def now() -> datetime:
    """The database's own time, which decides whether a grant has ended."""
    return timezone.now()  # noqa: TID251  (what is tested reads the same clock)
