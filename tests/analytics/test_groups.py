"""Groups, the lists of cells made of them, and an attacker who has all of them."""

import itertools
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import cells, groups
from analytics.cells import Columns, Line
from analytics.enums import PARTS, Grain, Sheet, Sum
from analytics.groups import Fact
from tests.analytics.attacker import Attacker

K = 3
P = 15
START = datetime(2026, 6, 1, tzinfo=UTC)
END = datetime(2026, 7, 1, tzinfo=UTC)
FACTS = ("source", "outcome", "region")
VALUES: dict[str, list[Any]] = {
    "day": [0, 1, 2],
    "source": ["s0", "s1", "s2"],
    "outcome": ["o0", "o1"],
    "region": ["r0", "r1", "r2"],
}

type Call = tuple[int, int, int, int, int]
"""Its caller, its day, its source, its outcome, its region."""

CALLS = st.lists(
    st.tuples(
        st.integers(0, 60),
        st.integers(0, 2),
        st.sampled_from([0, 0, 0, 1, 1, 2]),
        st.sampled_from([0, 0, 0, 1]),
        st.sampled_from([0, 0, 0, 0, 1, 2]),
    ),
    min_size=8,
    max_size=70,
)  # fmt: skip


def columns(calls: list[Call]) -> Columns:
    """Calls at noon of their days, of which only three facts differ."""
    n = len(calls)
    codes = {name: np.zeros(n, np.int64) for name in cells.FACTS}
    words = {name: [""] for name in cells.FACTS}
    for place, name in enumerate(FACTS):
        codes[name] = np.array([call[place + 2] for call in calls], np.int64)
        words[name] = [f"{name[0]}{number}" for number in range(3)]
    return Columns(
        millis=np.array(
            [int((START + timedelta(days=call[1], hours=12)).timestamp() * 1000) for call in calls], np.int64
        ),
        callers=np.array([call[0] for call in calls], np.int64),
        seconds=np.ones(n, np.int64),
        cents=np.zeros(n, np.int64),
        codes=codes,
        words=words,
    )


def made(calls: list[Call]) -> list[Line]:
    return cells.cells_of(columns(calls), START, END, "UTC", Grain.MONTH, hourly=False, k=K, p=P).lines


def _told(line: Line) -> dict[str, Any]:
    told: dict[str, Any] = {name: value for name, value in line.told.items() if name in FACTS}
    if line.grain == Grain.DAY:
        told["day"] = (line.starts - int(START.timestamp() * 1000)) // 86_400_000
    return told


def attacker(lines: list[Line]) -> Attacker:
    return Attacker(
        VALUES,
        [(_told(line), line.calls) for line in lines if line.sheet == Sheet.GROUPS],
        [
            (_told(line), line.calls)
            for line in lines
            if line.sheet < Sum.SECONDS and line.sheet not in {Sheet.GROUPS, Sheet.DAYS} and _told(line)
        ],
    )


def small_cells(calls: list[Call]) -> list[dict[str, Any]]:
    """Every combination of up to three facts, time among them, that 1 to k - 1 callers share."""
    found = []
    for size in (1, 2, 3):
        for names in itertools.combinations(VALUES, size):
            people: dict[tuple[Any, ...], set[int]] = defaultdict(set)
            for caller, day, *rest in calls:
                said = {"day": day} | {
                    name: f"{name[0]}{code}" for name, code in zip(FACTS, rest, strict=True)
                }
                people[tuple(said[name] for name in names)].add(caller)
            found += [
                dict(zip(names, key, strict=True)) for key, callers in people.items() if len(callers) < K
            ]
    return found


# --- Groups ---


