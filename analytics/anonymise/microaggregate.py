"""
Micro-aggregation: numbers are put into groups of at least k that are near to each other, and each is released as its
group's mean.

- One column, with the least possible sum of squared errors: Hansen and Mukherjee, "A polynomial algorithm for optimal
  univariate microaggregation", IEEE TKDE 15(4), 2003. An optimal group has fewer than 2k members (Domingo-Ferrer and
  Mateo-Sanz, "Practical data-oriented microaggregation for statistical disclosure control", IEEE TKDE 14(1), 2002).
- Several columns at once: MDAV, Domingo-Ferrer and Torra, "Ordinal, continuous and heterogeneous k-anonymity through
  microaggregation", Data Mining and Knowledge Discovery 11(2), 2005.
"""

from __future__ import annotations

import numpy as np

from analytics.anonymise.arrays import Floats, Ints, group
from analytics.anonymise.errors import OutOfReachError


def one_column(numbers: Floats, k: int) -> Ints:
    """
    The group of each number (n), so that the sum of squared distances from the groups' means is least.

    :raises OutOfReachError: there are fewer than k numbers.
    """
    count = len(numbers)
    _check(count, k)
    order = np.argsort(numbers, kind="stable")
    # Sums are taken of distances from the middle, so that large numbers lose no digits.
    ordered = (numbers[order] - numbers.mean()).tolist()
    sums, squares = [0.0], [0.0]
    for number in ordered:
        sums.append(sums[-1] + number)
        squares.append(squares[-1] + number * number)
    best = [0.0] + [float("inf")] * count
    begins = [0] * (count + 1)
    for end in range(k, count + 1):
        for begin in range(max(end - 2 * k + 1, 0), end - k + 1):
            if best[begin] == float("inf"):
                continue
            inside = sums[end] - sums[begin]
            cost = best[begin] + squares[end] - squares[begin] - inside * inside / (end - begin)
            if cost < best[end]:
                best[end], begins[end] = cost, begin
    found = np.empty(count, np.int64)
    number, end = 0, count
    while end:
        found[order[begins[end] : end]] = number
        number, end = number + 1, begins[end]
    return found


def several_columns(numbers: Floats, k: int) -> Ints:
    """
    The group of each row of numbers (n x columns) by MDAV; columns are standardised first.

    :raises OutOfReachError: there are fewer than k rows.
    """
    count = len(numbers)
    _check(count, k)
    spread = numbers.std(axis=0)
    points = (numbers - numbers.mean(axis=0)) / np.where(spread > 0, spread, 1)
    left = np.arange(count)
    groups: list[Ints] = []
    while len(left) >= 3 * k:
        far = points[left[_distances(points[left], points[left].mean(axis=0)).argmax()]]
        farther = points[left[_distances(points[left], far).argmax()]]
        for centre in (far, farther):
            nearest, left = _nearest(points, left, centre, k)
            groups.append(nearest)
    if len(left) >= 2 * k:
        far = points[left[_distances(points[left], points[left].mean(axis=0)).argmax()]]
        nearest, left = _nearest(points, left, far, k)
        groups.append(nearest)
    found = np.full(count, len(groups), np.int64)
    for number, members in enumerate(groups):
        found[members] = number
    return found


def means(numbers: Floats, groups: Ints) -> Floats:
    """Each number's group's mean (n)."""
    members = group(groups, max(int(groups.max(initial=0)), 1).bit_length())
    sums = np.add.reduceat(numbers[members.order], members.starts)
    found: Floats = (sums / members.sizes)[members.of()]
    return found


def _check(count: int, k: int) -> None:
    if count < k:
        raise OutOfReachError(f"There are {count} numbers and groups need {k}.")


def _distances(points: Floats, centre: Floats) -> Floats:
    found: Floats = ((points - centre) ** 2).sum(axis=1)
    return found


def _nearest(points: Floats, left: Ints, centre: Floats, k: int) -> tuple[Ints, Ints]:
    """The k rows nearest to a centre, and the others."""
    order = np.argsort(_distances(points[left], centre), kind="stable")
    return left[order[:k]], left[np.sort(order[k:])]
