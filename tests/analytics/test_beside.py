"""A release held against the reports of the same days: what is left when one is subtracted from the other."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import cells, groups
from analytics.cells import Columns
from analytics.enums import Grain, Sheet
from analytics.groups import Ints
from analytics.selectors.beside import OUT, small_parts
from tests.analytics.attacker import Attacker

K = 3
START, END = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)


def _numbers(words: Sequence[str | None]) -> Ints:
    """A number for each word, `OUT` for what is none."""
    places = {word: place for place, word in enumerate(dict.fromkeys(words)) if word is not None}
    return np.array([OUT if word is None else places[word] for word in words], np.int64)


def _left(
    lists: Sequence[Ints], rows: Sequence[str | None], *, callers: Sequence[int] | None = None
) -> list[int]:
    """How many callers are left out of each part of which too few are; each call is another caller's if not said."""
    people = np.array(range(len(rows)) if callers is None else callers, np.int64)
    return sorted(part.left_out for part in small_parts(lists, people, _numbers(rows), k=K))


def _told(
    told: Sequence[str],
    *,
    other: Sequence[str] = (),
    when: Sequence[datetime] = (),
    callers: Sequence[int] = (),
) -> cells.Told:
    """What reports tell of calls with these sources (and outcomes, and instants)."""
    n = len(told)
    codes = {name: np.zeros(n, np.int64) for name in cells.FACTS}
    words = {name: [""] for name in cells.FACTS}
    for name, values in (("source", told), ("outcome", other)):
        if values:
            words[name] = sorted(set(values))
            codes[name] = np.array([words[name].index(value) for value in values], np.int64)
    instants = when or [START + timedelta(hours=12)] * n
    columns = Columns(
        millis=np.array([int(instant.timestamp() * 1000) for instant in instants], np.int64),
        callers=np.array(callers or range(n), np.int64),
        seconds=np.ones(n, np.int64),
        cents=np.zeros(n, np.int64),
        codes=codes,
        words=words,
    )
    return cells.cells_of(columns, START, END, "UTC", Grain.MONTH, hourly=True, k=K, p=15)


def _lists(told: Sequence[str], **others: Any) -> list[Ints]:
    """The lists of these calls that reports are made of."""
    return list(_told(told, **others).of.values())


def test_two_callers_who_are_left_out_follow_from_the_total() -> None:
    every = [np.zeros(6, np.int64)]
    assert _left(every, ["*"] * 4 + [None] * 2) == [2]
    assert _left(every, ["*"] * 3 + [None] * 3) == []
    assert _left(every, ["*"] * 6) == []
    # Of a span that tells nothing, nothing follows.
    assert _left([np.full(6, OUT)], ["*"] * 4 + [None] * 2) == []


def test_cells_that_rows_tell_apart_are_subtracted_one_by_one() -> None:
    cells_of = [_numbers("aaaaabbbbb")]
    assert _left(cells_of, ["a", "a", "a", None, None, "b", "b", "b", "b", None]) == [1, 2]
    # A row that stands for both leaves only what is left out of both together.
    assert _left(cells_of, ["a", "a", "*", None, None, "*", "b", "b", "b", None]) == []


def test_a_caller_counts_once_and_calls_without_a_number_are_of_nobody() -> None:
    every = [np.zeros(5, np.int64)]
    rows = [None, None, None, "*", "*"]
    assert _left(every, rows, callers=[0, 0, 1, 2, 3]) == [2]
    # As in a report they help no cell to its callers.
    assert _left(every, rows, callers=[groups.NOBODY] * 3 + [2, 3]) == [0]


def test_what_one_list_tells_is_subtracted_from_what_another_tells() -> None:
    """Of `a` four are left out and three of `b`, all of which lies in it: so one of what else is `a`."""
    wide, narrow = _numbers("aaaaaaaadddddd"), _numbers("bbbbb---------")
    rows = ["ab", "ab", None, None, None, "a", "a", None, "d", "d", "d", None, None, None]
    assert _left([wide], rows) == _left([narrow], rows) == []
    assert set(_left([wide, narrow], rows)) == {1}


def test_a_value_that_reports_hide_by_its_calls_is_hidden_here_by_its_calls() -> None:
    """`B` has more callers than `A` and fewer calls, so that it is hidden beside `C`, and `A` is told."""
    callers = [one for one in range(4) for _ in range(3)] + [*range(4, 9), 9, 10, *range(11, 30)]
    told = ["A"] * 12 + ["B"] * 5 + ["C"] * 2 + ["D"] * 19
    out = {0, 8, 9, 10}
    rows = [None if caller in out else value for value, caller in zip(told, callers, strict=True)]
    assert set(_left(_lists(told, callers=callers), rows, callers=callers)) == {1}


def test_two_facts_that_reports_tell_together_are_compared_together() -> None:
    """Three callers each are left out of every source and of every outcome, and one of each pair."""
    pairs = [(source, outcome) for source in "abc" for outcome in "xyz" for _ in range(8)]
    rows = [None if place % 8 == 0 else " ".join(pair) for place, pair in enumerate(pairs)]
    sources, outcomes = [one for one, _ in pairs], [one for _, one in pairs]
    assert _left([_numbers(sources)], rows) == _left([_numbers(outcomes)], rows) == []
    assert _left(_lists(sources, other=outcomes), rows) == [1] * 9


