"""No phone number gets into a log, by whatever way it was written."""

import json
import logging
import logging.config
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from io import StringIO
from secrets import token_urlsafe
from typing import Any

import pytest
import structlog
from celery.app.trace import build_tracer
from hypothesis import given
from hypothesis import strategies as st

from callprivacy.lib import logs
from callprivacy.work.tasks import send_due_mail
from tests.numbers import says
from tests.rules.source import ROOT

NUMBER = "+1 (555) 555-0123"
WRITTEN = [
    "+15555550123", "15555550123", "5555550123", "555-0123", "(555) 555-0123", "555.555.0123", "555 555 0123",
    "+1-555-555-0123", "%2B15555550123", "tel:+15555550123", "+49 30 23125 000", "0044 20 7946 0123",
    "caller=5555550123&x=1", "/calls/15555550123/", "555\u2011555\u20110123", "555\u00a0555\u00a00123", "555_555_0123",
]  # fmt: skip


@pytest.mark.parametrize("written", WRITTEN)
def test_a_number_is_masked(written: str) -> None:
    masked = logs.mask_text(f"the call from {written} ended")
    assert "555" not in masked.replace("number ..", "")
    assert "0123" not in masked
    assert masked.startswith("the call from ")
    assert masked.endswith(" ended")


@pytest.mark.parametrize(
    "plain",
    [
        "2026-11-25 00:29:53.123456",
        "2026-11-25T00:29:53",
        "call 0193847561029384756",
        "took 12.5 s",
        "job [25079123-1234-4567-8901-123456789012]",
        "port 8000",
    ],
)
def test_what_is_no_number_stays(plain: str) -> None:
    assert logs.mask_text(plain) == plain


@given(st.from_regex(r"\+[1-9][0-9]{7,13}", fullmatch=True), st.text(max_size=8), st.text(max_size=8))
def test_no_e164_number_survives(number: str, before: str, after: str) -> None:
    assert number[1:] not in logs.mask_text(before + number + after)


@pytest.fixture
def lines() -> Iterator[StringIO]:
    """What the configured handler writes, by our formatter as the settings describe it."""
    out = StringIO()
    handler = logging.StreamHandler(out)
    settings = logs.settings(level="INFO", as_json=True)
    formatter = dict(settings["formatters"]["listed"])
    handler.setFormatter(formatter.pop("()")(**formatter))
    root = logging.getLogger()
    root.addHandler(handler)
    level = root.level
    root.setLevel(logging.INFO)
    yield out
    root.removeHandler(handler)
    root.setLevel(level)


def _only(lines: StringIO) -> dict[str, object]:
    written = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert len(written) == 1
    assert isinstance(written[0], dict)
    return written[0]


def test_a_library_cannot_log_one(lines: StringIO) -> None:
    logging.getLogger("some.library").warning("could not dial %s", NUMBER)
    assert _only(lines)["event"] == "could not dial [...]"


def test_nor_can_our_own_events(lines: StringIO) -> None:
    event = structlog.stdlib.get_logger("callprivacy.test")
    event.info(
        "dialled", caller=NUMBER, count=15555550123, fields=[{NUMBER: "555-0123"}], network="198.51.100.0/24"
    )
    written = _only(lines)
    assert not says(json.dumps(written), NUMBER)
    assert "15555550123" not in json.dumps(written)
    assert "555-0123" not in json.dumps(written)
    assert written["network"] == "198.51.100.0/24"
    assert "caller" not in written


@dataclass
class _Row:
    caller: object


class _Id(IntEnum):
    CALLER = 15555550123


def test_a_number_is_masked_whatever_type_it_has() -> None:
    plain: list[Any] = [
        15555550123,
        -15555550123,
        15555550123.0,
        -5555550123.0,
        5550123.0,
        Decimal(15555550123),
        Decimal("15555550123.0"),
        Fraction(15555550123),
        complex(15555550123, 0),
        b"15555550123",
        bytearray(b"15555550123"),
        "15555550123",
        _Id.CALLER,
        ValueError(15555550123),
    ]
    for one in plain:
        for value in (one, [one], (one,), {one: one} if one.__hash__ else [one], deque([one]), _Row(one)):
            event = logs.mask_numbers(None, "info", {"value": value, "rows": {"inner": [value]}})
            assert "0123" not in json.dumps(event), repr(value)


@pytest.mark.parametrize("plain", [0.25, 12.5, 61.0, 999_999.0, float("inf"), 2**63, 20_261_128])
def test_a_figure_is_no_number(plain: float) -> None:
    assert logs.mask_numbers(None, "info", {"took": plain}) == {"took": plain}


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("198.51.100.7", "198.51.100.0/24"),
        ("2001:db8:1:2::7", "2001:db8:1::/48"),
        (None, None),
        ("nowhere", None),
    ],
)
def test_of_an_address_the_network_is_named(address: str | None, network: str | None) -> None:
    assert logs.network_of(address) == network


SECRET = token_urlsafe(16)  # which stands in no file


class _Holds:
    """A callable, or anything, whose repr says what it holds."""

    def __repr__(self) -> str:
        return f"functools.partial(<function send>, {SECRET!r})"


def _fall(secret: str) -> None:
    try:
        raise OSError(13, secret)
    except OSError as error:
        raise ValueError(secret) from error


@pytest.fixture
def fallen(lines: StringIO) -> tuple[logging.Logger, StringIO]:
    """A library's logger, and what is written of its lines."""
    return logging.getLogger("some.library"), lines


