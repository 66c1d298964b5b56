"""
Whether the databases answer, asked so that nobody waits for one that hangs.

Each is asked by a connection of its own, which is closed again: what a process keeps open may wait for a machine that
is gone until the network gives up, and may still work where no further connection is taken.
"""

import contextlib
import select
from typing import Any, Final

import psycopg
from django.db import connections
from psycopg.pq import ExecStatus

_ASK: Final = b"SELECT 1"
_CONNECTS_FOR: Final = 2
"""Seconds; a settings' own limit is for who has something to do there."""
_WAITS_FOR: Final = 1.0


def answering() -> dict[str, bool]:
    """Database -> whether it takes a connection and answers within a few seconds."""
    return {alias: _answers(connections[alias]) for alias in connections}


def _answers(database: Any) -> bool:
    with contextlib.suppress(psycopg.Error, OSError):
        parameters = database.get_connection_params() | {"connect_timeout": _CONNECTS_FOR}
        with contextlib.closing(psycopg.connect(**parameters)) as line:
            # By hand: the driver would wait for an answer for as long as it takes.
            line.pgconn.send_query(_ASK)
            there = select.poll()
            there.register(line.pgconn.socket, select.POLLIN)
            if not there.poll(_WAITS_FOR * 1000):
                return False
            found = line.pgconn.get_result()
            return found is not None and found.status == ExecStatus.TUPLES_OK
    return False
