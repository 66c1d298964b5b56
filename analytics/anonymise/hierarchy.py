"""
Generalisation hierarchies: for each value the ever wider groups it lies in, up to `*`, which holds everything.

A hierarchy is a tree (Sweeney, "Achieving k-anonymity privacy protection using generalization and suppression",
IJUFKS 10(5), 2002): a group lies in one wider group only. Its leaves are the values of the domain: those of a file
that names them, or those of the table where groups are computed. What a released value costs is counted in leaves.
"""

import csv
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.anonymise.arrays import Bools, Codes, Floats, Ints
from analytics.anonymise.errors import HierarchyError

ANYTHING: Final = "*"


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """
    A tree over `leaves`, which stand so that each group of each level is an unbroken stretch of them.

    `labels[level]` are the level's groups and `bins[level]` (leaves) says for each leaf in which it lies; level 0 are
    the leaves themselves, the last level is the one group `*`.
    """

    labels: tuple[tuple[str, ...], ...]
    bins: tuple[Codes, ...]

    @property
    def leaves(self) -> tuple[str, ...]:
        return self.labels[0]

    @property
    def depth(self) -> int:
        return len(self.labels)

    @classmethod
    def of(cls, paths: Iterable[Sequence[str]]) -> "Hierarchy":
        """
        Take for each leaf its path: the leaf, its group, that one's group, and so on, all equally long.

        :raises HierarchyError: nothing in it, unequal lengths, a leaf twice, or a group in two wider ones.
        """
        rows = list(paths)
        found = cls.grouped((row[0], tuple(row[1:])) for row in rows)
        if len(found.leaves) != len(rows):
            raise HierarchyError("The hierarchy names a value twice.")
        return found

    @classmethod
    def grouped(cls, leaves: Iterable[tuple[str, tuple[str, ...]]]) -> "Hierarchy":
        """
        Take leaves, each with its groups from the narrowest on. What comes twice counts once.

        :raises HierarchyError: nothing in it, unequal lengths, or a leaf or group in two wider ones.
        """
        members: dict[tuple[str, ...], list[str]] = {}
        for leaf, groups in leaves:
            members.setdefault(groups, []).append(leaf)
        if not members:
            raise HierarchyError("The hierarchy has no values.")
        if len({len(groups) for groups in members}) != 1:
            raise HierarchyError("Every value of the hierarchy needs as many groups as every other.")
        if len({groups[-1:] for groups in members}) > 1 or () in members:
            members = {(*groups, ANYTHING): inside for groups, inside in members.items()}
        _check_tree(members)
        # In the order of their widest groups first, so that each group is one stretch.
        tails = sorted(members, key=lambda groups: groups[::-1])
        order: list[str] = []
        sizes = []
        for groups in tails:
            inside = sorted(set(members[groups]))
            order += inside
            sizes.append(len(inside))
        if len(set(order)) != len(order):
            raise HierarchyError("The hierarchy names a value twice, in different groups.")
        labels, bins = [tuple(order)], [np.arange(len(order), dtype=np.int32)]
        for level in range(len(tails[0])):
            found: dict[str, int] = {}
            places = [found.setdefault(groups[level], len(found)) for groups in tails]
            labels.append(tuple(found))
            bins.append(np.repeat(np.array(places, np.int32), sizes))
        return cls(tuple(labels), tuple(bins))

    @classmethod
    def read(cls, lines: Iterable[str], *, delimiter: str = ";") -> "Hierarchy":
        """
        Read a file with a line for each value: the value, then ever wider groups.

        :raises HierarchyError: it is not a tree.
        """
        return cls.of(row for row in csv.reader(lines, delimiter=delimiter) if row)

    @classmethod
    def flat(cls, values: Iterable[str]) -> "Hierarchy":
        """Every value by itself, below `*`."""
        return cls.of((value, ANYTHING) for value in values)

    def places(self, values: Sequence[str]) -> Ints:
        """
        Where each of these values stands among the leaves (values).

        :raises HierarchyError: some are not among them.
        """
        place = {leaf: number for number, leaf in enumerate(self.leaves)}
        missing = [value for value in values if value not in place]
        if missing:
            raise HierarchyError(
                f"The hierarchy does not know {missing[0]!r}"
                + (f" and {len(missing) - 1} other values." if len(missing) > 1 else ".")
                + " Add them to it, each with its groups."
            )
        return np.array([place[value] for value in values], np.int64)

    def within(self, values: Sequence[str]) -> "Hierarchy":
        """
        The same tree with these leaves only.

        :raises HierarchyError: it does not know one of them.
        """
        return Hierarchy.of(
            tuple(self.labels[level][self.bins[level][place]] for level in range(self.depth))
            for place in self.places(values)
        )

    def loss(self, level: int) -> Floats:
        """For each leaf what its group of this level costs (leaves): (its leaves - 1) / (all leaves - 1)."""
        sizes = np.bincount(self.bins[level])
        found: Floats = (sizes - 1.0) / max(len(self.leaves) - 1, 1)
        return found[self.bins[level]]


def _check_tree(groups: Collection[tuple[str, ...]]) -> None:
    for level, _ in enumerate(next(iter(groups))[:-1]):
        wider: dict[str, str] = {}
        for path in groups:
            if wider.setdefault(path[level], path[level + 1]) != path[level + 1]:
                raise HierarchyError(
                    f"The group {path[level]!r} lies in {wider[path[level]]!r} and in {path[level + 1]!r}; "
                    "a group lies in one wider group only."
                )


def same_bin(bins: Codes, low: Ints, high: Ints) -> Bools:
    """Whether two leaves lie in the same group of a level; so do then all between them."""
    found: Bools = bins[low] == bins[high]
    return found
