"""A signed-in browser for each of the cast, and the six ways a door can answer."""

from __future__ import annotations

from django.test import Client as Browser

from callprivacy.accounts.models import Membership

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


def browser_of(person: Membership) -> Browser:
    """A browser in which this person is signed in."""
    browser = Browser()
    browser.force_login(person.user, backend=BACKEND)
    return browser
