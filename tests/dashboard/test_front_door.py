"""Methods that no page knows are refused at the front door."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client as Browser

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
