"""Whatever the table and the demand: every class meets it, every value holds the row's own, nothing else matters."""

import math
import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.anonymise import (
    ColumnSpec,
    HierarchyError,
    OutOfReachError,
    Release,
    Spec,
    SpecError,
    Table,
    anonymise,
    levels,
)
from analytics.anonymise.classes import Classes
from analytics.anonymise.fuse import fuse
from analytics.anonymise.hierarchy import Hierarchy
from analytics.anonymise.problem import Effort, Problem
from analytics.anonymise.refine import refine
from analytics.anonymise.search import walk
from analytics.anonymise.settle import settle
from tests.analytics import referee, tables
from tests.analytics.tables import HIERARCHIES, NAMES, ROWS

many = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SENSITIVE = ColumnSpec(role="sensitive")


def released(release: Release, *names: str) -> list[tuple[str, ...]]:
    return list(zip(*(release.table.columns[name].texts() for name in names), strict=True))


def check(rows: list[tuple[str, ...]], release: Release, k: int) -> list[list[int]]:
    """Classes are of at least k rows, and every value is one of the row's own path."""
    out = released(release, *NAMES)
    kept = [rows[place] for place in release.rows.tolist()]
    for before, after in zip(kept, out, strict=True):
        for paths, own, label in zip(HIERARCHIES, before[:3], after, strict=True):
            assert label in paths[own]
    found = referee.classes(out)
    assert min(map(len, found)) >= k
    return found


@many
@given(ROWS, st.integers(1, 6), st.sampled_from(["quick", "full"]))
def test_k_anonymity_and_values_that_hold_the_rows_own(
    rows: list[tuple[str, ...]], k: int, effort: Effort
) -> None:
    table, spec = tables.table(rows), tables.spec(k)
    if len(rows) < k:
        with pytest.raises(OutOfReachError, match="released alike"):
            anonymise(table, spec, effort=effort)
        return

    release = anonymise(table, spec, effort=effort)

    found = check(rows, release, k)
    lost = sum(
        referee.loss_of(label, paths[own], paths)
        for before, after in zip(rows, released(release, *NAMES), strict=True)
        for paths, own, label in zip(HIERARCHIES, before[:3], after, strict=True)
    )
    assert release.measures.loss == pytest.approx(lost / len(rows) / 3)
    assert release.measures.classes == len(found)
    assert release.measures.smallest_class == min(map(len, found))


@many
@given(ROWS, st.integers(1, 4), st.integers(1, 3), st.sampled_from(["distinct", "entropy", "recursive"]))
def test_l_diversity_of_every_kind_holds_by_its_definition(
    rows: list[tuple[str, ...]],
    k: int,
    l: int,  # noqa: E741  (what the papers call it)
    kind: str,
) -> None:
    column = replace(SENSITIVE, l=float(l), diversity=kind, c=2.0)  # type: ignore[arg-type]  # words of a table
    try:
        release = anonymise(tables.table(rows), tables.spec(k, illness=column))
    except OutOfReachError:
        assert len(rows) < k or not diverse([row[4] for row in rows], kind, l)
        return

    for members in check(rows, release, k):
        assert diverse([released(release, "illness")[place][0] for place in members], kind, l)


SPELLED = {
    1: ("1", "1.0", "01", "1e0", " 1"),
    2: ("2", "2.00", "+2"),
    "flu": ("flu", "Flu", "FLU ", "ｆｌｕ"),
    "the cold": ("the cold", "The  cold"),
}


