"""
What is demanded of every class, checked for many classes at once.

- k-anonymity: at least k rows. Sweeney, "k-anonymity: a model for protecting privacy", IJUFKS 10(5), 2002. Where a
  column says whose row it is, k counts the people, as many rows of one caller protect nobody.
- l-diversity: distinct, entropy, recursive (c, l). Machanavajjhala, Gehrke, Kifer and Venkitasubramaniam,
  "l-Diversity: privacy beyond k-anonymity", ICDE 2006, definitions 4.1 to 4.3.
- t-closeness: Li, Li and Venkatasubramanian, ICDE 2007 (see `distances`).

Each holds of two classes put together if it holds of both, so whatever is widened stays allowed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np

from analytics.anonymise.arrays import Bools, Codes, Floats, Groups, Ints, group
from analytics.anonymise.distances import Distance

# Comparisons of sums of shares forgive what their rounding can add up to.
SLACK: Final = 1e-9
_CELLS: Final = 2_000_000


class Condition(Protocol):
    """A demand on how the values of one sensitive column are spread in a class."""

    def holds(self, counts: Ints, whole: Ints) -> Bools:
        """Whether it holds (classes), by counts (classes x values) and the table's own (values)."""
        ...

    def lack(self, counts: Ints, whole: Ints) -> Floats:
        """How far each class is from it, 0 where it holds (classes); a guide for the search."""
        ...


@dataclass(frozen=True, slots=True)
class Distinct:
    """At least l different values."""

    l: int

    def holds(self, counts: Ints, whole: Ints) -> Bools:
        found: Bools = (counts > 0).sum(axis=1) >= self.l
        return found

    def lack(self, counts: Ints, whole: Ints) -> Floats:
        found: Floats = np.maximum(self.l - (counts > 0).sum(axis=1), 0) / self.l
        return found


@dataclass(frozen=True, slots=True)
class Entropy:
    """The entropy of the values is at least that of l equally frequent ones. l need not be whole."""

    l: float

    def holds(self, counts: Ints, whole: Ints) -> Bools:
        found: Bools = entropy_of(counts) >= np.log(self.l) - SLACK
        return found

    def lack(self, counts: Ints, whole: Ints) -> Floats:
        found: Floats = np.maximum(np.log(self.l) - entropy_of(counts), 0)
        return found


@dataclass(frozen=True, slots=True)
class Recursive:
    """The most frequent value comes less than c times as often as all from the l-th most frequent on together."""

    c: float
    l: int

    def holds(self, counts: Ints, whole: Ints) -> Bools:
        falling = -np.sort(-counts, axis=1)
        found: Bools = np.less(falling[:, 0], self.c * falling[:, self.l - 1 :].sum(axis=1))
        return found

    def lack(self, counts: Ints, whole: Ints) -> Floats:
        falling = -np.sort(-shares_of(counts), axis=1)
        found: Floats = np.maximum(falling[:, 0] - self.c * falling[:, self.l - 1 :].sum(axis=1), 0)
        return found


@dataclass(frozen=True, slots=True)
class Close:
    """The values are at most t away from those of the whole table."""

    t: float
    distance: Distance

    def holds(self, counts: Ints, whole: Ints) -> Bools:
        found: Bools = self.distance(shares_of(counts), shares_of(whole[None])[0]) <= self.t + SLACK
        return found

    def lack(self, counts: Ints, whole: Ints) -> Floats:
        found: Floats = np.maximum(self.distance(shares_of(counts), shares_of(whole[None])[0]) - self.t, 0)
        return found


def shares_of(counts: Ints) -> Floats:
    """Counts (classes x values) as shares of each class."""
    found: Floats = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return found


def entropy_of(counts: Ints) -> Floats:
    """The entropy in nats of the values of each class (classes), by counts (classes x values)."""
    shares = shares_of(counts)
    found: Floats = -(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=1)
    return found


def ratio_of(counts: Ints, l: int) -> Floats:
    """How often the most frequent value comes for each that is at least l-th most frequent (classes)."""
    falling = -np.sort(-counts, axis=1)
    rest = falling[:, l - 1 :].sum(axis=1)
    found: Floats = np.divide(falling[:, 0], rest, out=np.full(len(counts), np.inf), where=rest > 0)
    return found