@given(CALLS, st.integers(3, 7))
@settings(max_examples=60, deadline=None)
def test_groups_are_large_and_what_is_hidden_is_hidden_for_many(calls: list[Call], k: int) -> None:
    callers = np.array([call[0] for call in calls], np.int64)
    callers[callers > 55] = groups.NOBODY
    every = np.ones(len(calls), np.bool_)
    facts = [Fact(np.array([call[place] for call in calls], np.int64), every) for place in (2, 3, 4)]
    found = groups.group(facts, callers, k=k)
    if found.count == 0:
        assert len(set(callers.tolist()) - {groups.NOBODY}) < k
        return
    assert (groups.callers_of(found.of, callers, found.count) >= k).all()
    for fact, shown in zip(facts, found.shown, strict=True):
        for label in set(fact.codes.tolist()):
            hidden = callers[(fact.codes == label) & ~shown]
            mine = set(callers[fact.codes == label].tolist()) - {groups.NOBODY}
            # Hidden for k callers or for none; a label that has fewer is told nowhere.
            people = set(hidden.tolist()) - {groups.NOBODY}
            assert len(hidden) == 0 or len(people) >= k or len(mine) < k
            assert len(mine) >= k or not shown[fact.codes == label].any()
        # Within a group a fact is told of all or of none, and of one value.
        for number in range(found.count):
            inside = found.of == number
            assert shown[inside].all() or not shown[inside].any()
            assert not shown[inside].any() or len(set(fact.codes[inside].tolist())) == 1


def test_calls_of_nobody_make_no_group() -> None:
    nobody = np.full(50, groups.NOBODY, np.int64)
    assert groups.group([], nobody, k=3).count == 0


def test_a_few_beside_many_take_the_smallest_of_them_along() -> None:
    """50 answered, 4 missed, 2 busy: that 2 are left over would tell who is busy; so the 4 go with them."""
    codes = np.repeat([0, 1, 2], [50, 4, 2]).astype(np.int64)
    found = groups.group([Fact(codes, np.ones(56, np.bool_))], np.arange(56), k=3)
    assert found.shown[0].sum() == 50
    found = groups.group([Fact(codes[:54], np.ones(54, np.bool_))], np.arange(54), k=5)
    assert found.shown[0].sum() == 0


# --- Cells ---


@given(CALLS)
@settings(max_examples=40, deadline=None)
def test_each_list_holds_every_call_once_whatever_the_order(calls: list[Call]) -> None:
    lines = made(calls)
    assert lines == made(calls), "the same calls, the same cells"
    for sheet in {line.sheet for line in lines} - {Sheet.DAYS}:
        assert sum(line.calls for line in lines if line.sheet == sheet) == len(calls)
    assert all(line.callers >= K for line in lines)
    key = [(line.sheet, line.starts, line.grain, tuple(line.told.items()), line.calls) for line in lines]
    again = [
        (line.sheet, line.starts, line.grain, tuple(line.told.items()), line.calls)
        for line in made(list(reversed(calls)))
    ]
    assert sorted(key, key=str) == sorted(again, key=str)


# --- The attacker ---


def recovered(calls: list[Call]) -> list[dict[str, Any]]:
    lines = made(calls)
    if not lines:
        return []
    everything = attacker(lines)
    return [cell for cell in small_cells(calls) if everything.recovers(cell)]


@given(CALLS)
@settings(max_examples=25, deadline=None)
def test_an_attacker_with_every_cell_recovers_none_that_is_of_few(calls: list[Call]) -> None:
    assert recovered(calls) == []


TABLE: list[Call] = [
    (number, 0, source, outcome, 0)
    for number, (source, outcome) in enumerate([(0, 0)] * 20 + [(0, 1)] * 2 + [(1, 0)] * 9 + [(1, 1)] * 8)
]
"""Two missed calls of one source: the rest would tell them."""


def test_two_beside_twenty_are_not_recovered() -> None:
    assert {"source": "s0", "outcome": "o1"} in small_cells(TABLE)
    assert recovered(TABLE) == []
    low, high = attacker(made(TABLE)).bounds({"source": "s0", "outcome": "o1"})
    assert low < high >= K


def test_copies_before_and_after_one_call_tell_of_it() -> None:
    """What is not promised (docs/adr/0152): of two moments the difference is the call that came between them."""
    before = [(caller, caller % 3, 0, 0, 0) for caller in range(30)] + [
        (30 + n, 0, 1, 0, 0) for n in range(5)
    ]
    after = [*before, (99, 0, 1, 0, 0)]
    old, new = (
        {(line.sheet, line.starts, line.grain, tuple(line.told.items())): line.calls for line in made(calls)}
        for calls in (before, after)
    )
    grown = {
        sheet: told for (sheet, _, _, told), calls in new.items() if calls != old.get((sheet, _, _, told))
    }
    assert grown[Sheet.SOURCE] == (("source", "s1"),)
    # At one moment the same attacker, who has every cell, finds nobody.
    assert recovered(before) == recovered(after) == []


