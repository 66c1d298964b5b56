"""
Somebody who has every cell there is, which is more than all reports say, and works out what they do not.

The unknowns are how many calls of each line of the list of groups have which values (a line that does not tell a value
may have any). What is known are equations over them. The attacker finds the least and the most that the count of a
cell can be, by the simplex method, and what linear algebra alone determines.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

_TOLERANCE = 1e-7

type Cell = Mapping[str, Any]


class Attacker:
    """
    :param values: fact -> every value it may have. :param lines: of the list of groups: what is told, and the calls.
    :param sums: of all other lists: what is told of one fact (or of time), and the calls of that line.
    :param also: what else is so of a call with certain values, as lines may tell it.
    """

    def __init__(
        self,
        values: Mapping[str, Sequence[Any]],
        lines: Sequence[tuple[Cell, int]],
        sums: Sequence[tuple[Cell, int]],
        also: Callable[[Cell], Cell] = lambda _: {},
    ) -> None:
        worlds: list[dict[str, Any]] = [
            dict(zip(values, one, strict=True)) for one in itertools.product(*values.values())
        ]
        worlds = [world | dict(also(world)) for world in worlds]
        self.unknowns = [
            (number, world)
            for number, (told, _) in enumerate(lines)
            for world in worlds
            if _meets(world, told)
        ]
        rows = [[number == line for line, _ in self.unknowns] for number in range(len(lines))]
        rows += [[_meets(world, told) for _, world in self.unknowns] for told, _ in sums]
        self.matrix = np.array(rows, float)
        self.known = np.array([calls for _, calls in (*lines, *sums)], float)
        self._simplex = _Simplex(self.matrix, self.known)

    def bounds(self, cell: Cell) -> tuple[int, int]:
        """The least and the most calls that a cell can have."""
        wanted = np.array([_meets(world, cell) for _, world in self.unknowns], float)
        low, high = self._simplex.least(wanted), -self._simplex.least(-wanted)
        return int(np.ceil(low - _TOLERANCE)), int(np.floor(high + _TOLERANCE))

    def recovers(self, cell: Cell) -> bool:
        """Whether only one number of calls is possible."""
        low, high = self.bounds(cell)
        return low == high


def _meets(world: Cell, told: Cell) -> bool:
    return all(world[name] == value for name, value in told.items())


class _Simplex:
    """x >= 0 with A x = b, where some x is known to exist; Bland's rule, so that it ends."""

    def __init__(self, matrix: np.ndarray, known: np.ndarray) -> None:
        count, width = matrix.shape
        table = np.hstack([matrix, np.eye(count), known[:, None]])
        basis = list(range(width, width + count))
        cost = np.append(-table[:, :width].sum(axis=0), np.zeros(count))
        self._go(table, basis, np.append(cost, -known.sum()), width)
        # What linear dependence leaves in the basis is put out of it, or is a line of nothing.
        keep = []
        for row in range(count):
            if basis[row] >= width:
                places = np.flatnonzero(np.abs(table[row, :width]) > _TOLERANCE)
                if not len(places):
                    continue
                _turn(table, basis, row, int(places[0]))
            keep.append(row)
        self.table = np.hstack([table[keep, :width], table[keep, -1:]])
        self.basis = [basis[row] for row in keep]
        self.width = width

    def least(self, cost: np.ndarray) -> float:
        """The least that cost . x can be."""
        line = np.append(cost, 0.0)
        for row, column in enumerate(self.basis):
            line -= line[column] * self.table[row]
        self._go(self.table, self.basis, line, self.width)
        return float(sum(cost[column] * self.table[row, -1] for row, column in enumerate(self.basis)))

    @staticmethod
    def _go(table: np.ndarray, basis: list[int], line: np.ndarray, width: int) -> None:
        for _ in range(20_000):
            places = np.flatnonzero(line[:width] < -_TOLERANCE)
            if not len(places):
                return
            column = int(places[0])
            ratios = np.full(len(table), np.inf)
            above = table[:, column] > _TOLERANCE
            ratios[above] = table[above, -1] / table[above, column]
            if not above.any():
                raise AssertionError("without bound")
            best = ratios.min()
            row = min(np.flatnonzero(ratios <= best + 1e-12), key=lambda one: basis[one])
            _turn(table, basis, int(row), column)
            line -= line[column] * table[row]
        raise AssertionError("did not end")


def _turn(table: np.ndarray, basis: list[int], row: int, column: int) -> None:
    table[row] /= table[row, column]
    others = np.arange(len(table)) != row
    table[others] -= np.outer(table[others, column], table[row])
    basis[row] = column
