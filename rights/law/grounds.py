"""
Grounds on which a request may be refused, wholly or in part: the list that decisions are picked from.

A refusal without a ground from the list is not written down. Each ground says which laws know it, what has to be shown
for it, and how the person is told; a list with a fault is not used.
"""

import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Final

from consent.enums import Language
from consent.law import Confidence
from rights.enums import Kind
from rights.law.book import Book, BookError, Fault, load, shipped

_LONGEST: Final = 400


class UnknownGroundError(LookupError):
    """The list has no such ground for a request of that kind under these laws."""


@dataclass(frozen=True, slots=True)
class Ground:
    """
    One ground.

    :ivar laws: ids of the laws that know it. :ivar kinds: the requests that it may stand against.
    :ivar in_part: whether it keeps back a part only, so that the rest is done.
    :ivar shows: what has to be shown for it. :ivar words: how the person is told, by language.
    :ivar citations: where a law has it elsewhere than `citation`.
    :ivar is_finding: whether it says what was found, and is no exception that a law grants.
    """

    id: str
    laws: tuple[str, ...]
    kinds: frozenset[Kind]
    in_part: bool
    title: str
    shows: str
    words: Mapping[Language, str]
    citation: str
    citations: Mapping[str, str]
    source: str
    confidence: Confidence
    checked_on: date
    is_finding: bool

    def cited(self, laws: Collection[str], book: Book) -> str:
        """Where it is written, for those of these laws that know it: "GDPR, art. 12(5); UK GDPR, art. 12(5)"."""
        if self.is_finding:
            return ""
        return "; ".join(
            f"{book.laws[law].name}, {self.citations.get(law, self.citation)}"
            for law in self.laws
            if law in laws
        )


@cache
def every() -> Mapping[str, Ground]:
    """
    The shipped list by id, read once a process.

    :raises BookError: the shipped file is wrong, which a test forbids.
    """
    return read_grounds(shipped("grounds.toml"), load())


def grounds_for(kind: str, laws: Collection[str]) -> list[Ground]:
    """The grounds that may be named for a request of a kind under any of these laws, in the list's order."""
    return [ground for ground in every().values() if kind in ground.kinds and set(ground.laws) & set(laws)]


def ground(ground_id: str, *, kind: str, laws: Collection[str]) -> Ground:
    """
    The ground of that id, if it may be named here.

    :raises UnknownGroundError: it may not, or there is none.
    """
    found = next((one for one in grounds_for(kind, laws) if one.id == ground_id), None)
    if found is None:
        raise UnknownGroundError("This ground is not one for this kind of request under the laws that apply.")
    return found


def read_grounds(text: str, book: Book) -> dict[str, Ground]:
    """
    Read and check a list.

    :param text: tables as TOML. :param book: the laws that it may name.
    :raises BookError: with every fault that was found.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BookError([Fault("file", "TOML", str(error))]) from error
    found: list[Fault] = []
    rows: dict[str, Ground] = {}
    for name, table in tables.items():
        rest = dict(table)
        try:
            row = _ground(name, rest)
        except KeyError as error:
            found.append(Fault(name, "missing", f"{error.args[0]} is not said"))
        except (ValueError, TypeError, AttributeError) as error:
            found.append(Fault(name, "value", str(error)))
        else:
            rows[name] = row
            found += [Fault(name, "unknown", key) for key in rest]
            found += _faults(row, book)
    if found:
        raise BookError(found)
    return rows


def _ground(name: str, rest: dict[str, Any]) -> Ground:
    return Ground(
        id=name,
        laws=tuple(rest.pop("laws")),
        kinds=frozenset(Kind(kind) for kind in rest.pop("kinds")),
        in_part=bool(rest.pop("part")),
        title=_text(rest, "title"),
        shows=_text(rest, "shows"),
        words={language: _text(rest, language.value) for language in Language},
        citation=_text(rest, "citation"),
        citations={str(law): str(where) for law, where in rest.pop("citations", {}).items()},
        source=_text(rest, "source"),
        confidence=Confidence(rest.pop("confidence")),
        checked_on=_day(rest.pop("checked_on")),
        is_finding=bool(rest.pop("finding", False)),
    )


def _text(rest: dict[str, Any], key: str) -> str:
    value = rest.pop(key)
    if not isinstance(value, str):
        raise TypeError(f"{key} is no text")
    return value.strip()


def _day(value: Any) -> date:
    if type(value) is not date:
        raise TypeError(f"{value!r} is no day like 2026-11-25")
    return value


def _faults(row: Ground, book: Book) -> Iterator[Fault]:
    for key in ("title", "shows", "citation", "source"):
        if not getattr(row, key):
            yield Fault(row.id, f"missing {key}", "nothing is refused without one")
    for language, words in row.words.items():
        if not words or len(words) > _LONGEST:
            yield Fault(row.id, "words", f"{language.label}: from 1 to {_LONGEST} characters")
    if not row.kinds or not row.laws:
        yield Fault(row.id, "missing", "it names no law or no kind")
    for law in (*row.laws, *row.citations):
        if law not in book.laws:
            yield Fault(row.id, "unknown law", law)
    if not set(row.citations) <= set(row.laws):
        yield Fault(row.id, "value", "citations name a law that it is no ground of")
    if "general knowledge" in row.source and row.confidence is Confidence.VERIFIED:
        yield Fault(row.id, "confidence", "what is only known in general is not verified")
