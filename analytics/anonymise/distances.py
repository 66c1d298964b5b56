"""
The earth mover's distances of t-closeness (Li, Li and Venkatasubramanian, "t-Closeness: Privacy beyond k-anonymity
and l-diversity", ICDE 2007, section 5): how far the values of each class are from those of the whole table, 0 to 1.

Each takes shares (classes x values), whose rows sum to 1, and the table's shares (values), and gives (classes).
"""

from typing import Protocol

import numpy as np

from analytics.anonymise.arrays import Floats
from analytics.anonymise.hierarchy import Hierarchy


class Distance(Protocol):
    """A ground distance between the values of a sensitive column."""

    def __call__(self, shares: Floats, whole: Floats) -> Floats: ...


def equal(shares: Floats, whole: Floats) -> Floats:
    """All values are as far from each other: half of the sum of differences."""
    found: Floats = np.abs(shares - whole).sum(axis=1) / 2
    return found


def ordered(shares: Floats, whole: Floats) -> Floats:
    """Values are as far from each other as there are steps between them; they stand in their order."""
    steps = max(shares.shape[1] - 1, 1)
    found: Floats = np.abs(np.cumsum(shares - whole, axis=1)[:, :-1]).sum(axis=1) / steps
    return found


class Hierarchical:
    """Values are as far from each other as the least group that holds both is high; the whole tree's height is 1."""

    def __init__(self, hierarchy: Hierarchy) -> None:
        """Take a hierarchy whose leaves are the column's values, in the order of the shares' columns."""
        self.hierarchy = hierarchy

    def __call__(self, shares: Floats, whole: Floats) -> Floats:
        tree = self.hierarchy
        extra: Floats = shares - whole
        found = np.zeros(len(shares))
        inside = tree.bins[0]
        for level in range(1, tree.depth):
            # What the groups below have too much of or too little is settled inside this level's groups first.
            firsts = np.flatnonzero(np.diff(inside, prepend=-1))
            groups = tree.bins[level][firsts]
            begins = np.flatnonzero(np.diff(groups, prepend=-1))
            gain = np.add.reduceat(np.maximum(extra, 0), begins, axis=1)
            lack = np.add.reduceat(np.maximum(-extra, 0), begins, axis=1)
            found += np.minimum(gain, lack).sum(axis=1) * level / (tree.depth - 1)
            extra = gain - lack
            inside = tree.bins[level]
        return found
