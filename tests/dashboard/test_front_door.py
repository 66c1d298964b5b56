"""Methods that no page knows are refused at the front door, and who opens a form's address is led to its page."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin

import pytest
from django.test import Client as Browser

from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.scale import some


@pytest.mark.parametrize("method", some(["PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"], one_in=5))
@pytest.mark.parametrize("path", ["/calls/", "/accounts/login/", "/api/v1/consent/check", "/nowhere/"])
def test_what_no_page_knows_asks_no_database(
    cast: Cast, django_assert_num_queries: Callable[[int], Any], method: str, path: str
) -> None:
    browser = Browser()
    browser.force_login(cast.alice.user)
    with django_assert_num_queries(0):
        answer = browser.generic(method, path)
    assert (answer.status_code, answer.content) == (405, b"")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS, POST"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_a_demos_vendor_is_asked_to_delete() -> None:
    answer = Browser().delete("/demo/vendor/2010-04-01/Accounts/AC1/Recordings/RE1.json")
    assert answer.status_code == 404, "the view's own answer: there is no such account"


@pytest.mark.parametrize(
    ("path", "above"),
    [
        ("/work/items/", "/work/"),
        ("/consent/find/", "/consent/"),
        (
            "/clients/dentist/consent/steps/7c9e6679-7425-40de-944b-e07fc1f90ae7/reference/",
            "/clients/dentist/consent/steps/7c9e6679-7425-40de-944b-e07fc1f90ae7/",
        ),
    ],
)
def test_who_opens_an_address_that_takes_a_form_is_led_to_its_page(cast: Cast, path: str, above: str) -> None:
    browser = signed_in(cast.alice)

    answer = browser.get(path)

    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    page = answer.content.decode()
    assert "This address takes a form" in page
    [way] = re.findall(r'href="([^"]+)">Go to that page', page)
    assert urljoin(path, way) == above
    assert browser.head(path).content == browser.get(path, headers={"HX-Request": "true"}).content == b""


def test_programs_and_callers_are_told_in_as_few_words_as_ever(cast: Cast) -> None:
    for path in ("/api/v1/consent/check", "/twilio/abc/voice/"):
        answer = signed_in(cast.alice).get(path)
        assert (answer.status_code, b"<h1>" in answer.content) == (405, False)
