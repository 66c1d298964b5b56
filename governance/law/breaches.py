"""
Notification rules of breaches, read from `breaches.toml`. Pure.

Hours run from the time of awareness. Days end with the last day in the agency's zone. Deadlines of some state offices
run from the notification of residents and are unknown until then. "Without undue delay" has no date and is never
overdue.
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
    "no_exception": "No exception is known for breaches that are unlikely to cause harm.",
    "may_be_excepted": "This law may not require notification if harm is unlikely. Check its text.",
}
_NOWHERE: Final = {places.UNKNOWN: "the unknown location", places.UNLISTED: "the unlisted location"}
_UNRULED: Final = "law-of-"
"""The prefix of rule ids for locations without a rule."""


class UnknownBreachError(LookupError):
    """No rule has this name."""


class RulesError(ValueError):
    """The file of rules is invalid."""


@dataclass(frozen=True, slots=True)
class Rule:
    """
    One notification requirement.

    :ivar places: countries ("DE"), states ("US-CA"), "EU" for each member, "*" for everywhere.
    :ivar hours: from awareness, like :ivar days:; None if the law sets no such number.
    :ivar as_role: "controller" or "processor": who must notify.
    :ivar beside: of a state office: the id of the rule for residents.
    :ivar told_days: from the day on which residents are notified, which is 0.
    :ivar from_people: the minimum of affected people.
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
        """Whether the rule applies in one of these places ("DE", "US-CA"). A country matches its states."""
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
        """:param people: an estimate; None, for unknown, meets any minimum."""
        return _ORDER[risk] >= _ORDER[self.from_risk] and (people is None or people >= self.from_people)

    def due_at(
        self, aware_at: datetime, *, zone: ZoneInfo, told_at: datetime | None = None
    ) -> datetime | None:
        """
        The deadline, exclusive; None if the law sets none, or it is not known yet.

        :param told_at: when residents were notified.
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
        # State holidays count as working days, which makes the deadline earlier.
        return calendars.add_working_days(day, days, country=place.partition("-")[0])


def find(name: str) -> Rule | None:
    """Also finds rules for locations without a rule; None for a removed rule."""
    if name.startswith(_UNRULED):
        return _unruled(name.removeprefix(_UNRULED))
    return rules().get(name)


def count(
    name: str, aware_at: datetime, zone: ZoneInfo, told_at: datetime | None
) -> tuple[datetime | None, bool]:
    """
    The deadline of a rule, exclusive, and whether it is in hours.

    :param name: of the rule, or of a law with an authority ("gdpr", "uk_gdpr").
    :raises UnknownBreachError: there is no such rule.
    """
    word = name.strip().lower().replace("_", "-")
    rule = rules().get(word) or rules().get(f"{word}-33")
    if rule is None:
        raise UnknownBreachError(f'Unknown breach rule "{name}". Known rules: {", ".join(rules())}.')
    return rule.due_at(aware_at, zone=zone, told_at=told_at), rule.hours is not None


def unruled(where: Collection[str]) -> Iterator[Rule]:
    """A rule to check the law for each place without a rule for controllers."""
    ours = [rule for rule in rules().values() if rule.as_role == "controller"]
    for place in where:
        if not any(rule.holds_in([place]) for rule in ours):
            yield _unruled(place)


def _unruled(place: str) -> Rule:
    country, _, region = place.partition("-")
    called = _NOWHERE.get(country) or places.name(country, region)
    return Rule(
        id=f"{_UNRULED}{place}",
        title=f"Check the law of {called}",
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
            "CallPrivacy has no rule for this location. Check its law, which may set a short deadline. Save the"
            " notification here, or mark it as not required."
        ),
    )


@cache
def rules() -> Mapping[str, Rule]:
    """Id -> rule, in the file's order. :raises RulesError: the file is invalid."""
    with _FILE.open("rb") as source:
        return {rule.id: rule for rule in _read(tomllib.load(source))}


def _read(rows: Mapping[str, Any]) -> Iterator[Rule]:
    for name, row in rows.items():
        if unknown := set(row) - _KEYS:
            raise RulesError(f"{name}: unknown keys: {', '.join(sorted(unknown))}.")
        if "hours" in row and "days" in row:
            raise RulesError(f"{name}: use hours or days, not both.")
        if row["as_role"] not in {"controller", "processor"}:
            raise RulesError(f"{name}: {row['as_role']!r} is not a role.")
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
    if (row["to"] == NoticeTo.STATE) != (row.get("harmless") in _HARMLESS):
        raise RulesError(f"{name}: `harmless` is required for states and not allowed for others.")
    return f" {_HARMLESS[row['harmless']]}" if "harmless" in row else ""


def _office(rule: Rule, row: Mapping[str, Any], *, harmless: str) -> Rule:
    name = f"{rule.id}-office"
    if unknown := set(row) - _OFFICE_KEYS:
        raise RulesError(f"{name}: unknown keys: {', '.join(sorted(unknown))}.")
    if rule.to is not NoticeTo.STATE or len(rule.places) != 1:
        raise RulesError(f"{name}: an office requires a rule for the residents of one state.")
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
