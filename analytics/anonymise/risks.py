"""
How likely somebody in a release is recognised.

- Prosecutor: the attacker knows that the person is in the release; 1 / class size. Journalist: they do not, and the
  class's size in the population counts. Marketer: the share of all rows that an attacker gets right. El Emam, "Guide
  to the De-Identification of Personal Health Information", CRC 2013, chapters 15 to 17; Dankar and El Emam, "A method
  for evaluating marketer re-identification risk", PAIS 2010.
- The size of a class in the population, from its size in the sample: Benedetti and Franconi, "Statistical and
  technological solutions for controlled data dissemination", NTTS 1998, as used by mu-Argus and sdcMicro without
  weights (the expectation of 1/F given f under a negative binomial distribution).
- Uniques in the population: Hoshino, "Applying Pitman's sampling formula to microdata disclosure risk assessment",
  Journal of Official Statistics 17(4), 2001, for samples of at most a tenth of the population; Zayatz, "Estimation of
  the percent of unique population elements on a microdata file using the sample", US Bureau of the Census, 1991, for
  larger ones. The choice by the sample's share is that of Dankar, El Emam, Neisa and Roffey, "Estimating the
  re-identification risk of clinical data sets", BMC Medical Informatics and Decision Making 12:66, 2012, without
  their third estimator. Pitman's formula fits populations of many small classes and a few very large ones; elsewhere
  it says that more people are alone than are.

All of it takes the other columns for unknown to the attacker; it says nothing of what else identifies people.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.anonymise.arrays import Floats, Ints

_PITMAN_UP_TO: Final = 0.1


@dataclass(frozen=True, slots=True)
class Risks:
    """
    Shares of 0 to 1. `highest`, `mean` and `above` are the prosecutor's: the largest and mean risk of a row, and the
    share of rows above the `threshold`; `journalist` is the largest risk by the population, None where its size is not
    known; `marketer` is by the population where its size is known, else by the release.
    """

    threshold: float
    highest: float
    mean: float
    above: float
    journalist: float | None
    marketer: float
    sample_uniques: float
    population_uniques: float | None
    estimator: str


def assess(sizes: Ints, *, threshold: float, population: int | None = None) -> Risks:
    """
    Assess classes of these sizes (classes).

    :param threshold: the risk from which a row counts as at risk, 0 to 1.
    :param population: how many people the rows are drawn from, at least the number of rows.
    """
    rows = int(sizes.sum())
    if not rows:
        return Risks(threshold, 0.0, 0.0, 0.0, None if population is None else 0.0, 0.0, 0.0, None, "none")
    each = 1 / sizes
    alone = float((sizes == 1).sum()) / rows
    mean = len(sizes) / rows
    journalist, marketer, uniques, estimator = None, mean, None, "none"
    if population is not None:
        share = min(rows / population, 1.0)
        expected = by_population(sizes, share)
        journalist, marketer = float(expected.max()), float((expected * sizes).sum()) / rows
        uniques, estimator = population_uniques(sizes, share)
    above = float(sizes[each > threshold + 1e-12].sum()) / rows
    return Risks(threshold, float(each.max()), mean, above, journalist, marketer, alone, uniques, estimator)


def journalist(sizes: Ints, population_sizes: Ints) -> float:
    """The largest risk where each class's size in the population is known (classes, at least that in the release)."""
    return float((1 / np.maximum(population_sizes, sizes)).max(initial=0.0))


def marketer(sizes: Ints, population_sizes: Ints) -> float:
    """The expected share of rows an attacker gets right who guesses within each class of the population."""
    rows = int(sizes.sum())
    return float((sizes / np.maximum(population_sizes, sizes)).sum()) / rows if rows else 0.0


def by_population(sizes: Ints, share: float) -> Floats:
    """
    The expected value of 1/F, F being a class's size in the population, given its size f in the sample (classes).

    :param share: of the population in the sample, above 0 and up to 1.
    """
    if share >= 1:
        found: Floats = 1 / sizes
        return found
    odds = share / (1 - share)
    log = -math.log(share)
    one, two = odds * log, odds * (1 - odds * log)
    rest = share / (sizes - (1 - share))
    return np.where(sizes == 1, one, np.where(sizes == 2, two, rest))


