"""
What a statement may reach in the vault: the rows of whom its function names, in the agency of the scope around it.

The words are signed as a scope's are, and entered in the transaction of the statement, on the same way to the server
and back (docs/adr/0124). A statement of whom nobody named runs without, and PostgreSQL refuses it every row.
"""

from __future__ import annotations

import hmac
import inspect
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, Final
from weakref import WeakKeyDictionary

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import Connection, Cursor
from psycopg.pq import TransactionStatus

from callprivacy.lib import scope as lib_scope

_ENTER: Final = "SELECT enter_vault(%s)"
_LEAVE: Final = "SELECT set_config('callprivacy.scope', '', true)"
_OF_TRANSACTIONS: Final = ("SAVEPOINT", "RELEASE", "ROLLBACK")
_VAULT: Final = "vault"

type _Words = tuple[object, ...]
EVERYBODY: Final[_Words] = (_VAULT, None, None, None)
_ANY: Final[_Words] = ("any",)
"""What a rollback may have brought back."""
_named: ContextVar[_Words | None] = ContextVar("callprivacy_vault_scope", default=None)
# What was entered last in the transaction of a connection.
_entered: WeakKeyDictionary[Connection[Any], _Words | None] = WeakKeyDictionary()


def token(*words: object) -> str:
    """
    What enters a scope, signed: kind, agency, user and client; "key", a purpose and a public key; or "vault", an
    agency, "keys" for all of its keys, and the ids of clients, without which it is everybody's.
    """
    ends_at = int(time.time()) + settings.CALLPRIVACY_SCOPE_HOURS * 3600
    signed = " ".join("" if word is None else str(word) for word in (ends_at, *words))
    return f"{signed} {hmac.digest(settings.CALLPRIVACY_SCOPE_KEYS[0], signed.encode(), 'sha256').hex()}"


def named() -> _Words | None:
    """Whom the function that runs has named, as it will be signed."""
    return _named.get()


@contextmanager
def _naming(*words: object) -> Iterator[None]:
    before = _named.set(words)
    try:
        yield
    finally:
        _named.reset(before)


@contextmanager
def holders(holder_ids: Iterable[int]) -> Iterator[None]:
    """Reach the rows of these clients, and of agencies by their ids below zero; of one agency, inside its scope."""
    outer = lib_scope.current()
    ids = ",".join(str(int(holder_id)) for holder_id in holder_ids)
    with _naming(_VAULT, outer and outer.agency_id, None, f"{{{ids}}}"):
        yield


def house() -> Any:
    """Reach what belongs to the installation: the pulse and the marks of its folders."""
    return _naming(_VAULT, None, None, "{}")


def keys_of_agency(agency_id: int) -> Any:
    """Reach the keys of every client of an agency, and its own."""
    return _naming(_VAULT, agency_id, "keys", "{}")


def everybody() -> Any:
    """Reach all rows, as a job does that goes over every agency."""
    return _naming(*EVERYBODY)


def of_holder[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """
    Let a function reach the rows of whom its first argument names: a client's id or several, a mapping by clients' ids,
    or a client's keys.
    """
    first = next(iter(inspect.signature(function).parameters))

    @wraps(function)
    def reaching(*args: P.args, **kwargs: P.kwargs) -> R:
        named: Any = args[0] if args else kwargs[first]
        named = getattr(named, "client_id", named)
        with holders([named] if isinstance(named, int) else named):
            return function(*args, **kwargs)

    return reaching


def enter_first(
    execute: Callable[..., Any], statement: str, values: Any, many: bool, context: dict[str, Any]
) -> Any:
    """Enter the scope of what is named in the statement's transaction, once, and run the statement."""
    database: BaseDatabaseWrapper = context["connection"]
    line: Connection[Any] = database.connection  # type: ignore[assignment]  # the driver's
    words, status = named(), line.info.transaction_status
    if status == TransactionStatus.IDLE:
        _entered.pop(line, None)
    elif statement.startswith("ROLLBACK"):
        _entered[line] = _ANY
    if (
        _entered.get(line) == words
        or status == TransactionStatus.INERROR
        or statement.startswith(_OF_TRANSACTIONS)
    ):
        return execute(statement, values, many, context)
    with database.wrap_database_errors, line.pipeline():
        # It keeps no plan: a statement of injected SQL could stand in a kept one's place and take the token.
        if words is None:
            Cursor(line).execute(_LEAVE)
        else:
            Cursor(line).execute(_ENTER, [token(*words)], prepare=False)
        found = execute(statement, values, many, context)
    _entered[line] = words
    return found
