"""
Statements that PostgreSQL plans once a connection, for those that run while a program waits.

Planning a statement over tables with row security takes longer than running it for one number does. A plan that is
kept holds nothing of a scope: policies ask whose scope it is whenever the plan runs, and PostgreSQL makes a plan anew
after a change of tables, policies or roles.
"""

from __future__ import annotations

from typing import Any, Final, Self

from django.conf import settings
from django.db import connections
from django.db.backends.utils import CursorWrapper
from psycopg import Cursor

DEFAULT: Final = "default"


class _Kept(Cursor[Any]):
    """
    Values travel beside the statement, whose plan stays with the connection.

    The driver's own count of statements is off around it: it would keep texts with their values.
    """

    def execute(self, query: Any, params: Any = None, **kwargs: Any) -> Self:
        self.connection.prepare_threshold = 0
        try:
            return super().execute(query, params, **kwargs)
        finally:
            self.connection.prepare_threshold = None


def cursor(alias: str = DEFAULT) -> CursorWrapper:
    """Open a cursor whose statements keep their plans; texts are constants, since a connection keeps a hundred."""
    database: Any = connections[alias]
    if not settings.CALLPRIVACY_KEEPS_PLANS:
        found: CursorWrapper = database.cursor()
        return found
    database.close_if_health_check_failed()
    database.ensure_connection()
    with database.wrap_database_errors:
        kept: CursorWrapper = database._prepare_cursor(_Kept(database.connection))
    return kept
