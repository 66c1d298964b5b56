"""What another thread does at the same time, on connections of its own."""

import threading
from collections.abc import Callable

from django.db import connection, connections

from callprivacy.tenancy.scope import job_scope


class Aside:
    """A deed in another thread; its error is raised where its end is waited for."""

    def __init__(self, deed: Callable[[], object]) -> None:
        self.result: object = None
        self.error: BaseException | None = None
        self.done = threading.Event()

        def run() -> None:
            try:
                self.result = deed()
            except BaseException as error:  # noqa: BLE001  (handed to the other thread)
                self.error = error
            finally:
                connections.close_all()
                self.done.set()

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()

    def is_waiting(self) -> bool:
        """Whether it has not ended within a moment."""
        return not self.done.wait(0.4)

    def end(self) -> object:
        """What came of it."""
        self.thread.join(20)
        assert self.done.is_set()
        if self.error is not None:
            raise self.error
        return self.result


class Beside(Aside):
    """A deed in the agency's scope."""

    def __init__(self, agency_id: int, deed: Callable[[], object]) -> None:
        self.pid = 0
        began = threading.Event()

        def in_scope() -> None:
            with job_scope(agency_id=agency_id):
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_backend_pid()")
                    self.pid = cursor.fetchone()[0]
                began.set()
                deed()

        super().__init__(in_scope)
        assert began.wait(10)

    def let_it_come(self) -> None:
        """Until it waits for whoever holds what it wants, or has ended."""
        for _ in range(400):
            if not self.thread.is_alive():
                return
            with connection.cursor() as cursor:
                cursor.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", [self.pid])
                if cursor.fetchone()[0]:
                    return
            threading.Event().wait(0.02)
        raise AssertionError("It neither waits nor ends.")