def test_weeks_are_compared_where_no_day_is_told() -> None:
    """A caller on each day; of each week's seven one is left out."""
    when = [START + timedelta(days=day, hours=12) for day in range(28)]
    rows = [None if day % 7 == 0 else f"week {day // 7}" for day in range(28)]
    # In the list of time, and in that of all that is told.
    assert _left(_lists("s" * 28, when=when), rows) == [1] * 8


def test_hours_of_weekdays_are_compared_where_no_hour_of_a_day_is_told() -> None:
    when = [
        START + timedelta(days=7 * week, hours=hour)
        for week in range(3)
        for hour in (9, 10)
        for _ in range(4)
    ]
    said = ["Mon 09" if instant.hour == 9 else "Mon 10" for instant in when]
    lists = _lists("s" * 24, when=when)
    rows = [None if place in {0, 8, 4, 12, 20} else text for place, text in enumerate(said)]
    assert _left(lists, rows) == [2]
    rows = [None if place in {0, 8, 16, 4, 12, 20} else text for place, text in enumerate(said)]
    assert _left(lists, rows) == []


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 30), st.sampled_from(["", "own", "pair", "all"])),
        max_size=40,
    )
)
def test_no_sum_of_rows_that_is_a_sum_of_cells_leaves_a_few(calls: list[tuple[int, int, str]]) -> None:
    """By brute force: every set of cells and set of rows that hold the same of the file's calls."""
    values = np.array([value for value, _, _ in calls], np.int64)
    rows: list[str | None] = [
        {"": None, "own": f"={value}", "pair": f"pair {value // 2}", "all": "*"}[how]
        for value, _, how in calls
    ]
    callers = [caller for _, caller, _ in calls]
    if _left([values], rows, callers=callers):
        return
    every = set(values.tolist())
    for chosen in range(1, 1 << len(every)):
        some = {value for place, value in enumerate(sorted(every)) if chosen >> place & 1}
        those = {row for value, row in zip(values, rows, strict=True) if value in some} - {None}
        if not those or any(
            row in those and value not in some for value, row in zip(values, rows, strict=True)
        ):
            continue  # the rows do not keep these cells apart from others, or are none
        left = {
            caller
            for value, caller, row in zip(values, callers, rows, strict=True)
            if value in some and row is None
        }
        # Cells of which there is no row at all are told by the report alone.
        left -= {
            caller
            for value, caller in zip(values, callers, strict=True)
            if not _has_rows(value, values, rows)
        }
        assert len(left) not in range(1, K)


def _has_rows(value: int, values: Ints, rows: Sequence[str | None]) -> bool:
    return any(one == value and row is not None for one, row in zip(values, rows, strict=True))


@settings(deadline=None, max_examples=25)
@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.sampled_from("aabc"), st.sampled_from("xxy")),
        min_size=8,
        max_size=60,
    ),
    st.sets(st.integers(0, 30), min_size=1, max_size=3),
    st.sampled_from([("source",), ("outcome",), ("source", "outcome"), ()]),
)
def test_who_has_every_cell_and_the_file_finds_no_few_who_were_left_out(
    calls: list[tuple[int, str, str]], out: set[int], columns: tuple[str, ...]
) -> None:
    """As the guard has a release hold callers back, and by the attacker of reports (tests/analytics/attacker.py)."""
    callers, facts = (
        [caller for caller, _, _ in calls],
        [{"source": one, "outcome": two} for _, one, two in calls],
    )
    told = _told([one["source"] for one in facts], other=[one["outcome"] for one in facts], callers=callers)
    out = out & set(callers)
    rows = [tuple(fact[name] for name in columns) for fact in facts]

    def kept() -> list[str | None]:
        return [None if caller in out else " ".join(row) for caller, row in zip(callers, rows, strict=True)]

    while parts := small_parts(list(told.of.values()), np.array(callers), _numbers(kept()), k=K):
        inside = {callers[place] for place in parts[0].inside}
        out |= set(sorted(inside)[: K - parts[0].left_out])
    if not told.lines or set(callers) <= out:
        return
    file = Counter(row for caller, row in zip(callers, rows, strict=True) if caller not in out)
    everything = Attacker(
        {"source": "abc", "outcome": "xy", "in": [True, False]},
        [(_said(line), line.calls) for line in told.lines if line.sheet == Sheet.GROUPS],
        [
            *(
                (_said(line), line.calls)
                for line in told.lines
                if line.sheet in {Sheet.SOURCE, Sheet.OUTCOME} and _said(line)
            ),
            *(({"in": True} | dict(zip(columns, row, strict=True)), number) for row, number in file.items()),
        ],
    )
    left: dict[tuple[tuple[str, object], ...], set[int]] = defaultdict(set)
    for caller, fact in zip(callers, facts, strict=True):
        if caller in out:
            for names in ((), ("source",), ("outcome",), ("source", "outcome")):
                left[*((name, fact[name]) for name in names), ("in", False)].add(caller)
    small = [dict(cell) for cell, those in left.items() if len(those) < K]
    assert [cell for cell in small if everything.recovers(cell)] == []


def _said(line: cells.Line) -> dict[str, str]:
    return {name: value for name, value in line.told.items() if name in {"source", "outcome"}}
