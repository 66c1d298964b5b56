"""How likely somebody is recognised: exact where that can be counted, near where it is estimated."""

import math

import numpy as np
import pytest

from analytics.anonymise import risks
from analytics.anonymise.arrays import Ints
from tests.scale import some


def test_prosecutor_and_marketer_by_the_release() -> None:
    found = risks.assess(np.array([1, 2, 2, 5]), threshold=0.4)

    assert (found.highest, found.mean, found.marketer) == (1, 0.4, 0.4)
    assert found.above == 0.5
    assert found.sample_uniques == 0.1
    assert (found.journalist, found.population_uniques, found.estimator) == (None, None, "none")


def test_journalist_and_marketer_by_known_classes_of_the_population() -> None:
    sizes, population = np.array([1, 2, 4]), np.array([4, 2, 10])

    assert risks.journalist(sizes, population) == 0.5
    assert risks.marketer(sizes, population) == pytest.approx((1 / 4 + 1 + 4 / 10) / 7)


def test_what_is_expected_of_a_class_in_the_population() -> None:
    """The expectation of 1/F, F - f being negative binomial, summed term by term."""
    for share in (0.02, 0.3, 0.9):
        for size in (1, 2):
            exact = sum(
                math.exp(
                    math.lgamma(total) - math.lgamma(size) - math.lgamma(total - size + 1)
                    + size * math.log(share) + (total - size) * math.log(1 - share)
                )
                / total
                for total in range(size, 4000)
            )  # fmt: skip
            assert risks.by_population(np.array([size]), share)[0] == pytest.approx(exact, rel=1e-6)
    assert risks.by_population(np.array([1, 3]), 1.0).tolist() == [1, 1 / 3]


def sampled(population: Ints, share: float, seed: int) -> Ints:
    """The sizes of classes in a sample without replacement."""
    chance = np.random.default_rng(seed)
    drawn = chance.choice(population, round(len(population) * share), replace=False)
    return np.unique(drawn, return_counts=True)[1]


def zipf(count: int, seed: int) -> Ints:
    """People of a population with classes of very different sizes, many of them alone."""
    return np.random.default_rng(seed).zipf(1.3, count)


def lognormal(count: int, seed: int) -> Ints:
    chance = np.random.default_rng(seed)
    weights = chance.lognormal(0, 1.5, count // 8)
    return chance.choice(len(weights), count, p=weights / weights.sum())


def alone_and_estimated(population: Ints, share: float) -> tuple[float, float, str]:
    """The share of people who are alone, what a sample says of it, and by which estimator."""
    counts = np.unique(population, return_counts=True)[1]
    found, name = risks.population_uniques(sampled(population, share, 3), share)
    assert found is not None
    return float((counts == 1).sum()) / len(population), found, name


@pytest.mark.parametrize("share", some([0.01, 0.05, 0.3, 0.6], one_in=2))
def test_people_alone_in_a_population_of_long_tails_are_estimated_within_a_half(share: float) -> None:
    truth, found, name = alone_and_estimated(zipf(200_000, 7), share)

    assert name.startswith("Pitman" if share <= 0.1 else "Zayatz")
    assert truth / 2 < found < truth * 1.5


@pytest.mark.parametrize("share", some([0.01, 0.05, 0.3, 0.6], one_in=2))
def test_elsewhere_the_estimate_errs_towards_more_people_alone(share: float) -> None:
    truth, found, _ = alone_and_estimated(lognormal(200_000, 7), share)

    assert found > truth * 0.8


def test_a_sample_that_is_the_population_is_counted() -> None:
    assert risks.population_uniques(np.array([1, 1, 3]), 1.0) == (
        0.4,
        "counted, the release is the population",
    )
    assert risks.population_uniques(np.array([2, 3]), 0.1)[0] == 0


@pytest.mark.thorough
def test_pitmans_estimate_is_where_the_likelihood_is_largest() -> None:
    sizes = sampled(zipf(100_000, 5), 0.02, 1)

    def likelihood(theta: float, alpha: float) -> float:
        rows, classes = np.arange(1, sizes.sum()), np.arange(1, len(sizes))
        found = np.log(theta + classes * alpha).sum() - np.log(theta + rows).sum()
        for size, count in zip(*np.unique(sizes, return_counts=True), strict=True):
            found += count * (math.lgamma(size - alpha) - math.lgamma(1 - alpha))
        return float(found)

    best = max(
        ((theta, alpha) for theta in np.geomspace(0.1, 1000, 60) for alpha in np.linspace(0.01, 0.99, 60)),
        key=lambda found: likelihood(*found),
    )
    expected = math.exp(math.lgamma(best[0] + 1) - math.lgamma(sum(best)) + best[1] * math.log(100_000))

    assert risks.pitman(sizes, 100_000) == pytest.approx(expected, rel=0.1)


def test_samples_that_no_estimate_fits() -> None:
    assert risks.pitman(np.ones(50, np.int64), 10_000) is None
    assert risks.population_uniques(np.ones(50, np.int64), 0.005)[1].startswith("Zayatz")
    empty = risks.assess(np.array([], np.int64), threshold=0.1, population=10)
    assert (empty.highest, empty.journalist) == (0, 0)
