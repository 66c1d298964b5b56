"""
One clock for the suite: Python, PostgreSQL and every process that a test starts read the same instant.

A run begins at `BEGINS` whatever the day of the machine is, and its clock ticks from there. `TEST_CLOCK` names another
instant; `make dates` runs the suite at many. `make.NOON` follows from it.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import time_machine

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    import psycopg

DEFAULT: Final = datetime(2026, 11, 29, 12, tzinfo=UTC)
_BEGINS, _OFFSET = "TEST_CLOCK", "TEST_CLOCK_OFFSET"
_SITE: Final = Path(__file__).parent / "clock_site"
BEGINS: Final = datetime.fromisoformat(os.environ.get(_BEGINS) or DEFAULT.isoformat()).astimezone(UTC)


def prepare(environ: MutableMapping[str, str]) -> None:
    """Set how far this run's clock is from the machine's, for this process and those that it starts."""
    if _OFFSET in environ:
        return
    environ[_OFFSET] = repr(BEGINS.timestamp() - time.time())
    environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(_SITE), environ.get("PYTHONPATH"))))
    start()


def start() -> None:
    """Let this process read the suite's clock from now on, to the microsecond as every other process."""
    offset = float(os.environ[_OFFSET])
    moved = time_machine.travel(time.time() + offset).start()
    machine = time_machine.escape_hatch.time.time
    moved.shift(timedelta(seconds=machine() + offset - time.time()))


def machine_to_suite() -> float:
    """Seconds from the machine's clock, by which the kernel dates files, to the suite's."""
    return float(os.environ[_OFFSET])


def move_database(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Let PostgreSQL's functions in this database read the suite's clock. Needs a superuser."""
    moved = "+ pg_catalog.current_setting('tests.clock_offset')::interval"
    for name in ("clock_timestamp", "now", "statement_timestamp", "transaction_timestamp"):
        changes = "VOLATILE" if name == "clock_timestamp" else "STABLE"
        connection.execute(f"ALTER FUNCTION pg_catalog.{name}() RENAME TO machine_{name}".encode())
        connection.execute(
            f"CREATE FUNCTION pg_catalog.{name}() RETURNS timestamptz LANGUAGE sql {changes} PARALLEL SAFE"
            f" AS $$ SELECT pg_catalog.machine_{name}() {moved} $$".encode()
        )


def database_offset() -> str:
    """The value of the setting `tests.clock_offset` for this run's databases."""
    return f"{os.environ[_OFFSET]} seconds"
