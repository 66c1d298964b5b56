"""
Hierarchies as data that people edit: TOML files that say level by level how a value is put into a wider group.

    [[levels]]
    name = "area code"
    take = "area_code"                    # a computed part of the value itself

    [[levels]]
    name = "state"
    groups = {NJ = ["+1 201", "+1 551"]}  # groups of the level below; letters' case does not matter
    other = "elsewhere"                   # what is named nowhere; "=": the group it had, "-": that up to a hyphen

    [[levels]]
    name = "bands"
    bands = [0, 30, 60]                   # of whole numbers: 0-29, 30-59, 60+

The values themselves are the lowest level, `*` is the highest; neither is written down. What a level cannot read
becomes `unknown`. `shipped()` names the files that come with the product.
"""

import math
import re
import tomllib
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Any, Final

from analytics.anonymise.errors import HierarchyError
from analytics.anonymise.hierarchy import ANYTHING, Hierarchy

UNKNOWN: Final = "unknown"
_KEEP: Final = "="
_BEFORE: Final = "-"
_FOLDER: Final = resources.files("analytics.anonymise") / "hierarchies"
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_E164 = re.compile(r"\+[1-9][0-9]{5,14}", re.ASCII).fullmatch
# Country calling codes (ITU-T E.164) have one digit, these two, or else three.
_ONE: Final = frozenset("17")
_TWO: Final = frozenset(
    str(code)
    for first, last in (
        (20, 20),
        (27, 27),
        (30, 34),
        (36, 36),
        (39, 41),
        (43, 49),
        (51, 58),
        (60, 66),
        (81, 82),
        (84, 84),
        (86, 86),
        (90, 95),
        (98, 98),
    )
    for code in range(first, last + 1)
)

Step = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class Levels:
    """
    What one file says: the levels' names, and for each a step from a value and the group below to its group.

    :ivar left_out: places of levels whose groups are computed, as wider ones may stand on them, but not used.
    """

    names: tuple[str, ...]
    steps: tuple[Step, ...]
    left_out: frozenset[int] = frozenset()

    def path(self, value: str) -> tuple[str, ...]:
        """The value and its groups, narrowest first."""
        return (value, *self.groups(value))

    def groups(self, value: str) -> tuple[str, ...]:
        """A value's groups, narrowest first."""
        found, below = [], value
        for place, step in enumerate(self.steps):
            below = step(value, below)
            if place not in self.left_out:
                found.append(below)
        return tuple(found)

    def only(self, names: Collection[str]) -> "Levels":
        """
        The same with these levels alone between a value and `*`.

        :raises HierarchyError: there is none of one of these names.
        """
        if unknown := set(names) - set(self.names):
            raise HierarchyError(f"There is no level {min(unknown)!r}. There are: {', '.join(self.names)}.")
        left_out = frozenset(place for place, name in enumerate(self.names) if name not in names)
        return Levels(self.names, self.steps, left_out)

    def over(self, values: Iterable[str]) -> Hierarchy:
        """
        The tree over these values.

        :raises HierarchyError: a group would lie in two wider ones.
        """
        return Hierarchy.grouped((value, (*self.groups(value), ANYTHING)) for value in values)


def shipped() -> list[str]:
    """The names of the hierarchies that come with the product."""
    return sorted(
        found.name.removesuffix(".toml") for found in _FOLDER.iterdir() if found.name.endswith(".toml")
    )


@cache
def load(name: str) -> Levels:
    """
    Read a shipped hierarchy.

    :raises HierarchyError: there is none of this name.
    """
    return parse(text_of(name))


def text_of(name: str) -> str:
    """
    A shipped hierarchy as it is written.

    :raises HierarchyError: there is none of this name.
    """
    if name not in shipped():
        raise HierarchyError(f"There is no hierarchy {name!r}. There are: {', '.join(shipped())}.")
    return (_FOLDER / f"{name}.toml").read_text(encoding="utf-8")


def parse(text: str) -> Levels:
    """
    Read a hierarchy's TOML.

    :raises HierarchyError: it is not TOML, or a level is not as this module's text describes.
    """
    try:
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise HierarchyError(f"The hierarchy is not TOML: {error}.") from error
    levels = found.get("levels")
    if set(found) - {"levels", "title"} or not isinstance(levels, list) or not levels:
        raise HierarchyError("A hierarchy has a list [[levels]], a title if you like, and nothing else.")
    return build(levels)


