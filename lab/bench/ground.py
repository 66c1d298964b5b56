"""
What the benchmarks stand on: a PostgreSQL of their own with durable commits, and databases cloned from the
migrated template. They run as the app's role, as the web does; only filling is done by the owner's hand.
"""

import contextlib
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg

from tests import ground
from tools import services

STATE = Path(__file__).resolve().parent.parent.parent / ".state" / "bench"
_SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "max_connections": "60",
    "maintenance_work_mem": "512MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "log_min_messages": "fatal",
}


@contextlib.contextmanager
def databases() -> Iterator[ground.Databases]:
    """Start the server, set Django up on it, and give what makes databases; all of it ends with the block."""
    postgres = services.Postgres(services.Place.of(STATE), settings=_SETTINGS)
    started = not postgres.is_up()
    if started:
        postgres.start(stays=True)
    os.environ["DATABASE_URL"] = postgres.url("postgres")
    ground.prepare_environment(os.environ)
    os.environ["CALLPRIVACY_LOG_LEVEL"] = "ERROR"
    ground.join()
    found = ground.Databases(ground.servers.admin_url)
    try:
        found.prepare()
        yield found
    finally:
        found.admin.close()
        ground.leave()
        if started:
            postgres.stop()


def as_admin(pair: ground.Pair, alias: str = "default") -> psycopg.Connection:
    """A connection that may fill tables past their keys and policies."""
    return psycopg.connect(
        psycopg.conninfo.make_conninfo(ground.servers.admin_url, dbname=pair.names[alias]), autocommit=True
    )


def milliseconds(act: Callable[[], object], *, times: int, warm: int) -> list[float]:
    """How long each of `times` calls takes, after `warm` that do not count."""
    for _ in range(warm):
        act()
    found = []
    for _ in range(times):
        begin = time.perf_counter()
        act()
        found.append((time.perf_counter() - begin) * 1000)
    return found


def quantile(values: list[float], share: float) -> float:
    """The value below which this share of the values lies."""
    return statistics.quantiles(values, n=1000, method="inclusive")[round(share * 1000) - 1]
