"""The suite's one clock: this process, those that it starts, and PostgreSQL read the same instant."""

import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from lab.assure import dates
from tests import clock, make

_NOW = "import datetime; print(datetime.datetime.now(datetime.UTC).isoformat())"
_SOON = timedelta(seconds=30)


def now_in_a_process(environ: Mapping[str, str]) -> datetime:
    done = subprocess.run(
        [sys.executable, "-c", _NOW], env=environ, capture_output=True, text=True, check=True
    )
    return datetime.fromisoformat(done.stdout.strip())


def test_every_run_begins_at_the_same_instant() -> None:
    assert timedelta(0) <= make.now() - clock.BEGINS < timedelta(hours=6)


def test_a_process_reads_the_suites_clock() -> None:
    before = make.now()
    assert before <= now_in_a_process(os.environ) <= make.now()


def test_a_process_with_a_clock_of_its_own_is_found() -> None:
    """What reads the machine's clock is seen, unless the suite runs at the machine's own instant."""
    without = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    moved = abs(clock.machine_to_suite())
    assert (abs(now_in_a_process(without) - make.now()) < _SOON) == (moved < _SOON.total_seconds())


@pytest.mark.django_db
@pytest.mark.parametrize(
    "function", ["now", "clock_timestamp", "statement_timestamp", "transaction_timestamp"]
)
def test_postgresql_reads_the_suites_clock(function: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}()")
        (read,) = cursor.fetchone()
    assert abs(read - make.now()) < _SOON


def test_the_list_of_dates_has_the_days_that_break_clocks() -> None:
    found = dates.instants(datetime(2026, 12, 2, 13, tzinfo=UTC))
    assert len(found) == len(dates.ROWS) == 10
    assert found["the last ten minutes of a month and of a year"].day == 31
    for name, hours in (("clocks go forward in New York", 1), ("clocks go back in Berlin", -1)):
        before = found[name]
        after = (before.astimezone(UTC) + timedelta(minutes=10)).astimezone(before.tzinfo)
        offsets = [one.utcoffset() for one in (before, after)]
        assert offsets[0] is not None
        assert offsets[1] is not None
        assert offsets[1] - offsets[0] == timedelta(hours=hours)


def test_what_came_of_a_date_is_read_from_the_suites_words() -> None:
    said = "..F\nFAILED tests/a.py::test_b - assert 1 == 2\n1 failed, 9157 passed, 1 skipped in 595.34s (0:09:55)\n"
    figure = dates.read(said)
    assert figure.failures == ("FAILED tests/a.py::test_b - assert 1 == 2",)
    assert figure.said == "9,157 tests passed, 1 failed"
    assert dates.read("Killed\n").failures
