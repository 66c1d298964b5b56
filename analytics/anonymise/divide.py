"""
Classes that show the sensitive values as they should are cut in two that both still do.

For each column the units of each sensitive value are lined up by what they hold there, those with the class's most
frequent value first, and the first half of each line goes one way, so that both halves hold the sensitive values in
the same shares. The cut that saves most is taken, and again, until no half meets the demands or nothing is saved. The
cutting is Mondrian's (LeFevre, DeWitt and Ramakrishnan, ICDE 2006), made for the sensitive values' lines instead of
for the class as a whole.
"""

from typing import Final

import numpy as np

from analytics.anonymise.arrays import Bools, Codes, Floats, Groups, Ints, combine, group, renumber
from analytics.anonymise.classes import Classes
from analytics.anonymise.demands import Demands
from analytics.anonymise.dimension import Ranges
from analytics.anonymise.search import Step

_LEAST: Final = 1e-9


def divide(classes: Classes, demands: Demands, *, step: Step = lambda done, total: None) -> Classes:
    """Cut classes in two while that saves anything and both halves meet the demands."""
    columns = [column.codes for column in demands.sensitive]
    lines, _ = combine(columns, [column.width for column in demands.sensitive])
    lines = group(lines, max(int(lines.max(initial=0)), 1).bit_length()).of()
    open_to = classes.rows >= 2 * demands.k
    while open_to.any():
        step(len(classes) - int(open_to.sum()), len(classes))
        inside = np.flatnonzero((classes.of_unit >= 0) & open_to[classes.of_unit])
        best = np.zeros(len(classes))
        second = np.zeros(len(classes.of_unit), np.bool_)
        for number in range(len(classes.units.dimensions)):
            far = _second_half(classes, inside, lines, number)
            saved = _saved(classes, demands, inside, far)
            better = saved > best + _LEAST
            best[better] = saved[better]
            mine = better[classes.of_unit[inside]]
            second[inside[mine]] = far[mine]
        cut = best > _LEAST
        of_unit = classes.of_unit.copy()
        moved = np.flatnonzero(second & cut[of_unit] & (of_unit >= 0))
        of_unit[moved] += len(classes)
        halves = np.concatenate([cut, cut])
        placed = of_unit >= 0
        used = np.unique(of_unit[placed])
        of_unit[placed] = renumber(of_unit[placed])
        classes = Classes(classes.units, of_unit)
        open_to = halves[used] & (classes.rows >= 2 * demands.k)
    return classes


def _second_half(classes: Classes, inside: Ints, lines: Ints, number: int) -> Bools:
    """Of units, whether each goes into the second half of its class when that is cut by a column (units)."""
    of_unit, leaves = classes.of_unit[inside], classes.units.leaves[number][inside]
    dimension = classes.units.dimensions[number]
    if isinstance(dimension, Ranges):
        place: Ints = leaves.astype(np.int64)
    else:
        common = _most_frequent(of_unit, leaves, classes.units.weights[inside], len(classes))[of_unit]
        far = dimension.loss(np.minimum(common, leaves), np.maximum(common, leaves))
        place = np.unique(far, return_inverse=True)[1] * dimension.leaves + leaves
    order = np.lexsort((place, lines[inside], of_unit))
    weights = classes.units.weights[inside][order]
    starts = _starts(of_unit[order], lines[inside][order])
    before = np.cumsum(weights) - weights
    sizes = np.diff(starts, append=len(order))
    before -= np.repeat(before[starts], sizes)
    total = np.add.reduceat(weights, starts)
    # Of odd lines every other one gives its middle to the first half.
    odd = np.arange(len(starts)) % 2
    found = np.empty(len(order), np.bool_)
    found[order] = 2 * before + np.repeat(odd, sizes) >= np.repeat(total, sizes)
    return found


def _most_frequent(of_unit: Ints, leaves: Codes, weights: Ints, count: int) -> Ints:
    """The leaf that most rows of each class hold (classes)."""
    pairs = group(*combine([of_unit.astype(np.int32), leaves], [count, int(leaves.max(initial=0)) + 1]))
    rows = np.add.reduceat(weights[pairs.order], pairs.starts)
    first = pairs.order[pairs.starts]
    found = np.zeros(count, np.int64)
    order = np.argsort(rows, kind="stable")
    found[of_unit[first[order]]] = leaves[first[order]]
    return found


def _starts(*columns: Ints) -> Ints:
    first = np.ones(len(columns[0]), np.bool_)
    first[1:] = False
    for column in columns:
        first[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(first)


def _saved(classes: Classes, demands: Demands, inside: Ints, far: Bools) -> Floats:
    """What is saved where each class is cut so, 0 where a half would not meet the demands (classes)."""
    halves: Groups = group(classes.of_unit[inside] * 2 + far, (2 * len(classes)).bit_length())
    members = inside[halves.order]
    names = classes.of_unit[members[halves.starts]]
    good = demands.met(members, halves.number(), len(halves))
    rows = np.add.reduceat(classes.units.weights[members], halves.starts)
    cost = np.zeros(len(halves))
    for dimension, leaves in zip(classes.units.dimensions, classes.units.leaves, strict=True):
        there = leaves[members]
        low, high = np.minimum.reduceat(there, halves.starts), np.maximum.reduceat(there, halves.starts)
        cost += dimension.weight * dimension.loss(low, high)
    both = np.bincount(names, good, minlength=len(classes)) == 2
    found: Floats = np.where(
        both, classes.losses * classes.rows - np.bincount(names, cost * rows, minlength=len(classes)), 0
    )
    return found
