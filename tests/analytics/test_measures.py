"""What a release lost, counted again by hand."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from analytics.anonymise import ColumnSpec, Spec, anonymise
from analytics.anonymise.hierarchy import Hierarchy
from analytics.anonymise.measures import average_class, discernibility, gcp
from tests.analytics import referee, tables
from tests.analytics.tables import HIERARCHIES, NAMES


def test_measures_are_those_of_the_papers() -> None:
    rows = [*tables.seeded(8, 60), ("h", "s", "y", "77", "flu", "law", "1")]
    spec = replace(tables.spec(6), suppression=0.05)

    release = anonymise(tables.table(rows), spec)

    out = list(zip(*(release.table.columns[name].texts() for name in NAMES), strict=True))
    sizes = [len(members) for members in referee.classes(out)]
    gone = len(rows) - len(out)
    penalty, bits = 0.0, 0.0
    for column, paths in enumerate(HIERARCHIES):
        there = Counter(row[column] for row in rows)
        for label, place in zip((row[column] for row in out), release.rows.tolist(), strict=True):
            level = paths[rows[place][column]].index(label)
            under = [leaf for leaf, path in paths.items() if path[level] == label]
            penalty += len(under) / len(paths) if len(under) > 1 else 0
            bits += math.log2(sum(there[leaf] for leaf in under) / there[rows[place][column]])
        for place in set(range(len(rows))) - set(release.rows.tolist()):
            penalty += 1
            bits += math.log2(len(rows) / there[rows[place][column]])
    found = release.measures
    assert found.gcp == pytest.approx(penalty / len(rows) / 3)
    assert found.entropy == pytest.approx(bits / len(rows))
    assert found.discernibility == sum(size**2 for size in sizes) + gone * len(rows)
    assert found.average_class == pytest.approx(len(out) / len(sizes))
    assert found.average_class_by_k == pytest.approx(found.average_class / 6)
    assert (found.rows, found.suppressed_rows) == (len(rows), gone)
    assert found.suppressed == gone / len(rows)
    assert found.loss == pytest.approx(sum(found.by_column.values()) / 3)


def test_weights_say_which_column_is_kept_finer() -> None:
    rows = [(colour, shape, "x", "18", "flu", "law", "1") for colour in "abcd" for shape in "opqr"]
    columns = tables.quasi()

    def losses(weight: float) -> dict[str, float]:
        heavier = columns | {"colour": replace(columns["colour"], weight=weight)}
        return anonymise(tables.table(rows), Spec(k=4, columns=heavier)).measures.by_column

    assert losses(50)["colour"] == 0
    assert losses(0.02)["shape"] == 0


def test_a_range_counts_by_the_domain_that_is_named() -> None:
    rows = [("a", "o", "x", age, "flu", "law", "1") for age in ("18", "25")]
    domain = Hierarchy.flat([str(age) for age in range(18, 119)])
    spec = Spec(k=2, columns={"age": ColumnSpec(role="quasi", release="range", tree=domain)})

    assert anonymise(tables.table(rows), spec).measures.loss == pytest.approx(7 / 100)


def test_small_formulas() -> None:
    assert discernibility(np.array([3, 4]), 2, 9) == 9 + 16 + 18
    assert average_class(np.array([3, 4])) == 3.5
    assert average_class(np.array([], np.int64)) == 0
    assert gcp([np.array([0.5, 1.0])], np.array([2, 2]), 1) == pytest.approx((1 + 2 + 1) / 5)
    assert gcp([], np.array([2]), 0) == 0
