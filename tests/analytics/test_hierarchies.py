"""Hierarchies: what a tree is, what a file says, and what the shipped ones say of calls."""

from datetime import date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.anonymise import HierarchyError, levels
from analytics.anonymise.dimension import Ranges, Tree
from analytics.anonymise.hierarchy import Hierarchy
from analytics.selectors import releasable
from callprivacy.lib import phone
from tests.analytics import referee
from tests.analytics.tables import COLOURS

# A busy machine is no failure.
in_time = settings(deadline=None, max_examples=60)
WHEN = st.datetimes().map(lambda at: at.isoformat(timespec="minutes"))


def test_leaves_stand_so_that_every_group_is_one_stretch() -> None:
    tree = Hierarchy.of(reversed(COLOURS.values()))

    for bins in tree.bins:
        assert len(np.flatnonzero(np.diff(bins))) == len(np.unique(bins)) - 1
    assert sorted(tree.leaves) == sorted(COLOURS)
    assert tree.depth == 4


def test_a_column_tells_the_least_group_of_a_class_and_what_it_costs() -> None:
    tree = Hierarchy.of(COLOURS.values())
    column = Tree("colour", tree)
    for one in COLOURS:
        for other in COLOURS:
            low, high = sorted(tree.places([one, other]).tolist())
            label = next(a for a, b in zip(COLOURS[one], COLOURS[other], strict=True) if a == b)
            assert column.label(low, high) == label
            cost = referee.loss_of(label, COLOURS[one], COLOURS)
            assert column.loss(np.array(low), np.array(high)) == pytest.approx(cost)
            under = [leaf for leaf, path in COLOURS.items() if label in path]
            assert column.ncp(np.array([low]), np.array([high])) == pytest.approx(
                [len(under) / 8 if len(under) > 1 else 0]
            )
            first, last = column.under(np.array([low]), np.array([high]))
            assert sorted(tree.leaves[first[0] : last[0] + 1]) == sorted(under)


def test_what_a_class_costs_with_a_leaf_taken_in() -> None:
    tree = Hierarchy.of(COLOURS.values())
    ages = Ranges.of("age", ["3", "1", "10", "5"], weight=2)
    leaves = np.array([7, 0, 3, 0], np.int32)
    low, high = np.array([0, 2, 4]), np.array([1, 2, 7])
    for column, there in ((Tree("colour", tree, weight=0.5), leaves), (ages, leaves % 4)):
        ends = (low, high) if column.leaves == 8 else (low % 4, np.array([1, 2, 3]))
        table, lines = column.taking(there, *ends)
        each = there[:, None]
        expected = column.loss(np.minimum(each, ends[0]), np.maximum(each, ends[1])) * column.weight
        assert table[lines] == pytest.approx(expected)


def test_many_leaves_are_taken_in_by_their_groups_and_never_look_cheaper() -> None:
    tree = Hierarchy.of(
        (f"{number:04}", str(number // 10), str(number // 100), "*") for number in range(1000)
    )
    column = Tree("number", tree)
    leaves = np.arange(0, 1000, 3, dtype=np.int32)
    low = np.array([0, 5, 120, 400])
    high = np.array([0, 9, 150, 499])

    table, lines = column.taking(leaves, low, high)

    each = leaves[:, None]
    exact = column.loss(np.minimum(each, low), np.maximum(each, high))
    assert len(table) <= 256
    assert (table[lines] >= exact - 1e-6).all()
    assert table[lines][:, 2:] == pytest.approx(exact[:, 2:])


def test_ranges_are_of_numbers_in_their_order() -> None:
    column = Ranges.of("age", ["10", "9", "-3", "40"])

    assert column.texts == ("-3", "9", "10", "40")
    assert column.label(1, 2) == "9-10"
    assert column.label(0, 3) == "-3..40"
    assert column.label(2, 2) == "10"
    assert column.loss(np.array([1]), np.array([3])) == pytest.approx([31 / 43])
    with pytest.raises(HierarchyError, match="not finite"):
        Ranges.of("age", ["1", "inf"])
    with pytest.raises(HierarchyError, match="not in the domain"):
        column.places(["11"])


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        ([], "no values"),
        ([("a", "b"), ("c",)], "as many groups"),
        ([("a", "g"), ("a", "h")], "twice"),
        ([("a", "g", "w"), ("b", "g", "v")], "lies in 'w' and in 'v'"),
    ],
)
def test_what_is_no_tree_is_refused(paths: list[tuple[str, ...]], said: str) -> None:
    with pytest.raises(HierarchyError, match=said):
        Hierarchy.of(paths)


def test_a_file_names_each_value_and_its_groups() -> None:
    tree = Hierarchy.read(["flu;viral", "cold;viral", "burn;other", ""])

    assert tree.labels[1:] == (("other", "viral"), ("*",))
    assert tree.within(["flu", "burn"]).leaves == ("burn", "flu")
    with pytest.raises(HierarchyError, match="does not know 'gout' and 1 other"):
        tree.places(["flu", "gout", "mumps"])


