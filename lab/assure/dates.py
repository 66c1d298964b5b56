"""
`make dates`: the whole suite under other dates. Each row sets the suite's one clock (tests/clock.py) to an instant;
Python, PostgreSQL, the commands and the browser tests' site read it, and the tests' data follow from it.
"""

import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from lab.assure.rows import ROOT, STATE, Figure, Row, output_of

_CLOSING: Final = re.compile(r"(?:(\d+) failed, )?(\d+) passed.* in [0-9.]+s")
_FINDERS: Final = ("test_clock.py::test_a_process_with_a_clock_of_its_own_is_found",)


def instants(now: datetime) -> dict[str, datetime]:
    """Name -> the instant at which the suite begins."""
    new_york, berlin = ZoneInfo("America/New_York"), ZoneInfo("Europe/Berlin")
    return {
        "today": now,
        "tomorrow": now + timedelta(days=1),
        "in 10 days": now + timedelta(days=10),
        "the last ten minutes of a month and of a year": datetime(now.year, 12, 31, 23, 50, tzinfo=UTC),
        "29 February 2028": datetime(2028, 2, 29, 22, 30, tzinfo=UTC),
        "clocks go forward in New York": datetime(2027, 3, 14, 1, 55, tzinfo=new_york),
        "clocks go back in New York": datetime(2027, 11, 7, 1, 55, tzinfo=new_york),
        "clocks go forward in Berlin": datetime(2027, 3, 28, 1, 55, tzinfo=berlin),
        "clocks go back in Berlin": datetime(2027, 10, 31, 2, 55, tzinfo=berlin),
        "in 400 days": now + timedelta(days=400),
    }


def run(at: datetime, seconds: float) -> Figure:
    """Run the suite from an instant on; every test that fails is a line."""
    command = [sys.executable, "-m", "pytest", "tests", "-q", "-n", "3", "--color=no"]
    environ = os.environ | {"TEST_CLOCK": at.astimezone(UTC).isoformat()}
    environ.pop("ARGS", None)
    STATE.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(
        command, cwd=ROOT, env=environ, text=True, errors="replace", start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        said = output_of(process, seconds)
        if said is None:
            os.killpg(process.pid, signal.SIGTERM)
            return Figure("the suite did not end in its time", ended=False)
    (STATE / f"dates-{at:%Y-%m-%d}.log").write_text(said, encoding="utf-8")
    return read(said)


def read(said: str) -> Figure:
    """What the suite's own words say of its tests."""
    closing = _CLOSING.search(said.splitlines()[-1] if said.strip() else "")
    wrong = tuple(line for line in said.splitlines() if line.startswith(("FAILED ", "ERROR ")))
    if closing is None:
        return Figure("", wrong or ("the suite did not say how it ended",))
    return Figure(f"{int(closing[2]):,} tests passed, {len(wrong):,} failed", wrong)


ROWS: tuple[Row, ...] = tuple(
    Row(
        f"30{chr(ord('p') + place)}",
        f"The suite passes on any date: {name}",
        "the whole suite with its clock set to this instant",
        "every test passes",
        trial=partial(run, at),
        finders=_FINDERS,
        minutes=40,
        has_an_end=True,
    )
    for place, (name, at) in enumerate(instants(datetime.now(UTC)).items())
)
