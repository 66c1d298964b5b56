"""
The book: all laws and terms, read from two files and checked whole before anything is counted by them.

`laws.toml` says which laws there are and whom they reach, `terms.toml` what they want. What is wrong is named with its
row; a book with a fault is not used.
"""

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from callprivacy.lib import calendars
from consent.law import LONGEST_QUOTATION, Confidence, places
from rights.enums import Kind
from rights.law.rows import MEMBER, NATION, Counting, Law, Reach, Reading, Span, Term, Unit

STALE_AFTER: Final = timedelta(days=90)
FIGURES: Final = frozenset({"revenue", "sale_share", "sensitive", "people", "traded"})
"""Facts of a client that a law may ask for."""

# What laws and people call the same requests.
_OTHER_WORDS: Final = {
    "copy": "portability",
    "correction": "correct",
    "deletion": "delete",
    "do_not_sell": "opt_out",
    "erase": "delete",
    "erasure": "delete",
    "know": "access",
    "objection": "object",
    "optout": "opt_out",
    "rectification": "correct",
    "restriction": "restrict",
    "revoke": "revocation",
    "withdrawal": "revocation",
}
_HERE: Final = Path(__file__).parent


class UnknownLawError(LookupError):
    """The book has no law of that name."""


class UnknownKindError(LookupError):
    """A law knows no request of that kind."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a book: the row it is about, which kind of wrong, and a sentence."""

    about: str
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.about}: {self.kind}: {self.text}"


class BookError(ValueError):
    """A book that nothing can be counted by; `faults` names everything that is wrong with it."""

    def __init__(self, found: Iterable[Fault]) -> None:
        self.faults = tuple(found)
        super().__init__("; ".join(map(str, self.faults)))


class Book:
    """All laws and their terms, found by law, kind and day of receipt."""

    def __init__(self, laws: Iterable[Law], terms: Iterable[Term]) -> None:
        self.laws: Final = {law.id: law for law in laws}
        self.terms: Final = tuple(terms)
        self._names = {name: law.id for law in self.laws.values() for name in (law.id, *law.aliases)}
        self._terms: dict[tuple[str, Kind], list[Term]] = defaultdict(list)
        for term in sorted(self.terms, key=lambda term: term.since or date.min):
            for kind in term.kinds:
                self._terms[term.law, kind].append(term)

    def law(self, name: str) -> Law:
        """
        The law of that name; capitals do not matter, nor whether words are parted by _, - or a blank.

        :raises UnknownLawError: there is none.
        """
        found = self._names.get(_word(name))
        if found is None:
            raise UnknownLawError(f'There is no law "{name}" here. There are: {", ".join(self.laws)}.')
        return self.laws[found]

    def kind(self, name: str) -> Kind:
        """
        The kind of that name, or of another word for it; capitals and how words are parted do not matter.

        :raises UnknownKindError: there is none.
        """
        word = _word(name)
        found = _OTHER_WORDS.get(word, word)
        if found not in set(Kind):
            raise UnknownKindError(f'There is no kind "{name}". There are: {", ".join(Kind)}.')
        return Kind(found)

    def term(self, law: Law, kind: Kind, on: date) -> Term:
        """
        The term for a request that is received on a day.

        Where the law had no term yet, the first that it ever set: who asks early is answered by it all the same.

        :raises UnknownKindError: the law has no term for the kind.
        """
        found = self._terms.get((law.id, kind), [])
        if not found:
            known = ", ".join(self.kinds_of(law))
            raise UnknownKindError(f'{law.name} sets no date for "{kind}". It does for: {known}.')
        return next((term for term in found if term.holds_on(on)), found[0])

    def kinds_of(self, law: Law) -> list[Kind]:
        return [kind for kind in Kind if (law.id, kind) in self._terms]

    def periods(self) -> Iterator[tuple[str, Kind, list[Term]]]:
        """For each law and kind its terms, in the order in which they come into force."""
        for (law, kind), terms in self._terms.items():
            yield law, kind, terms


@cache
def load() -> Book:
    """
    The shipped book, read once a process.

    :raises BookError: the shipped files are wrong, which a test forbids.
    """
    return read(shipped("laws.toml"), shipped("terms.toml"))


