"""
The scope is a transaction: whoever enters one sees what PostgreSQL's row security grants that actor, and
nothing once it is left. PostgreSQL lets nobody in whom the program did not sign, and binds what it let in to the
transaction (docs/adr/0137): neither injected SQL nor the next borrower of a pooled connection has a use for it.
"""

import hmac
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import structlog
from billiard.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import connection, transaction
from psycopg.pq import TransactionStatus

from callprivacy.lib import figures, statements
from callprivacy.lib import scope as lib_scope
from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Scope, ScopeKind
from callprivacy.tenancy.enums import KeyPurpose

log = logger(__name__)

# One way to the server and back, since every door for programs begins with its key. It keeps no plan: a statement of
# injected SQL could stand in a kept one's place and take the token.
_ENTER = "SELECT agency, client FROM enter_scope(%s)"
_LEAVE = "SELECT set_config('callprivacy.scope', '', true)"
_OWNS = (
    "SELECT pg_get_userbyid(relowner) = current_user FROM pg_class"
    " WHERE oid = to_regclass('public.tenancy_scopekey')"
)


class ScopeConflictError(RuntimeError):
    """A scope was entered inside a different one."""


def token(*words: object) -> str:
    """What enters a scope: kind, agency, user and client, or "key", a purpose and a public key; signed."""
    ends_at = int(time.time()) + settings.CALLPRIVACY_SCOPE_HOURS * 3600
    signed = " ".join("" if word is None else str(word) for word in (ends_at, *words))
    return f"{signed} {hmac.digest(settings.CALLPRIVACY_SCOPE_KEYS[0], signed.encode(), 'sha256').hex()}"


def keep_keys(cursor: Any) -> None:
    """Store the program's keys, and no others, where PostgreSQL checks scopes by them; nothing unless as the owner."""
    cursor.execute(_OWNS)
    if cursor.fetchone() != (True,):
        return
    pads = [key.ljust(64, b"\0") for key in settings.CALLPRIVACY_SCOPE_KEYS]
    cursor.execute("DELETE FROM tenancy_scopekey WHERE number > %s", [len(pads)])
    for number, pad in enumerate(pads, start=1):
        cursor.execute(
            "INSERT INTO tenancy_scopekey (number, inner_pad, outer_pad) VALUES (%s, %s, %s) ON CONFLICT (number)"
            " DO UPDATE SET inner_pad = excluded.inner_pad, outer_pad = excluded.outer_pad",
            [number, bytes(byte ^ 0x36 for byte in pad), bytes(byte ^ 0x5C for byte in pad)],
        )


@contextmanager
def _enter(scope: Scope) -> Iterator[Scope]:
    outer = lib_scope.current()
    if outer is not None:
        if outer not in {scope, replace(scope, client_id=None)}:
            raise ScopeConflictError(f"{scope.kind} scope inside a different {outer.kind} scope.")
        with transaction.atomic():
            yield scope
        return
    with _transaction(lambda: _set(scope)):
        yield scope


@contextmanager
def _transaction(begin: Callable[[], Scope]) -> Iterator[Scope]:
    with transaction.atomic(durable=True):
        scope = begin()
        lib_scope.remember(scope)
        # Until the request or the job is over: its last line is written outside of the scope.
        structlog.contextvars.bind_contextvars(agency_id=scope.agency_id or None)
        try:
            yield scope
        finally:
            lib_scope.remember(None)
            _forget_settings()


def _set(scope: Scope) -> Scope:
    _sent(scope.kind, scope.agency_id, scope.user_id, scope.client_id)
    return scope


def _set_by_key(key: str, purpose: KeyPurpose) -> Scope:
    agency_id, client_id = _sent("key", purpose, key)
    return Scope(ScopeKind.CLIENT, agency_id, client_id=client_id)


def _sent(*words: object) -> tuple[Any, Any]:
    with statements.cursor(keeps_plan=False) as cursor:
        cursor.execute(_ENTER, [token(*words)])
        agency_id, client_id, *_ = cursor.fetchone()
    return agency_id, client_id


def _forget_settings() -> None:
    """
    Clear the settings where an enclosing transaction lives on, as in a test.

    Otherwise the commit or rollback that follows clears them. A broken transaction takes no statement,
    and its savepoint's rollback restores what was before.
    """
    if len(connection.atomic_blocks) < 2 or connection.needs_rollback or connection.connection is None:
        return
    if connection.connection.info.transaction_status == TransactionStatus.INTRANS:
        with connection.cursor() as cursor:
            cursor.execute(_LEAVE)


@contextmanager
def staff_scope(*, agency_id: int, user_id: int) -> Iterator[Scope]:
    """
    Work as one person of an agency: the rows of the clients in that person's grants.

    :raises ScopeConflictError: entered inside a different scope.
    """
    with _enter(Scope(ScopeKind.STAFF, agency_id, user_id=user_id)) as scope:
        yield scope


@contextmanager
def client_scope(*, agency_id: int, client_id: int) -> Iterator[Scope]:
    """
    Work for one client, as a webhook or a public page does: that client's rows only.

    :raises ScopeConflictError: entered inside a different scope.
    """
    with _enter(Scope(ScopeKind.CLIENT, agency_id, client_id=client_id)) as scope:
        yield scope


@contextmanager
def scope_of_key(key: str, purpose: KeyPurpose) -> Iterator[Scope]:
    """
    Work for the client whose public key this is. For a key that is none it is the scope of client 0, which nobody is.

    :raises ScopeConflictError: entered inside another scope.
    """
    if (outer := lib_scope.current()) is not None:
        raise ScopeConflictError(f"A key's scope inside a {outer.kind} scope.")
    with _transaction(lambda: _set_by_key(key, purpose)) as scope:
        yield scope


@contextmanager
def job_scope(*, agency_id: int, client_id: int | None = None) -> Iterator[Scope]:
    """
    Work as an agency's own job: every row of that agency, or those of one client and of the agency itself.

    A step for one client may be part of a job for all of them, and is in its scope then; never the other way round.

    :raises ScopeConflictError: entered inside a different scope.
    """
    with _enter(Scope(ScopeKind.JOB, agency_id, client_id=client_id)) as scope:
        yield scope


@contextmanager
def operator_scope() -> Iterator[Scope]:
    """
    Work as the platform's operator: agencies and memberships, never a client's rows.

    :raises ScopeConflictError: entered inside a different scope.
    """
    with _enter(Scope(ScopeKind.OPERATOR, None)) as scope:
        yield scope


def in_each_agency(deed: Callable[[int], object]) -> None:
    """
    Do a job's deed for each agency, one after the other in an order of chance, outside any scope.

    One agency's fault is logged by its kind and keeps no other agency's work; the job is counted as failed for it. The
    deed enters the scope itself.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT agency_id FROM all_agency_ids() AS agency_id ORDER BY random()")
        agency_ids = [row[0] for row in cursor.fetchall()]
    for agency_id in agency_ids:
        try:
            deed(agency_id)
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:  # noqa: BLE001  (its work is found again by the next sweep)
            log.error("job.failed", agency=agency_id, error=type(error).__name__)  # noqa: TRY400  (a text may hold a value)
            figures.note_fault()
    structlog.contextvars.unbind_contextvars("agency_id")