@many
@given(
    ROWS,
    st.integers(1, 4),
    st.integers(2, 3),
    st.sampled_from(["distinct", "entropy", "recursive"]),
    st.randoms(use_true_random=False),
)
def test_values_that_say_the_same_are_one_value_however_spelled(
    rows: list[tuple[str, ...]],
    k: int,
    l: int,  # noqa: E741  (what the papers call it)
    kind: str,
    chance: random.Random,
) -> None:
    meant = [chance.choice(list(SPELLED)) for _ in rows]
    spelled = [
        (*row[:4], chance.choice(SPELLED[one]), *row[5:]) for row, one in zip(rows, meant, strict=True)
    ]
    column = replace(SENSITIVE, l=float(l), t=0.5, diversity=kind, c=2.0)  # type: ignore[arg-type]  # words of a table
    try:
        release = anonymise(tables.table(spelled), tables.spec(k, illness=column))
    except OutOfReachError:
        assert len(rows) < k or not diverse(list(map(str, meant)), kind, l)
        return

    said = list(map(str, meant))
    classes = [[said[place] for place in members] for members in check(spelled, release, k)]
    assert all(diverse(values, kind, l) for values in classes)
    spread = release.spread["illness"]
    assert spread.distinct == min(len(set(values)) for values in classes)
    assert spread.t_of_release == pytest.approx(max(referee.equal_distance(one, said) for one in classes))


def test_people_whose_names_say_the_same_are_one_person() -> None:
    rows = [
        (*row[:6], who) for row, who in zip(tables.seeded(3, 8), ("1", "1.0", "Ann", "ANN ") * 2, strict=True)
    ]

    release = anonymise(tables.table(rows), replace(tables.spec(2), person="who"))

    assert release.people == 2
    with pytest.raises(OutOfReachError):
        anonymise(tables.table(rows), replace(tables.spec(3), person="who"))


def diverse(values: list[str], kind: str, l: int) -> bool:  # noqa: E741  (what the papers call it)
    if kind == "distinct":
        return len(set(values)) >= l
    if kind == "entropy":
        return referee.entropy(values) >= math.log(l) - 1e-9
    return referee.is_recursive(values, 2.0, l)


@many
@given(ROWS, st.integers(1, 4), st.sampled_from([0.05, 0.2, 0.5]), st.sampled_from(["equal", "ordered"]))
def test_t_closeness_holds_by_its_definition(
    rows: list[tuple[str, ...]], k: int, t: float, distance: str
) -> None:
    column = replace(SENSITIVE, t=t, distance=distance, order=tables.SICK)  # type: ignore[arg-type]  # words of a table
    if len(rows) < k:
        return

    release = anonymise(tables.table(rows), tables.spec(k, illness=column))

    whole = [row[4] for row in rows]
    order = [value for value in tables.SICK if value in whole]
    farthest = 0.0
    for members in check(rows, release, k):
        values = [released(release, "illness")[place][0] for place in members]
        far = (
            referee.equal_distance(values, whole)
            if distance == "equal"
            else referee.ordered_distance(values, whole, order)
        )
        assert far <= t + 1e-6
        farthest = max(farthest, far)
    assert release.spread["illness"].t_of_table == pytest.approx(farthest, abs=1e-9)


def test_hierarchical_closeness_holds_and_says_by_which_tree() -> None:
    rows = tables.seeded(2, 120)
    tree = Hierarchy.of(
        [("flu", "viral", "*"), ("cold", "viral", "*"), ("none", "no", "*"), ("rare", "x", "*")]
    )
    column = replace(SENSITIVE, t=0.15, distance="hierarchical", tree=tree)

    release = anonymise(tables.table(rows), tables.spec(2, illness=column))

    whole = [row[4] for row in rows]
    shares = [whole.count(leaf) / len(whole) for leaf in tree.leaves]
    for members in check(rows, release, 2):
        values = [released(release, "illness")[place][0] for place in members]
        far = referee.transport(
            [values.count(leaf) / len(values) for leaf in tree.leaves],
            shares,
            lambda one, other: (one != other) * (1 if tree.bins[1][one] != tree.bins[1][other] else 0.5),
        )
        assert far <= 0.15 + 1e-6
    computed = levels.parse('[[levels]]\nname = "kind"\nother = "x"\ngroups = { viral = ["flu", "cold"] }')
    by_levels = replace(column, tree=None, levels=computed)
    assert anonymise(tables.table(rows), tables.spec(2, illness=by_levels)).measures.loss > 0


