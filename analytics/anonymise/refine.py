"""
The second cut: classes give units to others that hold them more cheaply, and leave altogether where that pays.

After Aggarwal et al., "Achieving anonymity via clustering" (PODS 2006), and Byun et al., "Efficient k-anonymization
using clustering techniques" (DASFAA 2007), classes are clusters, and a unit belongs where the loss of all grows
least. In each round every unit of a class that costs anything finds the class, of those in its neighbourhood, that
would take it most cheaply, its own widening counted. Units leave classes that have more rows than k; a class whose
units all together find it cheaper elsewhere is given up. Whatever would break a demand is taken back, so no round
makes anything worse.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from analytics.anonymise.arrays import Bools, Floats, Ints, group, renumber
from analytics.anonymise.classes import Classes, move
from analytics.anonymise.demands import Demands
from analytics.anonymise.search import Step, Units

_ROUNDS: Final = 6
# With more units than this one round has to do.
_LARGE: Final = 200_000
# A round that gains less than this share of the cost is the last.
_ENOUGH: Final = 0.006
# How many units and classes meet in one table of costs.
_TABLE: Final = 500_000
_NEIGHBOURS: Final = 1_500
_MEETINGS: Final = 150_000_000
_LEAST: Final = 1e-9


def refine(classes: Classes, demands: Demands, *, step: Step = lambda done, total: None) -> Classes:
    """Move units between classes while it pays; no class stops meeting the demands, and the cost never grows."""
    rounds = _ROUNDS if len(classes.units) <= _LARGE else 1
    for turn in range(rounds):
        step(turn, rounds)
        better = _round(classes, demands)
        if better is None:
            break
        gained = classes.cost - better.cost
        classes = better
        if gained < _ENOUGH * classes.cost:
            break
    step(rounds, rounds)
    return classes


def _round(classes: Classes, demands: Demands) -> Classes | None:
    """One round; None where nothing was gained."""
    offers = _offers(classes)
    chosen = _choose(classes, offers, demands.k)
    if not len(chosen):
        return None
    of_unit = move(classes, demands, offers.units[chosen], offers.targets[chosen])
    placed = of_unit >= 0
    of_unit[placed] = renumber(of_unit[placed])
    found = Classes(classes.units, of_unit)
    return found if found.cost < classes.cost - _LEAST else None


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
    most = min(_NEIGHBOURS, max(_MEETINGS // len(units), 50))
    yield from _split(classes, units, targets, _by_cost(classes.units), most)


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
    tables, lines = zip(
        *(
            dimension.taking(leaves[units], low[near], high[near])
            for dimension, leaves, low, high in zip(
                classes.units.dimensions, classes.units.leaves, classes.lows, classes.highs, strict=True
            )
        ),
        strict=True,
    )
    mine = classes.of_unit[units]
    own = np.searchsorted(near, mine)
    own[(own >= len(near)) | (near[np.minimum(own, len(near) - 1)] != mine)] = -1
    rows, losses = classes.rows[near].astype(np.float32), classes.losses[near].astype(np.float32)
    weights = classes.units.weights[units]
    places = np.empty(len(units), np.int64)
    costs = np.empty(len(units))
    widened = np.empty(len(units), np.bool_)
    size = max(_TABLE // len(near), 1)
    for begin in range(0, len(units), size):
        some = slice(begin, begin + size)
        after = tables[0][lines[0][some]]
        for table, line in zip(tables[1:], lines[1:], strict=True):
            after += table[line[some]]
        cost = after - losses
        cost *= rows
        cost += after * weights[some, None].astype(np.float32)
        there = np.flatnonzero(own[some] >= 0)
        cost[there, own[some][there]] = np.inf
        best = cost.argmin(axis=1)
        each = np.arange(len(best))
        places[some], costs[some] = best, cost[each, best]
        widened[some] = after[each, best] > losses[best] + 1e-6
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
    open_to = (offers.gains > _LEAST) & ~given_up[sources] & ~given_up[offers.targets]
    open_to &= (weights <= spare[sources]) & ~(offers.widens & widened[offers.targets])
    places = np.flatnonzero(open_to)
    places = places[np.argsort(-offers.gains[places], kind="stable")]
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
