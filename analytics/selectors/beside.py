"""
Whether a release tells of too few callers to who holds the reports of the same days beside it. Pure.

Reports count every call that may be measured; a release has rows of some of them. As far as the rows keep cells of a
report apart, one can be subtracted from the other, and what is left is a count of the calls that the release left out.
Such a count must be of nothing, or of as many callers as any count of a report (docs/adr/0153).
"""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import permutations
from typing import Final

import numpy as np

from analytics import groups
from analytics.groups import Flags, Ints

OUT: Final = groups.OUT
"""The cell of a call of which reports tell nothing, and the row of a call that is not in the release."""


@dataclass(frozen=True, slots=True)
class Told:
    """
    Calls as reports tell them, all in one order.

    :ivar callers: places in `people`, `groups.NOBODY` where it is not known whose a call is. :ivar lists: of each list
    of cells a number for each call, equal for those of one cell, `OUT` where its span tells nothing.
    :ivar is_within: of each call whether it is of the days that were asked for; others are of the same spans.
    :ivar gone: stretches of which reports count calls that are here no more; their calls are not among these.
    """

    ids: list[uuid.UUID]
    callers: Ints
    people: list[uuid.UUID]
    lists: list[Ints]
    is_within: Flags
    gone: list[tuple[datetime, datetime]]


NOTHING: Final = Told([], np.zeros(0, np.int64), [], [], np.zeros(0, np.bool_), [])


@dataclass(frozen=True, slots=True)
class Part:
    """
    Calls of which it follows how many the release left out.

    :ivar left_out: callers of those left out, fewer than k. :ivar inside: places of its calls that are in the release.
    """

    left_out: int
    inside: Ints


def small_parts(lists: Sequence[Ints], callers: Ints, rows: Ints, *, k: int) -> list[Part]:
    """
    The parts of which some calls are left out, of too few callers.

    :param rows: of each call a number, equal where the release has equal rows, `OUT` where it has none.
    """
    parts = [_parts(cells, rows) for cells in lists]
    found = [small for one in parts for small in _small(one, callers, rows, k)]
    if found:
        return found
    # What one list keeps apart, without what another keeps apart inside it.
    apart = [one for one in parts if len(np.unique(one[one != OUT])) > 1]
    rests = (groups.rest(one, other) for one, other in permutations(apart, 2))
    return [small for rest in rests for small in _small(rest, callers, rows, k)]


def _parts(cells: Ints, rows: Ints) -> Ints:
    """For each call the number of its part: cells that equal rows of the release come from cannot be kept apart."""
    count = int(cells.max(initial=OUT)) + 1
    above = list(range(count))

    def top(one: int) -> int:
        while above[one] != one:
            above[one] = one = above[above[one]]
        return one

    both = (cells != OUT) & (rows != OUT)
    row, cell = np.divmod(np.unique(rows[both] * count + cells[both]), max(count, 1))
    same = row[1:] == row[:-1]
    for one, other in zip(cell[:-1][same].tolist(), cell[1:][same].tolist(), strict=True):
        above[top(one)] = top(other)
    tops = np.array([*map(top, range(count)), OUT], np.int64)
    return tops[cells]


def _small(parts: Ints, callers: Ints, rows: Ints, k: int) -> Iterator[Part]:
    count = int(parts.max(initial=OUT)) + 1
    inside = (parts != OUT) & (rows != OUT)
    left = (parts != OUT) & (rows == OUT)
    people = groups.callers_of(parts[left], callers[left], count)
    is_left = np.bincount(parts[left], minlength=count) > 0
    # Where nothing of it is in the release, what is left out is what reports say.
    is_inside = np.bincount(parts[inside], minlength=count) > 0
    for part in np.flatnonzero(is_left & is_inside & (people < k)).tolist():
        yield Part(int(people[part]), np.flatnonzero(inside & (parts == part)))
