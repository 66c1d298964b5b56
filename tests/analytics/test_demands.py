"""The definitions of the papers, on their own examples and against counting by hand."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.anonymise.arrays import Ints
from analytics.anonymise.demands import Close, Condition, Distinct, Entropy, Recursive, shares_of
from analytics.anonymise.distances import Distance, Hierarchical, equal, ordered
from analytics.anonymise.hierarchy import Hierarchy
from tests.analytics import referee

# A busy machine is no failure.
in_time = settings(deadline=None, max_examples=60)
COUNTS = st.lists(st.lists(st.integers(0, 6), min_size=5, max_size=5).filter(any), min_size=1, max_size=6)
TREE = Hierarchy.of(
    [
        ("gastric ulcer", "stomach", "digestive", "*"),
        ("gastritis", "stomach", "digestive", "*"),
        ("colitis", "colon", "digestive", "*"),
        ("flu", "viral", "respiratory", "*"),
        ("pneumonia", "bacterial", "respiratory", "*"),
    ]
)
CONDITIONS = (Distinct(2), Entropy(1.8), Recursive(1.5, 2), Close(0.3, equal), Close(0.2, ordered))


def counts(*rows: list[int]) -> Ints:
    return np.array(rows, np.int64)


def test_ordered_distance_of_the_papers_salaries() -> None:
    """Li et al., section 5: {3k, 4k, 5k} and {6k, 8k, 11k} against 3k to 11k."""
    whole = shares_of(counts([1] * 9))[0]
    found = ordered(shares_of(counts([1, 1, 1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 1, 0, 0, 1])), whole)

    assert found == pytest.approx([0.375, 1 / 6])


@in_time
@given(COUNTS)
def test_distances_are_the_earth_movers(rows: list[list[int]]) -> None:
    table = counts(*rows)
    whole = shares_of(table.sum(axis=0)[None])[0]
    costs: dict[Distance, Callable[[int, int], float]] = {
        equal: lambda one, other: float(one != other),
        ordered: lambda one, other: abs(one - other) / 4,
        Hierarchical(TREE): lambda one, other: _height(one, other) / 3,
    }
    for distance, cost in costs.items():
        found = distance(shares_of(table), whole)
        for row, far in zip(shares_of(table).tolist(), found.tolist(), strict=True):
            assert far == pytest.approx(referee.transport(row, whole.tolist(), cost), abs=1e-9)


def _height(one: int, other: int) -> int:
    return next(level for level in range(TREE.depth) if TREE.bins[level][one] == TREE.bins[level][other])


@pytest.mark.thorough
@in_time
@given(COUNTS)
def test_conditions_are_those_of_the_definitions(rows: list[list[int]]) -> None:
    table, names = counts(*rows), "abcde"
    whole = table.sum(axis=0)
    every = [name for name, count in zip(names, whole.tolist(), strict=True) for _ in range(count)]
    for place, row in enumerate(rows):
        values = [name for name, count in zip(names, row, strict=True) for _ in range(count)]
        expected = (
            len(set(values)) >= 2,
            referee.entropy(values) >= np.log(1.8) - 1e-9,
            referee.is_recursive(values, 1.5, 2),
            referee.equal_distance(values, every) <= 0.3 + 1e-9,
            referee.ordered_distance(values, every, names) <= 0.2 + 1e-9,
        )
        assert tuple(bool(one.holds(table, whole)[place]) for one in CONDITIONS) == expected


@in_time
@given(COUNTS)
def test_nothing_is_lacking_where_a_condition_holds(rows: list[list[int]]) -> None:
    table = counts(*rows)
    whole = table.sum(axis=0)
    for condition in CONDITIONS:
        lacking = condition.lack(table, whole)
        assert ((lacking <= 1e-9) >= condition.holds(table, whole)).all()
        assert (lacking >= 0).all()


@in_time
@given(COUNTS, st.sampled_from(CONDITIONS))
def test_classes_that_meet_a_condition_meet_it_together(rows: list[list[int]], condition: Condition) -> None:
    table = counts(*rows)
    whole = table.sum(axis=0)
    good = table[condition.holds(table, whole)]
    if len(good):
        assert condition.holds(good.sum(axis=0)[None], whole).all()