def test_an_error_is_its_class_its_code_and_its_place(fallen: tuple[logging.Logger, StringIO]) -> None:
    try:
        _fall(SECRET)
    except ValueError as error:
        fallen[0].exception("Could not send %s to %s (%s).", _Holds(), SECRET, error)
    written = _only(fallen[1])
    assert written["event"] == "Could not send [...] to [...] ([ValueError])."
    said = str(written["exception"]).splitlines()
    assert [line for line in said if not line.startswith(" ")] == ["ValueError", "PermissionError: errno 13"]
    assert all("tests.lib.test_logs:" in line for line in said if line.startswith(" "))
    assert SECRET not in fallen[1].getvalue()


@pytest.mark.parametrize(
    "log",
    [
        lambda log: log.error(f"sent to {SECRET}"),  # noqa: G004  (what libraries do)
        lambda log: log.error(ValueError(SECRET)),
        lambda log: log.error("sent to %d", SECRET),
        lambda log: log.error("sent to %(to)s", {"to": SECRET}),
        lambda log: log.error("sent", extra={"data": {"args": SECRET}, "why": SECRET, "status_code": SECRET}),
        lambda log: log.error("sent", stack_info=True, extra={"request": SECRET}),
        lambda log: log.error(SECRET, exc_info=ExceptionGroup(SECRET, [ValueError(SECRET)])),
    ],
)
def test_what_is_put_into_a_librarys_line_is_left_out(
    fallen: tuple[logging.Logger, StringIO], log: Callable[[logging.Logger], None]
) -> None:
    log(fallen[0])
    assert _only(fallen[1])["level"] == "error"
    assert SECRET not in fallen[1].getvalue()


def test_a_job_that_falls_is_its_name_and_the_error(lines: StringIO) -> None:
    task = send_due_mail
    build_tracer(task.name, task, app=task.app)("the-job", (SECRET,), {"to": SECRET}, None)
    written = next(one for one in map(json.loads, lines.getvalue().splitlines()) if one["level"] == "error")
    assert written["event"] == "Task work.send_mail[None] raised unexpected: [...]"
    assert written["exception"].startswith("TypeError")
    assert SECRET not in lines.getvalue()


def test_gunicorns_own_lines_pass_too(capfd: pytest.CaptureFixture[str]) -> None:
    said = """if True:
        from gunicorn.config import Config
        from gunicorn.glogging import Logger
        from callprivacy.lib import logs
        config = Config()
        config.set("logconfig_dict", logs.settings(level="INFO", as_json=True))
        log = Logger(config)
        log.info("Booting worker with pid: %s", 12)
        try:
            raise ValueError("nQ8x_Wq0-Zk3vYtB7mLs")
        except ValueError:
            log.exception("Error handling request %s", "/p/nQ8x_Wq0-Zk3vYtB7mLs/")
        logs.configure()
        raise KeyError("nQ8x_Wq0-Zk3vYtB7mLs")
    """
    subprocess.run([sys.executable, "-c", said], check=False, cwd=ROOT)
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == [
        "Booting worker with pid: 12",
        "Error handling request [...]",
        "process.failed",
    ]
    assert "7mLs" not in json.dumps(lines)


def test_threads_finalizers_and_warnings_write_no_values(capfd: pytest.CaptureFixture[str]) -> None:
    said = """if True:
        import logging.config, threading, warnings
        from callprivacy.lib import logs
        logging.config.dictConfig(logs.settings(level="INFO", as_json=True))
        logs.configure()
        class Broken:
            def __del__(self):
                raise ValueError("nQ8x_Wq0-Zk3vYtB7mLs")
        def fail():
            raise ValueError("nQ8x_Wq0-Zk3vYtB7mLs")
        failing = threading.Thread(target=fail)
        failing.start()
        failing.join()
        Broken()
        warnings.warn("nQ8x_Wq0-Zk3vYtB7mLs")
    """
    subprocess.run([sys.executable, "-c", said], check=False, cwd=ROOT)
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [line["event"] for line in lines[:2]] == ["process.failed", "process.failed"]
    assert lines[2]["logger"] == "py.warnings"
    assert "7mLs" not in json.dumps(lines)


def test_how_long_something_took_is_no_number(lines: StringIO) -> None:
    logging.getLogger("tests").warning(
        "%(task)s took %(runtime)ss", {"task": "purge", "runtime": 0.123456789}
    )
    logging.getLogger("tests").warning("took %ss, then %ss", 12.3456789012, "5555550123")
    first, second = (json.loads(line)["event"] for line in lines.getvalue().splitlines())
    assert first == "[...] took 0.123s"
    assert second == "took 12.346s, then [...]s"


@pytest.mark.parametrize(
    "door",
    [
        "/p",
        "/q",
        "/c/a1b2c3/receipt",
        "/invitation",
        "/c/a1b2c3/ask",
        "/approve",
        "/b",
        "/handover",
        "/accounts/password/reset/key",
    ],
)
def test_an_address_that_opens_something_is_not_written(door: str) -> None:
    secret = "nQ8x_Wq0-Zk3vYtB7mLs"
    assert logs.mask_text(f"GET {door}/{secret}/ 200") == f"GET {door}/[secret]/ 200"


def test_the_staffs_own_pages_keep_their_ids() -> None:
    page = "/clients/dentist/consent/ask/25079123-1234-4567-8901-123456789012/"
    assert logs.mask_text(page) == page
