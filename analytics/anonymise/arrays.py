"""Grouping of columns of numbers: what everything else here is built from."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Groups:
    """
    Entries with equal keys, side by side.

    `order` (n) are the entries' places so that equal keys meet, in the order of the keys and within a key in the
    order they had; `starts` (groups) is where in `order` each group begins; `sizes` (groups) how many it has.
    """

    order: Ints
    starts: Ints
    sizes: Ints

    def __len__(self) -> int:
        return len(self.starts)

    def number(self) -> Ints:
        """The group of each entry of `order` (n)."""
        return np.repeat(np.arange(len(self.starts)), self.sizes)

    def of(self) -> Ints:
        """The group of each entry, in the order the entries had (n)."""
        found = np.empty(len(self.order), np.int64)
        found[self.order] = self.number()
        return found


def group(keys: Ints, bits: int) -> Groups:
    """
    Put equal keys together. Keys (n) are at least 0 and below two to the power of `bits`.

    Where key and place fit into one word, words are sorted, which is several times as fast as sorting places.
    """
    count = len(keys)
    room = max(count - 1, 1).bit_length()
    if bits + room < 64:
        words = np.left_shift(keys, room)
        words |= np.arange(count)
        words.sort()
        order = words & ((1 << room) - 1)
        words >>= room
    else:
        order = np.argsort(keys, kind="stable")
        words = keys[order]
    first = np.empty(count, np.bool_)
    first[:1] = True
    np.not_equal(words[1:], words[:-1], out=first[1:])
    starts = first.nonzero()[0]
    sizes = np.empty(len(starts), np.int64)
    np.subtract(starts[1:], starts[:-1], out=sizes[:-1])
    sizes[-1:] = count - starts[-1:]
    return Groups(order, starts, sizes)


def group_columns(columns: list[Codes], widths: list[int]) -> Groups:
    """Put rows together that are equal in all columns, each (n) with codes from 0 to below its width."""
    keys, bits = combine(columns, widths)
    return group(keys, bits)


def combine(columns: list[Codes], widths: list[int]) -> tuple[Ints, int]:
    """One key (n) for each row of several columns and how many bits it takes; equal keys are equal rows."""
    keys: Ints = np.zeros(len(columns[0]) if columns else 0, np.int64)
    size = 1
    for column, width in zip(columns, widths, strict=True):
        if width == 1:
            continue
        if size * width >= 1 << 62:
            keys = group(keys, (size - 1).bit_length()).of()
            size = int(keys.max(initial=0)) + 1
        keys *= width
        keys += column
        size *= width
    return keys, max((size - 1).bit_length(), 1)


def renumber(labels: Ints) -> Ints:
    """The same labels (n, at least 0), numbered from 0 without gaps and in their order."""
    used = np.zeros(int(labels.max(initial=-1)) + 1, np.bool_)
    used[labels] = True
    found: Ints = (np.cumsum(used) - 1)[labels]
    return found