@pytest.mark.parametrize(
    ("name", "value", "path"),
    [
        ("number", "+12125550123", ("+1 212", "US-NY", "US Northeast", "US")),
        ("number", "+14165550123", ("+1 416", "CA-ON", "CA Central", "CA")),
        ("number", "+12425550123", ("+1 242", "BS", "Caribbean and Bermuda", "Caribbean and Bermuda")),
        ("number", "+18005550123", ("+1 800", "no place", "no place", "no place")),
        ("number", "+442071234567", ("+44",) * 4),
        ("number", "+37061234567", ("+370",) * 4),
        ("number", "+79161234567", ("+7",) * 4),
        ("number", "anonymous", ("unknown",) * 4),
        ("number", "+1212555", ("unknown",) * 4),
        ("place", "US-NY", ("US Northeast", "US")),
        ("place", "US-FM", ("US", "US")),
        ("place", "CA-PE", ("CA Atlantic", "CA")),
        ("place", "AU-ACT|NSW", ("AU", "AU")),
        ("place", "DE", ("DE", "DE")),
        ("place", "DO-01", ("Caribbean and Bermuda", "Caribbean and Bermuda")),
        ("place", "unknown", ("unknown", "unknown")),
        ("instant", "2026-11-24T08:15:00-05:00", ("Tue 08", "weekday morning", "weekday")),
        ("instant", "2026-11-28T23:59", ("Sat 23", "weekend night", "weekend")),
        ("instant", "", ("unknown",) * 3),
        ("day", "2026-11-25", ("2026-11-25", "2026-11-23..2026-11-29", "2026-11", "2026-Q4")),
        ("day", "2026-12-01T09:00Z", ("2026-12-01", "2026-12-01..2026-12-06", "2026-12", "2026-Q4")),
        ("day", "2026-11-30", ("2026-11-30", "2026-11-30..2026-11-30", "2026-11", "2026-Q4")),
        ("seconds", "0", ("0", "0", "0-59")),
        ("seconds", "59.9", ("45-59", "30-59", "0-59")),
        ("seconds", "4000", ("3600+", "3600+", "1800+")),
        ("seconds", "-5", ("below 0",) * 3),
        ("seconds", "long", ("unknown",) * 3),
        ("age", "89", ("85-89", "80-89", "80+")),
        ("age", "104", ("90+", "90+", "80+")),
        ("source", "google ads", ("paid search", "paid")),
        ("source", "Yelp", ("local listings", "not paid")),
        ("source", "Carrier pigeon", ("other", "other")),
    ],
)
def test_shipped_hierarchies(name: str, value: str, path: tuple[str, ...]) -> None:
    assert levels.load(name).path(value) == (value, *path)


@in_time
@given(st.lists(WHEN, min_size=1, max_size=30))
def test_shipped_hierarchies_of_time_are_trees_over_any_instants(values: list[str]) -> None:
    for name in ("instant", "day"):
        assert set(levels.load(name).over(values).leaves) == set(values)


@in_time
@given(st.lists(st.integers(-10, 200_000).map(str), min_size=1, max_size=30))
def test_shipped_bands_lie_in_one_another(values: list[str]) -> None:
    for name in ("seconds", "age"):
        assert levels.load(name).over(values).depth == 5


@in_time
@given(st.dates(date(1990, 1, 1), date(2090, 1, 1)))
def test_a_week_holds_its_day_and_no_month_but_its_own(day: date) -> None:
    _, _, week, month, _ = levels.load("day").path(day.isoformat())
    first, last = map(date.fromisoformat, week.split(".."))

    assert first <= day <= last
    assert {f"{first:%Y-%m}", f"{last:%Y-%m}"} == {month}
    assert first.weekday() == 0 or first.day == 1
    assert last.weekday() == 6 or (last + timedelta(days=1)).day == 1


def test_where_a_number_is_from_lies_in_a_group_of_places() -> None:
    numbers = [f"+1{area}5550123" for area in range(200, 1000)]
    places = {phone.place_of(number) for number in numbers} - {("", "")}
    read = releasable.COLUMNS["place"].read
    texts = {read({"country": country, "region": region}, datetime.min) for country, region in places}
    tree = levels.load("place").over(texts)
    assert set(tree.labels[2]) == {"US", "CA", "Caribbean and Bermuda"}


def test_every_area_code_lies_in_one_place_and_all_shipped_files_are_read() -> None:
    assert levels.shipped() == ["age", "day", "instant", "number", "place", "seconds", "source"]
    codes = [f"+1{number}5550123" for number in range(200, 1000)]
    tree = levels.load("number").over(codes)
    assert {"US-CA", "US-TX", "CA-QC", "no place"} <= set(tree.labels[2])
    with pytest.raises(HierarchyError, match="There are: age, day"):
        levels.load("shoes")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("levels = 3", "list"),
        ("levels = [", "not TOML"),
        ('[[levels]]\nname = "a"', "exactly one"),
        ('[[levels]]\nname = "a"\ntake = "day"\nbands = [1]', "exactly one"),
        ('[[levels]]\nname = "a"\ntake = "shoe"', "known are area_code"),
        ('[[levels]]\nname = "a"\nbands = [3, 3]', "ascend"),
        ('[[levels]]\nname = "a"\ngroups = { x = "y" }', "name lists"),
        ('[[levels]]\nname = "a"\ngroups = { x = ["y"], z = ["Y"] }', "into 'x' and 'z'"),
        ('colour = 1\n[[levels]]\nname = "a"\ntake = "day"', "nothing else"),
    ],
)
def test_what_a_hierarchys_file_says_wrongly_is_named(text: str, said: str) -> None:
    with pytest.raises(HierarchyError, match=said):
        levels.parse(text)


def test_own_groups_with_what_is_named_nowhere() -> None:
    kept = levels.parse('[[levels]]\nname = "team"\nother = "="\ngroups = { red = ["Ann", "Bo"] }')
    other = levels.parse('[[levels]]\nname = "team"\nother = "rest"\ngroups = { red = ["Ann", "Bo"] }')

    assert kept.path("ann") == ("ann", "red")
    assert kept.path("Cy") == ("Cy", "Cy")
    assert other.path("Cy") == ("Cy", "rest")
    assert other.path("unknown") == ("unknown", "unknown")
    assert kept.names == ("team",)
