"""
Whether a release tells of too few callers to who holds the reports of the same days beside it. Pure.

Reports count every call that may be measured; a release has rows of some of them. Value by value, as far as its labels
keep values apart, one can be subtracted from the other, and what is left is a count of the calls that the release left
out. Such a count must be of nobody, or of as many callers as any count of a report (docs/adr/0050).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

EVERYTHING: Final = ""
"""The name of the part that holds every call: the reports' total."""


@dataclass(frozen=True, slots=True)
class Fact:
    """
    One fact of n measured calls, in one order.

    :ivar values: as reports count it. :ivar labels: as the release says it; None where the call is not in it.
    """

    values: Sequence[str]
    labels: Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Part:
    """
    Calls of which it follows how many the release left out.

    :ivar fact: its name, EVERYTHING for all calls. :ivar left_out: callers of those left out, fewer than k.
    :ivar inside: places of the part's calls that are in the release.
    """

    fact: str
    left_out: int
    inside: tuple[int, ...]


def small_parts(
    facts: Mapping[str, Fact], callers: Sequence[Hashable | None], is_in: Sequence[bool], *, k: int
) -> list[Part]:
    """
    The parts of which too few callers are left out.

    :param callers: of each call; None where it is not known, which is nobody. :param is_in: whether the release has it.
    """
    found = list(_of_fact(EVERYTHING, [0] * len(callers), callers, is_in, k))
    for name, fact in facts.items():
        values = _told(fact.values, callers, k)
        found += _of_fact(name, _kept_apart(values, fact.labels), callers, is_in, k)
    return found


def _of_fact(
    name: str, parts: Sequence[int], callers: Sequence[Hashable | None], is_in: Sequence[bool], k: int
) -> Iterator[Part]:
    left_out: dict[int, set[Hashable]] = defaultdict(set)
    inside: dict[int, list[int]] = defaultdict(list)
    for place, part in enumerate(parts):
        if is_in[place]:
            inside[part].append(place)
        elif callers[place] is not None:
            left_out[part].add(callers[place])
    for part, people in left_out.items():
        # Where nothing of it is in the release, what is left out is what the report says.
        if len(people) < k and inside[part]:
            yield Part(name, len(people), tuple(inside[part]))


def _told(values: Sequence[str], callers: Sequence[Hashable | None], k: int) -> Sequence[str | None]:
    """As reports tell them: values of fewer than k callers are one, with the smallest beside them if need be."""
    people: dict[str, set[Hashable]] = defaultdict(set)
    for value, caller in zip(values, callers, strict=True):
        people[value] |= set() if caller is None else {caller}
    hidden = {value for value, those in people.items() if len(those) < k}
    if hidden and len(set().union(*(people[value] for value in hidden))) < k:
        hidden |= set(sorted(people.keys() - hidden, key=lambda value: (len(people[value]), value))[:1])
    return [None if value in hidden else value for value in values]


def _kept_apart(values: Sequence[str | None], labels: Sequence[str | None]) -> list[int]:
    """
    For each call the number of its part: values that one label of the release stands for cannot be kept apart.

    Labels may overlap (local recoding); then all values that hang together are one part.
    """
    numbers = {value: number for number, value in enumerate(dict.fromkeys(values))}
    above = list(range(len(numbers)))

    def top(one: int) -> int:
        while above[one] != one:
            above[one] = one = above[above[one]]
        return one

    first: dict[str, int] = {}
    for value, label in {
        (value, label) for value, label in zip(values, labels, strict=True) if label is not None
    }:
        one, other = top(numbers[value]), top(first.setdefault(label, numbers[value]))
        above[one] = other
    return [top(numbers[value]) for value in values]
