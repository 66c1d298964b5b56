"""What another thread does at the same time, on connections of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.db import connections


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
