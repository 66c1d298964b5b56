"""
What the columns of a table are and what is demanded of it, as it is written down in TOML.

    k = 11
    suppression = 0.01                   # of the rows, at most
    person = "caller"                    # k counts its different values instead of rows; it is not released
    population = 250000                  # how many people the rows are drawn from, for the risks

    [columns.number]
    role = "quasi"                       # known to others: generalised
    hierarchy = "number"                 # shipped, or { file = "own.csv" } or { file = "own.toml" }

    [columns.seconds]
    role = "quasi"
    release = "range"                    # ranges of numbers instead of a hierarchy's groups; or "mean"

    [columns.outcome]
    role = "sensitive"                   # not to be learnt about anybody: released as it is
    l = 2
    diversity = "distinct"               # or "entropy", or "recursive" with c
    t = 0.3
    distance = "equal"                   # or "ordered" with order, or "hierarchical" with hierarchy

    [columns.value]
    role = "average"                     # released as the mean of at least k near ones

    [columns.month]
    role = "keep"                        # released as it is

A column that is not named is not released. Without it the rest is no more anonymous than its quasi-identifiers are.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any, Final, Literal

from analytics.anonymise import levels
from analytics.anonymise.errors import HierarchyError, SpecError
from analytics.anonymise.hierarchy import Hierarchy

Role = Literal["quasi", "sensitive", "average", "keep"]
Release = Literal["hierarchy", "range", "mean"]
Diversity = Literal["distinct", "entropy", "recursive"]
Ground = Literal["equal", "ordered", "hierarchical"]
# Gives the text of a file that a spec names.
Opener = Callable[[str], str]

_KEYS: Final = {
    "quasi": {"role", "hierarchy", "release", "weight", "decimals"},
    "sensitive": {"role", "l", "diversity", "c", "t", "distance", "order", "hierarchy"},
    "average": {"role", "decimals"},
    "keep": {"role"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSpec:
    """
    One column: its role and, by that, how it is generalised or what is demanded of its values in each class.

    `tree` is a hierarchy that names its values, `levels` one that computes groups for the values a table has.
    """

    role: Role
    tree: Hierarchy | None = None
    levels: levels.Levels | None = None
    release: Release = "hierarchy"
    weight: float = 1.0
    decimals: int = 2
    l: float | None = None
    diversity: Diversity = "distinct"
    c: float = 1.0
    t: float | None = None
    distance: Ground = "equal"
    order: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """
        Check that the demands can be meant.

        :raises SpecError: they cannot.
        """
        if self.l is not None and (self.l < 1 or (self.diversity != "entropy" and self.l != int(self.l))):
            raise SpecError("l is at least 1, and a whole number unless the diversity is that of entropy.")
        if self.c <= 0 or self.weight <= 0 or self.decimals < 0:
            raise SpecError("c and weight are above 0 and decimals at least 0.")
        if self.release != "hierarchy" and self.levels is not None:
            raise SpecError(
                "Ranges and means are of numbers; a hierarchy of computed groups has no part in them."
            )
        if self.t is not None and not 0 <= self.t <= 1:
            raise SpecError("t is from 0 to 1.")
        if self.distance == "hierarchical" and self.tree is None and self.levels is None:
            raise SpecError("A hierarchical distance needs a hierarchy.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What each column is and what is demanded of all classes; `suppression` is a share of 0 to 1."""

    columns: Mapping[str, ColumnSpec]
    k: int
    suppression: float = 0.0
    person: str | None = None
    population: int | None = None
    delimiter: str = field(default=",")

    def __post_init__(self) -> None:
        """
        Check the whole.

        :raises SpecError: something is missing or cannot be meant.
        """
        if self.k < 1 or not 0 <= self.suppression <= 1:
            raise SpecError("k is at least 1 and suppression from 0 to 1.")
        if not self.named("quasi"):
            raise SpecError('At least one column has the role "quasi": what others know of a person.')
        if self.person in self.columns:
            raise SpecError("The column that says whose row it is, is not released, so it has no role.")
        if len(self.delimiter) != 1:
            raise SpecError("The delimiter is one character.")

    def named(self, role: Role) -> list[str]:
        """The columns of a role, in their order."""
        return [name for name, column in self.columns.items() if column.role == role]

    def demanding(
        self,
        *,
        k: int | None = None,
        l: float | None = None,
        t: float | None = None,
    ) -> Spec:
        """
        The same with other demands; l and t are made of every sensitive column.

        :raises SpecError: l or t is demanded and no column is sensitive.
        """
        if (l is not None or t is not None) and not self.named("sensitive"):
            raise SpecError('l and t are demanded of columns with the role "sensitive", and there is none.')
        columns = {
            name: replace(column, l=column.l if l is None else l, t=column.t if t is None else t)
            if column.role == "sensitive"
            else column
            for name, column in self.columns.items()
        }
        return replace(self, columns=columns, k=self.k if k is None else k)


