"""No phone number gets into a log, by whatever way it was written."""

import json
import logging
import logging.config
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from io import StringIO
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from callprivacy.lib import logs
from tests.numbers import says

NUMBER = "+1 (555) 555-0123"
WRITTEN = [
    "+15555550123", "15555550123", "5555550123", "555-0123", "(555) 555-0123", "555.555.0123", "555 555 0123",
    "+1-555-555-0123", "%2B15555550123", "tel:+15555550123", "+49 30 23125 000", "0044 20 7946 0123",
    "caller=5555550123&x=1", "/calls/15555550123/", "555\u2011555\u20110123", "555\u00a0555\u00a00123",
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
    for one in settings["handlers"]["stderr"]["filters"]:
        handler.addFilter(one)
    formatter = dict(settings["formatters"]["masked"])
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
    assert _only(lines)["event"] == "could not dial [number ..23]"


def test_nor_can_our_own_events(lines: StringIO) -> None:
    event = structlog.stdlib.get_logger("callprivacy.test")
    event.info(
        "dialled", caller=NUMBER, count=15555550123, rows=[{NUMBER: "555-0123"}], network="198.51.100.0/24"
    )
    written = _only(lines)
    assert not says(json.dumps(written), NUMBER)
    assert "15555550123" not in json.dumps(written)
    assert "555-0123" not in json.dumps(written)
    assert written["network"] == "198.51.100.0/24"


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


def test_nor_a_traceback(lines: StringIO) -> None:
    try:
        raise ValueError(f"no such caller: {NUMBER}")
    except ValueError:
        logging.getLogger("some.library").exception("failed")
    assert not says(lines.getvalue(), NUMBER)
    assert "no such caller" in lines.getvalue()


def test_how_long_something_took_is_no_number(lines: StringIO) -> None:
    logging.getLogger("tests").warning(
        "%(task)s took %(runtime)ss", {"task": "purge", "runtime": 0.12345678901234}
    )
    logging.getLogger("tests").warning("took %ss, then %ss", 12.3456789012, "5555550123")
    first, second = (json.loads(line)["event"] for line in lines.getvalue().splitlines())
    assert first == "purge took 0.123s"
    assert second == "took 12.346s, then [number ..23]s"


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
