"""
What a release must be, said again without numpy and without the code under test: definitions read from the papers,
counted over texts.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

Row = tuple[str, ...]
Paths = dict[str, tuple[str, ...]]


def classes(rows: Sequence[Row]) -> list[list[int]]:
    """Places of rows with equal quasi-identifiers."""
    found: dict[Row, list[int]] = {}
    for place, row in enumerate(rows):
        found.setdefault(row, []).append(place)
    return list(found.values())


def entropy(values: Sequence[str]) -> float:
    counts = Counter(values)
    return -sum(count / len(values) * math.log(count / len(values)) for count in counts.values())


def is_recursive(values: Sequence[str], c: float, l: int) -> bool:  # noqa: E741  (what the papers call it)
    counts = sorted(Counter(values).values(), reverse=True)
    return counts[0] < c * sum(counts[l - 1 :])


def equal_distance(values: Sequence[str], whole: Sequence[str]) -> float:
    p, q = Counter(values), Counter(whole)
    return sum(abs(p[value] / len(values) - q[value] / len(whole)) for value in q | p) / 2


def ordered_distance(values: Sequence[str], whole: Sequence[str], order: Sequence[str]) -> float:
    p, q = Counter(values), Counter(whole)
    carried, total = 0.0, 0.0
    for value in order:
        carried += p[value] / len(values) - q[value] / len(whole)
        total += abs(carried)
    return total / (len(order) - 1) if len(order) > 1 else 0.0


def transport(p: Sequence[float], q: Sequence[float], cost: Callable[[int, int], float]) -> float:
    """The earth mover's distance itself, by cancelling cycles of negative cost until there are none."""
    size = len(p)
    flow = [[0.0] * size for _ in range(size)]
    left, right = list(p), list(q)
    for one in range(size):
        for other in range(size):
            moved = min(left[one], right[other])
            flow[one][other] += moved
            left[one] -= moved
            right[other] -= moved
    while (cycle := _negative_cycle(flow, cost)) is not None:
        most = min(flow[one][other] for one, other, forward in cycle if not forward)
        for one, other, forward in cycle:
            flow[one][other] += most if forward else -most
    return sum(flow[one][other] * cost(one, other) for one in range(size) for other in range(size))


def _negative_cycle(
    flow: list[list[float]], cost: Callable[[int, int], float]
) -> list[tuple[int, int, bool]] | None:
    size = len(flow)
    edges = [(one, size + other, cost(one, other)) for one in range(size) for other in range(size)]
    edges += [
        (size + other, one, -cost(one, other))
        for one in range(size)
        for other in range(size)
        if flow[one][other] > 1e-12
    ]
    distance, before = [0.0] * (2 * size), [(-1, -1)] * (2 * size)
    last = -1
    for _ in range(2 * size):
        last = -1
        for start, end, price in edges:
            if distance[start] + price < distance[end] - 1e-12:
                distance[end], before[end], last = distance[start] + price, (start, end), end
    if last < 0:
        return None
    for _ in range(2 * size):
        last = before[last][0]
    start, end = before[last]
    walked = [(start, end)]
    while start != last:
        start, end = before[start]
        walked.append((start, end))
    return [(one, other - size, True) if one < size else (other, one - size, False) for one, other in walked]


def loss_of(label: str, path: Sequence[str], leaves: Paths) -> float:
    """(leaves under the label - 1) / (all leaves - 1); the label is one of the leaf's own path."""
    level = path.index(label)
    under = sum(other[level] == label for other in leaves.values())
    return (under - 1) / max(len(leaves) - 1, 1)


def least_loss(rows: Sequence[Row], hierarchies: Sequence[Paths], k: int) -> float:
    """The least loss of any way to put few rows into classes of at least k, tried one by one."""
    return min(
        sum(_cost([rows[place] for place in part], hierarchies) for part in parts)
        for parts in _partitions(list(range(len(rows))), k)
    ) / (len(rows) * len(hierarchies))


def _cost(rows: Sequence[Row], hierarchies: Sequence[Paths]) -> float:
    total = 0.0
    for column, leaves in enumerate(hierarchies):
        paths = [leaves[row[column]] for row in rows]
        label = next(level[0] for level in zip(*paths, strict=True) if len(set(level)) == 1)
        total += loss_of(label, paths[0], leaves)
    return total * len(rows)


def _partitions(places: list[int], k: int) -> Iterator[list[list[int]]]:
    if not places:
        yield []
        return
    first, *rest = places
    for mask in range(1 << len(rest)):
        mine = [first, *(place for number, place in enumerate(rest) if mask >> number & 1)]
        if len(mine) < k:
            continue
        others = [place for number, place in enumerate(rest) if not mask >> number & 1]
        for parts in _partitions(others, k):
            yield [mine, *parts]