@dataclass(frozen=True, slots=True)
class Sensitive:
    """A sensitive column: which value each unit holds (units), how many there are, and what is demanded of it."""

    name: str
    codes: Codes
    width: int
    conditions: Sequence[Condition]


@dataclass(frozen=True, slots=True)
class Demands:
    """
    All that is demanded, over units: rows that are equal in every column that matters, `weights` (units) of them.

    `people` (units) says whose rows they are where k counts people, else it is None; `wholes` are the counts of the
    table for each sensitive column.
    """

    k: int
    weights: Ints
    sensitive: Sequence[Sensitive]
    people: Codes | None = None
    wholes: Sequence[Ints] = ()

    @property
    def only_counts(self) -> bool:
        """Whether a class that meets them still does when any row is added."""
        return all(isinstance(one, Distinct) for column in self.sensitive for one in column.conditions)

    def of_counts(self) -> "Demands":
        """Those of them that any row added to a class can only help."""
        kept = [
            replace(column, conditions=[one for one in column.conditions if isinstance(one, Distinct)])
            for column in self.sensitive
        ]
        return replace(self, sensitive=kept)

    def counts(self, classes: Groups, column: int) -> Ints:
        """How often each value of a sensitive column comes in each class (classes x values)."""
        found = self.sensitive[column]
        members = classes.order
        shape = (len(classes), found.width)
        return count_values(classes.number(), found.codes[members], self.weights[members], shape)

    def lack(self, counts: Sequence[Ints]) -> Floats:
        """
        How far classes are from all conditions on sensitive values together, 0 where they hold (classes).

        :param counts: for each sensitive column how often each value comes in each class (classes x values).
        """
        found = np.zeros(len(counts[0]))
        for column, whole, table in zip(self.sensitive, self.wholes, counts, strict=True):
            for condition in column.conditions:
                found += condition.lack(table, whole)
        return found

    def met(self, units: Ints, numbers: Ints, count: int) -> Bools:
        """
        Which classes meet every demand (count).

        :param units: members, by their place among all units.
        :param numbers: the class of each member, ascending from 0 to below `count`.
        """
        if self.people is None:
            good = np.bincount(numbers, self.weights[units], minlength=count) >= self.k
        else:
            good = (
                _distinct(numbers, self.people[units], int(self.people.max(initial=0)) + 1, count) >= self.k
            )
        for column, whole in zip(self.sensitive, self.wholes, strict=True):
            if column.conditions and good.any():
                self._spread(column, whole, units, numbers, good)
        return good

    def _spread(self, column: Sensitive, whole: Ints, units: Ints, numbers: Ints, good: Bools) -> None:
        """Take out of `good` the classes in which the column's values do not lie as demanded."""
        kept = good[numbers]
        units = units[kept]
        # Only the classes still in question are counted, a bounded table of counts at a time.
        old = np.flatnonzero(good)
        numbers = (np.cumsum(good) - 1)[numbers[kept]]
        step = max(_CELLS // column.width, 1)
        for begin in range(0, len(old), step):
            low, high = np.searchsorted(numbers, [begin, begin + step])
            some = old[begin : begin + step]
            counts = count_values(
                numbers[low:high] - begin,
                column.codes[units[low:high]],
                self.weights[units[low:high]],
                (len(some), column.width),
            )
            for condition in column.conditions:
                good[some] &= condition.holds(counts, whole)


def count_values(numbers: Ints, codes: Codes, weights: Ints, shape: tuple[int, int]) -> Ints:
    """How often each value comes in each class (classes x values)."""
    flat = np.bincount(numbers * shape[1] + codes, weights, minlength=shape[0] * shape[1])
    return flat.astype(np.int64).reshape(shape)


def _distinct(numbers: Ints, codes: Codes, width: int, count: int) -> Ints:
    """How many different codes each class has (count)."""
    pairs = numbers * width + codes
    groups = group(pairs, max(count * width - 1, 1).bit_length())
    return np.bincount(numbers[groups.order[groups.starts]], minlength=count)
