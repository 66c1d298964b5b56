"""
Somebody who has every list of counts and of a sum, knows the facts of a caller's calls and all that another caller
brings, and works out what the first one brings.

The unknowns are what the calls of each count bring, apart by the facts that the count does not tell; what is known are
equations over them, one for each cell of the sum. The attacker finds the most that a caller can bring by the simplex
method, and is told where that is too near to what the caller does bring.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analytics.groups import Ints
from tests.analytics.attacker import _Simplex


@dataclass(frozen=True)
class Lists:
    """
    What is told of a span.

    :ivar labels: fact -> its value of each call. :ivar shown: fact -> of which calls the groups of counts tell it.
    :ivar groups: of counts, and :ivar sums: of the sum, the cell of each call. :ivar alone: fact -> the cell of each
    call in the sum's list of that fact.
    """

    labels: Mapping[str, Ints]
    shown: Mapping[str, Any]
    groups: Ints
    sums: Ints
    alone: Mapping[str, Ints]


def found(lists: Lists, callers: Ints, amounts: Ints, *, p: int) -> Iterator[tuple[int, int, float]]:
    """Callers, what they bring, and the most that this can be, where that is less than p percent more."""
    facts = sorted(lists.labels)
    places: dict[tuple[int, tuple[int, ...]], int] = {}
    line_of: list[int] = []
    for cell in np.unique(lists.groups).tolist():
        one = int(np.flatnonzero(lists.groups == cell)[0])
        options = [
            [int(lists.labels[fact][one])]
            if lists.shown[fact][one]
            else np.unique(lists.labels[fact][~lists.shown[fact]]).tolist()
            for fact in facts
        ]
        for world in itertools.product(*options):
            places[cell, world] = len(places)
            line_of.append(int(lists.sums[one]))
    rows = [np.array(line_of) == line for line in np.unique(lists.sums)]
    for fact, cells in lists.alone.items():
        cell_of = dict(zip(lists.labels[fact].tolist(), cells.tolist(), strict=True))
        told = np.array([cell_of[world[facts.index(fact)]] for _, world in places])
        rows += [told == cell for cell in np.unique(cells)]
    matrix, count = np.array(rows, float), len(places)
    worlds = zip(*(lists.labels[fact].tolist() for fact in facts), strict=True)
    at = np.array([places[key] for key in zip(lists.groups.tolist(), worlds, strict=True)])
    true = np.bincount(at, amounts, minlength=count)
    parts = {
        one: np.bincount(at, np.where(callers == one, amounts, 0), minlength=count)
        for one in np.unique(callers).tolist()
    }
    for caller, own in parts.items():
        others = [one for one in parts if one != caller]
        if not own.any():
            continue
        inside = np.bincount(at[callers == caller], minlength=count) > 0
        for helper in _helpers(parts, others, inside):
            simplex = _Simplex(matrix, matrix @ (true - parts[helper]))
            most = -simplex.least(np.where(inside, -1.0, 0.0))
            if 100 * (most - own.sum()) < p * own.sum() - 1e-6:
                yield caller, int(own.sum()), most


def _helpers(parts: Mapping[int, Any], others: Sequence[int], inside: Any) -> set[int]:
    """Who brings most, of all others and of those beside the caller: what they take out tells most."""
    return {
        max(others, key=lambda one: parts[one].sum()),
        max(others, key=lambda one: parts[one][inside].sum()),
    }
