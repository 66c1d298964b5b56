"""
Micro-aggregation: numbers are put into groups of at least k that are near to each other, and each is released as its
group's mean.

With the least possible sum of squared errors: Hansen and Mukherjee, "A polynomial algorithm for optimal univariate
microaggregation", IEEE TKDE 15(4), 2003. An optimal group has fewer than 2k members (Domingo-Ferrer and Mateo-Sanz,
"Practical data-oriented microaggregation for statistical disclosure control", IEEE TKDE 14(1), 2002).
"""

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


def means(numbers: Floats, groups: Ints) -> Floats:
    """Each number's group's mean (n)."""
    members = group(groups, max(int(groups.max(initial=0)), 1).bit_length())
    sums = np.add.reduceat(numbers[members.order], members.starts)
    found: Floats = (sums / members.sizes)[members.of()]
    return found


def _check(count: int, k: int) -> None:
    if count < k:
        raise OutOfReachError(f"There are {count} numbers and groups need {k}.")
