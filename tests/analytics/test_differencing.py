"""Releases held against each other: what is told apart, and what a gate that looks at each alone would let pass."""

from collections import Counter
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.selectors import differencing
from analytics.selectors.differencing import Members

FLOOR = 3


def _digest(number: int) -> bytes:
    return number.to_bytes(differencing.DIGEST, "big")


def members(classes: dict[int, int], *, calls_each: int = 1) -> Members:
    """A release of calls (number -> class); `calls_each` calls in a row are one caller's."""
    return Members.of(
        (_digest(call), _digest(10_000 + call // calls_each), where) for call, where in classes.items()
    )


def naive(release: Members) -> bool:
    """What a gate sees that looks at a release alone: every class has enough callers."""
    return min(Counter(release.classes.values()).values()) >= FLOOR


def test_a_day_more_isolates_who_called_on_it() -> None:
    """Both releases are fine alone; subtracting the first leaves one caller."""
    week = members(dict.fromkeys(range(9), 0))
    longer = members(dict.fromkeys(range(10), 0))

    assert naive(week)
    assert naive(longer)
    found = differencing.isolated(longer, {"week": week}, least=FLOOR)
    assert found is not None
    assert (found.with_, found.callers, found.parts) == (("week",), 1, 1)


def test_classes_cut_by_other_classes_are_found() -> None:
    by_state = members({0: 0, 1: 0, 2: 0, 3: 1, 4: 1, 5: 1})
    by_hour = members({0: 0, 1: 0, 3: 0, 2: 1, 4: 1, 5: 1})

    assert naive(by_state)
    assert naive(by_hour)
    found = differencing.isolated(by_hour, {"by state": by_state}, least=FLOOR)
    assert found is not None
    assert found.callers == 1


def test_three_releases_tell_apart_what_no_two_of_them_do() -> None:
    """Eight cells of one caller; each release alone has classes of four, any two have parts of two."""
    first, second, third = (members({call: call >> bit & 1 for call in range(8)}) for bit in range(3))

    assert differencing.isolated(third, {"a": first}, least=2) is None
    found = differencing.isolated(third, {"a": first, "b": second}, least=2)
    assert found is not None
    assert set(found.with_) == {"a", "b"}
    assert found.callers == 1


def test_the_same_classes_again_and_other_calls_tell_nothing_new() -> None:
    march = members({call: call // 4 for call in range(12)})
    april = members({call: call // 4 for call in range(20, 32)})

    assert differencing.isolated(march, {"march": march}, least=FLOOR) is None
    assert differencing.isolated(april, {"march": march}, least=FLOOR) is None


def test_callers_are_counted_not_calls() -> None:
    """Six calls of one caller hide nobody."""
    most = members({**dict.fromkeys(range(60), 0)}, calls_each=6)
    fewer = members({**dict.fromkeys(range(54), 0)}, calls_each=6)
    found = differencing.isolated(most, {"fewer": fewer}, least=FLOOR)
    assert found is not None
    assert found.callers == 1


def test_an_old_release_below_a_floor_that_rose_since_is_not_the_new_ones_doing() -> None:
    small = members({0: 0, 1: 0, 2: 1, 3: 1})
    apart = members(dict.fromkeys(range(50, 60), 0))
    assert differencing.isolated(apart, {"small": small}, least=FLOOR) is None


_ANY = st.dictionaries(st.integers(0, 11), st.integers(0, 2), min_size=1)
# Calls that come in threes, as cells of both a guard lets pass; drawn freely, hardly any two releases are.
_IN_THREES = st.lists(st.integers(0, 1) | st.none(), min_size=4, max_size=4).map(
    lambda names: {call: name for call in range(12) if (name := names[call // 3]) is not None}
)
RELEASES = st.lists(_ANY, min_size=2, max_size=3) | st.lists(_IN_THREES.filter(bool), min_size=2, max_size=3)


def test_an_attacker_who_intersects_and_subtracts_finds_no_small_part() -> None:
    """Where the guard lets a release pass, no intersection or difference of two classes has fewer callers."""
    passed: list[Counter[str]] = []

    @settings(deadline=None, max_examples=80)
    @given(RELEASES)
    def attack(found: list[dict[int, int]]) -> None:
        releases = [members(one) for one in found]
        if not all(naive(one) for one in releases):
            return
        for place, new in enumerate(releases[1:], 1):
            if differencing.isolated(new, dict(enumerate(releases[:place])), least=FLOOR) is not None:
                return
        sets = [
            {call for call, where in one.classes.items() if where == name}
            for one in releases
            for name in set(one.classes.values())
        ]
        told = Counter[str]()
        for one, other in combinations(sets, 2):
            for kind, part in (("both", one & other), ("less", one - other), ("more", other - one)):
                assert not part or len(part) >= FLOOR
                told[kind] += bool(part)
        passed.append(told)

    attack()
    assert sum(1 for told in passed if told["both"] and (told["less"] or told["more"])) >= 2


def test_a_list_of_members_is_read_as_it_was_packed() -> None:
    release = members({call: call % 3 for call in range(9)})
    assert Members.read(b"".join(release.pack())) == release
