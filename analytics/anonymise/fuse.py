"""
Classes are put together until each meets demands on how its sensitive values are spread.

Small classes seldom show the values as the whole table does, and a walk over the lattice finds only what happens to.
So classes are made for k first, and those that fall short join a class near by whose values make up for what theirs
lack: of the nearest, the one that mends most for what it costs. This is the idea of Cao, Karras, Kalnis and Tan,
"SABRE: a Sensitive Attribute Bucketization and REdistribution framework for t-closeness", VLDB Journal 20(1), 2011,
applied to classes instead of rows.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.anonymise.arrays import Floats, Ints, renumber
from analytics.anonymise.classes import Classes
from analytics.anonymise.demands import Demands
from analytics.anonymise.errors import OutOfReachError
from analytics.anonymise.refine import split_up
from analytics.anonymise.search import Step

# How many classes a neighbourhood has, and of how many near ones each class tries what it mends: thoroughly, quickly.
_CLASSES: Final = {True: 800, False: 300}
_PARTNERS: Final = {True: 128, False: 64}
_TRIED: Final = 4
_LEAST: Final = 1e-9


def fuse(
    classes: Classes, demands: Demands, *, thorough: bool = True, step: Step = lambda done, total: None
) -> Classes:
    """
    Put classes together until all meet the demands.

    :param thorough: look for partners farther away.
    :raises OutOfReachError: not even all rows together do.
    """
    first = -1
    while True:
        short = np.flatnonzero(~classes.met(demands))
        if not len(short):
            return classes
        first = max(first, len(short))
        step(first - len(short), first)
        if len(classes) == 1:
            raise OutOfReachError
        classes = _joined(classes, _pairs(classes, short, demands, thorough=thorough))


def _joined(classes: Classes, pairs: list[tuple[int, int]]) -> Classes:
    name = np.arange(len(classes))
    for one, other in pairs:
        name[one] = name[other] = min(one, other)
    of_unit = classes.of_unit.copy()
    placed = of_unit >= 0
    of_unit[placed] = renumber(name[of_unit[placed]])
    return Classes(classes.units, of_unit)


@dataclass(frozen=True, slots=True)
class _Offer:
    worth: Floats
    ones: Ints
    others: Ints


def _pairs(classes: Classes, short: Ints, demands: Demands, *, thorough: bool) -> list[tuple[int, int]]:
    """Which classes join in this round, each at most once."""
    state, most = _State(classes, demands, _PARTNERS[thorough]), _CLASSES[thorough]
    wanted = np.zeros(len(classes), np.bool_)
    wanted[short] = True
    offers = [state.offer(mine, near) for near in split_up(classes, most) if len(mine := near[wanted[near]])]
    if not offers:
        offers = [state.offer(short[:most], np.arange(len(classes)))]
    worth = np.concatenate([offer.worth for offer in offers])
    ones = np.concatenate([offer.ones for offer in offers])
    others = np.concatenate([offer.others for offer in offers])
    taken: set[int] = set()
    pairs = []
    for place in np.lexsort((others, ones, -worth)).tolist():
        one, other = int(ones[place]), int(others[place])
        if one not in taken and other not in taken:
            taken.update((one, other))
            pairs.append((one, other))
    return pairs


class _State:
    """Classes with how often each sensitive value comes in them, and how much their rows lack together."""

    def __init__(self, classes: Classes, demands: Demands, partners: int) -> None:
        self._classes, self._demands, self._partners = classes, demands, partners
        self._counts = [demands.counts(classes.members, column) for column in range(len(demands.sensitive))]
        self._lacks = demands.lack(self._counts) * classes.rows

    def offer(self, mine: Ints, near: Ints) -> _Offer:
        """For each class that falls short its best few partners, with what each mends for what it costs."""
        classes = self._classes
        whole = classes.losses * classes.rows
        costs = (classes.rows[mine][:, None] + classes.rows[near]) * _together(classes, mine, near)
        costs -= whole[mine][:, None] + whole[near]
        costs[mine[:, None] == near] = np.inf
        few = min(self._partners, len(near) - 1)
        partners = np.argpartition(costs, few - 1, axis=1)[:, :few]
        costs = np.take_along_axis(costs, partners, axis=1)
        mended = self._mended(np.repeat(mine, few), near[partners].ravel()).reshape(costs.shape)
        worth = mended / np.maximum(costs, _LEAST)
        # Where nothing mends anything, the cheapest is as good as any.
        hopeless = worth.max(axis=1) <= _LEAST
        worth[hopeless] = -costs[hopeless]
        best = np.argsort(-worth, axis=1, kind="stable")[:, :_TRIED]
        return _Offer(
            np.take_along_axis(worth, best, axis=1).ravel(),
            np.repeat(mine, best.shape[1]),
            np.take_along_axis(near[partners], best, axis=1).ravel(),
        )

    def _mended(self, ones: Ints, others: Ints) -> Floats:
        """By how much less pairs of classes lack together than apart (pairs)."""
        rows = self._classes.rows[ones] + self._classes.rows[others]
        united = [table[ones] + table[others] for table in self._counts]
        found: Floats = self._lacks[ones] + self._lacks[others] - self._demands.lack(united) * rows
        return found


def _together(classes: Classes, mine: Ints, near: Ints) -> Floats:
    """What a row of two classes put together costs (mine x near)."""
    found = np.zeros((len(mine), len(near)))
    for number, dimension in enumerate(classes.units.dimensions):
        low = np.minimum(classes.lows[number, mine][:, None], classes.lows[number, near])
        high = np.maximum(classes.highs[number, mine][:, None], classes.highs[number, near])
        found += dimension.weight * dimension.loss(low, high)
    return found
