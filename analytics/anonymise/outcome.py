"""What comes out of the anonymiser: the released rows, what they lost and what they still risk."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.anonymise import microaggregate
from analytics.anonymise.arrays import Codes, Floats, Groups, Ints, group_columns
from analytics.anonymise.classes import Classes
from analytics.anonymise.demands import count_values, entropy_of, ratio_of, shares_of
from analytics.anonymise.errors import SpecError
from analytics.anonymise.measures import Measures, average_class, discernibility, gcp, open_bits
from analytics.anonymise.problem import Problem, distance_of
from analytics.anonymise.risks import Risks, assess
from analytics.anonymise.spec import ColumnSpec, Spec
from analytics.anonymise.table import Column, Table

_CELLS: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class Spread:
    """
    What a sensitive column shows over all classes of a release: the fewest distinct values, the least entropy, as so
    many equally frequent values have it, the largest share of one value, and the largest distances from the whole
    table and from the release itself. `ratio` is the largest of r1 / (rl + ... + rm), where (c, l) is demanded; it
    is below c.
    """

    distinct: int
    entropy_l: float
    largest_share: float
    t_of_table: float
    t_of_release: float
    ratio: float | None


@dataclass(frozen=True, slots=True)
class Release:
    """
    What leaves: `table` with the columns that have a role, in their order, and one row for each of `rows` (their
    places in the table that came in, ascending); `classes` (rows) are the rows' classes; `people` is the fewest
    different people in one, where the spec says whose rows they are. Risks are of rows, there of people.
    """

    table: Table
    rows: Ints
    classes: Ints
    measures: Measures
    risks: Risks
    risks_before: Risks
    spread: dict[str, Spread]
    people: int | None


def release(table: Table, spec: Spec, problem: Problem, classes: Classes) -> Release:
    of_row = classes.of_unit[problem.of_row]
    rows, of_row = problem.rows[of_row >= 0], of_row[of_row >= 0]
    released: dict[str, Column] = {}
    quasi = spec.named("quasi")
    for number, name in enumerate(quasi):
        old = table.columns[name]
        kept = Column(old.values, old.codes[rows])
        released[name] = _generalised(classes, number, spec.columns[name], kept, of_row)
    for name, column in spec.columns.items():
        if column.role == "average":
            released[name] = _averaged(name, table.columns[name], rows, spec.k, column.decimals)
        elif column.role != "quasi":
            old = table.columns[name]
            released[name] = Column(old.values, old.codes[rows])
    after = group_columns(*_coded([released[name] for name in quasi]))
    before = group_columns(*_coded([table.columns[name] for name in quasi]))
    after_sizes, before_sizes = after.sizes, before.sizes
    if spec.person is not None:
        # Who has many rows is one person still, in each class.
        people = table.columns[spec.person].alike()
        after_sizes, before_sizes = _people(people[rows], after), _people(people, before)
    threshold = 1 / spec.k
    return Release(
        Table({name: released[name] for name in spec.columns}),
        rows,
        after.of(),
        _measure(len(table), problem, classes, after, spec.k),
        assess(after_sizes, threshold=threshold, population=spec.population),
        assess(before_sizes, threshold=threshold, population=spec.population),
        {name: _spread(name, table, spec, rows, after) for name in spec.named("sensitive")},
        None if spec.person is None else int(after_sizes.min()),
    )


def _coded(columns: list[Column]) -> tuple[list[Codes], list[int]]:
    return [column.codes for column in columns], [len(column.values) for column in columns]


def _generalised(classes: Classes, number: int, spec: ColumnSpec, old: Column, of_row: Ints) -> Column:
    """
    A quasi-identifying column of the release.

    :param old: the column of the rows that are released.
    :param of_row: their classes.
    """
    if spec.release == "mean":
        numbers = np.array([float(value) for value in old.values])[old.codes]
        texts = [f"{mean:.{spec.decimals}f}" for mean in _means(numbers, of_row, len(classes))]
    else:
        dimension = classes.units.dimensions[number]
        ends = zip(classes.lows[number].tolist(), classes.highs[number].tolist(), strict=True)
        texts = [dimension.label(low, high) for low, high in ends]
    column = Column.of(texts)
    return Column(column.values, column.codes[of_row])


def _means(numbers: Floats, of_row: Ints, count: int) -> list[float]:
    sums = np.bincount(of_row, numbers, minlength=count)
    found: list[float] = (sums / np.maximum(np.bincount(of_row, minlength=count), 1)).tolist()
    return found


def _averaged(name: str, column: Column, rows: Ints, k: int, decimals: int) -> Column:
    try:
        values = np.array([float(value) for value in column.values])
    except ValueError as error:
        raise SpecError(f"Column {name!r} is averaged, so it holds numbers only: {error}.") from None
    numbers = values[column.codes[rows]]
    found = microaggregate.means(numbers, microaggregate.one_column(numbers, min(k, len(numbers))))
    return Column.of(f"{mean:.{decimals}f}" for mean in found.tolist())


def _people(codes: Codes, classes: Groups) -> Ints:
    """How many different people each class has (classes)."""
    of_row = classes.of()
    pairs = group_columns([of_row.astype(np.int32), codes], [len(classes), int(codes.max(initial=0)) + 1])
    return np.bincount(of_row[pairs.order[pairs.starts]], minlength=len(classes))


def _measure(total: int, problem: Problem, classes: Classes, released: Groups, k: int) -> Measures:
    dimensions = problem.units.dimensions
    placed = int(classes.rows.sum())
    gone = total - placed
    weights = classes.rows
    of_row = classes.of_unit[problem.of_row]
    by_column: dict[str, float] = {}
    penalties: list[Floats] = []
    bits = 0.0
    for number, dimension in enumerate(dimensions):
        low, high = classes.lows[number], classes.highs[number]
        by_column[dimension.name] = (float(dimension.loss(low, high) @ weights) + gone) / total
        penalties.append(dimension.ncp(low, high))
        leaves = problem.units.leaves[number][problem.of_row]
        bits += open_bits(leaves, dimension.under(low, high), of_row)
    average = average_class(released.sizes)
    return Measures(
        rows=total,
        suppressed_rows=gone,
        classes=len(released),
        smallest_class=int(released.sizes.min()),
        loss=sum(by_column.values()) / len(by_column),
        gcp=gcp(penalties, weights, gone),
        discernibility=discernibility(released.sizes, gone, total),
        average_class=average,
        average_class_by_k=average / k,
        entropy=bits / len(problem.of_row),
        by_column=by_column,
    )


def _spread(name: str, table: Table, spec: Spec, rows: Ints, classes: Groups) -> Spread:
    column = table.columns[name]
    distance, places = distance_of(name, column.values, spec.columns[name])
    width = int(places.max(initial=0)) + 1
    codes = places.astype(np.int32)[column.codes]
    whole = shares_of(np.bincount(codes, minlength=width)[None])[0]
    released = shares_of(np.bincount(codes[rows], minlength=width)[None])[0]
    numbers, inside = classes.number(), codes[rows][classes.order]
    found = []
    # A bounded table of counts at a time.
    step = max(_CELLS // width, 1)
    for begin in range(0, len(classes), step):
        low, high = np.searchsorted(numbers, [begin, begin + step])
        shape = (min(step, len(classes) - begin), width)
        counts = count_values(
            numbers[low:high] - begin, inside[low:high], np.ones(high - low, np.int64), shape
        )
        shares = shares_of(counts)
        found.append(
            (
                (counts > 0).sum(axis=1).min(),
                entropy_of(counts).min(),
                -shares.max(),
                -distance(shares, whole).max(),
                -distance(shares, released).max(),
                -ratio_of(counts, int(spec.columns[name].l or 1)).max(),
            )
        )
    distinct, entropy, largest, by_table, by_release, ratio = np.array(found).min(axis=0).tolist()
    asked = spec.columns[name].diversity == "recursive" and spec.columns[name].l is not None
    return Spread(
        int(distinct), float(np.exp(entropy)), -largest, -by_table, -by_release, -ratio if asked else None
    )
