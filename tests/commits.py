"""
Commits that a test sees, in a transaction that is rolled back all the same.

Where code leaves its outermost transaction, what a commit would do is done: constraints that were put off are checked
and refuse, and what waits for the commit runs. What only a real one shows needs databases of its own: to another
connection, to a process, or by the number of a transaction, which the trail is sealed by.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any
from unittest import mock

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

_CHECK = "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED"
_log = logging.getLogger(__name__)


def _commit_hooks(connection: Any) -> None:
    waiting, connection.run_on_commit = connection.run_on_commit, []
    for _savepoints, hook, robust in waiting:
        try:
            hook()
        except Exception:
            if not robust:
                raise
            _log.exception("a hook failed that may")


@contextmanager
def seen() -> Iterator[None]:
    """Let what leaves its outermost transaction commit, as far as one connection can tell."""
    leave, wait = transaction.Atomic.__exit__, BaseDatabaseWrapper.on_commit

    def exit_(
        self: Any, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        connection = transaction.get_connection(self.using)
        # The first one is the test's.
        commits = kind is None and not connection.needs_rollback and len(connection.atomic_blocks) == 2
        if commits:
            try:
                # Past Django, so that it counts as nobody's query.
                with connection.wrap_database_errors:
                    connection.connection.execute(_CHECK)
            except Exception as refused:
                leave(self, type(refused), refused, refused.__traceback__)
                raise
        leave(self, kind, error, where)
        if commits:
            _commit_hooks(connection)

    def on_commit(self: Any, hook: Callable[[], object], robust: bool = False) -> None:
        if len(self.atomic_blocks) == 1:
            hook()
        else:
            wait(self, hook, robust)

    with (
        mock.patch.object(transaction.Atomic, "__exit__", exit_),
        mock.patch.object(BaseDatabaseWrapper, "on_commit", on_commit),
    ):
        yield
