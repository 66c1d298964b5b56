"""The log names each request by an id that the answer bears, its agency and its person's id; and no more of anybody."""

import io
import json
import uuid
from typing import Any

import pytest
import structlog
from django.test import Client as Browser

from callprivacy.calls.tasks.inbox import sweep_inbox
from callprivacy.celery import _begin_to_count, _count_the_job, _name_the_request
from callprivacy.lib import figures
from dashboard import selectors
from tests.cast import Cast

AGENT, ADDRESS = "Canary-Browser/1.0", "198.51.100.77"


def lines(logged: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in logged.getvalue().splitlines() if line.startswith("{")]


def signed_in(cast: Cast) -> Browser:
    browser = Browser(HTTP_USER_AGENT=AGENT, REMOTE_ADDR=ADDRESS)
    browser.force_login(cast.alice.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return browser


def test_a_request_is_one_line_with_its_id_and_agency(cast: Cast, logged: io.StringIO) -> None:
    answer = signed_in(cast).get("/calls/?q=canary@example.com", headers={"X-Request-ID": "forged"})
    (line,) = [one for one in lines(logged) if one["event"] == "request_finished"]
    assert str(uuid.UUID(line["request_id"])) == line["request_id"]
    assert line["request_id"] == answer["X-Request-ID"]
    assert line["agency_id"] == cast.acme.pk
    assert (line["code"], line["request"]) == (200, "GET /calls/")
    assert line["milliseconds"] >= 0
    assert line["network"] == "198.51.100.0/24"
    assert line["person"] == cast.alice.user_id
    said = logged.getvalue()
    for canary in (
        AGENT,
        ADDRESS,
        "canary",
        "forged",
        cast.alice.user.email,
        cast.alice.user.name,
    ):
        assert canary not in said


def test_a_refusal_is_logged_without_a_traceback(cast: Cast, logged: io.StringIO) -> None:
    browser = Browser()
    browser.force_login(cast.bob.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert browser.get("/people/").status_code == 403
    (line,) = [one for one in lines(logged) if one["logger"] == "django.request"]
    assert "exception" not in line
    assert line["status_code"] == 403


def test_the_next_request_knows_nothing_of_the_last(cast: Cast, logged: io.StringIO) -> None:
    signed_in(cast).get("/calls/")
    Browser().get("/accounts/login/")
    first, second = [one for one in lines(logged) if one["event"] == "request_finished"]
    assert first["request_id"] != second["request_id"]
    assert second.get("agency_id") is None
    assert "person" in first
    assert "person" not in second


def test_what_fails_bears_the_id_that_the_answer_bears(
    cast: Cast, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fall(*_: object, **__: object) -> None:
        raise RuntimeError("nobody expected this")

    monkeypatch.setattr(selectors, "client_rows", fall)
    browser = signed_in(cast)
    browser.raise_request_exception = False
    answer = browser.get("/overview/")
    assert answer.status_code == 500
    (line,) = [one for one in lines(logged) if one["event"] == "request_failed"]
    assert line["request_id"] == answer["X-Request-ID"]
    assert line["agency_id"] == cast.acme.pk
    assert line["exception"].startswith("RuntimeError\n")
    assert "tests.accounts.test_request_log:" in line["exception"]
    assert "nobody expected this" not in logged.getvalue()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/p/nQ8x_Wq0-Zk3vYtB7mLs/", "GET /p/.../"),
        ("/accounts/password/reset/key/1-nQ8x0Zk3vYtB7mLs/", "GET /accounts/password/reset/key/"),
        ("/clients/dentist/", "GET /clients/.../"),
        ("/nowhere/nQ8x_Wq0-Zk3vYtB7mLs", "GET [no page]"),
    ],
)
def test_a_page_is_named_by_its_pattern(db: None, logged: io.StringIO, address: str, said: str) -> None:
    Browser().get(address)
    (line,) = [one for one in lines(logged) if one["event"] == "request_finished"]
    assert line["request"].startswith(said)
    assert "7mLs" not in logged.getvalue()


def test_a_job_is_logged_by_the_id_of_the_request_that_set_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "_pending", figures._Pending())
    with structlog.contextvars.bound_contextvars(request_id="the-request"):
        headers: dict[str, Any] = {}
        _name_the_request(headers=headers)
    sweep_inbox.push_request(id="the-job", called_directly=False, is_eager=False, **headers)
    try:
        _begin_to_count(task_id="the-job", task=sweep_inbox)
        found = structlog.contextvars.get_contextvars()
        assert found == {"task": "calls.sweep_inbox", "task_id": "the-job", "request_id": "the-request"}
        _count_the_job(task_id="the-job", task=sweep_inbox, state="SUCCESS")
    finally:
        sweep_inbox.pop_request()
    assert structlog.contextvars.get_contextvars() == {}
    figures.add_up(at_once=True)
    assert set(figures.read().tasks) == {("calls.sweep_inbox", "done")}
