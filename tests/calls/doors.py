"""A signed-in browser for each of the cast, and the six ways a door can answer."""

from __future__ import annotations

from django.test import Client as Browser

from callprivacy.accounts.models import Membership
from tests.accounts.browsers import come_in


def browser_of(person: Membership) -> Browser:
    """A browser in which this person is signed in."""
    browser = Browser()
    come_in(browser, person.user)
    return browser
