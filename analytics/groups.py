"""
Callers put together with those who look alike, so that each group is told by what all of it shares.

Pure: arrays in, arrays out. What the two functions promise is what every report rests on (docs/adr/0152):

1. a group holds at least k callers, or there is none at all;
2. a label that is told somewhere and hidden elsewhere is hidden for at least k callers together;
3. a label that is not told on its own (`told`) is told nowhere.

Where groups are to tell a sum (`Amounts`), "at least k callers" means in all three: and their sum protects each of them
(docs/adr/0152).

Calls whose caller is not known count as calls of nobody: they never help a group to its k.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

type Ints = np.ndarray[tuple[int], np.dtype[np.int64]]
type Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]

NOBODY: Final = -1
"""The caller of a call whose number was withheld."""

OUT: Final = -1
"""The group of a call of which a list tells nothing."""


@dataclass(frozen=True, slots=True)
class Fact:
    """
    One fact of each call.

    :ivar codes: n whole numbers from 0, equal for calls that share the value. :ivar told: whether the value of each
    call may be told at all. :ivar within: place of the fact that must be told before this one, for what lies inside
    another (an hour in its day). :ivar only: of which calls it may be told in these groups, where not of all of `told`.
    """

    codes: Ints
    told: Flags
    within: int | None = None
    only: Flags | None = None


@dataclass(frozen=True, slots=True)
class Amounts:
    """
    What is added up of each call.

    :ivar of: n whole numbers from 0. :ivar p: percent of the largest caller's amount that those of all but the two
        largest must add up to: the second largest, who subtracts their own, is wrong by at least that.
    """

    of: Ints
    p: int

    def protect(self, keys: Ints, callers: Ints, count: int, *, k: int) -> Flags:
        """
        Behind which of `count` keys no caller's amount follows from the sum: where it is of nobody, or of at least k
        callers and passes the p%-rule. What withheld numbers bring protects nobody, and may be one person's.
        """
        known = callers != NOBODY
        withheld, total, largest, second, people = (np.zeros(count, np.int64) for _ in range(5))
        np.add.at(withheld, keys[~known], self.of[~known])
        if known.any():
            base = int(callers.max()) + 1
            pairs = keys[known] * base + callers[known]
            order = np.argsort(pairs)
            pairs = pairs[order]
            first = np.flatnonzero(np.append(True, pairs[1:] != pairs[:-1]))
            sums, owner = np.add.reduceat(self.of[known][order], first), pairs[first] // base
            np.add.at(total, owner, sums)
            people = np.bincount(owner[sums > 0], minlength=count)
            order = np.lexsort((-sums, owner))
            sums, owner = sums[order], owner[order]
            is_first = np.append(True, owner[1:] != owner[:-1])
            is_second = np.append(False, is_first[:-1]) & ~is_first
            largest[owner[is_first]] = sums[is_first]
            second[owner[is_second]] = sums[is_second]
        rest = total - largest
        is_wide = (100 * (rest - second) >= self.p * largest) & (100 * rest >= self.p * withheld)
        found: Flags = (total + withheld == 0) | ((people >= k) & is_wide)
        return found

    def among(self, calls: Flags) -> "Amounts":
        return Amounts(self.of[calls], self.p)


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


def are_too_few(keys: Ints, callers: Ints, count: int, *, k: int, amounts: Amounts | None) -> Flags:
    few: Flags = callers_of(keys, callers, count) < k
    return few if amounts is None else few | ~amounts.protect(keys, callers, count, k=k)


def numbered(keys: Ints, bound: int) -> tuple[Ints, Ints]:
    """The distinct keys in order, and the place of each call's key among them; keys are below `bound`."""
    if bound > 8 * len(keys) + 100_000:
        found, places = np.unique(keys, return_inverse=True)
        return found, places.astype(np.int64)
    is_there = np.zeros(bound, np.bool_)
    is_there[keys] = True
    return np.flatnonzero(is_there), (np.cumsum(is_there) - 1)[keys]


def rest(parts: Ints, others: Ints) -> Ints:
    """For each call its part, without those of `others` that lie in a part whole; both may be OUT."""
    count = int(others.max(initial=OUT)) + 1
    low, high = np.full(count + 1, np.iinfo(np.int64).max), np.full(count + 1, OUT)
    np.minimum.at(low, others, parts)
    np.maximum.at(high, others, parts)
    # The last place is that of calls of which the other list tells nothing.
    lies_in_one = np.append((low == high)[:-1], False)
    return np.where(lies_in_one[others], OUT, parts)


def apart(made: Groups, others: Sequence[Ints], callers: Ints, *, k: int, amounts: Amounts) -> Groups:
    """
    Fewer groups, so that nothing follows from their sums and those of other lists of the same calls: where one group
    holds several of another list whole, or is held with others by one of those, what is left over protects each caller,
    too. Groups of which it does not are put together with what tells nothing.

    :param others: for each list the group of each call.
    """
    if not made.count:
        return made
    told = np.logical_or.reduce(made.shown) if made.shown else np.zeros(len(made.of), np.bool_)
    left = made.count
    of = np.where(told, made.of, left)
    while told.any():
        hidden = _leaks(of, others, callers, left=left, k=k, amounts=amounts)
        if not hidden:
            break
        told &= ~np.isin(of, list(hidden))
        of = np.where(told, of, left)
    keys, of = numbered(of, left + 1)
    return Groups(of, tuple(shown & told for shown in made.shown), len(keys))


