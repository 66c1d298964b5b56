"""
Parting a recording at an instant, so that what was said after a withdrawal is not given out. Pure.

Only sound of a steady rate can be parted by counting: WAV with PCM, A-law or mu-law. Compressed kinds are not guessed.
"""

import struct
from dataclasses import dataclass
from typing import Final

HEAD_AT_MOST: Final = 64 * 1024
_STEADY: Final = frozenset({1, 3, 6, 7, 0xFFFE})
_RIFF: Final = 12
_CHUNK: Final = 8
_FORMAT: Final = 16


class NotPartedError(ValueError):
    """This kind of sound cannot be parted at an instant, or does not say how it is built."""


@dataclass(frozen=True, slots=True)
class Parted:
    """
    The beginning of a recording as a file of its own.

    :ivar head: bytes that stand in place of the file's first ones. :ivar size: how long the parted file is.
    """

    head: bytes
    size: int


def parted(start: bytes, *, size: int, seconds: float) -> Parted:
    """
    Part a WAV file after so many seconds, rounded down to a whole sample.

    :param start: its first bytes, `HEAD_AT_MOST` or all of it.
    :param size: how long the whole file is.
    :raises NotPartedError: it cannot be parted.
    """
    if start[:4] != b"RIFF" or start[8:12] != b"WAVE":
        raise NotPartedError("Only WAV files can be split at a point in time.")
    rate = block = 0
    position = _RIFF
    while position + _CHUNK <= len(start):
        name, length = start[position : position + 4], struct.unpack_from("<I", start, position + 4)[0]
        begins = position + _CHUNK
        if name == b"fmt " and length >= _FORMAT and begins + _FORMAT <= len(start):
            kind, _, _, rate, block = struct.unpack_from("<HHIIH", start, begins)
            if kind not in _STEADY or not rate or not block:
                raise NotPartedError("This WAV file is compressed.")
        elif name == b"data":
            if not rate:
                raise NotPartedError("This WAV file does not state its sample rate.")
            kept = min(max(0, int(seconds * rate)), length, size - begins)
            return _cut(start[:begins], kept - kept % block)
        position = begins + length + length % 2
    raise NotPartedError("This WAV file contains no audio.")


def _cut(head: bytes, kept: int) -> Parted:
    """The file's head up to the sound, with the two lengths that stand in it made true."""
    changed = bytearray(head)
    struct.pack_into("<I", changed, 4, len(head) + kept - _CHUNK)
    struct.pack_into("<I", changed, len(head) - 4, kept)
    return Parted(bytes(changed), len(head) + kept)


def seconds_until(
    *, started_after: float, call_seconds: int | None, recording_seconds: int | None
) -> float | None:
    """
    Where in a recording an instant of its call lies, never later than it may be; None where that is not known.

    A recording may begin after its call, so its own end is taken as the call's: nothing that follows the instant is
    then before the place that is returned.

    :param started_after: seconds from the call's start to the instant.
    """
    if call_seconds is None or recording_seconds is None:
        return None
    return max(0.0, started_after - max(0, call_seconds - recording_seconds) - 1.0)
