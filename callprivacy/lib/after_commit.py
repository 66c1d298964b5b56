"""
What is done once a transaction is committed, and may fail: a mail with a link, a look at a provider.

Django logs the callable that failed with its arguments, and the error with its text; a link in either opens an account
to whoever reads the log. Here a failure is logged by its kind and the name of the error alone.
"""

from collections.abc import Callable

from django.db import transaction

from callprivacy.lib.logs import logger

log = logger(__name__)


class _Hook:
    __slots__ = ("_do", "_kind")

    def __init__(self, kind: str, do: Callable[[], object]) -> None:
        self._kind, self._do = kind, do

    def __repr__(self) -> str:
        return f"<after commit: {self._kind}>"

    def __call__(self) -> None:
        try:
            self._do()
        except Exception as error:  # noqa: BLE001  (what was committed stays, and hooks behind it run)
            log.error("after_commit.failed", kind=self._kind, error=type(error).__name__)  # noqa: TRY400  (its text may hold a link)


def after_commit[**P](kind: str, do: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """
    Do something once the transaction is committed; what goes wrong then is logged and undoes nothing.

    :param kind: what the log calls it.
    """
    transaction.on_commit(_Hook(kind, lambda: do(*args, **kwargs)))
