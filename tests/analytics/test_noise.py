"""Noise: the distribution it is drawn from, how far off a figure is, and what one caller may do to it."""

import math
import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import noise
from analytics.noise import Bounds
from tests.scale import some

# The probability that a right sampler is called wrong; the sequence is drawn anew at every run.
FALSE_ALARM = 1e-6
DRAWS = 20_000


def _beyond(degrees: int) -> float:
    """The chi-squared value that is passed with the probability `FALSE_ALARM` (Wilson and Hilferty 1931)."""
    z = 4.753424  # the standard normal's quantile of 1 - 1e-6
    ninth = 2 / (9 * degrees)
    return degrees * (1 - ninth + z * math.sqrt(ninth)) ** 3


def _misfit(drawn: list[int], scale: Fraction) -> tuple[float, int]:
    """Chi-squared of draws against the exact distribution, and its degrees of freedom; rare values are one group."""
    reach = 0
    while noise.probability(reach + 1, scale) * len(drawn) >= 25:
        reach += 1
    groups = {x: noise.probability(x, scale) for x in range(-reach, reach + 1)}
    tail = 1 - sum(groups.values())
    expected = [*groups.values(), tail / 2, tail / 2]
    counted = [
        *(drawn.count(x) for x in groups),
        sum(x < -reach for x in drawn),
        sum(x > reach for x in drawn),
    ]
    return (
        sum(
            (count - len(drawn) * share) ** 2 / (len(drawn) * share)
            for count, share in zip(counted, expected, strict=True)
        ),
        len(expected) - 1,
    )


@pytest.mark.parametrize(
    "scale", some([Fraction(10, 3), Fraction(1, 2), Fraction(1), Fraction(7)], one_in=4), ids=str
)
def test_noise_follows_the_discrete_laplace_distribution(scale: Fraction) -> None:
    found, degrees = _misfit([noise.draw(scale) for _ in range(DRAWS)], scale)
    assert found < _beyond(degrees)


def test_the_test_finds_a_rounded_continuous_laplace() -> None:
    """What a careless sampler would draw is told apart from the exact distribution."""
    scale = Fraction(1)
    careless = random.Random(7)
    drawn = [round(careless.choice([-1, 1]) * careless.expovariate(1.0)) for _ in range(DRAWS)]
    found, degrees = _misfit(drawn, scale)
    assert found > _beyond(degrees)


@pytest.mark.thorough
def test_the_test_finds_a_zero_that_comes_twice() -> None:
    scale = Fraction(2)
    drawn = [
        abs(x) * random.Random(i).choice([-1, 1])
        for i, x in enumerate(noise.draw(scale) for _ in range(DRAWS))
    ]
    drawn += [0] * (DRAWS // 20)
    found, degrees = _misfit(drawn, scale)
    assert found > _beyond(degrees)


def test_the_exact_distribution_adds_up_and_falls_as_epsilon_says() -> None:
    scale = Fraction(5, 2)
    assert sum(noise.probability(x, scale) for x in range(-200, 201)) == pytest.approx(1)
    for x in range(20):
        assert noise.probability(x, scale) / noise.probability(x + 1, scale) == pytest.approx(math.exp(0.4))


@pytest.mark.parametrize("scale", [Fraction(1, 3), Fraction(1), Fraction(30), Fraction(999, 7)], ids=str)
def test_a_margin_is_the_least_that_holds_19_times_out_of_20(scale: Fraction) -> None:
    within = noise.margin(scale)
    inside = sum(noise.probability(x, scale) for x in range(-within, within + 1))
    assert inside >= noise.SURE - 1e-9
    if within:
        assert inside - 2 * noise.probability(within, scale) < noise.SURE


ROWS = st.lists(
    st.tuples(st.sampled_from("abcde"), st.sampled_from(["x", "y", "elsewhere"]), st.integers(-5, 900)),
    max_size=60,
)


@settings(deadline=None, max_examples=60)
@given(rows=ROWS, calls=st.integers(1, 4), most=st.integers(1, 600), who=st.sampled_from("abcde"))
def test_one_caller_changes_the_figures_by_the_sensitivity_at_most(
    rows: list[tuple[str, str, int]], calls: int, most: int, who: str
) -> None:
    bounds = Bounds(calls=calls, most=most)
    whole = noise.bound(rows, ["x", "y"], bounds)
    without = noise.bound([row for row in rows if row[0] != who], ["x", "y"], bounds)

    changed = sum(abs(whole.counts[group] - without.counts[group]) for group in "xy")
    assert changed <= noise.scale_of_counts(bounds, Fraction(1))
    added = sum(abs(whole.sums[group] - without.sums[group]) for group in "xy")
    assert added <= noise.scale_of_sums(bounds, Fraction(1))


def test_groups_are_there_whatever_was_called() -> None:
    found = noise.counts(noise.bound([], ["x", "y"], Bounds(calls=2)), Bounds(calls=2), Fraction(1, 10))
    assert list(found) == ["x", "y"]
    assert all(one.low >= 0 and one.low <= one.value <= one.high for one in found.values())


def test_margins_hold_as_often_as_they_say() -> None:
    """Of 400 answers at most 40 miss: with 20 expected, a right margin fails so with less than 1 in 100,000."""
    bounds, epsilon = Bounds(calls=2, most=300), Fraction(1, 2)
    rows = [(caller, "x", 120) for caller in range(300)]
    clipped = noise.bound(rows, ["x"], bounds)
    for of, truth in ((noise.counts, 300), (noise.sums, 36_000), (noise.means, 120)):
        missed = 0
        for _ in range(400):
            figure = of(clipped, bounds, epsilon)["x"]
            missed += not figure.low <= truth <= figure.high
        assert missed <= 40


def test_bounds_that_bound_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="At least one call"):
        Bounds(calls=0)
