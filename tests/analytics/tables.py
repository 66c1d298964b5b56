"""Small tables with hierarchies, drawn by hypothesis or by a seed, and the specs over them."""

import random
from collections.abc import Sequence

from hypothesis import strategies as st

from analytics.anonymise import ColumnSpec, Spec, Table
from analytics.anonymise.hierarchy import Hierarchy
from tests.analytics.referee import Paths

# Three columns: a deep tree, a shallow one, and one without groups.
COLOURS: Paths = {
    leaf: (leaf, group, wide, "*")
    for wide, groups in {
        "warm": {"reds": "ab", "yellows": "cd"},
        "cold": {"blues": "efg", "greens": "h"},
    }.items()
    for group, leaves in groups.items()
    for leaf in leaves
}
SHAPES: Paths = {
    leaf: (leaf, group, "*") for group, leaves in {"round": "op", "square": "qrs"}.items() for leaf in leaves
}
SIDES: Paths = {leaf: (leaf, "*") for leaf in "xy"}
HIERARCHIES = (COLOURS, SHAPES, SIDES)
NAMES = ("colour", "shape", "side")
SICK = ("flu", "cold", "none", "rare")
AGES = ("18", "25", "33", "41", "59", "77")


def quasi() -> dict[str, ColumnSpec]:
    return {
        name: ColumnSpec(role="quasi", tree=Hierarchy.of(paths.values()))
        for name, paths in zip(NAMES, HIERARCHIES, strict=True)
    }


def table(rows: Sequence[Sequence[str]]) -> Table:
    """Rows of colour, shape, side, age, illness, work and whose they are."""
    columns = zip(*rows, strict=True)
    names = (*NAMES, "age", "illness", "work", "who")
    return Table.of({name: list(texts) for name, texts in zip(names, columns, strict=True)})


def spec(k: int, **columns: ColumnSpec) -> Spec:
    return Spec(k=k, columns=quasi() | columns)


def row(chance: random.Random) -> tuple[str, ...]:
    return (
        chance.choice([*COLOURS, "a", "a"]),
        chance.choice([*SHAPES, "o"]),
        chance.choice("xy"),
        chance.choice(AGES),
        chance.choice([*SICK, "none", "none"]),
        chance.choice(["law", "shop"]),
        str(chance.randrange(9)),
    )


def seeded(seed: int, count: int) -> list[tuple[str, ...]]:
    chance = random.Random(seed)
    return [row(chance) for _ in range(count)]


ROWS = st.lists(
    st.tuples(
        *(st.sampled_from(sorted(paths)) for paths in HIERARCHIES),
        st.sampled_from(AGES),
        st.sampled_from(SICK),
        st.sampled_from(["law", "shop"]),
        st.sampled_from("123456"),
    ),
    min_size=1,
    max_size=40,
)
