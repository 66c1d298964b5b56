"""
What may be said in a sentence: a difference that would hardly be there by chance, and is large enough to matter.

The test is the conditional one for rates (Przyborowski and Wilenski, Biometrika 31, 1940): if all places had the same
rate, the counts of one, given the sum of all, would follow Bin(sum, its share of the exposure). It is exact, for any
small counts. All places are tested, and the smallest p of many is small by chance, so that it is corrected by Holm
(Scandinavian Journal of Statistics 6, 1979): over all sentences that could have been said, a false one is said in at
most `LEVEL` of reports in which there is nothing.

Calls come in bunches, more than the test supposes. `dispersion` measures by how much (Pearson's chi-squared over its
degrees of freedom), and counts are divided by it before they are tested, which only ever makes the test more careful.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, exp, floor, lgamma, log
from typing import Final

LEVEL: Final = 0.01
"""How often at most a sentence is said of a report in which there is nothing."""
AT_LEAST: Final = 1.5
"""How many times as much, or as little, a place needs to have to be worth a sentence."""


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One place that stands out.

    :ivar place: which one, from 0.
    :ivar ratio: its rate over the rate of all others together; below 1 where it has less. Infinite where the others
        have nothing.
    :ivar p: its corrected p.
    """

    place: int
    ratio: float
    p: float


def tail(count: int, of: int, share: float) -> float:
    """
    P(X >= count) for X of Bin(of, share), exact up to rounding.

    :raises ValueError: `share` is not between 0 and 1, or `of` is negative.
    """
    if not 0 <= share <= 1 or of < 0:
        raise ValueError("A share lies between 0 and 1, and a number of calls is not negative.")
    if count <= 0:
        return 1.0
    if count > of or share == 0:
        return 0.0
    if share == 1:
        return 1.0
    if count <= of * share:
        return max(0.0, 1.0 - tail(of - count + 1, of, 1 - share))
    term = exp(
        lgamma(of + 1) - lgamma(count + 1) - lgamma(of - count + 1) + count * log(share) + (of - count) * log(1 - share)
    )  # fmt: skip
    total, odds, place = term, share / (1 - share), count
    while place < of:
        term *= (of - place) / (place + 1) * odds
        total += term
        place += 1
        if term < total * 1e-17:
            break
    return min(1.0, total)


def holm(found: Sequence[float]) -> list[float]:
    """The p of each test, corrected for all of them (Holm 1979), in the order given."""
    order = sorted(range(len(found)), key=lambda place: found[place])
    corrected = [1.0] * len(found)
    worst = 0.0
    for rank, place in enumerate(order):
        worst = max(worst, min(1.0, (len(found) - rank) * found[place]))
        corrected[place] = worst
    return corrected


type _Test = tuple[int, float, float]
"""A place, its p, and its rate over that of all others."""


def _tests(
    counts: Sequence[int],
    exposures: Sequence[float],
    *,
    fewer: bool,
    dispersion: float,
    slack: Sequence[int] | None = None,
) -> list[_Test]:
    if len(counts) != len(exposures):
        raise ValueError("Each place has a count and an exposure.")
    places = [place for place, exposure in enumerate(exposures) if exposure > 0]
    if len(places) < 2:
        return []
    thinner = max(1.0, dispersion)
    total, room = sum(counts[place] for place in places), sum(exposures[place] for place in places)
    found = []
    for place in places:
        share = min(1.0, exposures[place] / room)
        more = slack[place] if slack else 0
        of = floor((total + more) / thinner)
        # A thinned count is rounded against the place, so that rounding makes no difference.
        mine = (counts[place] + (more if fewer else 0)) / thinner
        p = tail(of - min(of, ceil(mine)), of, 1 - share) if fewer else tail(floor(mine), of, share)
        told = counts[place] + (more if fewer else 0)
        found.append((place, p, _ratio(told, exposures[place], total + more, room)))
    return found


def all_that_stand_out(
    counts: Sequence[int],
    exposures: Sequence[float],
    *,
    fewer: bool = False,
    dispersion: float = 1.0,
    slack: Sequence[int] | None = None,
    level: float = LEVEL,
    at_least: float = AT_LEAST,
) -> list[Finding]:
    """
    The places whose rate differs from that of all others together, those that differ most first.

    :param counts: calls, conversions or the like, a place each.
    :param exposures: hours, calls, money or the like in which they came about; places with none are left out.
    :param fewer: look for places that have less instead of more.
    :param dispersion: by how much counts vary beyond chance; 1 is as chance has it.
    :param slack: counts of which it is not known to whom they belong, as seen from each place: a place stands out only
        if it does so whoever they belong to, and its ratio is then "at least" what it is.
    :raises ValueError: the two are not of the same length.
    """
    tests = _tests(counts, exposures, fewer=fewer, dispersion=dispersion, slack=slack)
    corrected = holm([p for _, p, _ in tests])
    passed = [
        Finding(place, ratio, p)
        for (place, _, ratio), p in zip(tests, corrected, strict=True)
        if p <= level and (ratio <= 1 / at_least if fewer else ratio >= at_least)
    ]
    return sorted(passed, key=lambda finding: finding.ratio, reverse=not fewer)


