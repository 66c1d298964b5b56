"""
A quasi-identifying column as the search sees it.

Its leaves stand in an order in which every group is an unbroken stretch, so the least group that holds a class is
told by the first and the last leaf in it. A column released as ranges has its leaves in the order of their numbers,
and any stretch of them is a value that may be released.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Final

import numpy as np

from analytics.anonymise.arrays import Codes, Floats, Ints
from analytics.anonymise.errors import HierarchyError
from analytics.anonymise.hierarchy import ANYTHING, Hierarchy, same_bin

# How many leaves' width the search's bands have at least, as shares of the domain: each is tried in two places.
_BANDS: Final = (0.02, 0.05, 0.12, 0.3)
# More leaves than so many are looked at by their groups where units look for a class.
_LINES: Final = 256

Lines = np.ndarray[tuple[int, int], np.dtype[np.float32]]


@dataclass(frozen=True, slots=True)
class Rung:
    """A way to put the leaves into groups, for the search: the group of each leaf, and what it costs (leaves)."""

    bins: Codes
    width: int
    loss: Floats


@dataclass(frozen=True)
class Dimension(ABC):
    """A column's name, its weight in the loss, and its leaves."""

    name: str
    weight: float = field(default=1.0, kw_only=True)

    @property
    @abstractmethod
    def leaves(self) -> int:
        """How many leaves it has."""

    @property
    @abstractmethod
    def rungs(self) -> tuple[Rung, ...]:
        """The ways to put its leaves into groups, finest first."""

    @abstractmethod
    def loss(self, low: Ints, high: Ints) -> Floats:
        """What it costs to release the least value that holds the leaves from `low` to `high`: 0 to 1, each."""

    @abstractmethod
    def taking(self, leaves: Codes, low: Ints, high: Ints) -> tuple[Lines, Ints]:
        """
        What classes would cost if they took in a leaf: lines (kinds of leaf x classes), and the line of each leaf.

        Leaves that matter little apart may share a line, which then says what the dearest of them costs.

        :param leaves: of the units that look for a class (units).
        :param low: the first leaf of each class (classes), `high` the last.
        """

    @abstractmethod
    def ncp(self, low: Ints, high: Ints) -> Floats:
        """The normalised certainty penalty of the same value (see `measures`)."""

    @abstractmethod
    def under(self, low: Ints, high: Ints) -> tuple[Ints, Ints]:
        """The first and last leaf under that value, each."""

    @abstractmethod
    def label(self, low: int, high: int) -> str:
        """That value's text."""


@dataclass(frozen=True)
class Tree(Dimension):
    """Released as groups of a hierarchy."""

    hierarchy: Hierarchy

    @property
    def leaves(self) -> int:
        return len(self.hierarchy.leaves)

    @cached_property
    def rungs(self) -> tuple[Rung, ...]:
        tree = self.hierarchy
        found = [
            Rung(tree.bins[level], len(tree.labels[level]), tree.loss(level)) for level in range(tree.depth)
        ]
        # A level that groups as the one below it adds nothing to the search.
        return tuple(
            rung for place, rung in enumerate(found) if not place or rung.width < found[place - 1].width
        ) or (*found[:1],)

    def _level(self, low: Ints, high: Ints) -> Ints:
        """The lowest level on which both lie in one group."""
        found = np.zeros(np.broadcast(low, high).shape, np.int64)
        for bins in self.hierarchy.bins[:-1]:
            found += ~same_bin(bins, low, high)
        return found

    @cached_property
    def _losses(self) -> Floats:
        """What a leaf's group costs, by level and leaf."""
        return np.array([self.hierarchy.loss(level) for level in range(self.hierarchy.depth)])

    def loss(self, low: Ints, high: Ints) -> Floats:
        found: Floats = self._losses[self._level(low, high), low]
        return found

    def taking(self, leaves: Codes, low: Ints, high: Ints) -> tuple[Lines, Ints]:
        tree = self.hierarchy
        floor, kinds, lines = 0, *_kinds(leaves)
        while len(kinds) > _LINES and floor < tree.depth - 1:
            floor += 1
            kinds, lines = _kinds(tree.bins[floor][leaves])
        # Kinds are groups of the floor; from there on up, what they do not share with a class makes it dearer.
        costs = np.array([losses[low] for losses in self._losses], np.float32)
        found = np.broadcast_to(costs[floor], (len(kinds), len(low))).copy()
        inside = kinds
        for level in range(floor, tree.depth - 1):
            bins = tree.bins[level]
            shared = np.where(bins[low] == bins[high], bins[low], -1)
            found += (inside[:, None] != shared) * (costs[level + 1] - costs[level])
            inside = self._parents[level][inside]
        found *= np.float32(self.weight)
        return found, lines

    @cached_property
    def _parents(self) -> tuple[Codes, ...]:
        """For each level the group above each of its groups."""
        bins = self.hierarchy.bins
        found = []
        for below, above in pairwise(bins):
            parent = np.empty(int(below.max()) + 1, np.int32)
            parent[below] = above
            found.append(parent)
        return tuple(found)

    def ncp(self, low: Ints, high: Ints) -> Floats:
        """Xu et al.: the group's leaves as a share of all, and nothing for a leaf."""
        leaves = self.loss(low, high) * max(self.leaves - 1, 1) + 1
        found: Floats = np.where(leaves > 1, leaves / self.leaves, 0.0)
        return found

    def under(self, low: Ints, high: Ints) -> tuple[Ints, Ints]:
        level = self._level(low, high)
        firsts, lasts = np.empty_like(level), np.empty_like(level)
        for number, bins in enumerate(self.hierarchy.bins):
            there = level == number
            firsts[there] = np.searchsorted(bins, bins[low[there]], side="left")
            lasts[there] = np.searchsorted(bins, bins[low[there]], side="right") - 1
        return firsts, lasts

    def label(self, low: int, high: int) -> str:
        for labels, bins in zip(self.hierarchy.labels, self.hierarchy.bins, strict=True):
            if bins[low] == bins[high]:
                return labels[int(bins[low])]
        return ANYTHING


