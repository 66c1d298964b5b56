"""
What the walk over the lattice left open: it joins classes, or is suppressed where that costs less or nothing else
is left, within the limit.
"""

from __future__ import annotations

import numpy as np

from analytics.anonymise.arrays import Ints, renumber
from analytics.anonymise.classes import Classes, move
from analytics.anonymise.demands import Demands
from analytics.anonymise.errors import OutOfReachError
from analytics.anonymise.refine import Offers, best


def settle(classes: Classes, demands: Demands, *, limit: int) -> Classes:
    """
    Give every open unit a class, or leave it out.

    :param limit: how many rows may be left out.
    :raises OutOfReachError: the demands cannot be met within the limit, or only by leaving out everything.
    """
    open_units = np.flatnonzero(classes.of_unit < 0)
    if not len(open_units):
        return classes
    if len(classes):
        offers = best(classes, open_units, np.arange(len(classes)))
        dear = _left_out(classes, offers, limit)
        limit -= int(classes.units.weights[open_units[dear]].sum())
        join = np.ones(len(open_units), np.bool_)
        join[dear] = False
        of_unit = move(classes, demands, open_units[join], offers.targets[join])
        classes = Classes(classes.units, of_unit)
        open_units = open_units[join][of_unit[open_units[join]] < 0]
    if len(classes) and int(classes.units.weights[open_units].sum()) <= limit:
        return classes
    return _swallow(classes, demands, open_units)


def _left_out(classes: Classes, offers: Offers, limit: int) -> Ints:
    """Offers that cost more than leaving the unit out does, the dearest first, as far as the limit reaches."""
    weights = classes.units.weights[offers.units]
    whole = sum(dimension.weight for dimension in classes.units.dimensions)
    # In a class no unit is worth anything yet, so a gain is minus what joining costs.
    extra = -offers.gains / weights - whole
    order = np.argsort(-extra, kind="stable")
    order = order[extra[order] > 0]
    found: Ints = order[np.cumsum(weights[order]) <= limit]
    return found


def _swallow(classes: Classes, demands: Demands, open_units: Ints) -> Classes:
    """
    Put the open units into one class with the nearest others, as few of them as it takes.

    :raises OutOfReachError: not even everything together meets the demands.
    """
    leaves = classes.units.leaves
    cost = np.zeros(len(classes))
    for number, dimension in enumerate(classes.units.dimensions):
        mine = leaves[number][open_units]
        low = np.minimum(classes.lows[number], mine.min())
        high = np.maximum(classes.highs[number], mine.max())
        cost += dimension.weight * dimension.loss(low, high)
    nearest = np.argsort((cost - classes.losses) * classes.rows, kind="stable")
    members = np.zeros(len(classes.of_unit), np.bool_)
    members[open_units] = True
    taken, more = 0, 1
    while True:
        together = np.flatnonzero(members)
        if demands.met(together, np.zeros(len(together), np.int64), 1)[0]:
            break
        if taken == len(classes):
            raise OutOfReachError(
                "The rows do not meet the demands even when they are all released alike. Ask for less, or let more "
                "rows be suppressed."
            )
        members |= np.isin(classes.of_unit, nearest[taken : taken + more])
        taken, more = min(taken + more, len(classes)), more * 2
    of_unit = classes.of_unit.copy()
    of_unit[members] = len(classes)
    placed = of_unit >= 0
    of_unit[placed] = renumber(of_unit[placed])
    return Classes(classes.units, of_unit)
