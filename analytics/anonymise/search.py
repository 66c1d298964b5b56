"""
The first cut: a walk over the lattice of generalisations, from what costs least to what costs most.

A point of the lattice says for each quasi-identifying column into which groups its values are put (Samarati,
"Protecting respondents' identities in microdata release", IEEE TKDE 13(6), 2001). At each point the rows that are
still open are grouped; groups that meet every demand are released as classes, the rest goes on. So different rows
are generalised differently, which is local recoding (LeFevre, DeWitt and Ramakrishnan, SIGMOD 2005). Released is
always the least value that holds a class, not the point's.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.anonymise.arrays import Bools, Codes, Floats, Groups, Ints, group
from analytics.anonymise.demands import Demands
from analytics.anonymise.dimension import Dimension

# What a point costs: the sum over columns of the mean loss, to this power, which favours many small losses over a
# large one.
_POWER: Final = 1.5
# A lattice with more points than so many is walked along a path only.
_POINTS: Final = 60_000
# Above so many open units a point is tried only if it promises to release at least this share of them.
_LARGE: Final = 20_000
_WORTH: Final = 0.08
_SAMPLE: Final = 12_000
_SEED: Final = 20_061_022
# How much more often than independent columns would units may share a key before a point is passed over unseen.
_TOGETHER: Final = 20

Step = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Units:
    """Rows that are equal in all that matters: the leaf of each in each column, and how many rows it stands for."""

    dimensions: Sequence[Dimension]
    leaves: Sequence[Codes]
    weights: Ints

    def __len__(self) -> int:
        return len(self.weights)


def points(units: Units, *, apart: float | None = None) -> list[tuple[int, ...]]:
    """
    The lattice's points, one rung a column, cheapest first.

    :param apart: leave out what does not cost at least this many times as much as the point before it. The last
        point, which puts everything into one group, stays.
    """
    costs = []
    total = max(int(units.weights.sum()), 1)
    for dimension, leaves in zip(units.dimensions, units.leaves, strict=True):
        there = np.bincount(leaves, units.weights, minlength=dimension.leaves) / total
        costs.append(np.array([dimension.weight * (there @ rung.loss) ** _POWER for rung in dimension.rungs]))
    if math.prod(map(len, costs)) > _POINTS:
        found = _near_a_path(costs)
        ordered = np.array(
            [sum(cost[rung] for cost, rung in zip(costs, point, strict=True)) for point in found]
        )
        kept = range(len(found)) if apart is None else _spaced(ordered, apart)
        return [found[place] for place in kept]
    summed: Floats = np.zeros(())
    for cost in costs:
        summed = summed[..., None] + cost
    order = np.argsort(summed, axis=None, kind="stable")
    if apart is not None:
        order = order[_spaced(summed.ravel()[order], apart)]
    return list(zip(*(places.tolist() for places in np.unravel_index(order, summed.shape)), strict=True))


def _near_a_path(costs: list[Floats]) -> list[tuple[int, ...]]:
    """
    Of a lattice that is too large, cheapest first: a path from its lowest to its highest point that goes up by what
    costs least, and from each point of it those that differ in one column.
    """
    here = [0] * len(costs)
    found: set[tuple[int, ...]] = set()
    while True:
        for column, cost in enumerate(costs):
            found.update((*here[:column], rung, *here[column + 1 :]) for rung in range(len(cost)))
        steps = [
            (cost[rung + 1] - cost[rung], column)
            for column, (rung, cost) in enumerate(zip(here, costs, strict=True))
            if rung + 1 < len(cost)
        ]
        if not steps:
            break
        here[min(steps)[1]] += 1
    return sorted(
        found, key=lambda point: (sum(cost[rung] for cost, rung in zip(costs, point, strict=True)), point)
    )


def _spaced(costs: Floats, apart: float) -> Ints:
    """Which of ascending costs are a step apart, the last one among them."""
    kept, last = [], -1.0
    for place, cost in enumerate(costs.tolist()):
        if cost >= last * apart:
            kept.append(place)
            last = cost
    return np.array([*kept[: -1 if kept[-1] == len(costs) - 1 else None], len(costs) - 1])


def walk(
    units: Units,
    demands: Demands,
    *,
    apart: float | None = None,
    step: Step = lambda done, total: None,
) -> Ints:
    """
    Find classes. Gives the class of each unit (units), -1 for those that no point let go.

    :param apart: visit few of the lattice's points (`points`).
    :param step: is told now and then how many units are done, of how many.
    """
    found = np.full(len(units), -1, np.int64)
    left = _Left(units, np.arange(len(units)))
    promise = _Promise(units, demands.k)
    classes = 0
    for point in points(units, apart=apart):
        if not len(left.places):
            break
        promised = promise.of(left, point)
        if promised < _WORTH:
            continue
        groups = left.group(point)
        good = _passing(demands, left.places[groups.order], groups)
        if good is None:
            promise.kept(promised, 0.0)
            continue
        numbers = groups.number()
        let_go = good[numbers]
        places = groups.order[let_go]
        promise.kept(promised, len(places) / len(left.places))
        found[left.places[places]] = (np.cumsum(good) - 1 + classes)[numbers[let_go]]
        classes += int(good.sum())
        left = left.without(places)
        step(len(units) - len(left.places), len(units))
    return found


def _passing(demands: Demands, units: Ints, groups: Groups) -> Bools | None:
    """Which groups meet the demands, None where none does; those with too few rows are left out first."""
    rows = np.add.reduceat(demands.weights[units], groups.starts)
    large = rows >= demands.k
    count = int(np.count_nonzero(large))
    if not count:
        return None
    if demands.people is None and not demands.sensitive:
        return large
    numbers = groups.number()
    kept = large[numbers]
    met = demands.met(units[kept], (np.cumsum(large) - 1)[numbers[kept]], count)
    large[large] = met
    return large if met.any() else None


class _Promise:
    """
    What share of many open units a point will release, as far as that can be said without grouping all of them.

    In a sample of m out of n, p pairs with the same key say that a unit shares its key with about 2pn/m² others; if a
    share f of the units lay in groups of k, that would be at least f(k-1). What was released of that so far corrects
    the next guess.
    """

    def __init__(self, units: Units, k: int) -> None:
        self._k, self._kept = k, 1.0
        self._alike = [
            [
                float(
                    ((np.bincount(rung.bins[leaves], minlength=rung.width) / max(len(leaves), 1)) ** 2).sum()
                )
                for rung in dimension.rungs
            ]
            for dimension, leaves in zip(units.dimensions, units.leaves, strict=True)
        ]

    def of(self, left: "_Left", point: Sequence[int]) -> float:
        """The share that may be released; 1 where so few are open that grouping them is no effort."""
        if len(left.places) <= _LARGE:
            return 1.0
        by_chance = math.prod(alike[rung] for alike, rung in zip(self._alike, point, strict=True))
        others = max(self._k - 1, 1)
        if by_chance * len(left.places) * _TOGETHER < _WORTH * others:
            return 0.0
        pairs = left.pairs_in_sample(point)
        mates = 2 * pairs * len(left.places) / _SAMPLE**2
        return min(mates / others, 1.0) * self._kept

    def kept(self, promised: float, released: float) -> None:
        """Learn how much was released of what was promised."""
        if promised < 1:
            right = self._kept * released / max(promised, 1e-9)
            self._kept = min(max(0.7 * self._kept + 0.3 * right, 0.1), 1.0)


class _Left:
    """The units that are still open, with their groups on every rung at hand."""

    def __init__(self, units: Units, places: Ints) -> None:
        self.units, self.places = units, places
        self._leaves = [leaves[places] for leaves in units.leaves]
        self._bins: dict[tuple[int, int], Codes] = {}
        self._sample: _Left | None = None

    def without(self, gone: Ints) -> "_Left":
        stay = np.ones(len(self.places), np.bool_)
        stay[gone] = False
        return _Left(self.units, self.places[stay])

    def pairs_in_sample(self, point: Sequence[int]) -> float:
        """How many pairs in a sample lie in the same group."""
        if self._sample is None:
            chosen = np.random.default_rng(_SEED).choice(len(self.places), _SAMPLE, replace=False)
            self._sample = _Left(self.units, self.places[np.sort(chosen)])
        keys, bits = self._sample.keys(point)
        sizes = group(keys, bits).sizes
        return float((sizes * (sizes - 1)).sum()) / 2

    def group(self, point: Sequence[int]) -> Groups:
        return group(*self.keys(point))

    def keys(self, point: Sequence[int]) -> tuple[Ints, int]:
        """One key for each open unit and how many bits it takes; equal keys are the same group."""
        size = 1
        keys: Ints = np.zeros(len(self.places), np.int64)
        for number, rung in enumerate(point):
            width = self.units.dimensions[number].rungs[rung].width
            if width == 1:
                continue
            if size * width >= 1 << 62:
                keys = group(keys, (size - 1).bit_length()).of()
                size = len(keys)
            keys *= width
            keys += self._in_rung(number, rung)
            size *= width
        return keys, max((size - 1).bit_length(), 1)

    def _in_rung(self, number: int, rung: int) -> Codes:
        bins = self.units.dimensions[number].rungs[rung].bins
        if len(self.places) > _LARGE:
            return bins[self._leaves[number]]
        if (number, rung) not in self._bins:
            self._bins[number, rung] = bins[self._leaves[number]]
        return self._bins[number, rung]