def build(levels: Sequence[dict[str, Any]]) -> Levels:
    """
    Put levels together that are described as the TOML's are.

    :raises HierarchyError: a level is not as this module's text describes.
    """
    return Levels(
        tuple(str(level.get("name", place)) for place, level in enumerate(levels, start=1)),
        tuple(_step(level, place) for place, level in enumerate(levels, start=1)),
    )


def _step(level: dict[str, Any], place: int) -> Step:
    where = f"Level {place} ({level.get('name', 'without a name')})"
    kinds = [kind for kind in ("take", "groups", "bands") if kind in level]
    surplus = set(level) - {"name", "other", "take", "groups", "bands"}
    if len(kinds) != 1 or surplus or ("other" in level and kinds != ["groups"]):
        raise HierarchyError(f"{where} needs exactly one of take, groups (with other) and bands, and a name.")
    if kinds == ["take"]:
        if level["take"] not in _TAKES:
            raise HierarchyError(f"{where} takes {level['take']!r}; known are {', '.join(sorted(_TAKES))}.")
        take = _TAKES[level["take"]]
        return lambda value, _: take(value)
    return _bands(level["bands"], where) if kinds == ["bands"] else _groups(level, where)


def _groups(level: dict[str, Any], where: str) -> Step:
    groups, other = level["groups"], level.get("other", UNKNOWN)
    if not isinstance(groups, dict) or not all(isinstance(members, list) for members in groups.values()):
        raise HierarchyError(f"{where}: groups name lists of the level below.")
    wider: dict[str, str] = {}
    for label, members in groups.items():
        for member in members:
            if wider.setdefault(str(member).casefold(), label) != label:
                raise HierarchyError(
                    f"{where} puts {member!r} into {wider[str(member).casefold()]!r} and {label!r}."
                )
    if other == _KEEP:
        return lambda _, below: wider.get(below.casefold(), below)
    if other == _BEFORE:
        return lambda _, below: wider.get(below.casefold()) or _before(below, wider)
    return lambda _, below: wider.get(below.casefold(), UNKNOWN if below == UNKNOWN else other)


def _before(below: str, wider: Mapping[str, str]) -> str:
    whole = below.partition(_BEFORE)[0]
    return wider.get(whole.casefold(), whole)


def _bands(cuts: Sequence[int], where: str) -> Step:
    if (
        not cuts
        or not all(isinstance(cut, int) for cut in cuts)
        or any(low >= high for low, high in pairwise(cuts))
    ):
        raise HierarchyError(f"{where}: bands are whole numbers that ascend.")
    labels = [_band(low, high - 1) for low, high in pairwise(cuts)] + [f"{cuts[-1]}+"]

    def step(value: str, _: str) -> str:
        try:
            number = float(value)
        except ValueError:
            return UNKNOWN
        if not math.isfinite(number):
            return UNKNOWN
        place = bisect_right(cuts, math.floor(number))
        return labels[place - 1] if place else f"below {cuts[0]}"

    return step


def _band(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}" if low >= 0 else f"{low}..{high}"


def _instant(value: str) -> datetime | None:
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _area_code(value: str) -> str:
    """Of an E.164 number the area code under +1, elsewhere the country's calling code."""
    if not _E164(value):
        return UNKNOWN
    if value.startswith("+1"):
        return f"+1 {value[2:5]}" if len(value) == 12 else UNKNOWN
    return value[: 2 if value[1] in _ONE else 3 if value[1:3] in _TWO else 4]


def _weekday_hour(value: str) -> str:
    """Weekday and hour on the clock of the value's own offset: `Tue 08`."""
    at = _instant(value)
    return UNKNOWN if at is None else f"{_DAYS[at.weekday()]} {at.hour:02}"


def _of_day(say: Callable[[date], str]) -> Callable[[str], str]:
    def take(value: str) -> str:
        at = _instant(value)
        return UNKNOWN if at is None else say(at.date())

    return take


def _week(day: date) -> str:
    """
    From Monday to Sunday, cut where a month ends, so that a week lies in one month.
    """
    first = max(day - timedelta(days=day.weekday()), day.replace(day=1))
    after = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    last = min(day + timedelta(days=6 - day.weekday()), after - timedelta(days=1))
    return f"{first.isoformat()}..{last.isoformat()}"


_TAKES: Final[dict[str, Callable[[str], str]]] = {
    "area_code": _area_code,
    "weekday_hour": _weekday_hour,
    "day": _of_day(date.isoformat),
    "week": _of_day(_week),
    "month": _of_day(lambda day: f"{day:%Y-%m}"),
    "quarter": _of_day(lambda day: f"{day.year}-Q{(day.month + 2) // 3}"),
}
