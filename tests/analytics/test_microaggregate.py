"""Groups of near numbers: as large as demanded, with the least error there is."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.anonymise import OutOfReachError, microaggregate

# A busy machine is no failure.
in_time = settings(deadline=None, max_examples=60)
NUMBERS = st.lists(st.integers(-50, 50), min_size=4, max_size=10)


def error(groups: Sequence[Sequence[float]]) -> float:
    return sum(sum((one - sum(group) / len(group)) ** 2 for one in group) for group in groups)


def least(numbers: Sequence[float], k: int) -> float:
    """Best of all ways to cut the sorted numbers; a best grouping is always such a cut."""
    ordered = sorted(numbers)
    found = float("inf")
    for cuts in range(len(ordered) // k):
        for places in itertools.combinations(range(1, len(ordered)), cuts):
            edges = [0, *places, len(ordered)]
            groups = [ordered[low:high] for low, high in itertools.pairwise(edges)]
            if min(map(len, groups)) >= k:
                found = min(found, error(groups))
    return found


@in_time
@given(NUMBERS, st.integers(1, 4))
def test_one_column_has_the_least_error(numbers: list[int], k: int) -> None:
    groups = microaggregate.one_column(np.array(numbers, float), k)

    found = [[number for number, of in zip(numbers, groups, strict=True) if of == one] for one in set(groups)]
    assert min(map(len, found)) >= k
    assert max(map(len, found)) < 2 * k or len(found) == 1
    assert error(found) == pytest.approx(least(numbers, k), abs=1e-6)


def test_fewer_than_k_are_no_group() -> None:
    with pytest.raises(OutOfReachError):
        microaggregate.one_column(np.array([1.0, 2.0]), 3)


@in_time
@given(NUMBERS, st.integers(1, 4))
def test_means_keep_the_sum(numbers: list[int], k: int) -> None:
    values = np.array(numbers, float)
    groups = microaggregate.one_column(values, k)

    found = microaggregate.means(values, groups)

    assert found.sum() == pytest.approx(values.sum(), abs=1e-6)
    for one in set(groups.tolist()):
        assert found[groups == one] == pytest.approx(values[groups == one].mean())
