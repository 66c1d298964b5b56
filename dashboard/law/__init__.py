"""
What changed in the law, and what comes: read out of the rules that decide, and out of what is only watched. Pure.

Rules of recording and contact come from the pack in force, laws on requests, their thresholds and days from the
shipped book. Rules on keeping and on breaches have no day from which they hold; of them it is only said when they were
looked over.
"""

import tomllib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

from consent.law import Confidence, Rules, places
from consent.selectors import law as words
from governance.law import breaches
from retention.law import rules as keeping
from rights import law as requests
from rights.law import Term

type Place = tuple[str, str]

STALE_AFTER: Final = timedelta(days=180)
"""After so many days somebody looks at a rule again."""
_FILE: Final = Path(__file__).with_name("watch.toml")


class About(StrEnum):
    CALLS = "Recording and contact"
    REQUESTS = "Requests"
    KEEPING = "Keeping"
    BREACHES = "Breaches"
    WATCHED = "To watch"


@dataclass(frozen=True, slots=True)
class Change:
    """
    One thing that takes effect, or took effect, on a day.

    :ivar before: what held until then; "" where nothing is known. :ivar look_again_on: of what is only watched.
    """

    id: str
    on: date | None
    about: About
    title: str
    words: str
    before: str
    places: tuple[Place, ...]
    citation: str
    source: str
    confidence: Confidence
    checked_on: date
    look_again_on: date | None = None

    @property
    def is_verified(self) -> bool:
        """Whether somebody opened the source itself."""
        return self.confidence is Confidence.VERIFIED

    @property
    def where(self) -> str:
        """Its places as a person reads them, five at most."""
        named = [words.place_name(*place) for place in self.places[:5]]
        more = len(self.places) - len(named)
        return ", ".join(named) + (f" and {more} more" if more else "")

    def touches(self, held: Collection[Place]) -> bool:
        """Whether it holds where somebody does business; a whole country meets each of its states."""
        return touches(self.places, held)


@dataclass(frozen=True, slots=True)
class Checked:
    """When rules of a kind were looked over. :ivar oldest: the day of the one that waits longest."""

    about: About
    rows: int
    unverified: int
    oldest: date
    newest: date


def touches(where: Iterable[Place], held: Collection[Place]) -> bool:
    """Whether one of some places of the law is, holds or lies in one of those held."""
    return any(_meets(place, own) for place in where for own in held)


def _meets(place: Place, own: Place) -> bool:
    (country, region), (code, part) = place, own
    if country == places.EUROPEAN_UNION:
        return code in places.MEMBERS
    if country != code:
        return False
    return not region or not part or region == part


def changes(rules: Rules) -> list[Change]:
    """Every change that has a day, the newest first, then what is watched without one."""
    found = [*_of_calls(rules), *_of_laws(), *_of_terms(), *watched()]
    dated = sorted(
        (one for one in found if one.on), key=lambda one: (one.on or date.min, one.id), reverse=True
    )
    return dated + [one for one in found if one.on is None]


def _of_calls(rules: Rules) -> Iterator[Change]:
    ended = {
        (rule.country, rule.region, rule.topic, rule.effective_to): rule
        for rule in rules.rules
        if rule.effective_to
    }
    for rule in rules.rules:
        if rule.effective_from is None:
            continue
        old = ended.get((rule.country, rule.region, rule.topic, rule.effective_from))
        yield Change(
            id=rule.id,
            on=rule.effective_from,
            about=About.CALLS,
            title=words.topic_name(rule.topic),
            words=words.value_words(rule),
            before=words.value_words(old) if old else "",
            places=((rule.country, rule.region),),
            citation=rule.citation,
            source=rule.source,
            confidence=rule.confidence,
            checked_on=rule.checked_on,
        )


def _of_laws() -> Iterator[Change]:
    for law in requests.load().laws.values():
        days = {law.since: "It is in force"} | {
            way.since: "A threshold changes" for way in law.reaches if way.since is not None
        }
        for on, said in days.items():
            ways = [way for way in law.reaches if way.since == on]
            yield Change(
                id=f"{law.id}-{on}",
                on=on,
                about=About.REQUESTS,
                title=law.title,
                words="; ".join(requests.threshold_words(way) for way in ways) if ways else said,
                before="; ".join(requests.threshold_words(way) for way in law.reaches if way.until == on),
                places=law.places,
                citation=law.citation,
                source=law.source,
                confidence=law.confidence,
                checked_on=law.checked_on,
            )


