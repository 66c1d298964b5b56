"""
How often somebody may knock at a public door. Counted in Valkey, which may be away; then the answer is that
nobody knows, and who asks decides: what protects a person goes through, what could harm one waits.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from django.core.cache import caches
from django.utils.crypto import salted_hmac
from redis.exceptions import RedisError

from callprivacy.lib.caches import client
from callprivacy.lib.logs import logger

log = logger(__name__)

_SALT: Final = "callprivacy.consent.limits"


class Verdict(StrEnum):
    """Whether there is room: `UNKNOWN` where the count does not answer at once."""

    OPEN = "open"
    FULL = "full"
    UNKNOWN = "unknown"


def knock(what: str, who: str, *, most: int, per: timedelta, at: datetime, weight: int = 1) -> Verdict:
    """
    Count one more of a kind by somebody (or `weight` more), and tell whether it is within `most` in the period.

    :param what: the kind, such as "form:17" for a client's form.
    :param who: an address or a number; only a keyed digest of it is kept, for one period.
    """
    seconds = int(per.total_seconds())
    name = salted_hmac(_SALT, f"{what}\n{who}", algorithm="sha256").hexdigest()[:32]
    key = f"limit:{name}:{int(at.timestamp()) // seconds}"
    try:
        count = _add(key, weight, seconds)
    except (RedisError, OSError, ValueError) as error:
        log.warning("limit.unknown", what=what, error=type(error).__name__)
        return Verdict.UNKNOWN
    return Verdict.OPEN if count <= most else Verdict.FULL


def _add(key: str, weight: int, seconds: int) -> int:
    """Count, and have the count end by itself: one way there and back, since somebody waits for it."""
    name = caches["hints"].make_key(key)
    with client().pipeline(transaction=False) as pipe:
        pipe.incrby(name, weight)
        pipe.expire(name, seconds, nx=True)
        return int(pipe.execute()[0])