def parse(text: str, opener: Opener, *, k: int | None = None) -> Spec:
    """
    Read a spec.

    :param opener: gives the text of a hierarchy file that the spec names.
    :param k: instead of what the spec says.
    :raises SpecError: it is not TOML, or says what is not known or cannot be meant; the column is named.
    """
    try:
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SpecError(f"The spec is not TOML: {error}.") from error
    known = {"k", "suppression", "person", "population", "delimiter", "columns"}
    if surplus := set(found) - known:
        raise SpecError(
            f"The spec does not know {', '.join(sorted(surplus))}; known are {', '.join(sorted(known))}."
        )
    columns = found.pop("columns", None)
    if not isinstance(columns, dict) or not all(isinstance(column, dict) for column in columns.values()):
        raise SpecError("The spec describes columns as [columns.<name>].")
    if k is not None:
        found["k"] = k
    if "k" not in found:
        raise SpecError("k is missing.")
    _check_types(
        found, {"k": int, "suppression": (int, float), "person": str, "population": int, "delimiter": str}
    )
    return Spec(columns={name: _column(name, column, opener) for name, column in columns.items()}, **found)


def _column(name: str, found: dict[str, Any], opener: Opener) -> ColumnSpec:
    role = found.get("role")
    if role not in _KEYS:
        raise SpecError(f"Column {name!r}: the role is one of {', '.join(_KEYS)}.")
    if surplus := set(found) - _KEYS[role]:
        raise SpecError(
            f"Column {name!r}: {', '.join(sorted(surplus))} is not known where the role is {role}."
        )
    choices = {
        "release": ("hierarchy", "range", "mean"),
        "diversity": ("distinct", "entropy", "recursive"),
        "distance": ("equal", "ordered", "hierarchical"),
    }
    for key, allowed in choices.items():
        if found.get(key, allowed[0]) not in allowed:
            raise SpecError(f"Column {name!r}: {key} is one of {', '.join(allowed)}.")
    try:
        number = (int, float)
        _check_types(
            found, {"l": number, "c": number, "t": number, "weight": number, "decimals": int, "order": list}
        )
        rest = {key: value for key, value in found.items() if key not in {"hierarchy", "order"}}
        tree, steps = _hierarchy(found.get("hierarchy"), opener)
        return ColumnSpec(**rest, tree=tree, levels=steps, order=tuple(map(str, found.get("order", ()))))
    except (SpecError, HierarchyError) as error:
        raise SpecError(f"Column {name!r}: {error}") from error


def _check_types(found: Mapping[str, object], types: Mapping[str, type | tuple[type, ...]]) -> None:
    for key, kind in types.items():
        if key in found and (not isinstance(found[key], kind) or isinstance(found[key], bool)):
            raise SpecError(f"{key} cannot be {found[key]!r}.")


def _hierarchy(named: object, opener: Opener) -> tuple[Hierarchy | None, levels.Levels | None]:
    if named is None:
        return None, None
    if isinstance(named, str):
        return None, levels.load(named)
    if (
        not isinstance(named, dict)
        or not isinstance(named.get("file"), str)
        or set(named) - {"file", "delimiter"}
    ):
        raise SpecError("a hierarchy is the name of a shipped one, or { file = ..., delimiter = ... }.")
    text = opener(named["file"])
    if PurePosixPath(named["file"]).suffix == ".toml":
        return None, levels.parse(text)
    return Hierarchy.read(text.splitlines(), delimiter=str(named.get("delimiter", ";"))), None
