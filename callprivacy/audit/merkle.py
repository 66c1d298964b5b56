"""
The tree of RFC 9162, section 2.1: hashing, roots, and proofs that an entry is in the log, over leaf hashes of 32 bytes.

Who checks a proof has a file of plain Python for it (tools/verify_evidence.py). That one log continues another shows
whoever has the leaves, by growing the one from the other (docs/adr/0145).
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees: SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(slots=True)
class Frontier:
    """
    What must be remembered of a log to append to it: the roots of its full subtrees, largest first.

    A log of `size` entries has as many peaks as `size` has bits set, so appending costs two hashes an entry
    on average and the whole log is never read again.
    """

    size: int = 0
    peaks: list[bytes] = field(default_factory=list)

    @classmethod
    def load(cls, size: int, peaks: bytes) -> Self:
        """
        Rebuild a frontier from its stored bytes.

        :raises ValueError: the number of peaks does not fit the size.
        """
        if size < 0 or len(peaks) != size.bit_count() * HASH_SIZE:
            raise ValueError(f"{len(peaks)} bytes of peaks do not fit a log of {size} entries.")
        return cls(size, [peaks[at : at + HASH_SIZE] for at in range(0, len(peaks), HASH_SIZE)])

    def dump(self) -> bytes:
        """The peaks as bytes, 32 each."""
        return b"".join(self.peaks)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        carried, size = leaf, self.size
        while size & 1:
            carried = node_hash(self.peaks.pop(), carried)
            size >>= 1
        self.peaks.append(carried)
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes in order."""
        for leaf in leaves:
            self.append(leaf)

    def root(self) -> bytes:
        if not self.peaks:
            return EMPTY_ROOT
        folded = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            folded = node_hash(peak, folded)
        return folded


def root(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes (RFC 9162, 2.1.1)."""
    frontier = Frontier()
    frontier.extend(leaves)
    return frontier.root()


class Tail:
    """
    A log of which only the last leaves are known, and of those before them what a frontier remembers.

    A path costs the length of the tail, whatever the log's.
    """

    def __init__(self, before: Frontier, leaves: Sequence[bytes]) -> None:
        self.size = before.size + len(leaves)
        self._before, self._leaves = before.size, leaves
        self._roots: dict[tuple[int, int], bytes] = {}
        low = 0
        widths = [1 << bit for bit in reversed(range(before.size.bit_length())) if before.size >> bit & 1]
        for width, peak in zip(widths, before.peaks, strict=True):
            self._roots[low, low + width] = peak
            low += width

    def path(self, index: int) -> list[bytes]:
        """
        Prove that entry `index`, from 0, is in the log (RFC 9162, 2.1.3.1).

        :raises IndexError: it is none of the known leaves.
        """
        if not self._before <= index < self.size:
            raise IndexError(f"Entry {index} of a log of {self.size}, known from {self._before} on.")
        path: list[bytes] = []
        low, high = 0, self.size
        while high - low > 1:
            middle = low + _split(high - low)
            if index < middle:
                path.append(self._root(middle, high))
                high = middle
            else:
                path.append(self._root(low, middle))
                low = middle
        return path[::-1]

    def _root(self, low: int, high: int) -> bytes:
        known = self._roots.get((low, high))
        if known is None:
            if high - low == 1:
                return self._leaves[low - self._before]
            middle = low + _split(high - low)
            known = node_hash(self._root(low, middle), self._root(middle, high))
            self._roots[low, high] = known
        return known


def _split(size: int) -> int:
    """The largest power of two smaller than `size` (at least 2)."""
    return 1 << ((size - 1).bit_length() - 1)
