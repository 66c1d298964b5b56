"""The first page composes what a person may see, in a bounded number of queries."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from django.db import connections
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from callprivacy.accounts.models import Membership
from dashboard.views import overview
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

    page = _browser(cast.alice).get("/overview/").content.decode()

    assert "Dentist" in page
    assert "Plumber" in page
    assert ANNA[-10:] not in page


def test_a_reviewer_sees_the_granted_client_only(cast: Cast) -> None:
    page = _browser(cast.bob).get("/overview/").content.decode()

    assert "Dentist" in page
    assert "Plumber" not in page


def test_a_stranger_sees_none_of_it(cast: Cast) -> None:
    page = _browser(cast.mallory).get("/overview/").content.decode()

    assert "Dentist" not in page
    assert "Florist" in page


def test_who_was_granted_nothing_is_told_what_to_do(cast: Cast) -> None:
    page = _browser(cast.carol).get("/overview/").content.decode()

    assert "No calls for you to see" in page
    assert "Open the clients" in page


def test_the_number_of_queries_does_not_grow_with_clients(
    cast: Cast, django_assert_num_queries: Callable[..., AbstractContextManager[CaptureQueriesContext]]
) -> None:
    browser = _browser(cast.alice)
    browser.get("/overview/")
    with CaptureQueriesContext(connections["default"]) as few:
        browser.get("/overview/")
    for number in range(8):
        make.client(cast.acme, f"More {number}")

    with django_assert_num_queries(len(few)):
        browser.get("/overview/")


def test_every_client_is_counted_also_those_that_are_not_listed(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview, "_SHOWN", 1)
    for client in (cast.dentist, cast.plumber):
        make.call(client, ANNA, at=make.now() - timedelta(days=2))

    response = _browser(cast.alice).get("/overview/")

    assert response.context["tiles"]["calls"]["value"] == 2
    assert "1 more client, all counted above" in response.content.decode()
