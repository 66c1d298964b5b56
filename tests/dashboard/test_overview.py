"""The first page composes what a person may see, in a bounded number of queries."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client as Browser

from callprivacy.accounts.models import Membership
from tests import make
from tests.cast import Cast

ANNA = "+12125550101"


def _browser(membership: Membership) -> Browser:
    browser = Browser()
    browser.force_login(membership.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return browser


def test_an_officer_sees_each_granted_clients_figures(cast: Cast) -> None:
    now = make.now()
    make.call(cast.dentist, ANNA, at=now - timedelta(days=2))
    make.call(cast.plumber, ANNA, at=now - timedelta(days=2))

    page = _browser(cast.alice).get("/").content.decode()

    assert "Dentist" in page
    assert "Plumber" in page
    assert ANNA[-10:] not in page


def test_a_reviewer_sees_the_granted_client_only(cast: Cast) -> None:
    page = _browser(cast.bob).get("/").content.decode()

    assert "Dentist" in page
    assert "Plumber" not in page


def test_a_stranger_sees_none_of_it(cast: Cast) -> None:
    page = _browser(cast.mallory).get("/").content.decode()

    assert "Dentist" not in page
    assert "Florist" in page


def test_who_was_granted_nothing_is_told_what_to_do(cast: Cast) -> None:
    page = _browser(cast.carol).get("/").content.decode()

    assert "No client is granted to you yet" in page


def test_the_number_of_queries_does_not_grow_with_clients(
    cast: Cast, django_assert_max_num_queries: pytest.FixtureRequest
) -> None:
    for number in range(8):
        make.client(cast.acme, f"More {number}")

    browser = _browser(cast.alice)
    browser.get("/")
    with django_assert_max_num_queries(26):  # type: ignore[operator]
        browser.get("/")
