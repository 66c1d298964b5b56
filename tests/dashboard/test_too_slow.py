"""A statement that takes too long is cut off, and who asked is told so plainly."""

import os
import subprocess
import sys
from typing import Any, Never

import pytest
from django.db import OperationalError, connection
from django.test import RequestFactory

from dashboard import selectors
from dashboard.middleware import TooSlowMiddleware
from tests.accounts.browsers import signed_in
from tests.cast import Cast


def dawdle(*_: object, **__: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '10ms'")
        cursor.execute("SELECT pg_sleep(5)")


def never(_: Any) -> Never:
    raise NotImplementedError


def test_a_page_that_takes_too_long_says_so_and_the_next_one_comes(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = signed_in(cast.alice)
    with monkeypatch.context() as slow:
        slow.setattr(selectors, "client_rows", dawdle)
        answer = browser.get("/overview/")

    assert (answer.status_code, answer["Retry-After"]) == (503, "60")
    assert "This took too long" in answer.content.decode()
    assert browser.get("/overview/").status_code == 200


def test_a_program_is_told_in_a_line(cast: Cast) -> None:
    request = RequestFactory().post("/hooks/callrail/key/")
    with pytest.raises(OperationalError) as caught:
        dawdle()
    answer = TooSlowMiddleware(never).process_exception(request, caught.value)

    assert answer is not None
    assert (answer.status_code, answer["Content-Type"]) == (503, "text/plain")


def test_what_broke_otherwise_is_left_alone() -> None:
    answer = TooSlowMiddleware(never).process_exception(RequestFactory().get("/"), ValueError("other"))

    assert answer is None


@pytest.mark.thorough
def test_the_web_has_a_limit_and_a_job_has_none() -> None:
    said = "from django.conf import settings; print(settings.DATABASES['vault']['OPTIONS']['options'])"
    environ = {name: value for name, value in os.environ.items() if name != "CALLPRIVACY_STATEMENT_SECONDS"}
    found = [
        subprocess.run(
            [sys.executable, "-c", f"import {module}; {said}"],
            env=environ,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for module in ("callprivacy.asgi", "callprivacy.celery")
    ]

    assert ["statement_timeout=30s" in one for one in found] == [True, False]