def shipped(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def read(laws: str, terms: str) -> Book:
    """
    Read and check a book.

    :param laws: tables of laws as TOML. :param terms: tables of terms as TOML.
    :raises BookError: with every fault that was found.
    """
    found: list[Fault] = []
    book = Book(_rows(laws, _law, found), _rows(terms, _term, found))
    found += faults(book)
    if found:
        raise BookError(found)
    return book


def faults(book: Book) -> list[Fault]:
    """What makes a book unfit: missing citations, laws without terms, overlaps, gaps, terms that cannot be counted."""
    return [
        *_uncited(book),
        *_names_twice(book),
        *_strangers(book),
        *_periods(book),
        *_spans(book),
    ]


def stale(book: Book, on: date) -> list[Fault]:
    """The rows that nobody has looked at for 90 days."""
    rows: list[Law | Term] = [*book.laws.values(), *book.terms]
    return [
        Fault(row.id, "unchecked", f"last checked on {row.checked_on}, {(on - row.checked_on).days} days ago")
        for row in rows
        if on - row.checked_on >= STALE_AFTER
    ]


def _word(name: str) -> str:
    return "_".join(name.lower().replace("-", " ").replace("_", " ").split())


def _rows[Row](text: str, make: Any, found: list[Fault]) -> list[Row]:
    """The tables of a text that can be read; what is wrong with the others goes to `found`."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found.append(Fault("file", "TOML", str(error)))
        return []
    rows: list[Row] = []
    for name, table in tables.items():
        rest = dict(table)
        try:
            rows.append(make(name, rest))
        except KeyError as error:
            found.append(Fault(name, "missing", f"{error.args[0]} is not said"))
        except (ValueError, TypeError, AttributeError) as error:
            found.append(Fault(name, "value", str(error)))
        else:
            found.extend(Fault(name, "unknown", key) for key in rest)
    return rows


def _law(name: str, rest: dict[str, Any]) -> Law:
    return Law(
        id=name,
        name=_text(rest, "name"),
        title=_text(rest, "title"),
        aliases=tuple(rest.pop("aliases", ())),
        places=tuple(_place(place) for place in rest.pop("places")),
        since=_day(rest.pop("since")),
        established=rest.pop("established", False),
        commercial=rest.pop("commercial", False),
        commercial_until=_day(rest.pop("commercial_until", None)),
        kinds=frozenset(Kind(kind) for kind in rest.pop("kinds", ())),
        reaches=tuple(_reach(dict(reach)) for reach in rest.pop("reaches", ())),
        citation=_text(rest, "citation"),
        source=_text(rest, "source"),
        confidence=Confidence(rest.pop("confidence")),
        checked_on=_day(rest.pop("checked_on")),
        words=rest.pop("words", ""),
        read=_reading(rest),
    )


def _term(name: str, rest: dict[str, Any]) -> Term:
    return Term(
        id=name,
        law=_text(rest, "law"),
        kinds=tuple(Kind(kind) for kind in rest.pop("kinds")),
        silent_on=frozenset(Kind(kind) for kind in rest.pop("silent_on", ())),
        acknowledge=_span(rest, "acknowledge"),
        answer=_span(rest, "answer"),
        extension=_span(rest, "extension"),
        counting=Counting(rest.pop("counting")),
        holidays=_text(rest, "holidays"),
        pauses=rest.pop("pauses", False),
        starts_when_identified=rest.pop("starts_when_identified", False),
        since=_day(rest.pop("since", None)),
        until=_day(rest.pop("until", None)),
        citation=_text(rest, "citation"),
        source=_text(rest, "source"),
        confidence=Confidence(rest.pop("confidence")),
        checked_on=_day(rest.pop("checked_on")),
        words=rest.pop("words", ""),
        read=_reading(rest),
    )


def _text(rest: dict[str, Any], key: str) -> str:
    value = rest.pop(key)
    if not isinstance(value, str):
        raise TypeError(f"{key} is no text")
    return value.strip()


def _day(value: Any) -> Any:
    if value is not None and type(value) is not date:
        raise TypeError(f"{value!r} is no day like 2026-11-25")
    return value


def _span(rest: dict[str, Any], key: str) -> Span | None:
    return Span.read(rest.pop(key)) if key in rest else None


def _reading(rest: dict[str, Any]) -> Reading | None:
    keys = ("address", "read_on", "quotation")
    if not any(key in rest for key in keys):
        return None
    return Reading(_text(rest, "address"), _day(rest.pop("read_on")), _text(rest, "quotation"))


def _place(text: str) -> tuple[str, str]:
    country, _, region = text.partition("-")
    if not places.is_place(country, region):
        raise ValueError(f"{text} is no place")
    return country, region


def _reach(rest: dict[str, Any]) -> Reach:
    since, until = _day(rest.pop("since", None)), _day(rest.pop("until", None))
    figures = tuple(_figure(key, value) for key, value in rest.items())
    if not figures:
        raise ValueError("a reach names no figure")
    return Reach(figures, since, until)


def _figure(key: str, value: Any) -> tuple[str, int, bool]:
    fact, _, word = key.rpartition("_")
    if fact not in FIGURES or word not in {"from", "over"} or type(value) is not int:
        raise ValueError(f"{key} = {value!r} is no figure")
    return fact, value, word == "over"


def _uncited(book: Book) -> Iterator[Fault]:
    rows: list[Law | Term] = [*book.laws.values(), *book.terms]
    for row in rows:
        for key in ("citation", "source"):
            if not getattr(row, key):
                yield Fault(row.id, f"missing {key}", "nothing is counted without one")
        if (row.confidence is Confidence.VERIFIED) != (row.read is not None):
            yield Fault(
                row.id,
                "verified",
                "takes an address, the day it was read and a quotation, and nothing else has them",
            )
        elif row.read is not None and not 0 < len(row.read.quotation) <= LONGEST_QUOTATION:
            yield Fault(row.id, "quotation", f"has none, or more than {LONGEST_QUOTATION} characters")


def _names_twice(book: Book) -> Iterator[Fault]:
    seen: set[str] = set()
    for law in book.laws.values():
        for name in (law.id, *law.aliases):
            if name in seen:
                yield Fault(law.id, "name", f"{name} is used twice")
            seen.add(name)


def _strangers(book: Book) -> Iterator[Fault]:
    """Terms of laws that there are not, and laws without terms."""
    for term in book.terms:
        if term.law not in book.laws:
            yield Fault(term.id, "unknown law", term.law)
        if not term.kinds:
            yield Fault(term.id, "missing", "kinds are none")
        if not term.silent_on <= set(term.kinds):
            yield Fault(term.id, "value", "silent_on names what is not among the kinds")
    for law in book.laws.values():
        kinds = set(book.kinds_of(law))
        if not kinds or law.kinds - kinds:
            yield Fault(law.id, "gap", f"no term for {', '.join(sorted(law.kinds - kinds)) or 'anything'}")


def _periods(book: Book) -> Iterator[Fault]:
    """Of one law and kind, each term must begin on the day on which the one before it ends, and the last goes on."""
    for law, kind, terms in book.periods():
        for earlier, later in pairwise(terms):
            begins, ends = later.since or date.min, earlier.until or date.max
            if begins < ends:
                yield Fault(later.id, "overlap", f"{law}, {kind}: {earlier.id} still holds on {begins}")
            elif begins > ends:
                yield Fault(later.id, "gap", f"{law}, {kind}: nothing holds from {ends} to {begins}")
        if terms[-1].until is not None:
            yield Fault(terms[-1].id, "gap", f"{law}, {kind}: nothing holds from {terms[-1].until}")


def _spans(book: Book) -> Iterator[Fault]:
    """What cannot be counted as it is said."""
    for term in book.terms:
        if term.acknowledge is None and term.answer is None:
            yield Fault(term.id, "missing", "it wants neither a word of receipt nor an answer")
        if term.extension is not None and (
            term.answer is None or term.answer.unit is not term.extension.unit
        ):
            yield Fault(term.id, "extension", "it counts otherwise than the answer")
        if term.counting.moves != (term.answer is not None and term.answer.unit is Unit.MONTHS):
            yield Fault(term.id, "counting", f"{term.counting} does not count {term.answer}")
        if term.since is not None and term.until is not None and term.since >= term.until:
            yield Fault(term.id, "date", "until is not after since")
        country, _, region = term.holidays.partition("-")
        if term.holidays not in {MEMBER, NATION} and not calendars.is_known(country, region):
            yield Fault(term.id, "holidays", f"nobody knows those of {term.holidays}")
