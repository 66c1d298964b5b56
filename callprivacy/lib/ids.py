"""
Random ids that come by thousands, laid out so that those made together stand side by side in an index.

An index takes thousands of neighbours by touching a few pages, and as many ids from everywhere by touching a page each.
"""

import os
import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_COUNTED: Final = 48
_BELOW: Final = 128 - _COUNTED


def _with_version(value: int, version: int) -> uuid.UUID:
    value = value & ~(0xF << 76) | version << 76
    return uuid.UUID(int=value & ~(0x3 << 62) | 0x2 << 62)


def neighbours(count: int) -> list[uuid.UUID]:
    """
    Ids of UUIDv4's layout: 48 bits count on from a random start, which says nothing; the other 74 are random.

    What is drawn from an id's low end, such as a caller's name, is as random as ever.
    """
    start = secrets.randbits(_COUNTED)
    chance = os.urandom(10 * count)
    return [
        _with_version(
            ((start + at) % (1 << _COUNTED)) << _BELOW | int.from_bytes(chance[10 * at : 10 * at + 10]), 4
        )
        for at in range(count)
    ]


def made_at(instant: datetime, count: int) -> list[uuid.UUID]:
    """
    Ids of UUIDv7's layout: 48 bits of the instant in milliseconds, then bits that count on from a random start.

    For what says anyway when it was made.
    """
    top = (instant - _EPOCH) // _MILLISECOND << _BELOW
    # The version and variant stand in the way of counting, which therefore goes on in the 61 bits below them.
    start, middle = secrets.randbits(61), secrets.randbits(12) << 64
    return [_with_version(top | middle | start + at, 7) for at in range(count)]
