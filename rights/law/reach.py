"""
Which laws apply to a request: by where the person is, where the client is, and what the client has said of itself.

Nothing is relaxed by not knowing: where a place or a figure is not known, the law counts as one that applies, and says
that it is not sure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Final

from consent.law import places
from rights.enums import Kind
from rights.law.book import Book, load
from rights.law.rows import Law, Reach

_FIGURES: Final = {
    "revenue": "its revenue",
    "sale_share": "its share of revenue from selling data",
    "sensitive": "whether it handles sensitive data",
    "people": "how many people's data it handles there",
    "traded": "how many people's data it buys, sells or shares there",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """
    What a client has said of itself; None, and what a mapping does not hold, is not said.

    :ivar places: where it is established or does business, as (country, region; "" for the whole country).
    :ivar revenue: of the year before, gross, in US dollars.
    :ivar sale_share: share of its revenue that comes from selling personal data, in per cent.
    :ivar sensitive: whether it handles any sensitive data, such as data on health.
    :ivar people: by US state ("VA"), of how many people there it handles data in a year.
    :ivar traded: by US state, of how many people there it buys, sells or shares data in a year.
    :ivar nonprofit: whether it works not for profit.
    """

    places: frozenset[tuple[str, str]] = frozenset()
    revenue: int | None = None
    sale_share: int | None = None
    sensitive: bool | None = None
    people: Mapping[str, int] = field(default_factory=dict)
    traded: Mapping[str, int] = field(default_factory=dict)
    nonprofit: bool | None = None


@dataclass(frozen=True, slots=True)
class Applies:
    """
    A law that applies.

    :ivar sure: whether everything that it hangs on is known. :ivar why: sentences.
    """

    law: Law
    sure: bool
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Ground:
    """One condition: met, or not known (then `sure` is False); a condition that fails is no ground."""

    sure: bool
    words: str


def which_laws(
    place: tuple[str, str], facts: Facts, *, on: date, kind: Kind | None = None, book: Book | None = None
) -> list[Applies]:
    """
    The laws that apply to a request, in the order of the book.

    :param place: (country, region) of the person; "" for what is not known, "NS|PE" for one of several regions.
    :param on: the day of receipt.
    :param kind: what is asked for; without it every law that knows any request.
    """
    book = book or load()
    found = (_judge(law, place, facts, on=on) for law in book.laws.values() if _is_about(law, kind, book))
    return [one for one in found if one is not None]


def _judge(law: Law, place: tuple[str, str], facts: Facts, *, on: date) -> Applies | None:
    if on < law.since:
        return None
    where = _where(law, places.normalise(*place), facts)
    under = _under(law, facts, on)
    if where is None or under is None:
        return None
    return Applies(law, where.sure and under.sure, tuple(filter(None, (where.words, under.words))))


def _is_about(law: Law, kind: Kind | None, book: Book) -> bool:
    return kind is None or (kind in book.kinds_of(law) and (not law.kinds or kind in law.kinds))


def _where(law: Law, person: tuple[str, tuple[str, ...]], facts: Facts) -> _Ground | None:
    """Whether the person's place, or the client's, is one of the law's."""
    country, regions = person
    if law.established and (home := _first(law, facts.places)) is not None:
        return _Ground(sure=True, words=f"The client is established in {places.name(*home)}.")
    if country == places.UNKNOWN:
        return _perhaps(law, facts, "Where the person is, is not known.")
    if not any(_same_country(country, code) for code, _ in law.places):
        return None
    if any(not region for _, region in law.places):
        return _Ground(sure=True, words=f"The person is in {places.name(country)}.")
    if not regions:
        return _perhaps(law, facts, f"In which part of {places.name(country)} the person is, is not known.")
    here = sorted({region for _, region in law.places} & set(regions))
    return _in_region(country, here[0], regions) if here else None


def _perhaps(law: Law, facts: Facts, words: str) -> _Ground | None:
    """Who may be anywhere is under the laws of where the client does business, and under all where it said nothing."""
    if facts.places and not _touches(law, facts.places):
        return None
    return _Ground(sure=False, words=words)


def _in_region(country: str, here: str, regions: tuple[str, ...]) -> _Ground:
    if len(regions) == 1:
        return _Ground(sure=True, words=f"The person is in {places.name(country, here)}.")
    every = ", ".join(places.name(country, region) for region in regions)
    return _Ground(sure=False, words=f"The person is in one of {every}.")


def _first(law: Law, where: Iterable[tuple[str, str]]) -> tuple[str, str] | None:
    return next((place for place in sorted(where) if _touches(law, {place})), None)


def _touches(law: Law, where: Iterable[tuple[str, str]]) -> bool:
    """Whether any of some places is, holds or lies in a place of the law."""
    return any(
        _same_country(country, code) and (not part or not region or part == region)
        for country, part in where
        for code, region in law.places
    )


def _same_country(country: str, code: str) -> bool:
    return country == code or (code == places.EUROPEAN_UNION and country in places.MEMBERS)


