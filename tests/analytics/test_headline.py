"""A sentence is said where there is something, and hardly ever where there is nothing."""

import random
from fractions import Fraction
from math import comb

import pytest

from analytics.charts import headline


def _exactly(count: int, of: int, share: Fraction) -> float:
    return float(sum(comb(of, k) * share**k * (1 - share) ** (of - k) for k in range(count, of + 1)))


@pytest.mark.parametrize(
    ("count", "of", "share"),
    [(3, 10, "1/4"), (0, 5, "1/2"), (5, 5, "1/3"), (40, 300, "1/12"), (90, 100, "9/10"), (2, 300, "1/12")],
)
def test_the_tail_is_that_of_the_binomial(count: int, of: int, share: str) -> None:
    part = Fraction(share)
    assert headline.tail(count, of, float(part)) == pytest.approx(_exactly(count, of, part), rel=1e-9)


@pytest.mark.thorough
def test_the_tail_of_millions_is_quick_and_sound() -> None:
    assert headline.tail(5_100_000, 10_000_000, 0.5) < 1e-100
    assert 0.4 < headline.tail(5_000_001, 10_000_000, 0.5) <= 0.5
    assert (headline.tail(1, 0, 0.5), headline.tail(1, 9, 0.0), headline.tail(9, 9, 1.0)) == (0.0, 0.0, 1.0)
    with pytest.raises(ValueError, match="share"):
        headline.tail(1, 2, 1.5)


def test_holm_corrects_as_the_paper_says() -> None:
    assert headline.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_a_busy_hour_is_found_and_a_flat_week_is_not() -> None:
    flat = [20] * 50
    busy = [*flat[:10], 45, *flat[11:]]
    found = headline.stands_out(busy, [4.0] * 50)
    assert found is not None
    assert (found.place, round(found.ratio, 2)) == (10, 2.25)
    assert headline.stands_out(flat, [4.0] * 50) is None
    assert headline.times(found.ratio) == "2.2 times"


def test_of_two_campaigns_that_cost_the_same_the_poor_one_is_found() -> None:
    found = headline.stands_out([60, 9, 55], [1000.0, 1000.0, 1000.0], fewer=True)
    assert found is not None
    assert found.place == 1
    assert found.ratio < 0.2


def test_what_is_not_told_must_not_make_the_difference() -> None:
    counts, spent = [60, 9, 55], [1000.0, 1000.0, 1000.0]
    assert headline.all_that_stand_out(counts, spent, fewer=True, slack=[4, 4, 4])
    assert not headline.all_that_stand_out(counts, spent, fewer=True, slack=[40, 40, 40])
    assert headline.all_that_stand_out([90, 30], [1.0, 1.0], slack=[5, 5])
    assert not headline.all_that_stand_out([90, 30], [1.0, 1.0], slack=[60, 60])


def test_an_hour_is_compared_with_the_same_hour_of_other_days() -> None:
    night, noon = [3, 2, 3, 4, 2, 3, 3], [40, 38, 90, 41, 37, 40, 39]
    found = headline.stands_out_within([(night, [4.0] * 7), (noon, [4.0] * 7)])
    assert found is not None
    assert (found[0], found[1].place, round(found[1].ratio, 1)) == (1, 2, 2.3)
    assert headline.stands_out_within([(night, [4.0] * 7)]) is None


@pytest.mark.parametrize(
    ("counts", "exposures"),
    [([], []), ([5], [1.0]), ([0, 0], [1.0, 1.0]), ([9, 0], [1.0, 0.0]), ([2, 0, 0], [1.0, 1.0, 1.0])],
)
def test_where_there_is_little_nothing_is_said(counts: list[int], exposures: list[float]) -> None:
    assert headline.stands_out(counts, exposures) is None
    assert headline.stands_out(counts, exposures, fewer=True) is None


def test_a_change_is_found_in_both_directions_and_none_is_made_up() -> None:
    up = headline.changed([30, 120, 44], [31, 50, 40])
    down = headline.changed([30, 12, 44], [31, 50, 40])
    assert up is not None
    assert down is not None
    assert (up.place, round(up.ratio, 1)) == (1, 2.4)
    assert (down.place, round(down.ratio, 2)) == (1, 0.24)
    assert headline.changed([30, 50], [30, 50]) is None
    assert headline.changed([60, 100], [30, 50], length=2.0) is None
    assert headline.changed([30, 0], [30, 40], slack=(5, 5)) is not None
    assert headline.changed([30, 22], [30, 0], slack=(0, 40)) is None
    assert headline.changed([30, 0], [30, 40], slack=(40, 0)) is None


def _poisson(chance: random.Random, mean: float) -> int:
    count, left = 0, chance.expovariate(1.0)
    while left < mean:
        count, left = count + 1, left + chance.expovariate(1.0)
    return count


def test_of_weeks_in_which_there_is_nothing_hardly_any_gets_a_sentence() -> None:
    """300 weeks of chance alone, ratio of no matter: at level 5 %, at most as many false sentences as chance allows."""
    chance = random.Random(20261124)
    said = 0
    for _ in range(300):
        counts = [_poisson(chance, 4.0) for _ in range(60)]
        found = headline.stands_out(counts, [1.0] * 60, level=0.05, at_least=1.0)
        changes = headline.changed(counts[:30], counts[30:], level=0.05, at_least=1.0)
        said += (found is not None) + (changes is not None)
    # 600 tests at 5 %: 30 at most are expected; 48 would be more than three deviations above.
    assert said <= 48


def test_days_that_come_in_bunches_get_no_more_sentences_than_the_level_allows() -> None:
    """Days whose rate itself varies: without the correction most weeks would get a sentence, with it hardly any."""
    chance = random.Random(7)
    with_it = without = 0
    for _ in range(120):
        weeks = [[_poisson(chance, 20 * chance.gammavariate(4, 0.25)) for _ in range(7)] for _ in range(8)]
        by_day = [sum(week[day] for week in weeks) for day in range(7)]
        spread = headline.dispersion([[week[day] for week in weeks] for day in range(7)])
        without += headline.stands_out(by_day, [8.0] * 7, at_least=1.0) is not None
        with_it += headline.stands_out(by_day, [8.0] * 7, at_least=1.0, dispersion=spread) is not None
    assert without > 12
    assert with_it <= 6


def test_alike_counts_have_no_dispersion_beyond_chance() -> None:
    assert headline.dispersion([]) == 1.0
    assert headline.dispersion([[5], [0, 0]]) == 1.0
    assert headline.dispersion([[10, 10, 10], [4, 4]]) == 1.0
    assert headline.dispersion([[2, 30, 4], [40, 1]]) > 5


def test_ratios_have_words() -> None:
    said = {2.0: "twice", 3.0: "3 times", 2.46: "2.5 times", 0.5: "half", 0.33: "a third", 0.25: "a quarter"}
    said |= {0.1: "10 % of", 14.2: "14 times"}
    assert {ratio: headline.times(ratio) for ratio in said} == said
