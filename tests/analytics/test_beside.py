"""A release held against the reports of the same days: what is left when one is subtracted from the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.selectors.beside import EVERYTHING, Fact, small_parts

K = 3


def _small(values: str, labels: Sequence[str | None]) -> list[tuple[str, int]]:
    """Of calls of as many callers: (fact, callers left out) of each part that is too small."""
    is_in = [label is not None for label in labels]
    found = small_parts({"fact": Fact(list(values), labels)}, list(range(len(values))), is_in, k=K)
    return [(part.fact, part.left_out) for part in found]


def test_two_callers_who_are_left_out_follow_from_the_total() -> None:
    assert _small("aaaaaa", ["*"] * 4 + [None] * 2) == [(EVERYTHING, 2), ("fact", 2)]
    assert _small("aaaaaa", ["*"] * 3 + [None] * 3) == []
    assert _small("aaaaaa", ["*"] * 6) == []


def test_a_value_that_the_file_tells_apart_is_subtracted_from_the_reports_of_it() -> None:
    values = "aaaaabbbbb"
    apart = ["a", "a", "a", None, None, "b", "b", "b", "b", None]
    assert _small(values, apart) == [("fact", 2), ("fact", 1)]
    # A label that holds both leaves only what is left out of both together.
    assert _small(values, ["a", "a", "*", None, None, "*", "b", "b", "b", None]) == []


def test_values_of_few_callers_are_no_reports_values() -> None:
    """Reports do not tell `c`, nor the smallest beside it: of both together three callers are left out."""
    assert _small("aaaaaabbbc", ["a"] * 6 + ["b", None, None, None]) == []


def test_a_caller_counts_once_and_nobody_not_at_all() -> None:
    one = small_parts({}, ["x", "x", "x", "y", None], [False, False, False, True, False], k=2)
    assert [(part.left_out, part.inside) for part in one] == [(1, (3,))]
    assert small_parts({}, [None, None, "y"], [False, False, True], k=2) == []


@settings(deadline=None, max_examples=150)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 30), st.sampled_from(["", "own", "pair", "all"])),
        max_size=40,
    )
)
def test_no_sum_of_labels_that_is_a_sum_of_values_leaves_a_few(calls: list[tuple[int, int, str]]) -> None:
    """By brute force: every set of values and set of labels that hold the same of the file's calls."""
    values = [str(value) for value, _, _ in calls]
    labels: list[str | None] = [
        {"": None, "own": f"={value}", "pair": f"pair {value // 2}", "all": "*"}[how]
        for value, _, how in calls
    ]
    callers = [caller for _, caller, _ in calls]
    is_in = [label is not None for label in labels]
    if small_parts({"fact": Fact(values, labels)}, callers, is_in, k=K):
        return
    people: dict[str, set[int]] = defaultdict(set)
    for value, caller in zip(values, callers, strict=True):
        people[value].add(caller)
    told = sorted(people)
    if any(len(those) < K for those in people.values()):
        return  # reports do not tell each of them
    for chosen in range(1, 1 << len(told)):
        some = {value for place, value in enumerate(told) if chosen >> place & 1}
        those = {label for value, label in zip(values, labels, strict=True) if value in some} - {None}
        if any(label in those and value not in some for value, label in zip(values, labels, strict=True)):
            continue  # the file does not keep these values apart from others
        if not those:
            continue
        left = {
            caller
            for value, caller, kept in zip(values, callers, is_in, strict=True)
            if value in some and not kept
        }
        assert len(left) not in range(1, K)
