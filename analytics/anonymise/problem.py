"""A table and what is demanded of it, as the search takes them: merged rows with the leaves they hold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from analytics.anonymise.arrays import Bools, Codes, Ints, group_columns, renumber
from analytics.anonymise.classes import Classes
from analytics.anonymise.demands import Close, Condition, Demands, Distinct, Entropy, Recursive, Sensitive
from analytics.anonymise.dimension import Dimension, Ranges, Tree
from analytics.anonymise.distances import Distance, Hierarchical, equal, ordered
from analytics.anonymise.divide import divide
from analytics.anonymise.errors import HierarchyError, SpecError
from analytics.anonymise.fuse import fuse
from analytics.anonymise.hierarchy import Hierarchy
from analytics.anonymise.refine import refine
from analytics.anonymise.search import Step, Units, walk
from analytics.anonymise.settle import settle
from analytics.anonymise.spec import ColumnSpec, Spec
from analytics.anonymise.table import Column, Table, alike

# Told what is being done, how much of it is done, and of how much.
Progress = Callable[[str, int, int], None]
# "quick" visits few of the lattice's points and moves nothing afterwards: for a look at what a demand would cost.
Effort = Literal["quick", "full"]
# How much dearer the next visited point is where few are visited. What is fused and divided afterwards gains nothing
# from more of them.
_APART: Final = 1.002
_APART_BEFORE_FUSING: Final = 1.01


@dataclass(frozen=True)
class Problem:
    """
    The rows (`rows`, their places in the table) as units (`of_row`, of each row), and what is demanded of classes.
    """

    rows: Ints
    units: Units
    demands: Demands
    of_row: Ints

    @classmethod
    def of(cls, table: Table, spec: Spec) -> "Problem":
        dimensions: list[Dimension] = []
        leaves: list[Codes] = []
        for name in spec.named("quasi"):
            dimension, places = dimension_of(name, table.columns[name].values, spec.columns[name])
            dimensions.append(dimension)
            leaves.append(places.astype(np.int32)[table.columns[name].codes])
        sensitive = [
            _sensitive(name, table.columns[name], spec.columns[name]) for name in spec.named("sensitive")
        ]
        sensitive = [column for column in sensitive if column.conditions]
        people = None if spec.person is None else table.columns[spec.person].alike()
        # Rows that are equal in all that matters are one unit.
        columns = [*leaves, *(column.codes for column in sensitive)]
        widths = [dimension.leaves for dimension in dimensions] + [column.width for column in sensitive]
        if people is not None:
            columns.append(people)
            widths.append(int(people.max(initial=0)) + 1)
        merged = group_columns(columns, widths)
        first = merged.order[merged.starts]
        units = Units(dimensions, [codes[first] for codes in leaves], merged.sizes)
        demands = Demands(
            spec.k,
            merged.sizes,
            [replace(column, codes=column.codes[first]) for column in sensitive],
            None if people is None else people[first],
            [np.bincount(column.codes, minlength=column.width) for column in sensitive],
        )
        return cls(np.arange(len(table)), units, demands, merged.of())

    @property
    def _by_the_whole(self) -> bool:
        """Whether a demand is measured against the whole table."""
        return any(isinstance(one, Close) for column in self.demands.sensitive for one in column.conditions)

    def without(self, gone: Bools) -> "Problem":
        """The same without some units (units)."""
        kept = np.flatnonzero(~gone)
        number = np.full(len(gone), -1, np.int64)
        number[kept] = np.arange(len(kept))
        demands, weights = self.demands, self.units.weights[kept]
        sensitive = [replace(column, codes=column.codes[kept]) for column in demands.sensitive]
        of_row = number[self.of_row]
        return Problem(
            self.rows[of_row >= 0],
            Units(self.units.dimensions, [leaves[kept] for leaves in self.units.leaves], weights),
            Demands(
                demands.k,
                weights,
                sensitive,
                None if demands.people is None else demands.people[kept],
                [
                    np.bincount(column.codes, weights, minlength=column.width).astype(np.int64)
                    for column in sensitive
                ],
            ),
            of_row[of_row >= 0],
        )

    def solve(self, limit: int, progress: Progress, *, effort: Effort) -> "tuple[Problem, Classes]":
        """
        Find classes for all units; at most `limit` rows stay without one. The problem comes back with them, as what is
        left out may no longer belong to it.

        :raises OutOfReachError: that cannot be done.
        """
        quick = effort == "quick"
        first = self.demands.of_counts()
        step = _named("Generalising", progress)
        apart = None
        if quick:
            apart = _APART if self.demands.only_counts else _APART_BEFORE_FUSING
        classes = Classes(self.units, walk(self.units, first, apart=apart, step=step))
        classes = settle(classes, limit=limit)
        gone = classes.of_unit < 0
        if gone.any() and self._by_the_whole:
            # Closeness is measured from what is released, so what is left out changes it.
            return self.without(gone).solve(0, progress, effort=effort)
        if not quick:
            classes = refine(classes, first, step=_named("Refining", progress))
        if self.demands.only_counts:
            return self, classes
        classes = fuse(classes, self.demands, thorough=not quick, step=_named("Balancing", progress))
        classes = divide(classes, self.demands, step=_named("Dividing", progress))
        if not quick:
            classes = refine(classes, self.demands, step=_named("Refining again", progress))
        return self, classes


def _named(what: str, progress: Progress) -> Step:
    return lambda done, total: progress(what, done, total)


def dimension_of(name: str, values: Sequence[str], column: ColumnSpec) -> tuple[Dimension, Ints]:
    """
    A quasi-identifying column as the search sees it, and the leaf of each of its values (values).

    :raises HierarchyError: a value is not in the hierarchy, or is no number where ranges are released.
    """
    try:
        if column.release == "hierarchy":
            tree = column.tree or (column.levels.over(values) if column.levels else Hierarchy.flat(values))
            return Tree(name, tree, weight=column.weight), tree.places(values)
        domain = column.tree.leaves if column.tree else values
        ranges = Ranges.of(name, domain, weight=column.weight)
        return ranges, ranges.places(values)
    except HierarchyError as error:
        raise HierarchyError(f"Column {name!r}: {error}") from None


def _sensitive(name: str, column: Column, spec: ColumnSpec) -> Sensitive:
    """A sensitive column with its conditions; its values stand in the order that its distance needs."""
    distance, places = distance_of(name, column.values, spec)
    conditions: list[Condition] = []
    if spec.l is not None:
        if spec.diversity == "distinct":
            conditions.append(Distinct(int(spec.l)))
        elif spec.diversity == "entropy":
            conditions.append(Entropy(spec.l))
        else:
            conditions.append(Recursive(spec.c, int(spec.l)))
    if spec.t is not None:
        conditions.append(Close(spec.t, distance))
    width = int(places.max(initial=0)) + 1
    return Sensitive(name, places.astype(np.int32)[column.codes], width, conditions)


def distance_of(name: str, values: Sequence[str], spec: ColumnSpec) -> tuple[Distance, Ints]:
    """
    The distance between values, and for each value its place among them.

    :raises SpecError: their order is not known.
    """
    if spec.distance == "hierarchical":
        tree = spec.levels.over(values) if spec.levels else spec.tree
        if tree is None:
            raise SpecError(f"Column {name!r}: a hierarchical distance needs a hierarchy.")
        tree = tree.within(values)
        return Hierarchical(tree), tree.places(values)
    if spec.distance == "equal":
        return equal, alike(values)
    if spec.order:
        if missing := set(values) - set(spec.order):
            raise SpecError(f"Column {name!r}: the order does not name {min(missing)!r}.")
        return ordered, renumber(np.array([spec.order.index(value) for value in values], np.int64))
    try:
        numbers = np.array([float(value) for value in values])
    except ValueError:
        raise SpecError(
            f"Column {name!r}: its values are no numbers, so their order must be named."
        ) from None
    return ordered, np.unique(numbers, return_inverse=True)[1]