def stands_out_within(
    groups: Sequence[tuple[Sequence[int], Sequence[float]]],
    *,
    dispersion: float = 1.0,
    slack: int = 0,
    level: float = LEVEL,
    at_least: float = AT_LEAST,
) -> tuple[int, Finding] | None:
    """
    The place that has most more than the others of its own group, as one weekday's hour than that hour of other days.

    :param groups: counts and exposures of each; all places of all groups are corrected for together.
    :param slack: counts of which it is not known to whom they belong; they may all be the others'.
    :returns: the group, from 0, and the place in it.
    """
    tests = [
        (number, test)
        for number, (counts, exposures) in enumerate(groups)
        for test in _tests(counts, exposures, fewer=False, dispersion=dispersion, slack=[slack] * len(counts))
    ]
    corrected = holm([p for _, (_, p, _) in tests])
    passed = [
        (number, Finding(place, ratio, p))
        for (number, (place, _, ratio)), p in zip(tests, corrected, strict=True)
        if p <= level and ratio >= at_least
    ]
    return max(passed, key=lambda found: found[1].ratio, default=None)


def stands_out(
    counts: Sequence[int],
    exposures: Sequence[float],
    *,
    fewer: bool = False,
    dispersion: float = 1.0,
    slack: Sequence[int] | None = None,
    level: float = LEVEL,
    at_least: float = AT_LEAST,
) -> Finding | None:
    """The place whose rate differs most from that of all others, if any passes the test."""
    passed = all_that_stand_out(
        counts, exposures, fewer=fewer, dispersion=dispersion, slack=slack, level=level, at_least=at_least
    )
    return passed[0] if passed else None


def _ratio(count: int, exposure: float, total: int, room: float) -> float:
    rest, rest_room = total - count, room - exposure
    if rest_room <= 0 or count == rest == 0:
        return 1.0
    if rest <= 0:
        return float("inf")
    return (count / exposure) / (rest / rest_room)


def all_that_changed(
    now: Sequence[int],
    before: Sequence[int],
    *,
    length: float = 1.0,
    dispersion: float = 1.0,
    slack: tuple[int, int] = (0, 0),
    level: float = LEVEL,
    at_least: float = AT_LEAST,
) -> list[Finding]:
    """
    The places that have changed against the period before by the two-sided test, those that changed most first.

    :param length: how long this period is in lengths of the one before.
    :param slack: counts now, and before, of which it is not known to whom they belong: a place has changed only if it
        has whoever they belong to, and its ratio is then "at least" what it is.
    """
    share = length / (1 + length)
    thinner = max(1.0, dispersion)
    found, ratios = [], []
    for one, other in zip(now, before, strict=True):
        rose = tail(floor(one / thinner), floor((one + other + slack[1]) / thinner), share)
        of = floor((one + slack[0] + other) / thinner)
        fell = tail(of - min(of, ceil((one + slack[0]) / thinner)), of, 1 - share)
        found.append(min(1.0, 2 * min(rose, fell)))
        ratios.append(
            _over(one, (other + slack[1]) * length) if rose < fell else _over(one + slack[0], other * length)
        )
    passed = [
        Finding(place, ratio, p)
        for place, (ratio, p) in enumerate(zip(ratios, holm(found), strict=True))
        if p <= level and not 1 / at_least < ratio < at_least
    ]
    return sorted(passed, key=lambda finding: _size(finding.ratio), reverse=True)


def _over(now: float, before: float) -> float:
    return now / before if before else float("inf") if now else 1.0


def changed(
    now: Sequence[int],
    before: Sequence[int],
    *,
    length: float = 1.0,
    dispersion: float = 1.0,
    slack: tuple[int, int] = (0, 0),
    level: float = LEVEL,
    at_least: float = AT_LEAST,
) -> Finding | None:
    """The place that has changed most against the period before, if any passes the test."""
    passed = all_that_changed(
        now, before, length=length, dispersion=dispersion, slack=slack, level=level, at_least=at_least
    )
    return passed[0] if passed else None


def _size(ratio: float) -> float:
    return max(ratio, 1 / ratio if ratio else float("inf"))


def dispersion(groups: Sequence[Sequence[int]]) -> float:
    """
    By how much counts that should be alike vary beyond chance, at least 1.

    :param groups: of alike counts, such as all Mondays, all Tuesdays; groups of one or without calls say nothing.
    """
    squares, freedom = 0.0, 0
    for group in groups:
        mean = sum(group) / len(group) if group else 0
        if len(group) < 2 or mean <= 0:
            continue
        squares += sum((count - mean) ** 2 for count in group) / mean
        freedom += len(group) - 1
    return max(1.0, squares / freedom) if freedom else 1.0


def times(ratio: float) -> str:
    """A ratio in words: "twice", "3 times", "half", "a third", "2.4 times", "a fifth less than"."""
    known = {2.0: "twice", 0.5: "half", round(1 / 3, 2): "a third", 0.25: "a quarter"}
    for value, words in known.items():
        if abs(ratio - value) <= value * 0.06:
            return words
    if ratio >= 1:
        return f"{ratio:.1f}".removesuffix(".0") + " times" if ratio < 9.95 else f"{ratio:,.0f} times"
    return f"{ratio * 100:.0f} % of"