@many
@given(ROWS, st.integers(1, 3))
def test_every_sensitive_column_has_its_own_demand(rows: list[tuple[str, ...]], k: int) -> None:
    columns = {"illness": replace(SENSITIVE, l=2.0), "work": replace(SENSITIVE, t=0.3)}
    try:
        release = anonymise(tables.table(rows), tables.spec(k, **columns))
    except OutOfReachError:
        assert len(rows) < k or len({row[4] for row in rows}) < 2
        return

    whole = [row[5] for row in rows]
    for members in check(rows, release, k):
        values = [released(release, "illness", "work")[place] for place in members]
        assert len({value for value, _ in values}) >= 2
        assert referee.equal_distance([work for _, work in values], whole) <= 0.3 + 1e-6


@many
@given(ROWS, st.integers(2, 4))
def test_k_counts_people_where_the_spec_says_whose_rows_they_are(rows: list[tuple[str, ...]], k: int) -> None:
    spec = replace(tables.spec(k), person="who")
    if len({row[6] for row in rows}) < k:
        with pytest.raises(OutOfReachError):
            anonymise(tables.table(rows), spec)
        return

    release = anonymise(tables.table(rows), spec)

    people = [len({rows[release.rows[place]][6] for place in members}) for members in check(rows, release, k)]
    assert min(people) >= k
    assert release.people == min(people)
    assert release.risks.highest == pytest.approx(1 / min(people))
    assert "who" not in release.table.columns


