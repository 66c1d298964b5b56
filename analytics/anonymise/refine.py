"""
The second cut: classes give units to others that hold them more cheaply, and leave altogether where that pays.

After Aggarwal et al., "Achieving anonymity via clustering" (PODS 2006), and Byun et al., "Efficient k-anonymization
using clustering techniques" (DASFAA 2007), classes are clusters, and a unit belongs where the loss of all grows
least. In each round every unit of a class that costs anything finds the class, of those in its neighbourhood, that
would take it most cheaply, its own widening counted. Units leave classes that have more rows than k; a class whose
units all together find it cheaper elsewhere is given up. Whatever would break a demand is taken back, so no round
makes anything worse.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from analytics.anonymise.arrays import Bools, Floats, Ints, group, renumber
from analytics.anonymise.classes import Classes, move
from analytics.anonymise.demands import Demands
from analytics.anonymise.dimension import Lines
from analytics.anonymise.search import Step, Units

_ROUNDS: Final = 6
# With more units than this one round has to do.
_LARGE: Final = 200_000
# A round that gains less than this share of the cost is the last.
_ENOUGH: Final = 0.02
# How many units and classes meet in one table of costs.
_TABLE: Final = 500_000
_NEIGHBOURS: Final = 1_500
_MEETINGS: Final = 150_000_000
_LEAST: Final = 1e-9


def refine(classes: Classes, demands: Demands, *, step: Step = lambda done, total: None) -> Classes:
    """Move units between classes while it pays; no class stops meeting the demands, and the cost never grows."""
    if len(classes.units) > _LARGE:
        return _round(classes, demands) or classes
    for turn in range(_ROUNDS):
        step(turn, _ROUNDS)
        before = classes.cost
        classes = _round(classes, demands) or classes
        if before - classes.cost < _ENOUGH * before:
            classes = exchange(classes, demands) or classes
        if before - classes.cost < _ENOUGH * before:
            break
    step(_ROUNDS, _ROUNDS)
    return classes


def _round(classes: Classes, demands: Demands) -> Classes | None:
    offers = _offers(classes)
    chosen = _choose(classes, offers, demands.k)
    return _moved(classes, demands, offers.units[chosen], offers.targets[chosen])


def _moved(classes: Classes, demands: Demands, units: Ints, targets: Ints) -> Classes | None:
    """The classes after these moves, as far as they are allowed; None where nothing is gained."""
    if not len(units):
        return None
    of_unit = move(classes, demands, units, targets)
    placed = of_unit >= 0
    of_unit[placed] = renumber(of_unit[placed])
    found = Classes(classes.units, of_unit)
    return found if found.cost < classes.cost - _LEAST else None


def exchange(classes: Classes, demands: Demands) -> Classes | None:
    """
    One round of exchanges: from classes that have no row to spare the unit leaves that makes them dearest, and one
    comes that another class can spare. None where nothing was gained.
    """
    offers = _offers(classes)
    sources = classes.of_unit[offers.units]
    weights = classes.units.weights
    gains = offers.gains + classes.shrinking(offers.units)
    tight = classes.rows[sources] - weights[offers.units] < demands.k
    leaving = np.flatnonzero((gains > _LEAST) & tight & (weights[offers.units] == 1))
    leaving = leaving[np.argsort(-gains[leaving], kind="stable")]
    leaving = leaving[np.sort(np.unique(sources[leaving], return_index=True)[1])]
    if not len(leaving):
        return None
    coming, costs = _coming(classes, offers.units[leaving], demands.k)
    net = gains[leaving] - costs[sources[leaving]]
    used: set[int] = set()
    units, targets = [], []
    for place in np.argsort(-net, kind="stable").tolist():
        if net[place] <= _LEAST:
            break
        source, target = int(sources[leaving[place]]), int(offers.targets[leaving[place]])
        giver = int(classes.of_unit[coming[source]])
        if len({source, target, giver}) == 3 and used.isdisjoint((source, target, giver)):
            used.update((source, target, giver))
            units += [int(offers.units[leaving[place]]), int(coming[source])]
            targets += [target, source]
    return _moved(classes, demands, np.array(units, np.int64), np.array(targets, np.int64))


def _coming(classes: Classes, leaving: Ints, k: int) -> tuple[Ints, Floats]:
    """
    For classes that one unit leaves each, the unit that comes most cheaply from one with rows to spare, and what that
    costs (classes; infinite where none does).
    """
    sources = classes.of_unit[leaving]
    lows, highs = classes.lows.copy(), classes.highs.copy()
    for number in range(len(classes.units.dimensions)):
        low, high = classes.ends_without(number)
        lows[number, sources], highs[number, sources] = low[leaving], high[leaving]
    losses, rows = classes.losses.copy(), classes.rows.copy()
    losses[sources], rows[sources] = classes.losses_without[leaving], rows[sources] - 1
    placed = np.flatnonzero(classes.of_unit >= 0)
    own = classes.of_unit[placed]
    spare = placed[classes.rows[own] - classes.units.weights[placed] >= k]
    waiting = np.zeros(len(classes), np.bool_)
    waiting[sources] = True
    gain_of = np.zeros(len(classes.of_unit))
    gain_of[spare] = classes.losses[classes.of_unit[spare]] * classes.units.weights[spare]
    gain_of[spare] += classes.shrinking(spare)
    coming, costs = np.zeros(len(classes), np.int64), np.full(len(classes), np.inf)
    targets = placed[waiting[own]]
    takers = _Takers(classes.units, lows, highs, losses, rows)
    for units, near in _split(classes, spare, targets, _by_cost(classes.units), _most(len(spare))):
        for some, _, cost in takers.costs(units, near):
            each = cost - gain_of[units[some], None]
            best = each.argmin(axis=0)
            least = each[best, np.arange(len(near))]
            better = least < costs[near]
            costs[near[better]], coming[near[better]] = least[better], units[some][best[better]]
    return coming, costs


@dataclass(frozen=True, slots=True)
class _Takers:
    """Classes that may take units: their ends (columns x classes), losses and rows."""

    units: Units
    lows: Ints
    highs: Ints
    losses: Floats
    rows: Ints

    def costs(self, units: Ints, near: Ints) -> Iterator[tuple[slice, Lines, Lines]]:
        """
        Which of the units, a bounded number at a time, what a row of each class near costs with each of them taken in,
        and what taking it in costs (units x near).
        """
        tables: list[Lines] = []
        lines: list[Ints] = []
        for number, dimension in enumerate(self.units.dimensions):
            leaves = self.units.leaves[number][units]
            table, line = dimension.taking(leaves, self.lows[number, near], self.highs[number, near])
            tables.append(table)
            lines.append(line)
        losses, rows = self.losses[near].astype(np.float32), self.rows[near].astype(np.float32)
        size = max(_TABLE // len(near), 1)
        for begin in range(0, len(units), size):
            some = slice(begin, begin + size)
            after = tables[0][lines[0][some]]
            for table, line in zip(tables[1:], lines[1:], strict=True):
                after += table[line[some]]
            cost = after - losses
            cost *= rows
            cost += after * self.units.weights[units[some], None].astype(np.float32)
            yield some, after, cost


@dataclass(frozen=True, slots=True)
class Offers:
    """For each of some units the class that takes it most cheaply, what is gained, and whether that one widens."""

    units: Ints
    targets: Ints
    gains: Floats
    widens: Bools


def _offers(classes: Classes) -> Offers:
    """Each unit of a class that costs anything with its best offer; units without one are left out."""
    parts = [best(classes, units, near) for units, near in _neighbourhoods(classes)]
    none = np.zeros(0, np.int64)
    parts = parts or [Offers(none, none, none.astype(np.float64), none.astype(np.bool_))]
    return Offers(
        np.concatenate([part.units for part in parts]),
        np.concatenate([part.targets for part in parts]),
        np.concatenate([part.gains for part in parts]),
        np.concatenate([part.widens for part in parts]),
    )


def _neighbourhoods(classes: Classes) -> Iterator[tuple[Ints, Ints]]:
    """Units that may move, with the classes that may take them."""
    units = np.flatnonzero((classes.of_unit >= 0) & (classes.losses[classes.of_unit] > _LEAST))
    if not len(units):
        return
    small = classes.rows <= 2 * np.median(classes.rows)
    targets = np.flatnonzero((classes.of_unit >= 0) & ((classes.losses > _LEAST) | small)[classes.of_unit])
    yield from _split(classes, units, targets, _by_cost(classes.units), _most(len(units)))


def _most(units: int) -> int:
    """How many classes a neighbourhood may have, by how many units look for one."""
    return min(_NEIGHBOURS, max(_MEETINGS // max(units, 1), 50))


def split_up(classes: Classes, most: int) -> Iterator[Ints]:
    """
    Neighbourhoods of classes, of at most so many as far as they can be told apart, in all of which each class lies
    that has a unit there.
    """
    units = np.flatnonzero(classes.of_unit >= 0)
    for _, near in _split(classes, units, units, _by_cost(classes.units), most):
        yield near


def _by_cost(units: Units) -> list[tuple[int, int]]:
    """Columns and rungs to tell neighbourhoods apart by, the one that is dearest to step over first."""
    steps = []
    for number, dimension in enumerate(units.dimensions):
        for rung, (below, above) in enumerate(pairwise(dimension.rungs)):
            there = units.leaves[number]
            extra = float(above.loss[there].mean() - below.loss[there].mean()) * dimension.weight
            steps.append((-extra, number, rung))
    return [(number, rung) for _, number, rung in sorted(steps)]


def _split(
    classes: Classes, units: Ints, targets: Ints, steps: list[tuple[int, int]], most: int
) -> Iterator[tuple[Ints, Ints]]:
    """
    Put units apart by the columns in which a step costs most, until not too many classes meet in one neighbourhood.

    :param targets: units of the classes that may take any.
    """
    near = np.unique(classes.of_unit[targets])
    if len(near) <= most or not steps:
        if len(near) > 1 and len(units):
            yield units, near
        return
    (number, rung), *rest = steps
    bins = classes.units.dimensions[number].rungs[rung].bins
    leaves = classes.units.leaves[number]
    inside, wanted = bins[leaves[targets]], bins[leaves[units]]
    for part in np.unique(wanted):
        yield from _split(classes, units[wanted == part], targets[inside == part], rest, most)


def best(classes: Classes, units: Ints, near: Ints) -> Offers:
    """The best offer of each of these units among the classes near them."""
    mine = classes.of_unit[units]
    own = np.searchsorted(near, mine)
    own[(own >= len(near)) | (near[np.minimum(own, len(near) - 1)] != mine)] = -1
    losses = classes.losses[near].astype(np.float32)
    places = np.empty(len(units), np.int64)
    costs = np.empty(len(units))
    widened = np.empty(len(units), np.bool_)
    takers = _Takers(classes.units, classes.lows, classes.highs, classes.losses, classes.rows)
    for some, after, cost in takers.costs(units, near):
        there = np.flatnonzero(own[some] >= 0)
        cost[there, own[some][there]] = np.inf
        best = cost.argmin(axis=1)
        each = np.arange(len(best))
        places[some], costs[some] = best, cost[each, best]
        widened[some] = after[each, best] > losses[best] + 1e-6
    weights = classes.units.weights[units]
    gains = np.where(mine >= 0, classes.losses[mine], 0) * weights - costs
    return Offers(units, near[places], gains, widened)


def _choose(classes: Classes, offers: Offers, k: int) -> Ints:
    """Which offers are taken in this round, by their place."""
    given_up, taking, widened = (np.zeros(len(classes), np.bool_) for _ in range(3))
    chosen: list[int] = []
    sources = classes.of_unit[offers.units]
    sums = np.bincount(sources, offers.gains, minlength=len(classes))
    counted = np.bincount(sources, minlength=len(classes))
    whole = (counted == classes.members.sizes) & (sums > _LEAST)
    by_source = group(sources, max(len(classes) - 1, 1).bit_length())
    first = np.full(len(classes), -1)
    first[sources[by_source.order[by_source.starts]]] = np.arange(len(by_source))
    candidates = np.flatnonzero(whole)
    for source in candidates[np.argsort(-sums[candidates], kind="stable")].tolist():
        place = first[source]
        begin = by_source.starts[place]
        mine = by_source.order[begin : begin + by_source.sizes[place]]
        targets = offers.targets[mine]
        widens = targets[offers.widens[mine]]
        if taking[source] or given_up[targets].any() or widened[widens].any():
            continue
        given_up[source] = True
        taking[targets] = True
        widened[widens] = True
        chosen.extend(mine.tolist())
    return np.concatenate([np.array(chosen, np.int64), _singles(classes, offers, k, given_up, widened)])


def _singles(classes: Classes, offers: Offers, k: int, given_up: Bools, widened: Bools) -> Ints:
    """Offers to units of classes that have rows to spare; a class widens for one unit a round."""
    sources = classes.of_unit[offers.units]
    spare = classes.rows - k
    weights = classes.units.weights[offers.units]
    gains = offers.gains + classes.shrinking(offers.units)
    open_to = (gains > _LEAST) & ~given_up[sources] & ~given_up[offers.targets]
    open_to &= (weights <= spare[sources]) & ~(offers.widens & widened[offers.targets])
    places = np.flatnonzero(open_to)
    places = places[np.argsort(-gains[places], kind="stable")]
    # A class that widens takes the one unit that gains most.
    wide = places[offers.widens[places]]
    _, firsts = np.unique(offers.targets[wide], return_index=True)
    kept = ~offers.widens
    kept[wide[firsts]] = True
    places = places[kept[places]]
    by_source = group(sources[places], max(len(classes) - 1, 1).bit_length())
    ordered = places[by_source.order]
    sums = np.cumsum(weights[ordered])
    before = np.repeat(sums[by_source.starts] - weights[ordered[by_source.starts]], by_source.sizes)
    found: Ints = ordered[sums - before <= spare[sources[ordered]]]
    return found
