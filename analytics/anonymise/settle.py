"""
What the walk over the lattice left open: it joins classes, or is suppressed where that costs less, within the limit.
"""

import numpy as np

from analytics.anonymise.arrays import Ints
from analytics.anonymise.classes import Classes
from analytics.anonymise.errors import OutOfReachError
from analytics.anonymise.refine import Offers, best


def settle(classes: Classes, *, limit: int) -> Classes:
    """
    Give every open unit the class that takes it most cheaply, or leave it out.

    :param classes: of demands that any row added can only help, so every class takes whatever comes.
    :param limit: how many rows may be left out.
    :raises OutOfReachError: there is no class, as not even all rows together meet the demands.
    """
    if not len(classes):
        raise OutOfReachError
    open_units = np.flatnonzero(classes.of_unit < 0)
    if not len(open_units):
        return classes
    offers = best(classes, open_units, np.arange(len(classes)))
    join = np.ones(len(open_units), np.bool_)
    join[_left_out(classes, offers, limit)] = False
    of_unit = classes.of_unit.copy()
    of_unit[open_units[join]] = offers.targets[join]
    return Classes(classes.units, of_unit)


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