def _slot_of(line: Line) -> dict[str, Any]:
    return {
        "weekday": line.weekday,
        "part": None if line.part is None else (line.weekday, line.part),
        "slot": None if line.hour is None else (line.weekday, line.hour),
    }


# Two Mondays and two Tuesdays, so that hours of a weekday are of two days.
_DAYS = [0, 7, 1, 8]
_HOURS = [10, 15, 16]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 60),
            st.sampled_from([0, 0, 1, 1, 2, 2, 3]),
            st.integers(0, 2),
            st.sampled_from([0, 0, 0, 1]),
        ),
        min_size=8,
        max_size=70,
    )
)
@settings(max_examples=25, deadline=None)
def test_hours_of_weekdays_tell_the_attacker_nothing_of_few(calls: list[tuple[int, int, int, int]]) -> None:
    n = len(calls)
    plain = columns([(caller, 0, source, 0, 0) for caller, _, _, source in calls])
    whole = replace(
        plain,
        millis=np.array(
            [
                int((START + timedelta(days=_DAYS[day], hours=_HOURS[hour])).timestamp() * 1000)
                for _, day, hour, _ in calls
            ],
            np.int64,
        ),
    )
    lines = cells.cells_of(whole, START, END, "UTC", Grain.MONTH, hourly=True, k=K, p=P).lines
    assert sum(line.calls for line in lines if line.sheet == Sheet.SLOTS) in {0, n}
    assert all(line.grain != Grain.HOUR for line in lines)
    if not lines:
        return

    def said_of(line: Line) -> dict[str, Any]:
        said = {name: value for name, value in _told(line).items() if name in {"day", "source"}}
        if line.grain in {Grain.DAY, Grain.WEEK}:
            said["week"] = (line.starts - int(START.timestamp() * 1000)) // 86_400_000 // 7
        return said | {name: value for name, value in _slot_of(line).items() if value is not None}

    # What a list tells of a week, a weekday or a part is the sum of its lines, however finely each tells it.
    sums: Counter[tuple[str, Any]] = Counter()
    for line in lines:
        if line.sheet in {Sheet.TIME, Sheet.SOURCE, Sheet.SLOTS}:
            sums.update(dict.fromkeys(said_of(line).items(), line.calls))
    everything = Attacker(
        {"day": _DAYS, "hour": _HOURS, "source": ["s0", "s1"]},
        [(said_of(line), line.calls) for line in lines if line.sheet == Sheet.GROUPS],
        [({name: value}, count) for (name, value), count in sums.items()],
        also=lambda world: {
            "week": world["day"] // 7,
            "weekday": (weekday := world["day"] % 7 + 1),
            "part": (weekday, max(part for part in PARTS if part <= world["hour"])),
            "slot": (weekday, world["hour"]),
        },
    )
    people: dict[tuple[Any, ...], set[int]] = defaultdict(set)
    for caller, day, hour, source in calls:
        said = {"day": _DAYS[day], "hour": _HOURS[hour], "source": f"s{source}"}
        for size in (1, 2, 3):
            for names in itertools.combinations(said, size):
                people[tuple((name, said[name]) for name in names)].add(caller)
    small = [dict(cell) for cell, those in people.items() if len(those) < K]
    assert [cell for cell in small if everything.recovers(cell)] == []


def _of_hours(calls: list[tuple[int, int, int]]) -> list[Line]:
    """Of callers, days and hours."""
    plain = columns([(caller, 0, 0, 0, 0) for caller, _, _ in calls])
    instants = [START + timedelta(days=day, hours=hour) for _, day, hour in calls]
    whole = replace(plain, millis=np.array([int(at.timestamp() * 1000) for at in instants], np.int64))
    return cells.cells_of(whole, START, END, "UTC", Grain.MONTH, hourly=True, k=K, p=P).lines