def _under(law: Law, facts: Facts, on: date) -> _Ground | None:
    """Whether what the client said of itself brings it under the law."""
    if law.leaves_out_nonprofits(on) and facts.nonprofit:
        return None
    ways = [reach for reach in law.reaches if reach.holds_on(on)]
    if not ways:
        return _Ground(sure=True, words="")
    missing: set[str] = set()
    for way in ways:
        verdict = _reached(way, law, facts)
        if verdict is True:
            return _Ground(sure=True, words=f"The client reaches a threshold of {law.name}.")
        if verdict is not False:
            missing |= verdict
    if not missing:
        return None
    said = " and ".join(words for fact, words in _FIGURES.items() if fact in missing)
    return _Ground(sure=False, words=f"The client has not said {said}, so it counts as under {law.name}.")


def _reached(way: Reach, law: Law, facts: Facts) -> bool | set[str]:
    """Whether every figure is reached; if that is open, the facts that are missing."""
    missing: set[str] = set()
    for fact, figure, more in way.figures:
        value = _value(fact, law, facts)
        if value is None:
            missing.add(fact)
        elif value < figure or (more and value == figure):
            return False
    return missing or True


def _value(fact: str, law: Law, facts: Facts) -> int | None:
    if fact == "revenue":
        return facts.revenue
    if fact == "sale_share":
        return facts.sale_share
    if fact == "sensitive":
        return facts.sensitive
    counts = facts.people if fact == "people" else facts.traded
    return next((counts[region] for _, region in law.places if region in counts), None)


# --- Whether a client is under a law at all, for the page that says so ------------------------------------------------


class Verdict(StrEnum):
    """What follows from what a client said of itself."""

    APPLIES = "applies"
    DOES_NOT = "does_not"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Way:
    """
    One threshold that is in force, or comes.

    :ivar reached: None where a fact is missing, or where it is not in force yet.
    :ivar since: the day from which it holds; None: as long as the law.
    """

    words: str
    reached: bool | None
    since: date | None
    comes: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a law reaches a client on a day: the verdict, why, which facts are missing, and its thresholds."""

    law: Law
    verdict: Verdict
    why: str
    missing: tuple[str, ...]
    ways: tuple[Way, ...]


_MONEY: Final = {
    "revenue": "gross revenue of the year before",
    "sale_share": "share of revenue from selling data",
}
_COUNTS: Final = {
    "people": "people whose data are handled in a year",
    "traded": "people whose data are bought, sold or shared in a year",
}
_FOR_PROFIT: Final = "whether it works for profit"


def standing_of(law: Law, facts: Facts, *, on: date) -> Standing:
    """
    Whether a law reaches a client, for who wants to know it of the client alone, without a person who asks.

    Unlike `which_laws`, which lets a law count where something is not known, this says that it is not known.
    """
    ways = tuple(_way(way, law, facts, on) for way in law.reaches if way.until is None or on < way.until)
    where = ", ".join(places.name(*place) for place in law.places[:3])

    def said(verdict: Verdict, why: str, missing: Iterable[str] = ()) -> Standing:
        return Standing(law, verdict, why, tuple(missing), ways)

    if on < law.since:
        return said(Verdict.DOES_NOT, f"It is in force from {_day(law.since)}.")
    here = _does_business(law, facts)
    if here is False:
        return said(Verdict.DOES_NOT, f"No place of business in {where} is named in the client's profile.")
    if law.leaves_out_nonprofits(on) and facts.nonprofit:
        return said(Verdict.DOES_NOT, "It leaves out who does not work for profit.")
    missing = [] if here else [f"whether it does business in {where}"]
    missing += [_FOR_PROFIT] if law.leaves_out_nonprofits(on) and facts.nonprofit is None else []
    held = [way for way in law.reaches if way.holds_on(on)]
    verdicts = [_reached(way, law, facts) for way in held]
    if held and all(verdict is False for verdict in verdicts):
        return said(Verdict.DOES_NOT, "It reaches none of the thresholds.")
    if held and True not in verdicts:
        open_facts = set().union(*(verdict for verdict in verdicts if isinstance(verdict, set)))
        missing += [words for fact, words in _FIGURES.items() if fact in open_facts]
    if missing:
        return said(Verdict.UNKNOWN, f"Not known: {', '.join(missing)}.", missing)
    return said(Verdict.APPLIES, "It reaches a threshold." if held else "It reaches everybody there.")


def _does_business(law: Law, facts: Facts) -> bool | None:
    """Whether a place of the client lies where the law holds; None where only the country is known."""
    known = [
        (country, region)
        for country, region in facts.places
        if any(_same_country(country, code) for code, _ in law.places)
    ]
    if any(not region for _, region in law.places):
        return bool(known)
    if any(region == part for country, region in known for code, part in law.places if code == country):
        return True
    return False if any(region for _, region in known) or not known else None


def _way(way: Reach, law: Law, facts: Facts, on: date) -> Way:
    comes = way.since is not None and on < way.since
    found = None if comes else _reached(way, law, facts)
    return Way(threshold_words(way), found if isinstance(found, bool) else None, way.since, comes)


def threshold_words(way: Reach) -> str:
    return " and ".join(_figure(fact, figure, more=more) for fact, figure, more in way.figures)


def _figure(fact: str, figure: int, *, more: bool) -> str:
    word = "over" if more else "at least"
    if fact == "revenue":
        return f"{_MONEY[fact]} {word} ${figure:,}"
    if fact == "sale_share":
        return f"{_MONEY[fact]} {word} {figure} %"
    if fact == "sensitive":
        return "any sensitive data"
    return f"{word} {figure:,} {_COUNTS[fact]}"


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"
