"""
Whether this process can serve: what a load balancer asks before it sends people here, and an operator after a start.

Each part is looked at by itself and says in a sentence what is wrong. Strangers are told which part it is; the sentence
is for who brings the token of the metrics. Nothing here reads a row of anybody.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import redis
from django.conf import settings
from django.db import DatabaseError, ProgrammingError, connections
from django.db.migrations.loader import MigrationLoader

from callprivacy.audit.services import lineage
from callprivacy.tenancy.scope import operator_scope
from callprivacy.vault import selectors as vault
from callprivacy.vault.sealing import SealBrokenError

DATABASES: Final = ("default", "vault")
_KEPT_FOR: Final = 2.0
_HANGS_AFTER: Final = 5.0


@dataclass(slots=True)
class _Remembered:
    """What was found last, so that many who ask at once cost one look."""

    found: dict[str, str] = field(default_factory=dict)
    until: float = 0.0
    began: float = 0.0


_remembered = _Remembered()
_lock = threading.Lock()


def look() -> dict[str, str]:
    """
    Every part with what is wrong with it, "" where nothing is; at most two seconds old.

    Who asks while another one looks is told what was found before; and that nothing is known, where that look does not
    end: a database that hangs answers nobody.
    """
    if time.monotonic() < _remembered.until:
        return _remembered.found
    if not _lock.acquire(timeout=0.05 if _remembered.found else _HANGS_AFTER):
        if _remembered.found and time.monotonic() - _remembered.began < _HANGS_AFTER:
            return _remembered.found
        return dict.fromkeys(PARTS, "A look at it has not come to an end.")
    try:
        if time.monotonic() >= _remembered.until:
            _remembered.began = time.monotonic()
            _remembered.found = {name: _said(part) for name, part in PARTS.items()}
            _remembered.until = time.monotonic() + _KEPT_FOR
        return _remembered.found
    finally:
        _lock.release()


def forget() -> None:
    """Let the next look be a new one."""
    _remembered.until = 0.0


def _said(part: Callable[[], str]) -> str:
    try:
        return part()
    except (DatabaseError, redis.RedisError, OSError) as error:
        return f"It could not be asked: {type(error).__name__}."


def databases_apart() -> dict[str, str]:
    found = {}
    for alias in DATABASES:
        try:
            with connections[alias].cursor() as cursor:
                cursor.execute("SELECT 1")
        except DatabaseError:
            found[alias] = "unreachable"
        else:
            found[alias] = "ok"
    return found


def databases() -> str:
    """Both answer."""
    away = [alias for alias, said in databases_apart().items() if said != "ok"]
    return f"No answer from: {', '.join(away)}." if away else ""


def broker() -> str:
    """Valkey answers and takes a write."""
    with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1) as line:
        try:
            line.set("callprivacy-ready", "1", ex=60)
        except redis.AuthenticationError:
            return "Valkey refuses the password in REDIS_URL."
        except redis.ConnectionError:
            return "Valkey does not answer at REDIS_URL."
        except redis.ResponseError as error:
            return f"Valkey takes no writes: {str(error).split(' ')[0]}."
    return ""


@cache
def _heads() -> dict[str, frozenset[tuple[str, str]]]:
    """Database -> the last migrations that this version of the program needs there."""
    leaves = MigrationLoader(None).graph.leaf_nodes()
    return {"default": frozenset(leaves), "vault": frozenset(leaf for leaf in leaves if leaf[0] == "vault")}


def pending(alias: str) -> list[str]:
    """Last migrations of this version that a database has not seen, as "app.name"."""
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT to_regclass('django_migrations')")
        if cursor.fetchone() == (None,):
            return sorted(".".join(head) for head in _heads()[alias])
        cursor.execute("SELECT app, name FROM django_migrations")
        done = set(cursor.fetchall())
    return sorted(".".join(head) for head in _heads()[alias] - done)


def migrations() -> str:
    """Every migration of this version was made, in both, and the database believes this program's key."""
    for alias in DATABASES:
        if left := pending(alias):
            return f"The database {alias} lacks {left[0]} and {len(left) - 1} more. Run: make release."
    try:
        with operator_scope():
            return ""
    except ProgrammingError:
        return "The database refuses scopes that CALLPRIVACY_SECRET_KEY signs. Run: make release."


def keys() -> str:
    """FIELD_ENCRYPTION_KEY opens the newest client's keys."""
    with connections["vault"].cursor() as cursor:
        cursor.execute("SELECT client_id FROM vault_clientkey ORDER BY id DESC LIMIT 1")
        row = cursor.fetchone()
    try:
        if row is not None:
            vault.client_keys(row[0])
    except SealBrokenError:
        return "FIELD_ENCRYPTION_KEY does not open the vault's keys: it is not the one that sealed them."
    return ""


def restore() -> str:
    """Neither database was put back from an old copy, nor both carried here by one, and not made good."""
    return lineage.WORDS.get(lineage.lineage(), "")


PARTS: Final[dict[str, Callable[[], str]]] = {
    "databases": databases,
    "broker": broker,
    "migrations": migrations,
    "keys": keys,
    "restore": restore,
}
