"""
Figures with noise: counts, sums and means of which nobody can tell whether one caller was among them. Pure.

What it promises: with `epsilon` for a question, and so many calls of a caller counted at most, the answer is at most
exp(epsilon) times as likely with that caller's calls as without them (pure differential privacy, Dwork, McSherry,
Nissim and Smith, TCC 2006). Questions add up: the epsilons of all of them together are the guarantee about one caller
(basic composition). Noise is drawn from the discrete Laplace distribution in exact whole-number arithmetic, so that no
rounding of floating-point numbers gives anything away (Mironov, CCS 2012). OpenDP's sampler is taken where it is
installed, else our own: Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential Privacy", NeurIPS 2020,
algorithms 1 and 2.
"""

import math
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

try:
    import opendp.prelude as _opendp
except ImportError:
    _opendp = None

SURE: Final = 0.95
"""How sure a margin is: in so many of a hundred answers the true figure lies inside."""

# Gives a whole number from 0 to below the one it is given, each as likely: `secrets.randbelow`.
Chance = Callable[[int], int]


# --- The distribution -----------------------------------------------------------------------------------------------


def _bernoulli(share: Fraction, chance: Chance) -> bool:
    return chance(share.denominator) < share.numerator


def _bernoulli_exp(gamma: Fraction, chance: Chance) -> bool:
    """True with the probability exp(-gamma), gamma from 0 on; algorithm 1."""
    while gamma > 1:
        if not _bernoulli_exp(Fraction(1), chance):
            return False
        gamma -= 1
    tries = 1
    while _bernoulli(gamma / tries, chance):
        tries += 1
    return tries % 2 == 1


def draw(scale: Fraction, chance: Chance = secrets.randbelow) -> int:
    """
    Draw from the discrete Laplace distribution: x with a probability in proportion to exp(-|x| / scale).

    :param scale: above 0. :param chance: another source of whole numbers, for tests.
    """
    t, s = scale.numerator, scale.denominator
    while True:
        low = chance(t)
        if not _bernoulli_exp(Fraction(low, t), chance):
            continue
        high = 0
        while _bernoulli_exp(Fraction(1), chance):
            high += 1
        size = (low + t * high) // s
        is_below = chance(2) == 1
        if is_below and size == 0:
            continue  # zero would come twice as often
        return -size if is_below else size


def noisy(value: int, scale: Fraction) -> int:
    """A whole number with noise of this scale: by OpenDP where it is installed, else by `draw`."""
    if _opendp is None:
        return value + draw(scale)
    _opendp.enable_features("contrib")
    space = _opendp.atom_domain(T=int), _opendp.absolute_distance(T=int)
    # The scale is rounded up to a number of the machine: never less noise than was asked for.
    size = float(scale)
    size = size if Fraction(size) >= scale else math.nextafter(size, math.inf)
    return int(_opendp.m.make_laplace(*space, scale=size)(value))


def probability(x: int, scale: Fraction) -> float:
    """How likely the distribution gives x."""
    alpha = math.exp(-1 / float(scale))
    return (1 - alpha) / (1 + alpha) * alpha ** abs(x)


def margin(scale: Fraction, *, sure: float = SURE) -> int:
    """The least m for which noise of this scale lies within -m and m with the probability `sure`."""
    # P(|X| > m) = 2 alpha^(m + 1) / (1 + alpha)
    alpha = math.exp(-1 / float(scale))
    if alpha == 0.0:
        return 0
    return max(0, math.ceil(math.log((1 - sure) * (1 + alpha) / 2) / math.log(alpha) - 1 - 1e-12))


# --- What one caller may do to a figure -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """
    What is counted of one caller at most.

    :ivar calls: so many calls over all groups; the others are left out. :ivar most: a call's value counts from 0 up to
        this (clipping), in whole units.
    """

    calls: int
    most: int = 1

    def __post_init__(self) -> None:
        """
        Check that they bound anything.

        :raises ValueError: they do not.
        """
        if self.calls < 1 or self.most < 1:
            raise ValueError("At least one call of a caller counts, and a value of at least 1.")


@dataclass(frozen=True, slots=True)
class Figure:
    """
    One figure of an answer, never below zero and never telling: the value and its interval are computed from the noise
    alone.

    :ivar low: and :ivar high: the true figure of what was counted lies between them, with the probability `SURE`.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Clipped:
    """What bounding left of the rows: group -> count and sum of values. It is not an answer: it has no noise."""

    counts: Mapping[str, int]
    sums: Mapping[str, int]


def bound(rows: Iterable[tuple[object, str, int]], groups: Sequence[str], bounds: Bounds) -> Clipped:
    """
    Count and add up what is counted of each caller at most.

    :param rows: of each call who called, its group, its value; the first ones of a caller count. A group that is none
        of `groups` counts nowhere.
    :param groups: fixed before anybody looks at the rows, or that there is one would tell of somebody.
    """
    seen: dict[object, int] = {}
    counts, sums = dict.fromkeys(groups, 0), dict.fromkeys(groups, 0)
    for caller, group, value in rows:
        taken = seen.get(caller, 0)
        if taken >= bounds.calls or group not in counts:
            continue
        seen[caller] = taken + 1
        counts[group] += 1
        sums[group] += min(max(value, 0), bounds.most)
    return Clipped(counts, sums)


def scale_of_counts(bounds: Bounds, epsilon: Fraction) -> Fraction:
    """Of counts by groups: a caller changes all of them together by at most `calls` (sensitivity, L1)."""
    return bounds.calls / epsilon


def scale_of_sums(bounds: Bounds, epsilon: Fraction) -> Fraction:
    """Of sums by groups: a caller changes all of them together by at most `calls` times `most` (sensitivity, L1)."""
    return bounds.calls * bounds.most / epsilon


def counts(clipped: Clipped, bounds: Bounds, epsilon: Fraction) -> dict[str, Figure]:
    """The count of each group with noise, for `epsilon` altogether."""
    return _each(clipped.counts, scale_of_counts(bounds, epsilon))


def sums(clipped: Clipped, bounds: Bounds, epsilon: Fraction) -> dict[str, Figure]:
    """The sum of each group with noise, for `epsilon` altogether."""
    return _each(clipped.sums, scale_of_sums(bounds, epsilon))


def means(clipped: Clipped, bounds: Bounds, epsilon: Fraction) -> dict[str, Figure]:
    """
    The mean of each group: half of `epsilon` goes to the sums, half to the counts.

    The interval holds whenever both their intervals do, so each of these is half as unsure.
    """
    half, sure = epsilon / 2, 1 - (1 - SURE) / 2
    by_sum = _each(clipped.sums, scale_of_sums(bounds, half), sure=sure)
    by_count = _each(clipped.counts, scale_of_counts(bounds, half), sure=sure)
    found = {}
    for group, total in by_sum.items():
        number = by_count[group]
        most = float(bounds.most)
        found[group] = Figure(
            min(total.value / max(number.value, 1.0), most),
            min(total.low / max(number.high, 1.0), most),
            # Where there may be no call at all, the mean may be anything.
            most if number.low < 1 else min(total.high / number.low, most),
        )
    return found


def _each(values: Mapping[str, int], scale: Fraction, *, sure: float = SURE) -> dict[str, Figure]:
    within = margin(scale, sure=sure)
    found = {}
    for group, value in values.items():
        drawn = noisy(value, scale)
        # A figure below zero is none; cutting it off afterwards tells nothing more (post-processing).
        found[group] = Figure(
            float(max(drawn, 0)), float(max(drawn - within, 0)), float(max(drawn + within, 0))
        )
    return found
