"""
What a release lost, by the measures of the field.

- Loss: over rows and columns the mean of (leaves under the released value - 1) / (leaves of the domain - 1), a
  suppressed row counting 1. Iyengar, "Transforming data to satisfy privacy constraints", KDD 2002. The search makes
  this small.
- NCP and GCP: Xu et al., "Utility-based anonymization using local recoding", KDD 2006; Ghinita et al., "Fast data
  anonymization with low information loss", VLDB 2007. A group costs its share of the domain's leaves, a leaf
  nothing.
- Discernibility: Bayardo and Agrawal, "Data privacy through optimal k-anonymization", ICDE 2005.
- Average class size, as a multiple of k: LeFevre, DeWitt and Ramakrishnan, "Mondrian multidimensional k-anonymity",
  ICDE 2006.
- Entropy: how many bits of a row's values the release leaves open, against the distribution in the table; Gionis and
  Tassa, "k-Anonymization with minimal loss of information", IEEE TKDE 21(2), 2009.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.anonymise.arrays import Codes, Floats, Ints


@dataclass(frozen=True, slots=True)
class Measures:
    """
    Over all rows of the table, suppressed ones included.

    `loss`, `gcp` and `suppressed` are shares (0 to 1), `discernibility` is in pairs of rows, `average_class` in rows,
    `average_class_by_k` a multiple of k, `entropy` in bits a row; `by_column` is each column's loss.
    """

    rows: int
    suppressed_rows: int
    classes: int
    smallest_class: int
    loss: float
    gcp: float
    discernibility: int
    average_class: float
    average_class_by_k: float
    entropy: float
    by_column: dict[str, float]

    @property
    def suppressed(self) -> float:
        return self.suppressed_rows / self.rows if self.rows else 0.0


def discernibility(sizes: Ints, suppressed: int, rows: int) -> int:
    """Each row costs its class's size, a suppressed one the size of the table."""
    return int((sizes.astype(object) ** 2).sum()) + suppressed * rows


def average_class(sizes: Ints) -> float:
    return float(sizes.mean()) if len(sizes) else 0.0


def gcp(penalties: Sequence[Floats], rows: Ints, suppressed: int) -> float:
    """
    The global certainty penalty, 0 to 1.

    :param penalties: for each column the NCP of each class (classes).
    :param rows: how many each class has (classes).
    """
    total = int(rows.sum()) + suppressed
    if not total or not penalties:
        return 0.0
    return float(sum(penalty @ rows for penalty in penalties) / len(penalties) + suppressed) / total


def open_bits(leaves: Codes, ends: tuple[Ints, Ints], classes: Ints) -> float:
    """
    How many bits of one column's values stay open, summed over all rows.

    :param leaves: the leaf of each row (rows).
    :param ends: the first and the last leaf under each class's released value (classes).
    :param classes: the class of each row, -1 where it is suppressed (rows).
    """
    low, high = ends
    counts = np.bincount(leaves, minlength=int(high.max(initial=0)) + 1)
    sums = np.concatenate([[0], np.cumsum(counts)])
    placed = classes >= 0
    inside = np.full(len(leaves), len(leaves), np.int64)
    inside[placed] = (sums[high + 1] - sums[low])[classes[placed]]
    return float(np.log2(inside / counts[leaves]).sum())
