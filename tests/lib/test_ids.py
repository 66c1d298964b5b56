"""Ids that are made together stand side by side, and say no more than those made alone."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from callprivacy.lib import ids

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def test_neighbours_stand_side_by_side_and_are_random_below() -> None:
    made = ids.neighbours(3000)

    tops = [identity.int >> 80 for identity in made]
    assert {(after - before) % (1 << 48) for before, after in pairwise(tops)} == {1}
    assert {identity.version for identity in made} == {4}
    assert len({identity.int & ((1 << 62) - 1) for identity in made}) == 3000


def test_two_lots_of_neighbours_begin_anywhere() -> None:
    starts = {ids.neighbours(1)[0].int >> 80 for _ in range(50)}

    assert len(starts) == 50


def test_ids_made_at_an_instant_count_on_within_it() -> None:
    made = ids.made_at(NOON, 5000)

    assert made == sorted(made)
    assert len(set(made)) == 5000
    assert {identity.version for identity in made} == {7}
    assert {identity.variant for identity in made} == {made[0].variant}
    assert {identity.int >> 80 for identity in made} == {int(NOON.timestamp() * 1000)}
    assert made[-1] < ids.made_at(NOON + timedelta(milliseconds=1), 1)[0]


def test_two_lots_of_one_instant_do_not_meet() -> None:
    lots = [set(ids.made_at(NOON, 1000)) for _ in range(20)]

    assert len(set.union(*lots)) == 20_000


def test_none_are_none() -> None:
    assert ids.neighbours(0) == ids.made_at(NOON, 0) == []