@dataclass(frozen=True)
class Ranges(Dimension):
    """Released as ranges of numbers: `numbers` (leaves) ascend, `texts` are how they are written."""

    numbers: Floats
    texts: tuple[str, ...]

    @classmethod
    def of(cls, name: str, texts: Sequence[str], *, weight: float = 1.0) -> "Ranges":
        """
        Take the domain's numbers.

        :raises HierarchyError: one is not a number.
        """
        try:
            pairs = sorted((float(text), text) for text in texts)
        except ValueError as error:
            raise HierarchyError(
                f"The column {name!r} is released as ranges, so it holds numbers only: {error}."
            ) from None
        if not all(np.isfinite(number) for number, _ in pairs):
            raise HierarchyError(
                f"The column {name!r} is released as ranges and holds a number that is not finite."
            )
        return cls(
            name, np.array([number for number, _ in pairs]), tuple(text for _, text in pairs), weight=weight
        )

    @property
    def leaves(self) -> int:
        return len(self.texts)

    def places(self, values: Sequence[str]) -> Ints:
        """
        Where each of these numbers stands among the leaves (values).

        :raises HierarchyError: one is not in the domain.
        """
        place = {text: number for number, text in enumerate(self.texts)}
        missing = [value for value in values if value not in place]
        if missing:
            raise HierarchyError(f"{missing[0]!r} is not in the domain of {self.name!r}.")
        return np.array([place[value] for value in values], np.int64)

    @property
    def _span(self) -> float:
        return float(self.numbers[-1] - self.numbers[0]) or 1.0

    @cached_property
    def rungs(self) -> tuple[Rung, ...]:
        count = self.leaves
        found = [Rung(np.arange(count, dtype=np.int32), count, np.zeros(count))]
        scaled = (self.numbers - self.numbers[0]) / self._span
        for share in _BANDS:
            for offset in (0.0, share / 2):
                _, bins = np.unique((scaled + offset) // share, return_inverse=True)
                found.append(Rung(bins.astype(np.int32), int(bins.max()) + 1, self._loss_of(bins)))
        found.append(Rung(np.zeros(count, np.int32), 1, np.ones(count)))
        return tuple(rung for place, rung in enumerate(found) if not place or rung.width < count)

    def _loss_of(self, bins: Ints) -> Floats:
        """What its band costs each leaf."""
        starts = np.flatnonzero(np.diff(bins, prepend=-1))
        lows = np.minimum.reduceat(self.numbers, starts)
        highs = np.maximum.reduceat(self.numbers, starts)
        found: Floats = ((highs - lows) / self._span)[bins]
        return found

    def loss(self, low: Ints, high: Ints) -> Floats:
        found: Floats = (self.numbers[high] - self.numbers[low]) / self._span
        return found

    def taking(self, leaves: Codes, low: Ints, high: Ints) -> tuple[Lines, Ints]:
        kinds, lines = _kinds(leaves)
        each = kinds[:, None]
        found = self.loss(np.minimum(each, low), np.maximum(each, high)) * self.weight
        return found.astype(np.float32), lines

    def ncp(self, low: Ints, high: Ints) -> Floats:
        """Xu et al.: the range's width as a share of the domain's; here the loss is the same."""
        return self.loss(low, high)

    def under(self, low: Ints, high: Ints) -> tuple[Ints, Ints]:
        return low, high

    def label(self, low: int, high: int) -> str:
        if low == high:
            return self.texts[low]
        return range_text(self.texts[low], self.texts[high])


def _kinds(codes: Codes) -> tuple[Codes, Ints]:
    """The different codes, ascending, and which of them each is (codes)."""
    there = np.zeros(int(codes.max(initial=0)) + 1, np.bool_)
    there[codes] = True
    return np.flatnonzero(there).astype(np.int32), (np.cumsum(there) - 1)[codes]


def range_text(low: str, high: str) -> str:
    """A range of numbers as it is released; both ends belong to it."""
    return f"{low}..{high}" if low.startswith("-") else f"{low}-{high}"
