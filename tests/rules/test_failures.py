"""Whatever fails, at whatever step, no log holds who it was about or a link that opens something."""

import io
import itertools
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from smtplib import SMTPDataError, SMTPRecipientsRefused, SMTPServerDisconnected
from typing import Any, Final
from unittest import mock

import pytest
import urllib3
from celery.app.trace import build_tracer
from celery.signals import task_postrun
from django.core import mail
from django.core.mail import EmailMessage
from django.db import DatabaseError, connections, transaction
from django.template.base import Template
from django.test import Client as Browser
from django.urls import URLResolver, get_resolver
from kombu.exceptions import OperationalError
from urllib3.exceptions import NewConnectionError, ProtocolError, ReadTimeoutError

from callprivacy.celery import app
from dashboard import selectors
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.rules import senders
from tests.rules.senders import Canary, Sends
from tests.scale import some

pytestmark = pytest.mark.as_committed

STEPS: Final = ("enqueue", "render", "connect", "recipients", "data", "cut", "unknown", "after")
MAILS: Final = sorted(senders.mail_sites())
QUESTIONS: Final = sorted(senders.question_sites())
JOBS: Final = senders.job_names(app)


@pytest.fixture
def all_logged(logged: io.StringIO) -> io.StringIO:
    """What is written at every level."""
    logging.getLogger().setLevel(logging.DEBUG)
    return logged


def holds_nothing(written: io.StringIO, canary: Canary, at: str) -> None:
    assert canary.is_in(written.getvalue()) == [], at


# --- What is left out of these tests is found ----------------------------------------------------------------------


def test_every_mail_has_a_case(cast: Cast) -> None:
    assert set(senders.mails(Canary(), cast.acme)) == set(MAILS)


def test_every_text_webhook_and_question_has_a_case() -> None:
    assert set(senders.questions(Canary())) == set(QUESTIONS)


# --- Where it runs -------------------------------------------------------------------------------------------------


def in_a_job(does: Sends, canary: Canary) -> None:
    """As the worker runs it, whose own lines hold a job's arguments."""
    task = app.tasks["work.send_mail"]
    said = {"to": canary.address, "link": canary.link}
    with mock.patch.object(task, "run", side_effect=lambda **_: does()):
        build_tracer(task.name, task, app=app)("the-job", [], said, {"kwargs": said, "argsrepr": canary.said})


def in_a_request(does: Sends, cast: Cast) -> None:
    browser = signed_in(cast.alice)
    browser.raise_request_exception = False
    with mock.patch.object(selectors, "client_rows", side_effect=lambda *_, **__: does()):
        assert browser.get("/overview/").status_code == 500


# --- Mail ----------------------------------------------------------------------------------------------------------


@contextmanager
def failing(step: str, canary: Canary) -> Iterator[None]:
    """One step of a mail fails, and the error repeats all there was."""
    send, said = EmailMessage.send, canary.said.encode()
    errors: dict[str, Exception] = {
        "connect": ConnectionRefusedError(111, canary.said),
        "recipients": SMTPRecipientsRefused({canary.address: (550, said)}),
        "data": SMTPDataError(554, said),
        "cut": SMTPServerDisconnected(canary.said),
        "unknown": RuntimeError(canary.said, canary),
    }

    def fall(*_: Any, **__: Any) -> Any:
        raise errors.get(step) or ValueError(canary.said)

    def send_and_fall(message: EmailMessage, *_: Any, **__: Any) -> int:
        send(message)
        raise ValueError(canary.said)

    owner, name, fault = {
        "enqueue": (transaction, "on_commit", fall),
        "render": (Template, "render", fall),
        "after": (EmailMessage, "send", send_and_fall),
    }.get(step, (EmailMessage, "send", fall))
    with mock.patch.object(owner, name, fault):
        yield


@pytest.mark.parametrize("site", MAILS)
def test_a_mail_that_fails_leaves_nothing_of_it_in_a_log(
    cast: Cast, all_logged: io.StringIO, capfd: pytest.CaptureFixture[str], site: str
) -> None:
    canary = Canary()
    sends = senders.mails(canary, cast.acme)[site]
    for step in STEPS:
        with failing(step, canary):
            in_a_job(sends, canary)
        holds_nothing(all_logged, canary, f"{site}, {step}")
    assert mail.outbox  # the last step comes after it went
    assert "Task work.send_mail" in all_logged.getvalue()

    def all_at_once() -> None:
        with failing("unknown", canary):
            sends()
        raise ValueError(canary.said)

    in_a_request(all_at_once, cast)
    holds_nothing(all_logged, canary, f"{site}, in a request")
    assert canary.is_in("".join(capfd.readouterr())) == []


# --- Texts, webhooks, questions ------------------------------------------------------------------------------------


def _answer(status: int, body: bytes, canary: Canary) -> urllib3.HTTPResponse:
    headers = {"Content-Type": "audio/mpeg", "Location": canary.link}
    return urllib3.HTTPResponse(io.BytesIO(body), headers, status, preload_content=False)


