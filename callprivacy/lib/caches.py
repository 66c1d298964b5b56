"""
The default cache, which may be away.

Nothing is guarded by it alone: what it counts, the database counts as well, or it was no guard. So where Valkey does
not answer, or refuses writes, whoever asks is told that nothing was kept yet, and people go on signing in.

The product itself keeps hints, in a cache of their own (`hints`), and here what the demo's telephone was asked.
django-axes counts in the database, guardian has no anonymous person to keep. What django-allauth keeps here:

- that a code of an app was used: `accounts.services.factors.take_code` keeps the newest step with the seed.
- how often one asks to confirm who they are, and for a new password: the present password and every code wait by
  `accounts.services.sign_in`; a passkey's signature is not guessed.
- how often links for a new password are asked for: `accounts.adapter.AskForLinkForm` counts by name and by sender.
- how often a new password is sent with such a link, and a passkey's signature at the door: neither is guessed.
- signing up and addresses: their doors are shut here.

`tests/accounts/test_without_valkey.py` holds libraries and product to this list.
"""

import time
from functools import lru_cache
from typing import Any, Final

from django.core.cache import caches
from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.redis import RedisCache
from redis import ConnectionPool, Redis
from redis.exceptions import RedisError

from callprivacy.lib.logs import logger

log = logger(__name__)

_QUIET_FOR: Final = 5.0


def client() -> Redis:
    """What counts in Valkey beside the hints, and waits no longer than they do."""
    cache: Any = caches["hints"]
    return _client(cache._cache._get_connection_pool(write=True))


@lru_cache(maxsize=32)
def _client(pool: ConnectionPool) -> Redis:
    """One client for each thread's connections: making one takes as long as the count does."""
    return Redis(connection_pool=pool)


class MayBeAwayCache(RedisCache):
    """Answers as an empty cache where Valkey does not; for a few seconds after that it is not asked again."""

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._quiet_until = 0.0

    def _failed(self, error: RedisError) -> None:
        self._quiet_until = time.monotonic() + _QUIET_FOR
        log.warning("cache.away", error=type(error).__name__)

    def _is_quiet(self) -> bool:
        return time.monotonic() < self._quiet_until

    def add(
        self, key: str, value: Any, timeout: float | None = DEFAULT_TIMEOUT, version: int | None = None
    ) -> bool:
        if not self._is_quiet():
            try:
                return bool(super().add(key, value, timeout, version))
            except RedisError as error:
                self._failed(error)
        return True

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        if not self._is_quiet():
            try:
                return super().get(key, default, version)
            except RedisError as error:
                self._failed(error)
        return default

    def set(
        self, key: str, value: Any, timeout: float | None = DEFAULT_TIMEOUT, version: int | None = None
    ) -> None:
        if not self._is_quiet():
            try:
                super().set(key, value, timeout, version)
            except RedisError as error:
                self._failed(error)

    def delete(self, key: str, version: int | None = None) -> bool:
        if not self._is_quiet():
            try:
                return bool(super().delete(key, version))
            except RedisError as error:
                self._failed(error)
        return False