def _leaks(
    of: Ints, others: Sequence[Ints], callers: Ints, *, left: int, k: int, amounts: Amounts
) -> set[int]:
    """Groups to be put together with `left`, those that tell nothing; none where nothing follows."""

    def few(rests: Ints, parts: Ints) -> Ints:
        """The parts of which something is left that does not protect each caller."""
        count = int(parts.max()) + 1
        is_cut = np.bincount(parts[rests == OUT], minlength=count) > 0
        inside = (rests != OUT) & is_cut[parts]
        is_there = np.bincount(parts[inside], minlength=count) > 0
        if not is_there.any():
            return np.zeros(0, np.int64)
        return np.flatnonzero(
            is_there & ~amounts.among(inside).protect(parts[inside], callers[inside], count, k=k)
        )

    calls = np.bincount(of, minlength=left + 1)
    # The smallest first, those that tell nothing last.
    order = np.lexsort((calls, np.arange(left + 1) == left, calls == 0))
    place = np.empty(left + 1, np.int64)
    place[order] = np.arange(left + 1)
    untold = of == left
    alone = amounts.among(untold).protect(np.zeros(calls[left], np.int64), callers[untold], 1, k=k)
    found = set() if alone[0] else {left}
    for other in others:
        found |= set(few(rest(of, other), of).tolist())
        # Of a group of the other list in which some of ours lie whole: the smallest of those.
        inside = rest(other, of)
        for one in few(inside, other).tolist():
            ours = np.unique(of[(other == one) & (inside == OUT)])
            found.add(int(ours[np.argmin(place[ours])]))
    if left in found:
        found.add(int(order[0]))
    return found - {left}


def group(
    facts: Sequence[Fact], callers: Ints, *, k: int, size: int | None = None, amounts: Amounts | None = None
) -> Groups:
    """
    Split calls fact by fact, the first ones first, where that leaves at least k callers on every side.

    :param callers: n whole numbers, equal for calls of one caller; NOBODY where there is none.
    :param k: callers that a group needs, and that hidden labels need. :param size: callers below which nothing is
        split off, k if not named; larger makes fewer groups. :param amounts: whose sum each group is to tell.
    """
    n = len(callers)
    of = np.zeros(n, np.int64)
    if n == 0 or are_too_few(of, callers, 1, k=k, amounts=amounts)[0]:
        return Groups(of, tuple(np.zeros(n, np.bool_) for _ in facts), 0)
    shown: list[Flags] = []
    count = 1
    for fact in facts:
        may = fact.told if fact.within is None else fact.told & shown[fact.within]
        if fact.only is not None:
            may = may & fact.only
        told = _split(of, fact, may, callers, k=k, size=max(size or k, k), amounts=amounts)
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

    def hide_smallest(
        self, owner: Ints, among: Flags, callers: Ints, *, owner_of: Ints, k: int, amounts: Amounts | None
    ) -> None:
        """
        Where what is left of an owner (a group, a label) is of too few callers, hide its smallest parts, too.

        :param owner: of each call. :param among: calls that count. :param owner_of: of each part.
        """
        count = int(owner.max()) + 1
        while (left := ~self.is_shown[self.of] & among).any():
            few = are_too_few(owner[left], callers[left], count, k=k, amounts=amounts and amounts.among(left))
            few &= np.bincount(owner[left], minlength=count) > 0
            parts = np.flatnonzero(self.is_shown[:-1] & few[owner_of])
            if not len(parts):
                return
            order = parts[np.lexsort((parts, self.calls[parts], owner_of[parts]))]
            is_first = np.append(True, owner_of[order][1:] != owner_of[order][:-1])
            self.is_shown[order[is_first]] = False


def _split(
    of: Ints, fact: Fact, may: Flags, callers: Ints, *, k: int, size: int, amounts: Amounts | None
) -> Flags:
    """For which calls a fact is told, when groups are split by it."""
    if not may.any():
        return may.copy()
    width = int(fact.codes.max()) + 1
    keys, part = numbered(of[may] * width + fact.codes[may], (int(of.max()) + 1) * width)
    in_part = np.full(len(of), len(keys), np.int64)
    in_part[may] = part
    is_large = callers_of(part, callers[may], len(keys)) >= size
    if amounts is not None:
        is_large &= amounts.among(may).protect(part, callers[may], len(keys), k=k)
    is_shown = np.append(is_large, False)
    parts = _Parts(in_part, keys // width, keys % width, np.bincount(part, minlength=len(keys)), is_shown)
    every = np.ones(len(of), np.bool_)
    for owner, among, owner_of in ((of, every, parts.group), (fact.codes, fact.told, parts.label)):
        parts.hide_smallest(owner, among, callers, owner_of=owner_of, k=k, amounts=amounts)
    told: Flags = is_shown[in_part]
    return told