def test_hours_stand_beside_days_where_every_day_is_told() -> None:
    # Three callers on each of four Mondays, one of them at another hour.
    calls = [(3 * day + n, day, 9 + n // 2) for day in (0, 7, 14, 21) for n in range(3)]
    lines = _of_hours(calls)
    assert [line.calls for line in lines if line.sheet == Sheet.TIME] == [3, 3, 3, 3]
    assert {line.grain for line in lines if line.sheet == Sheet.TIME} == {Grain.DAY}
    slots = {(line.weekday, line.part, line.hour): line.calls for line in lines if line.sheet == Sheet.SLOTS}
    assert slots == {(1, 9, 9): 8, (1, 9, 10): 4}


def test_where_days_are_too_small_weeks_are_told_and_hours_of_all_days() -> None:
    # Two callers on each of many days: no day may be told.
    calls = [(2 * day + n, day, 10 + 5 * n) for day in range(28) for n in range(2)]
    lines = _of_hours(calls)
    assert {line.grain for line in lines if line.sheet == Sheet.TIME} == {Grain.WEEK}
    assert not [line for line in lines if line.sheet == Sheet.DAYS]
    slots = [line for line in lines if line.sheet == Sheet.SLOTS]
    assert {(line.part, line.hour, line.calls) for line in slots} == {(9, 10, 4), (13, 15, 4)}
    assert {line.weekday for line in slots} == set(range(1, 8))


def test_a_weekday_with_a_hidden_day_tells_no_hour() -> None:
    # Mondays to Fridays of many callers; of two weekends in June only few call.
    calls = [(100 * day + n, day, 10) for day in range(26) if day % 7 < 5 for n in range(20)]
    calls += [(9_000 + n, 5, 10) for n in range(2)] + [(9_100 + n, 6, 10) for n in range(3)]
    lines = _of_hours(calls)
    assert Grain.DAY in {line.grain for line in lines if line.sheet == Sheet.TIME}
    slots = {line.weekday: line.calls for line in lines if line.sheet == Sheet.SLOTS}
    assert slots.keys() == {1, 2, 3, 4, 5, None}
    assert slots[None] == 5


def test_the_attacker_finds_what_a_threshold_alone_leaves_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheme that only leaves out what is small, and nothing beside it, is one that the attacker breaks."""
    monkeypatch.setattr(groups._Parts, "hide_smallest", lambda *_args, **_kwargs: None)
    lines = [line for line in made(TABLE) if line.sheet != Sheet.GROUPS or "outcome" in line.told]
    two = next(line for line in made(TABLE) if line.sheet == Sheet.GROUPS and "outcome" not in line.told)
    assert two.calls == 2
    pairs = [
        ({name: line.told[name] for name in ("source", "outcome")}, line.calls)
        for line in lines
        if line.sheet == Sheet.GROUPS
    ]
    everything = Attacker(
        {"source": ["s0", "s1"], "outcome": ["o0", "o1"]},
        [*pairs, ({"source": "s0"}, two.calls)],
        [({"outcome": line.told["outcome"]}, line.calls) for line in lines if line.sheet == Sheet.OUTCOME],
    )
    assert everything.recovers({"source": "s0", "outcome": "o1"})


def test_the_attacker_breaks_exact_margins_of_pairs() -> None:
    """Every pair of three facts is of enough callers, or of none, and yet a cell of 2 follows: pairs are no lists."""
    pairs = [
        ({"a": 0, "b": 0}, 7), ({"a": 0, "b": 1}, 5), ({"a": 1, "b": 0}, 6), ({"a": 1, "b": 1}, 5),
        ({"a": 0, "c": 0}, 7), ({"a": 0, "c": 1}, 5), ({"a": 1, "c": 0}, 6), ({"a": 1, "c": 1}, 5),
        ({"b": 1, "c": 0}, 10), ({"b": 1, "c": 1}, 0),
    ]  # fmt: skip
    everything = Attacker({"a": [0, 1], "b": [0, 1], "c": [0, 1]}, [({}, 23)], pairs)
    assert everything.bounds({"a": 0, "b": 0, "c": 0}) == (2, 2)
