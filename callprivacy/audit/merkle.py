"""
The tree of RFC 9162, section 2.1: hashing, roots, proofs that an entry is in the log, and proofs that one
log continues another. Pure functions over leaf hashes of 32 bytes; no input is trusted, a malformed proof
is false, never an error.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """Hash one entry: SHA-256(0x00 || entry)."""
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
        """The root of the log, `EMPTY_ROOT` for none."""
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


def _split(size: int) -> int:
    """The largest power of two smaller than `size` (at least 2)."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_proof(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """
    Prove that entry `index` is in the log (RFC 9162, 2.1.3.1).

    :raises IndexError: no such entry.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(f"Entry {index} of a log of {len(leaves)}.")
    path: list[bytes] = []
    low, high = 0, len(leaves)
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(root(leaves[middle:high]))
            high = middle
        else:
            path.append(root(leaves[low:middle]))
            low = middle
    path.reverse()
    return path


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected: bytes) -> bool:
    """Tell whether the proof shows the leaf hash at `index` of a log of `size` (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, computed = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            computed = node_hash(step, computed)
            while not place & 1 and place:
                place >>= 1
                last >>= 1
        else:
            computed = node_hash(computed, step)
        place >>= 1
        last >>= 1
    return last == 0 and computed == expected


def consistency_proof(size: int, leaves: Sequence[bytes]) -> list[bytes]:
    """
    Prove that the log of `size` entries is the beginning of this one (RFC 9162, 2.1.4.1).

    :raises ValueError: `size` is not between 1 and the log's size.
    """
    if not 0 < size <= len(leaves):
        raise ValueError(f"No log of {size} entries begins one of {len(leaves)}.")
    path: list[bytes] = []
    low, high, whole = 0, len(leaves), True
    while size != high - low:
        middle = low + _split(high - low)
        if size <= middle - low:
            path.append(root(leaves[middle:high]))
            high = middle
        else:
            path.append(root(leaves[low:middle]))
            size -= middle - low
            low, whole = middle, False
    if not whole:
        path.append(root(leaves[low:high]))
    path.reverse()
    return path


def verify_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Tell whether the proof shows that the newer log continues the older one (RFC 9162, 2.1.4.2)."""
    if not 0 < old_size <= new_size:
        return False
    if old_size == new_size:
        return not proof and old_root == new_root
    steps = list(proof)
    if old_size & (old_size - 1) == 0:
        steps.insert(0, old_root)
    if not steps:
        return False
    place, last = old_size - 1, new_size - 1
    while place & 1:
        place >>= 1
        last >>= 1
    old_computed = new_computed = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old_computed = node_hash(step, old_computed)
            new_computed = node_hash(step, new_computed)
            while not place & 1 and place:
                place >>= 1
                last >>= 1
        else:
            new_computed = node_hash(new_computed, step)
        place >>= 1
        last >>= 1
    return last == 0 and old_computed == old_root and new_computed == new_root
