"""
What the law says about keeping: floors and ceilings by place, sector and category, read from `rules.toml`.

Pure. A rule looks at where a client does business and in which trade; a client of whose places nothing is known does
business in its whole home country, so that the stricter rule is shown rather than none. Direction is in the category:
calls out have one of their own.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Final

from callprivacy.tenancy.enums import Sector
from consent.law import places
from consent.law.rule import Confidence
from retention.enums import Category
from retention.law.categories import ABOUT

_FILE: Final = Path(__file__).with_name("rules.toml")
_TERM: Final = re.compile(r"(\d{1,4}) (year|month|day)s?")
_FIRST_YEAR: Final = 2024
_MONTHS_OF_A_CYCLE: Final = 48


class RulesError(ValueError):
    """The file of rules says something that no rule may say."""


class Side(StrEnum):
    """Whether a rule says at least or at most."""

    FLOOR = "floor"
    CEILING = "ceiling"


class Answer(StrEnum):
    """What becomes of a policy beyond a rule."""

    REFUSE = "refuse"
    REASON = "reason"


@dataclass(frozen=True, slots=True)
class Ground:
    """Where a client does business, as (country, region; "" for the whole country), and its trade."""

    places: frozenset[tuple[str, str]]
    sector: str


@dataclass(frozen=True, slots=True)
class Rule:
    """
    One floor or ceiling.

    :param days: the term in days, the longest it can be for a floor and the shortest for a ceiling.
    :param sectors: the trades it holds for; empty: all. :param part_of: a category whose records it is a part of: where
    those are kept for a shorter time it asks nothing, for they are beyond a rule of their own.
    """

    id: str
    side: Side
    categories: frozenset[Category]
    term: str
    days: int
    country: str
    region: str
    sectors: frozenset[str]
    answer: Answer
    confidence: Confidence
    citation: str
    source: str
    checked_on: date
    words: str
    remedy: str
    part_of: Category | None = None

    @property
    def refuses(self) -> bool:
        """Whether a policy beyond it is not taken at all."""
        return self.answer is Answer.REFUSE

    @property
    def place(self) -> str:
        """Where it holds, as a sentence says it."""
        return places.name(self.country, self.region)

    @property
    def limit(self) -> str:
        """The limit in words, such as "at least 5 years (1,827 days)"."""
        word = "at least" if self.side is Side.FLOOR else "at most"
        only = f", if {ABOUT[self.part_of].noun[1]} are kept so long" if self.part_of else ""
        return f"{word} {self.term} ({self.days:,} days){only}"

    @property
    def doubt(self) -> str:
        """What is to be known of the source; "" where the official text was read."""
        return {
            Confidence.VERIFIED: "",
            Confidence.SECONDARY: "Known from a secondary source; ask counsel before you rest on it.",
            Confidence.UNVERIFIED: "Not checked against the official text; ask counsel before you rest on it.",
        }[self.confidence]

    def holds_for(self, ground: Ground) -> bool:
        """Whether the rule is about a client with these places and this trade."""
        if self.sectors and ground.sector not in self.sectors:
            return False
        return any(self._holds_in(country, region) for country, region in ground.places)

    def _holds_in(self, country: str, region: str) -> bool:
        in_country = country == self.country or (
            self.country == places.EUROPEAN_UNION and country in places.MEMBERS
        )
        return in_country and (not self.region or region in {"", self.region})

    def is_broken_by(self, days: int) -> bool:
        """Whether keeping something for so many days is beyond the rule."""
        return days < self.days if self.side is Side.FLOOR else days > self.days

    def asks_beside(self, kept: Mapping[Category, int]) -> bool:
        """Whether it asks anything where the other categories are kept for so many days."""
        return self.part_of is None or kept.get(self.part_of, self.days) >= self.days


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that a policy would be beyond."""

    rule: Rule
    category: Category
    days: int


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule of the file, in its order."""
    return read(_FILE.read_text(encoding="utf-8"))


def rules_for(ground: Ground, category: Category) -> list[Rule]:
    """The rules about a category that hold for a client."""
    return [rule for rule in all_rules() if category in rule.categories and rule.holds_for(ground)]


def judge(
    ground: Ground, days: Mapping[Category, int], *, beside: Mapping[Category, int] | None = None
) -> list[Finding]:
    """
    What of these policies, in days, is beyond the law; those that refuse come first.

    :param beside: all that holds, where `days` is only some of it.
    """
    found = [
        Finding(rule, category, kept)
        for category, kept in days.items()
        for rule in rules_for(ground, category)
        if rule.is_broken_by(kept) and rule.asks_beside(days if beside is None else beside)
    ]
    return sorted(found, key=lambda finding: not finding.rule.refuses)


def ground_of(home: str, business: Iterable[tuple[str, str]], sector: str) -> Ground:
    """
    Return the ground of a client.

    :param home: its home country.
    :param business: where it does business, country and region as people wrote them; none: all of its home country.
    """
    found = set()
    for country, region in business:
        code, regions = places.normalise(country, region)
        found |= {(code, part) for part in regions or ("",)}
    return Ground(frozenset(found or {(places.normalise(home, "")[0], "")}), sector)


def read(text: str) -> tuple[Rule, ...]:
    """
    Read rules as TOML.

    :raises RulesError: a table lacks something, or says what no rule may say.
    """
    return tuple(_rule(name, table) for name, table in tomllib.loads(text).items())


def _rule(name: str, table: Mapping[str, Any]) -> Rule:
    rest = dict(table)
    sides = [side for side in Side if side in rest]
    if len(sides) != 1:
        raise RulesError(f"{name}: say either floor or ceiling.")
    side = sides[0]
    term = rest.pop(side.value)
    try:
        rule = Rule(
            id=name,
            side=side,
            categories=frozenset(Category(word) for word in rest.pop("categories")),
            term=term,
            days=days_of(term, side),
            country=rest.pop("country"),
            region=rest.pop("region", ""),
            sectors=frozenset(Sector(word).value for word in rest.pop("sectors", [])),
            answer=Answer(rest.pop("answer")),
            confidence=Confidence(rest.pop("confidence")),
            part_of=Category(rest.pop("part_of")) if "part_of" in rest else None,
            **{key: rest.pop(key) for key in ("citation", "source", "checked_on", "words", "remedy")},
        )
    except (KeyError, ValueError) as error:
        raise RulesError(f"{name}: {error}") from error
    if rest:
        raise RulesError(f"{name}: unknown {', '.join(sorted(rest))}.")
    if not places.is_place(rule.country, rule.region):
        raise RulesError(f"{name}: {rule.country} {rule.region} is no place.")
    if rule.refuses and rule.confidence is not Confidence.VERIFIED:
        raise RulesError(f"{name}: only a verified rule may refuse.")
    return rule


def days_of(term: str, side: Side) -> int:
    """
    Return a term in days: for a floor the most that it can be, for a ceiling the fewest.

    :param term: such as "5 years", "6 months" or "3 years 14 days".
    :raises RulesError: it is no term.
    """
    parts = _TERM.findall(term)
    if not parts or " ".join(match.group() for match in _TERM.finditer(term)) != term:
        raise RulesError(f"{term!r} is no term.")
    months = sum(int(number) * {"year": 12, "month": 1, "day": 0}[unit] for number, unit in parts)
    days = sum(int(number) for number, unit in parts if unit == "day")
    spans = [_first_of(start + months) - _first_of(start) for start in range(_MONTHS_OF_A_CYCLE)]
    span = max(spans) if side is Side.FLOOR else min(spans)
    return (span + timedelta(days=days)).days


def _first_of(month: int) -> date:
    """The first day of a month, counted from a leap year's January."""
    return date(_FIRST_YEAR + month // 12, month % 12 + 1, 1)
