"""Released columns that put the rows back into the order of the input, or name each one: ids, and what acts as one."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from analytics.anonymise.spec import Spec
from analytics.anonymise.table import Column, Table

_ALONE: Final = 0.5
"""The share of rows with a value of their own from which a column tells most of them apart."""
_ASCENDING: Final = 0.95
"""How far a column follows the order of the rows, 1 where it is sorted by it."""


def without_ids(table: Table, spec: Spec) -> Spec:
    """The spec without kept columns that hold another value in each row."""
    ids = {name for name in spec.named("keep") if 1 < len(table) == len(table.columns[name].values)}
    return replace(spec, columns={name: one for name, one in spec.columns.items() if name not in ids})


def warnings(table: Table, spec: Spec, released: Spec) -> Iterator[str]:
    """
    Say what a reader could order the rows by.

    :param spec: as it was written; `released` is what `without_ids` left of it.
    """
    for name in spec.columns:
        if name not in released.columns:
            yield f"{name} is not released: it holds another value in each row, so it is an id."
    for name in (*released.named("keep"), *released.named("sensitive")):
        column = table.columns[name]
        alone = np.count_nonzero(np.bincount(column.codes) == 1) / len(table)
        if alone >= _ALONE:
            yield (
                f"{name} is released as it is and tells rows apart: {alone:.0%} of its values occur once. A person who"
                " knows one finds the row. Generalize it, or leave it out."
            )
        if _follows(column):
            yield (
                f"{name} is released as it is and follows the order of the input: sorting by it undoes the shuffle."
                " Generalize it, or leave it out."
            )


def _follows(column: Column) -> bool:
    """Whether a column of more than two values rises or falls with the rows, by its numbers where all are numbers."""
    if len(column.values) < 3:
        return False
    try:
        keys = np.array([float(value) for value in column.values])
    except ValueError:
        keys = np.arange(len(column.values), dtype=np.float64)
    order = np.empty(len(keys))
    order[np.argsort(keys)] = np.arange(len(keys))
    # Spearman's correlation with the rows' places, as a share of the most that these values could have.
    counts = np.bincount(column.codes, minlength=len(keys))[np.argsort(keys)]
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[order[column.codes].astype(np.int64)]
    ranks -= ranks.mean()
    places = np.arange(len(ranks)) - (len(ranks) - 1) / 2
    return bool(abs(ranks @ places) >= _ASCENDING * (np.sort(ranks) @ places))
