"""
Statements that PostgreSQL plans once a connection, for those that run while a program waits.

Planning a statement over tables with row security takes longer than running it for one number does. A plan that is
kept holds nothing of a scope: policies ask whose scope it is whenever the plan runs, and PostgreSQL makes a plan anew
after a change of tables, policies or roles.
"""

from typing import Any, Final, Self

from django.conf import settings
from django.db import connections
from django.db.backends.utils import CursorWrapper
from psycopg import Cursor

DEFAULT: Final = "default"


class _Kept(Cursor[Any]):
    """
    The plan of a statement stays with the connection.

    The driver's own count of statements is off around it: it would keep texts with their values.
    """

    def execute(self, query: Any, params: Any = None, **kwargs: Any) -> Self:
        self.connection.prepare_threshold = 0
        try:
            return super().execute(query, params, **kwargs)
        finally:
            self.connection.prepare_threshold = None


def cursor(alias: str = DEFAULT, *, keeps_plan: bool = True) -> CursorWrapper:
    """
    Open a cursor whose values travel beside the statement, so that no other session can read them.

    Its statements keep their plans where the connection may. Texts are constants, since a connection keeps a hundred.
    """
    database: Any = connections[alias]
    database.close_if_health_check_failed()
    database.ensure_connection()
    kind = _Kept if keeps_plan and settings.CALLPRIVACY_KEEPS_PLANS else Cursor
    with database.wrap_database_errors:
        found: CursorWrapper = database._prepare_cursor(kind(database.connection))
    return found
