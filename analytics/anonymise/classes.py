"""Classes of units: what is released for each, what it costs, and moves that are taken back where they break one."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analytics.anonymise.arrays import Bools, Floats, Groups, Ints, group
from analytics.anonymise.demands import Demands
from analytics.anonymise.search import Units


@dataclass(frozen=True)
class Classes:
    """
    `of_unit` (units) is the class of each unit, numbered without gaps, -1 for what is suppressed.

    `lows` and `highs` (columns x classes) are the first and last leaf of each class in each column.
    """

    units: Units
    of_unit: Ints

    @cached_property
    def members(self) -> Groups:
        """The units that are in a class, class by class: `order` are their places among all units."""
        placed = np.flatnonzero(self.of_unit >= 0)
        keys = self.of_unit[placed]
        found = group(keys, max(int(keys.max(initial=0)), 1).bit_length())
        return Groups(placed[found.order], found.starts, found.sizes)

    def __len__(self) -> int:
        return len(self.members)

    @cached_property
    def rows(self) -> Ints:
        """How many rows each class has (classes)."""
        if not len(self):
            return np.zeros(0, np.int64)
        found: Ints = np.add.reduceat(self.units.weights[self.members.order], self.members.starts)
        return found

    @cached_property
    def lows(self) -> Ints:
        return self._ends(np.minimum)

    @cached_property
    def highs(self) -> Ints:
        return self._ends(np.maximum)

    def _ends(self, which: np.ufunc) -> Ints:
        if not len(self):
            return np.zeros((len(self.units.leaves), 0), np.int64)
        members = self.members
        return np.array(
            [which.reduceat(leaves[members.order], members.starts) for leaves in self.units.leaves], np.int64
        )

    @cached_property
    def losses(self) -> Floats:
        """What a row of each class costs, summed over the columns by their weights (classes)."""
        found = np.zeros(len(self))
        for dimension, low, high in zip(self.units.dimensions, self.lows, self.highs, strict=True):
            found += dimension.weight * dimension.loss(low, high)
        return found

    @cached_property
    def cost(self) -> float:
        """What all classes cost together, in rows times weights."""
        return float(self.losses @ self.rows)

    def ends_without(self, number: int) -> tuple[Ints, Ints]:
        """
        The first and last leaf of each unit's class in a column, if the unit were not in it (units).

        A unit that is alone in its class, and one that is in none, keeps its own leaf.
        """
        members, leaves = self.members, self.units.leaves[number].astype(np.int64)
        there = leaves[members.order]
        alone = np.repeat(members.sizes == 1, members.sizes)
        low, high = leaves.copy(), leaves.copy()
        for found, ends, which, never in (
            (low, self.lows[number], np.minimum, np.iinfo(np.int64).max),
            (high, self.highs[number], np.maximum, -1),
        ):
            end = np.repeat(ends, members.sizes)
            at_end = there == end
            only = np.repeat(np.add.reduceat(at_end.astype(np.int64), members.starts) == 1, members.sizes)
            following = which.reduceat(np.where(at_end, never, there), members.starts)
            found[members.order] = np.where(
                alone, there, np.where(at_end & only, np.repeat(following, members.sizes), end)
            )
        return low, high

    @cached_property
    def losses_without(self) -> Floats:
        """What a row of each unit's class costs, if the unit were not in it (units)."""
        found = np.zeros(len(self.of_unit))
        for number, dimension in enumerate(self.units.dimensions):
            found += dimension.weight * dimension.loss(*self.ends_without(number))
        return found

    def shrinking(self, units: Ints) -> Floats:
        """What the others of a class save when a unit leaves it (units)."""
        sources = self.of_unit[units]
        rest = self.rows[sources] - self.units.weights[units]
        found: Floats = (self.losses[sources] - self.losses_without[units]) * rest
        return found

    def met(self, demands: Demands) -> Bools:
        return demands.met(self.members.order, self.members.number(), len(self))


def move(classes: Classes, demands: Demands, units: Ints, targets: Ints) -> Ints:
    """
    Move units to the classes named for them, as far as every class still meets the demands afterwards.

    A class that no longer does gets back what left it and gives back what came, until all are good. A class may be
    left by all of its units, and units may come that were in none.

    :return: the class of each unit (units of the table), with gaps where a class was left.
    """
    of_unit = classes.of_unit.copy()
    sources = of_unit[units]
    of_unit[units] = targets
    stands = np.ones(len(units), np.bool_)
    touched = _named(sources, targets, len(classes))
    while touched.any():
        bad = _broken(of_unit, touched, demands)
        back = stands & (bad[targets] | ((sources >= 0) & bad[sources]))
        if not back.any():
            break
        of_unit[units[back]] = sources[back]
        stands &= ~back
        touched = _named(sources[back], targets[back], len(classes))
    return of_unit


def _named(sources: Ints, targets: Ints, count: int) -> Bools:
    found = np.zeros(count, np.bool_)
    found[sources[sources >= 0]] = True
    found[targets] = True
    return found


def _broken(of_unit: Ints, touched: Bools, demands: Demands) -> Bools:
    """Which of the touched classes have units and do not meet the demands (classes)."""
    inside = np.flatnonzero((of_unit >= 0) & touched[of_unit])
    keys = of_unit[inside]
    found = group(keys, max(len(touched) - 1, 1).bit_length())
    bad = np.zeros(len(touched), np.bool_)
    names = keys[found.order[found.starts]]
    bad[names[~demands.met(inside[found.order], found.number(), len(found))]] = True
    return bad
