"""
Callers put together with those who look alike, so that each group is told by what all of it shares.

Pure: arrays in, arrays out. What the two functions promise is what every report rests on (docs/adr/0045):

1. a group holds at least k callers, or there is none at all;
2. a label that is told somewhere and hidden elsewhere is hidden for at least k callers together;
3. a label that is not told on its own (`told`) is told nowhere.

Calls whose caller is not known count as calls of nobody: they never help a group to its k.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

type Ints = np.ndarray[tuple[int], np.dtype[np.int64]]
type Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]

NOBODY: Final = -1
"""The caller of a call whose number was withheld."""


@dataclass(frozen=True, slots=True)
class Fact:
    """
    One fact of each call.

    :ivar codes: n whole numbers from 0, equal for calls that share the value. :ivar told: whether the value of each
    call may be told at all. :ivar within: place of the fact that must be told before this one, for what lies inside
    another (an hour in its day).
    """

    codes: Ints
    told: Flags
    within: int | None = None


@dataclass(frozen=True, slots=True)
class Groups:
    """
    :ivar of: n whole numbers from 0, the group of each call. :ivar shown: for each fact, n flags: told of this call.
    :ivar count: how many groups there are; 0 where all calls together are of fewer than k callers.
    """

    of: Ints
    shown: tuple[Flags, ...]
    count: int


def callers_of(keys: Ints, callers: Ints, count: int) -> Ints:
    """Distinct callers behind each of `count` keys; n keys and n callers in, `count` numbers out."""
    known = callers != NOBODY
    if not known.any():
        return np.zeros(count, np.int64)
    base = int(callers.max()) + 1
    pairs = np.sort(keys[known] * base + callers[known])
    is_first = np.append(True, pairs[1:] != pairs[:-1])
    return np.bincount(pairs[is_first] // base, minlength=count)


def numbered(keys: Ints, bound: int) -> tuple[Ints, Ints]:
    """The distinct keys in order, and the place of each call's key among them; keys are below `bound`."""
    if bound > 8 * len(keys) + 100_000:
        found, places = np.unique(keys, return_inverse=True)
        return found, places.astype(np.int64)
    is_there = np.zeros(bound, np.bool_)
    is_there[keys] = True
    return np.flatnonzero(is_there), (np.cumsum(is_there) - 1)[keys]


def group(facts: Sequence[Fact], callers: Ints, *, k: int, size: int | None = None) -> Groups:
    """
    Split calls fact by fact, the first ones first, where that leaves at least k callers on every side.

    :param callers: n whole numbers, equal for calls of one caller; NOBODY where there is none.
    :param k: callers that a group needs, and that hidden labels need. :param size: callers below which nothing is
        split off, k if not named; larger makes fewer groups.
    """
    n = len(callers)
    of = np.zeros(n, np.int64)
    if n == 0 or callers_of(of, callers, 1)[0] < k:
        return Groups(of, tuple(np.zeros(n, np.bool_) for _ in facts), 0)
    shown: list[Flags] = []
    count = 1
    for fact in facts:
        may = fact.told if fact.within is None else fact.told & shown[fact.within]
        told = _split(of, fact, may, callers, k=k, size=max(size or k, k))
        shown.append(told)
        width = int(fact.codes.max()) + 2
        keys, of = numbered(of * width + np.where(told, fact.codes + 1, 0), count * width)
        count = len(keys)
    return Groups(of, tuple(shown), count)


@dataclass(frozen=True, slots=True)
class _Parts:
    """
    What a fact would split the groups into; the last of `is_shown` is the part of calls that may not be told.

    :ivar of: the part of each call. :ivar group: and :ivar label: of each part. :ivar calls: in each part.
    """

    of: Ints
    group: Ints
    label: Ints
    calls: Ints
    is_shown: Flags

    def hide_smallest(self, owner: Ints, left: Flags, callers: Ints, *, owner_of: Ints, k: int) -> None:
        """
        Where what is left of an owner (a group, a label) is of fewer than k callers, hide its smallest part, too.

        :param owner: of each call. :param left: calls that are not told. :param owner_of: of each part.
        """
        count = int(owner.max()) + 1
        calls = np.bincount(owner[left], minlength=count)
        if not calls.any():
            return
        few = (calls > 0) & (callers_of(owner[left], callers[left], count) < k)
        parts = np.flatnonzero(self.is_shown[:-1] & few[owner_of])
        if len(parts):
            order = parts[np.lexsort((parts, self.calls[parts], owner_of[parts]))]
            is_first = np.append(True, owner_of[order][1:] != owner_of[order][:-1])
            self.is_shown[order[is_first]] = False


def _split(of: Ints, fact: Fact, may: Flags, callers: Ints, *, k: int, size: int) -> Flags:
    """For which calls a fact is told, when groups are split by it."""
    if not may.any():
        return may.copy()
    width = int(fact.codes.max()) + 1
    keys, part = numbered(of[may] * width + fact.codes[may], (int(of.max()) + 1) * width)
    in_part = np.full(len(of), len(keys), np.int64)
    in_part[may] = part
    is_shown = np.append(callers_of(in_part[may], callers[may], len(keys)) >= size, False)
    parts = _Parts(in_part, keys // width, keys % width, np.bincount(part, minlength=len(keys)), is_shown)
    parts.hide_smallest(of, ~is_shown[in_part], callers, owner_of=parts.group, k=k)
    left = ~is_shown[in_part] & fact.told
    parts.hide_smallest(fact.codes, left, callers, owner_of=parts.label, k=k)
    told: Flags = is_shown[in_part]
    return told