@many
@given(ROWS, st.integers(1, 5), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_rows_values(
    rows: list[tuple[str, ...]], k: int, chance: random.Random
) -> None:
    if len(rows) < k:
        return
    spec = tables.spec(k, illness=replace(SENSITIVE, t=0.4))
    order = list(range(len(rows)))
    chance.shuffle(order)

    straight = anonymise(tables.table(rows), spec)
    mixed = anonymise(tables.table([rows[place] for place in order]), spec)

    names = (*NAMES, "illness")
    assert [released(straight, *names)[place] for place in order] == released(mixed, *names)


@many
@given(ROWS, st.integers(2, 5), st.sampled_from([0.1, 0.3]))
def test_suppression_stays_within_its_limit(rows: list[tuple[str, ...]], k: int, share: float) -> None:
    if len(rows) < k:
        return
    table, spec = tables.table(rows), tables.spec(k)

    without = anonymise(table, spec)
    release = anonymise(table, replace(spec, suppression=share))

    check(rows, release, k)
    assert len(without.rows) == len(rows)
    assert len(rows) - len(release.rows) == release.measures.suppressed_rows <= share * len(rows)
    assert list(release.rows) == sorted(set(release.rows.tolist()))


def test_a_row_far_from_all_others_is_suppressed_where_that_may_be() -> None:
    rows = [("a", "o", "x", "18", "flu", "law", "1")] * 9 + [("h", "s", "y", "77", "flu", "law", "2")]

    kept = anonymise(tables.table(rows), tables.spec(5))
    release = anonymise(tables.table(rows), replace(tables.spec(5), suppression=0.1))

    assert kept.measures.loss == 1
    assert set(released(kept, *NAMES)) == {("*", "*", "*")}
    assert release.rows.tolist() == list(range(9))
    assert release.measures.loss == pytest.approx(0.1)
    assert release.measures.by_column["side"] == pytest.approx(0.1)


def test_closeness_is_measured_from_what_is_released() -> None:
    near = [("a", "o", "x", "18", illness, "law", "1") for illness in ("flu", "cold") * 10]
    far = [("h", "s", "y", "77", "rare", "law", "2")] * 2
    spec = replace(tables.spec(3, illness=replace(SENSITIVE, t=0.05)), suppression=0.1)

    release = anonymise(tables.table(near + far), spec)

    assert release.measures.suppressed_rows == 2
    assert release.spread["illness"].t_of_release <= 0.05 < release.spread["illness"].t_of_table


@pytest.mark.thorough
@many
@given(ROWS, st.integers(1, 4))
def test_refining_breaks_no_demand_and_costs_nothing(rows: list[tuple[str, ...]], k: int) -> None:
    if len(rows) < k:
        return
    column = replace(SENSITIVE, t=0.5)
    problem = Problem.of(tables.table(rows), tables.spec(k, illness=column))
    counts = problem.demands.of_counts()
    first = settle(Classes(problem.units, walk(problem.units, counts)), limit=0)
    first = fuse(first, problem.demands)

    after = refine(first, problem.demands)

    assert after.met(problem.demands).all()
    assert after.cost <= first.cost + 1e-9
    assert int(after.rows.sum()) == len(rows)


@pytest.mark.thorough
def test_the_loss_is_near_the_least_there_is() -> None:
    """On tables so small that every way to form classes can be tried."""
    ratios = []
    for seed in range(40):
        rows = tables.seeded(seed, 8)
        release = anonymise(tables.table(rows), tables.spec(2))
        least = referee.least_loss(rows, HIERARCHIES, 2)
        assert release.measures.loss >= least - 1e-9
        ratios.append(release.measures.loss / least if least else 1.0)

    assert sum(ratios) / len(ratios) < 1.15
    assert sum(ratio < 1 + 1e-9 for ratio in ratios) >= 15


@pytest.mark.thorough
@many
@given(ROWS, st.integers(1, 5))
def test_ranges_hold_the_rows_own_number_and_cost_their_width(rows: list[tuple[str, ...]], k: int) -> None:
    if len(rows) < k:
        return
    spec = Spec(
        k=k, columns={"age": ColumnSpec(role="quasi", release="range"), "side": tables.quasi()["side"]}
    )

    release = anonymise(tables.table(rows), spec)

    width = 0.0
    ages = [int(row[3]) for row in rows]
    for before, (after, _) in zip(ages, released(release, "age", "side"), strict=True):
        low, _, high = after.partition("-")
        assert int(low) <= before <= int(high or low)
        width += int(high or low) - int(low)
    span = max(ages) - min(ages) or 1
    assert release.measures.by_column["age"] == pytest.approx(width / span / len(rows))
    assert min(map(len, referee.classes(released(release, "age", "side")))) >= k


def test_means_are_those_of_the_class() -> None:
    rows = [("a", "o", "x", age, "flu", "law", "1") for age in ("18", "18", "25", "59", "77", "77")]
    spec = Spec(k=3, columns={"age": ColumnSpec(role="quasi", release="mean", decimals=1)})

    release = anonymise(tables.table(rows), spec)

    assert [age for (age,) in released(release, "age")] == ["20.3"] * 3 + ["71.0"] * 3


def test_averaged_columns_keep_their_sum_and_hide_each_number() -> None:
    rows = tables.seeded(3, 40)
    spec = tables.spec(4, age=ColumnSpec(role="average", decimals=6))

    release = anonymise(tables.table(rows), spec)

    found = [float(age) for (age,) in released(release, "age")]
    assert sum(found) == pytest.approx(sum(int(row[3]) for row in rows), abs=1e-3)
    assert min(Counter(found).values()) >= 4


def test_kept_and_sensitive_columns_come_out_as_they_were_and_others_not_at_all() -> None:
    rows = tables.seeded(5, 30)
    spec = tables.spec(3, illness=SENSITIVE, work=ColumnSpec(role="keep"))

    release = anonymise(tables.table(rows), spec)

    assert released(release, "illness", "work") == [(row[4], row[5]) for row in rows]
    assert list(release.table.columns) == [*NAMES, "illness", "work"]


def test_whatever_the_effort_classes_that_are_cut_still_meet_the_demands() -> None:
    chance = random.Random(6)
    rows = [
        (chance.choice("abh"), chance.choice("os"), "x", chance.choice(tables.AGES), illness, "law", "1")
        for illness in tables.SICK * 60
    ]
    spec = tables.spec(4, illness=replace(SENSITIVE, t=0.1), age=ColumnSpec(role="quasi", release="range"))

    for effort in ("quick", "full"):
        release = anonymise(tables.table(rows), spec, effort=effort)

        assert release.spread["illness"].t_of_release <= 0.1 + 1e-9
        assert release.measures.smallest_class >= 4
        assert release.measures.classes > 5


def test_rows_of_very_many_columns_are_told_apart() -> None:
    """Keys that do not fit into one word are made again of what there is."""
    chance = np.random.default_rng(9)
    columns = {f"c{number}": [str(one) for one in chance.integers(0, 250, 400)] for number in range(9)}
    columns = {name: texts * 3 for name, texts in columns.items()}
    spec = Spec(k=3, columns=dict.fromkeys(columns, ColumnSpec(role="quasi")))

    release = anonymise(Table.of(columns), spec, effort="quick")

    assert (release.measures.loss, release.measures.classes) == (0, 400)


@pytest.mark.parametrize("effort", ["quick", "full"])
def test_a_lattice_too_large_to_visit_is_walked_along_a_path(effort: Effort) -> None:
    chance = random.Random(3)
    names = [f"c{number}" for number in range(20)]
    rows = [[str(chance.randrange(2) * chance.randrange(2)) for _ in names] for _ in range(60)]
    table = Table.of({name: list(texts) for name, texts in zip(names, zip(*rows, strict=True), strict=True)})
    spec = Spec(k=4, columns=dict.fromkeys(names, ColumnSpec(role="quasi")))

    release = anonymise(table, spec, effort=effort)

    found = referee.classes(released(release, *names))
    assert min(map(len, found)) >= 4
    assert release.measures.loss < 0.6


def test_what_cannot_be_met_is_said() -> None:
    table = tables.table(tables.seeded(1, 20))

    with pytest.raises(OutOfReachError, match="Ask for less"):
        anonymise(table, tables.spec(2, work=replace(SENSITIVE, l=3.0)))
    with pytest.raises(OutOfReachError, match="Ask for less"):
        anonymise(table, tables.spec(2, work=replace(SENSITIVE, l=3.0, diversity="entropy")))
    with pytest.raises(OutOfReachError, match="Ask for less"):
        anonymise(table, replace(tables.spec(21), suppression=1.0))
    with pytest.raises(SpecError, match="no column 'shoe'"):
        anonymise(table, tables.spec(2, shoe=SENSITIVE))
    with pytest.raises(SpecError, match="order must be named"):
        anonymise(table, tables.spec(2, work=replace(SENSITIVE, t=0.2, distance="ordered")))
    with pytest.raises(SpecError, match="does not name 'shop'"):
        anonymise(table, tables.spec(2, work=replace(SENSITIVE, t=0.2, distance="ordered", order=("law",))))
    with pytest.raises(HierarchyError, match=r"'work': .*numbers only"):
        anonymise(table, tables.spec(2, work=ColumnSpec(role="quasi", release="range")))
    with pytest.raises(SpecError, match="'work' is averaged"):
        anonymise(table, tables.spec(2, work=ColumnSpec(role="average")))
    with pytest.raises(HierarchyError, match=r"'work': .*does not know 'shop'"):
        anonymise(table, tables.spec(2, work=ColumnSpec(role="quasi", tree=Hierarchy.flat(["law"]))))


def test_many_units_are_searched_by_samples_and_still_meet_the_demands() -> None:
    """More units than are grouped at every point: the promise of a point is guessed first."""
    chance = np.random.default_rng(4)
    count = 30_000
    numbers = {name: chance.integers(0, 300, count) for name in ("one", "two", "three")}
    table = Table.of(
        {name: [str(number) for number in found.tolist()] for name, found in numbers.items()}
        | {"value": [str(number) for number in chance.integers(0, 3, count).tolist()]}
    )
    column = ColumnSpec(role="quasi", release="range")
    columns = dict.fromkeys(numbers, column) | {"value": replace(SENSITIVE, l=2.0)}

    release = anonymise(table, Spec(k=10, columns=columns), effort="quick")

    found = referee.classes(released(release, "one", "two", "three"))
    assert min(map(len, found)) >= 10
    values = released(release, "value")
    assert min(len({values[place] for place in members}) for members in found) >= 2
    assert release.measures.loss < 0.25