def _of_terms() -> Iterator[Change]:
    book = requests.load()
    for term in book.terms:
        if term.since is None:
            continue
        law = book.law(term.law)
        old = next(
            (
                one
                for one in book.terms
                if one.law == term.law and one.until == term.since and set(one.kinds) & set(term.kinds)
            ),
            None,
        )
        yield Change(
            id=term.id,
            on=term.since,
            about=About.REQUESTS,
            title=f"{law.name}: days of requests",
            words=_days(term),
            before=_days(old) if old else "",
            places=law.places,
            citation=term.citation,
            source=term.source,
            confidence=term.confidence,
            checked_on=term.checked_on,
        )


def _days(term: Term) -> str:
    said = [f"receipt within {term.acknowledge}"] if term.acknowledge else []
    said += [f"answer within {term.answer}"] if term.answer else []
    said += [f"{term.extension} more where it is said in time"] if term.extension else []
    kinds = ", ".join(kind.replace("_", " ") for kind in term.kinds[:4])
    return f"{'; '.join(said)} ({kinds}{', and more' if len(term.kinds) > 4 else ''})"


@cache
def watched() -> tuple[Change, ...]:
    """What is known to come and decides nothing yet."""
    with _FILE.open("rb") as source:
        rows = tomllib.load(source)
    return tuple(
        Change(
            id=name,
            on=row.get("from"),
            about=About.WATCHED,
            title=row["title"],
            words=f"{row['state'].capitalize()}. {row['words']}",
            before="",
            places=tuple(_place(place) for place in row["places"]),
            citation=row["citation"],
            source=row["source"],
            confidence=Confidence(row["confidence"]),
            checked_on=row["checked_on"],
            look_again_on=row["look_again_on"],
        )
        for name, row in rows.items()
    )


def _place(text: str) -> Place:
    country, _, region = text.partition("-")
    return country, region


def checked(rules: Rules, held: Collection[Place] | None = None) -> list[Checked]:
    """
    When each kind of rule was looked over.

    :param held: only rules that hold where somebody does business; None: all of them.
    """
    book = requests.load()
    rows: list[tuple[About, tuple[Place, ...], Confidence, date]] = [
        *((About.CALLS, ((one.country, one.region),), one.confidence, one.checked_on) for one in rules.rules),
        *((About.REQUESTS, one.places, one.confidence, one.checked_on) for one in book.laws.values()),
        *((About.REQUESTS, book.law(one.law).places, one.confidence, one.checked_on) for one in book.terms),
        *(
            (About.KEEPING, ((one.country, one.region),), one.confidence, one.checked_on)
            for one in keeping.all_rules()
        ),
        *(
            (About.BREACHES, _everywhere(one.places), Confidence(one.confidence), one.checked_on)
            for one in breaches.rules().values()
        ),
        *((About.WATCHED, one.places, one.confidence, one.checked_on) for one in watched()),
    ]
    found = []
    for about in About:
        mine = [
            row for row in rows if row[0] is about and (held is None or not row[1] or touches(row[1], held))
        ]
        if mine:
            days = [row[3] for row in mine]
            unverified = sum(row[2] is not Confidence.VERIFIED for row in mine)
            found.append(Checked(about, len(mine), unverified, min(days), max(days)))
    return found


def _everywhere(where: Iterable[str]) -> tuple[Place, ...]:
    """Places of a rule on breaches; none where it holds everywhere."""
    return tuple(_place(place) for place in sorted(where) if place != "*")


def to_look_at(rules: Rules, held: Collection[Place], *, on: date) -> int:
    """How many rules that hold for somebody nobody has looked over for half a year, or were to be looked at again."""
    late = sum(
        row.look_again_on is not None and row.look_again_on <= on and row.touches(held) for row in watched()
    )
    for row in checked(rules, held):
        if row.about is not About.WATCHED and on - row.oldest >= STALE_AFTER:
            late += 1
    return late