@pytest.mark.parametrize("site", QUESTIONS)
def test_a_text_a_webhook_or_a_question_that_fails_leaves_nothing_of_it_in_a_log(
    cast: Cast, all_logged: io.StringIO, site: str
) -> None:
    canary = Canary()
    asks = senders.questions(canary)[site]
    pool: Any = urllib3.HTTPConnectionPool("vendor.example")
    told = dict.fromkeys(("message", "detail", "why", "status", "error", "error_description"), canary.said)
    # As text, and as a vendor says what it refuses and repeats.
    bodies = (canary.said.encode(), json.dumps(told | {"code": 20404}).encode(), json.dumps([told]).encode())
    faults: list[Exception | tuple[int, bytes]] = [
        NewConnectionError(pool, canary.said),
        ReadTimeoutError(pool, canary.link, canary.said),
        ProtocolError(canary.said, ConnectionResetError(104, canary.said)),
        ValueError(canary.said),
        *itertools.product((200, 302, 400, 401, 404, 429, 500), bodies),
    ]
    for fault in faults:

        def urlopen(*_: Any, fault: Exception | tuple[int, bytes] = fault, **__: Any) -> Any:
            if isinstance(fault, Exception):
                raise fault
            return _answer(*fault, canary)

        with (
            mock.patch.object(urllib3.HTTPConnectionPool, "urlopen", urlopen),
            mock.patch("urllib3.connection.HTTPConnection.request", urlopen),
            mock.patch("urllib3.connection.HTTPSConnection.connect"),
            mock.patch("callprivacy.lib.outside.resolve", return_value="192.0.2.1"),
        ):
            in_a_job(asks, canary)
        holds_nothing(all_logged, canary, f"{site}, {fault!r}")
    assert "Task work.send_mail" in all_logged.getvalue()


# --- What comes in -------------------------------------------------------------------------------------------------


def _doors(resolver: URLResolver, before: str = "/") -> Iterator[str]:
    """Addresses at which programs of others call."""
    for one in resolver.url_patterns:
        route = f"{before}{one.pattern}"
        if isinstance(one, URLResolver):
            yield from _doors(one, route)
        elif getattr(one.callback, "csrf_exempt", False):
            yield route


DOORS: Final = sorted({door for door in _doors(get_resolver()) if "(?P" not in door})


def test_there_are_doors() -> None:
    assert [door for door in DOORS if door.startswith(("/hooks/", "/twilio/", "/sso/"))] != []


@pytest.mark.parametrize("door", DOORS)
def test_what_comes_in_and_fails_leaves_nothing_of_it_in_a_log(
    cast: Cast, all_logged: io.StringIO, door: str
) -> None:
    canary = Canary()
    named = senders.filled(door, canary)
    browser = Browser(raise_request_exception=False)
    for left in (0, 1, 3, 100):
        with statements_fail(canary, left):
            browser.post(
                f"{named}?{canary.token}={canary.address}",
                {"From": canary.number, "name": canary.name, "link": canary.link},
                headers={
                    "User-Agent": canary.said,
                    "X-Token": canary.token,
                    "Authorization": f"Bearer {canary.token}",
                },
            )
        holds_nothing(all_logged, canary, f"{door}, after {left} statements")
    assert "request_finished" in all_logged.getvalue() or "request_failed" in all_logged.getvalue()


# --- What staff type -----------------------------------------------------------------------------------------------


def _pages(resolver: URLResolver, before: str = "/") -> Iterator[str]:
    """Addresses of pages that a person who is signed in may send something to."""
    for one in resolver.url_patterns:
        route = f"{before}{one.pattern}"
        if isinstance(one, URLResolver):
            yield from _pages(one, route)
        elif not getattr(one.callback, "csrf_exempt", False):
            yield route


PAGES: Final = sorted({page for page in _pages(get_resolver()) if not set("(^") & set(page)})
TYPED: Final = ("detail", "details", "note", "notes", "q", "reason", "said", "what", "why", "words")
"""What fields of free text are called."""


@pytest.mark.parametrize("page", some(PAGES, one_in=8))
def test_free_text_that_staff_type_is_in_no_log_when_its_page_fails(
    cast: Cast, all_logged: io.StringIO, page: str
) -> None:
    canary, browser = Canary(), signed_in(cast.alice)
    browser.raise_request_exception = False
    address = senders.filled(page.replace("<slug:slug>", "dentist"), canary)
    for left in (2, 12, 40):
        with statements_fail(canary, left):
            browser.post(address, dict.fromkeys(TYPED, canary.said))
        holds_nothing(all_logged, canary, f"{page}, after {left} statements")
    assert all_logged.getvalue()


# --- Jobs ----------------------------------------------------------------------------------------------------------


@contextmanager
def statements_fail(canary: Canary, left: int) -> Iterator[None]:
    """After so many statements the database refuses each, and repeats what it was asked."""

    def fall(execute: Callable[..., Any], *asked: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise DatabaseError(canary.said)
        return execute(*asked)

    with connections["default"].execute_wrapper(fall), connections["vault"].execute_wrapper(fall):
        yield


@pytest.mark.parametrize("name", JOBS)
def test_a_job_that_fails_leaves_nothing_of_it_in_a_log(
    cast: Cast, all_logged: io.StringIO, name: str
) -> None:
    task, canary = app.tasks[name], Canary()
    said = {"to": canary.address, "link": canary.link, "name": canary.name, "number": canary.number}
    said |= dict.fromkeys(("detail", "what", "why"), canary.said)
    request = {"kwargs": said, "kwargsrepr": repr(said), "argsrepr": canary.said}

    def fall(*_: Any, **__: Any) -> None:
        raise OperationalError(canary.said)

    def run() -> None:
        build_tracer(name, task, app=app)("the-job", [], said, request)

    with mock.patch.object(task, "run", fall):
        run()

    def enqueue(**_: Any) -> None:
        task.apply_async(kwargs=said)

    with mock.patch.object(task, "run", enqueue), mock.patch.object(app, "send_task", fall):
        run()
    for left in (0, 1):
        with statements_fail(canary, left):
            run()
    with mock.patch.object(task, "run", return_value=canary.said):
        task_postrun.connect(fall, weak=False)
        try:
            run()
        finally:
            task_postrun.disconnect(fall)
    holds_nothing(all_logged, canary, name)
    assert f"Task {name}" in all_logged.getvalue()