def population_uniques(sizes: Ints, share: float) -> tuple[float | None, str]:
    """
    The share of rows that are alone in the population by their quasi-identifiers, 0 to 1, and the estimator's name.

    :param share: of the population in the sample, above 0 and up to 1.
    """
    rows = int(sizes.sum())
    alone = int((sizes == 1).sum())
    if not alone:
        return 0.0, "no row is alone in the release"
    if share >= 1:
        return alone / rows, "counted, the release is the population"
    if share <= _PITMAN_UP_TO:
        found = pitman(sizes, rows / share)
        if found is not None:
            # A row alone in the population is alone in the sample, if it is drawn at all.
            return min(found * share, alone) / rows, "Pitman (Hoshino 2001)"
    return zayatz(sizes, share) * share / rows, "Zayatz (1991)"


def zayatz(sizes: Ints, share: float) -> float:
    """How many are unique in the population, by the sizes of the sample's classes."""
    rows = int(sizes.sum())
    population = round(rows / share)
    lengths, counts = np.unique(sizes, return_counts=True)
    logs = np.array([_log_alone(int(length), rows, population) for length in lengths])
    weights = counts / counts.sum() * np.exp(logs)
    alone = counts[lengths == 1].sum()
    total = weights.sum()
    if not alone or not total:
        return 0.0
    return float(alone * weights[lengths == 1].sum() / total / share)


def _log_alone(size: int, rows: int, population: int) -> float:
    """The logarithm of the chance that a class of this size in the population has one row in the sample."""
    if population - size < rows - 1:
        return -math.inf
    choose = (
        math.lgamma(population - size + 1) - math.lgamma(rows) - math.lgamma(population - size - rows + 2)
    )
    all_ways = math.lgamma(population + 1) - math.lgamma(rows + 1) - math.lgamma(population - rows + 1)
    return math.log(size) + choose - all_ways


def pitman(sizes: Ints, population: float) -> float | None:
    """
    How many are unique in the population, by Pitman's sampling formula; None where its likelihood has no maximum.

    The likelihood of (theta, alpha) is maximised over alpha, theta being at its best for each; both are found by
    halving on the sign of a derivative, as the likelihood is concave in each of them near its maximum.
    """
    lengths, counts = np.unique(sizes, return_counts=True)
    if len(lengths) < 2:
        return None
    model = _Pitman(int(sizes.sum()), len(sizes), lengths, counts)
    low, high = 1e-6, 1 - 1e-6
    if model.by_alpha(low) <= 0 or model.by_alpha(high) >= 0:
        return None
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if model.by_alpha(middle) > 0 else (low, middle)
    theta = model.theta(low)
    if theta is None:
        return None
    return math.exp(math.lgamma(theta + 1) - math.lgamma(theta + low) + low * math.log(population))


class _Pitman:
    """Derivatives of the log-likelihood of Pitman's sampling formula."""

    def __init__(self, rows: int, classes: int, lengths: Ints, counts: Ints) -> None:
        self._rows = np.arange(1, rows)
        self._classes = np.arange(1, classes)
        steps = np.arange(1, int(lengths.max()))
        # For each j, how many classes are longer than it.
        self._longer = counts[::-1].cumsum()[::-1][np.searchsorted(lengths, steps, side="right")]
        self._steps = steps

    def theta(self, alpha: float) -> float | None:
        """The best theta for this alpha, None where it grows without end."""
        low, high = -alpha + 1e-9, 1.0
        while self._by_theta(high, alpha) > 0:
            high *= 4
            if high > 1e12:
                return None
        if self._by_theta(low, alpha) <= 0:
            return low
        for _ in range(80):
            middle = (low + high) / 2
            low, high = (middle, high) if self._by_theta(middle, alpha) > 0 else (low, middle)
        return (low + high) / 2

    def _by_theta(self, theta: float, alpha: float) -> float:
        return float((1 / (theta + self._classes * alpha)).sum() - (1 / (theta + self._rows)).sum())

    def by_alpha(self, alpha: float) -> float:
        theta = self.theta(alpha)
        if theta is None:
            return math.inf
        gained = (self._classes / (theta + self._classes * alpha)).sum()
        return float(gained - (self._longer / (self._steps - alpha)).sum())
