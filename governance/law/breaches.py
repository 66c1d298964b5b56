"""
Whom the law wants told of a breach, and by when, read from `breaches.toml`. Pure.

A number of hours runs from the instant of awareness; a number of days ends with the last day in the agency's zone. Some
offices of states are told by a day that follows from when residents were; until they are, such a law has no instant. A
law that says "without undue delay" has none at all: what it demands is shown, and never counted as late.
"""

import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
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
        "checked_on", "words", "office", "harmless",
    }
)  # fmt: skip
_OFFICE_KEYS: Final = frozenset({"title", "words", "from_people", "days", "told_days", "in_working_days"})
_ORDER: Final = {risk: rank for rank, risk in enumerate(BreachRisk)}
_HARMLESS: Final = {
    "told": "No exception is known for a breach that is unlikely to harm anybody.",
    "may_be_excepted": (
        "Where harm is unlikely it may not ask for this: look at its text, and write what you find as the reason."
    ),
}
_NOWHERE: Final = {places.UNKNOWN: "the place, once it is known", places.UNLISTED: "the place that is meant"}
_UNRULED: Final = "law-of-"
"""What the names of duties begin with that stand for a place without a rule."""


class UnknownBreachError(LookupError):
    """No rule of breaches has that name."""


class RulesError(ValueError):
    """The file of rules says something that no rule may say."""


@dataclass(frozen=True, slots=True)
class Rule:
    """
    One duty to tell.

    :ivar places: countries ("DE"), states ("US-CA"), "EU" for each member, "*" for everywhere.
    :ivar hours: from awareness, as :ivar days:; None where the law counts otherwise or names no number.
    :ivar as_role: "controller" or "processor": whose duty it is.
    :ivar beside: whom this office is told beside, as the id of their rule; empty where it is no office of a state.
    :ivar told_days: from the day on which those are told, 0 being that day.
    :ivar from_people: from how many people concerned on it is told.
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
    beside: str = ""
    told_days: int | None = None
    from_people: int = 0
    in_working_days: bool = False

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

    def is_due_at(self, risk: BreachRisk, *, people: int | None = None) -> bool:
        """
        Whether a breach of this risk is told.

        :param people: about how many are concerned; while nobody knows, it counts as enough of them.
        """
        return _ORDER[risk] >= _ORDER[self.from_risk] and (people is None or people >= self.from_people)

    def due_at(
        self, aware_at: datetime, *, zone: ZoneInfo, told_at: datetime | None = None
    ) -> datetime | None:
        """
        When the law's number ends, exclusive; None where it names none, or where it is not known yet.

        :param told_at: when those beside whom an office is told were told.
        """
        if self.hours is not None:
            return aware_at.astimezone(UTC) + timedelta(hours=self.hours)
        ends = [
            calendars.end_of(self._later(start.astimezone(zone).date(), days), zone)
            for start, days in ((aware_at, self.days), (told_at, self.told_days))
            if start is not None and days is not None
        ]
        return min(ends, default=None)

    def _later(self, day: date, days: int) -> date:
        if not self.in_working_days:
            return day + timedelta(days=days)
        (place,) = self.places
        # Holidays of a state alone count as working days: fewer holidays are sooner.
        return calendars.add_working_days(day, days, country=place.partition("-")[0])


def find(name: str) -> Rule | None:
    """The rule of that name, also one that stands for a place without any; None: there is none any more."""
    if name.startswith(_UNRULED):
        return _look_at(name.removeprefix(_UNRULED))
    return rules().get(name)


def count(
    name: str, aware_at: datetime, zone: ZoneInfo, told_at: datetime | None
) -> tuple[datetime | None, bool]:
    """
    When the number of a rule ends, exclusive, and whether it is one of hours.

    :param name: the rule's, or of a law that tells an authority the law's ("gdpr", "uk_gdpr").
    :raises UnknownBreachError: there is no such rule.
    """
    word = name.strip().lower().replace("_", "-")
    rule = rules().get(word) or rules().get(f"{word}-33")
    if rule is None:
        raise UnknownBreachError(f'There is no rule of breaches "{name}". There are: {", ".join(rules())}.')
    return rule.due_at(aware_at, zone=zone, told_at=told_at), rule.hours is not None


def unruled(where: Collection[str]) -> Iterator[Rule]:
    """A duty to look at its law for each of these places in which no rule here binds a controller."""
    ours = [rule for rule in rules().values() if rule.as_role == "controller"]
    for place in where:
        if not any(rule.holds_in([place]) for rule in ours):
            yield _look_at(place)


def _look_at(place: str) -> Rule:
    country, _, region = place.partition("-")
    called = _NOWHERE.get(country) or places.name(country, region)
    return Rule(
        id=f"{_UNRULED}{place}",
        title=f"Look at the law of {called}",
        to=NoticeTo.PLACE,
        places=frozenset({place}),
        hours=None,
        days=None,
        from_risk=BreachRisk.UNLIKELY,
        as_role="controller",
        confidence="unverified",
        citation=f"the law of {called}",
        source="",
        checked_on=date.min,
        words=(
            "No rule is known here for this place. Look at its law, tell whom it names and keep the words here, or"
            " write why nobody is told. It may name a short time."
        ),
    )


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
        harmless = _harmless(name, row)
        rule = Rule(
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
            words=row["words"] + harmless,
        )
        yield rule
        if "office" in row:
            yield _office(rule, row["office"], harmless=harmless)


def _harmless(name: str, row: Mapping[str, Any]) -> str:
    """What a state's row says of a breach that is unlikely to harm anybody; each of them says it."""
    if (row["to"] == NoticeTo.STATE) != (row.get("harmless") in _HARMLESS):
        raise RulesError(f"{name}: a state says what becomes of a harmless breach, and nobody else does.")
    return f" {_HARMLESS[row['harmless']]}" if "harmless" in row else ""


def _office(rule: Rule, row: Mapping[str, Any], *, harmless: str) -> Rule:
    """The office of a state that is told beside its residents."""
    name = f"{rule.id}-office"
    if unknown := set(row) - _OFFICE_KEYS:
        raise RulesError(f"{name}: no office has {', '.join(sorted(unknown))}.")
    if rule.to is not NoticeTo.STATE or len(rule.places) != 1:
        raise RulesError(f"{name}: an office stands beside the residents of one state.")
    return replace(
        rule,
        id=name,
        title=row["title"],
        to=NoticeTo.OFFICE,
        days=row.get("days"),
        words=row["words"] + harmless,
        beside=rule.id,
        told_days=row.get("told_days"),
        from_people=row.get("from_people", 0),
        in_working_days=row.get("in_working_days", False),
    )
