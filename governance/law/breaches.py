"""
Whom the law wants told of a breach, and by when, read from `breaches.toml`. Pure.

A number of hours runs from the instant of awareness; a number of days ends with the last day in the agency's zone. A
law that says "without undue delay" has no instant here: what it demands is shown, and never counted as late.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from callprivacy.lib import calendars
from consent.law import places
from governance.enums import BreachRisk, NoticeTo

_FILE: Final = Path(__file__).with_name("breaches.toml")
_KEYS: Final = frozenset(
    {
        "title", "to", "places", "hours", "days", "from_risk", "as_role", "confidence", "citation", "source",
        "checked_on", "words",
    }
)  # fmt: skip
_ORDER: Final = {risk: rank for rank, risk in enumerate(BreachRisk)}


class RulesError(ValueError):
    """The file of rules says something that no rule may say."""


@dataclass(frozen=True, slots=True)
class Rule:
    """
    One duty to tell.

    :ivar places: countries ("DE"), states ("US-CA"), "EU" for each member, "*" for everywhere.
    :ivar hours: from awareness; None where the law counts days or names no number.
    :ivar as_role: "controller" or "processor": whose duty it is.
    """

    id: str
    title: str
    to: NoticeTo
    places: frozenset[str]
    hours: int | None
    days: int | None
    from_risk: BreachRisk
    as_role: str
    confidence: str
    citation: str
    source: str
    checked_on: date
    words: str

    def holds_in(self, where: Collection[str]) -> bool:
        """Whether one of these places ("DE", "US-CA") is among the rule's; a whole country meets its states."""
        for place in where:
            country = place.partition("-")[0]
            if "*" in self.places or place in self.places or country in self.places:
                return True
            if places.EUROPEAN_UNION in self.places and country in places.MEMBERS:
                return True
            if place == country and any(own.startswith(f"{country}-") for own in self.places):
                return True
        return False

    def is_due_at(self, risk: BreachRisk) -> bool:
        """Whether a breach of this risk is told."""
        return _ORDER[risk] >= _ORDER[self.from_risk]

    def due_at(self, aware_at: datetime, *, zone: ZoneInfo) -> datetime | None:
        """When the law's number ends, exclusive; None where it names none."""
        if self.hours is not None:
            return aware_at.astimezone(UTC) + timedelta(hours=self.hours)
        if self.days is not None:
            return calendars.end_of(aware_at.astimezone(zone).date() + timedelta(days=self.days), zone)
        return None


@cache
def rules() -> Mapping[str, Rule]:
    """
    Every rule by its name, in the file's order.

    :raises RulesError: the file says something that no rule may say.
    """
    with _FILE.open("rb") as source:
        return {rule.id: rule for rule in _read(tomllib.load(source))}


def _read(rows: Mapping[str, Any]) -> Iterator[Rule]:
    for name, row in rows.items():
        if unknown := set(row) - _KEYS:
            raise RulesError(f"{name}: no rule has {', '.join(sorted(unknown))}.")
        if "hours" in row and "days" in row:
            raise RulesError(f"{name}: a rule counts hours or days.")
        if row["as_role"] not in {"controller", "processor"}:
            raise RulesError(f"{name}: {row['as_role']!r} is no role.")
        yield Rule(
            id=name,
            title=row["title"],
            to=NoticeTo(row["to"]),
            places=frozenset(row["places"]),
            hours=row.get("hours"),
            days=row.get("days"),
            from_risk=BreachRisk(row["from_risk"]),
            as_role=row["as_role"],
            confidence=row["confidence"],
            citation=row["citation"],
            source=row["source"],
            checked_on=row["checked_on"],
            words=row["words"],
        )
