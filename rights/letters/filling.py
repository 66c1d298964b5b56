"""Reads the letters, checks them, and fills them."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any, Final

from callprivacy.lib import bounds
from consent.enums import Language
from rights.enums import Kind
from rights.letters import words
from rights.letters.words import AUTHORITIES

__all__ = ["AUTHORITIES"]

KNOWN: Final = frozenset(
    {
        "again", "agency", "answer_by", "answers", "appeal", "appeal_by", "client", "clock", "code_to", "complaint",
        "days",
        "deed", "done", "found", "ground", "handed_on", "kept", "kind", "law", "link", "link_until", "object_by",
        "received_on", "recipient", "reference", "rights", "signature", "status_url", "stays", "until_then", "words",
    }
)  # fmt: skip
"""The words that a letter may have filled in."""

_FILE: Final = Path(__file__).parent / "letters.toml"
_MANY: Final = re.compile(r"\n{2,}")


class UnknownLetterError(LookupError):
    """There is no letter of that name."""


class LetterFileError(ValueError):
    """A file of letters that cannot be used; each line says what is wrong."""


class MissingWordsError(ValueError):
    """A letter lacks words that it needs. `names`: which."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        super().__init__(f"This letter still needs: {', '.join(names)}.")


class LetterTo(StrEnum):
    PERSON = "person"
    RECIPIENT = "recipient"
    APPROVER = "approver"


@dataclass(frozen=True, slots=True)
class Text:
    """A letter in one language, with gaps."""

    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Letter:
    """
    One letter.

    :ivar kinds: the requests that it is for; none: all. :ivar needs: words without which it does not leave.
    :ivar asks: what the staff write for it, "" where nothing has to be written.
    """

    name: str
    title: str
    to: LetterTo
    kinds: frozenset[Kind]
    needs: tuple[str, ...]
    asks: str
    texts: Mapping[Language, Text]


@dataclass(frozen=True, slots=True)
class Filled:
    """A letter as it leaves."""

    subject: str
    body: str


@cache
def texts() -> Mapping[str, Letter]:
    """
    The shipped letters by name, read once a process.

    :raises LetterFileError: the shipped file is wrong, which a test forbids.
    """
    return read(shipped())


def shipped() -> str:
    return _FILE.read_text(encoding="utf-8")


def letter(name: str) -> Letter:
    """
    The letter of that name.

    :raises UnknownLetterError: there is none.
    """
    try:
        return texts()[name]
    except KeyError:
        raise UnknownLetterError(f'There is no letter "{name}".') from None


def letters_for(kind: str, *, to: LetterTo = LetterTo.PERSON) -> list[Letter]:
    """The letters for a request of a kind, in the file's order."""
    return [one for one in texts().values() if one.to is to and (not one.kinds or kind in one.kinds)]


def fill(name: str, language: Language, facts: Mapping[str, str]) -> Filled:
    """
    A letter with these words in it.

    :param facts: word -> text; what is empty is not known.
    :raises UnknownLetterError: there is no such letter.
    :raises MissingWordsError: it lacks words that it needs.
    """
    wanted = letter(name)
    known = {key: text.strip() for key, text in facts.items() if text and text.strip()}
    missing = [need for need in wanted.needs if need not in known]
    if missing:
        raise MissingWordsError(missing)
    text = wanted.texts[language]
    paragraphs = [
        paragraph.format_map(known)
        for paragraph in _MANY.split(text.body.strip())
        if _gaps(paragraph) <= known.keys()
    ]
    return Filled(" ".join(text.subject.format_map(known).split()), "\n\n".join(paragraphs) + "\n")


def kind_words(kind: str, language: Language) -> str:
    """What was asked for, as a letter says it."""
    return words.KINDS[language][Kind(kind)]


def day(on: date, language: Language) -> str:
    """A day as a letter writes it: "1 March 2027"."""
    month = words.MONTHS[language][on.month - 1]
    return words.DAY[language].format(day=on.day, month=month, year=on.year)


def read(text: str) -> dict[str, Letter]:
    """
    Read and check a file of letters.

    :raises LetterFileError: with everything that is wrong.
    """
    try:
        tables = bounds.from_toml(text)
    except (tomllib.TOMLDecodeError, bounds.TooDeepError) as error:
        raise LetterFileError(f"file: {error}") from error
    found: list[str] = []
    rows: dict[str, Letter] = {}
    for name, table in tables.items():
        try:
            row = _letter(name, dict(table))
        except KeyError as error:
            found.append(f"{name}: {error.args[0]} is not said")
        except (ValueError, TypeError) as error:
            found.append(f"{name}: {error}")
        else:
            rows[name] = row
            found += _faults(row)
    if found:
        raise LetterFileError("\n".join(found))
    return rows


def _letter(name: str, rest: dict[str, Any]) -> Letter:
    row = Letter(
        name=name,
        title=str(rest.pop("title")),
        to=LetterTo(rest.pop("to")),
        kinds=frozenset(Kind(kind) for kind in rest.pop("kinds", ())),
        needs=tuple(rest.pop("needs")),
        asks=str(rest.pop("asks", "")),
        texts={language: Text(**rest.pop(language.value)) for language in Language},
    )
    if rest:
        raise ValueError(f"{', '.join(rest)} is not known")
    return row


def _faults(row: Letter) -> list[str]:
    found = [f"{row.name}: {need} is no word of ours" for need in row.needs if need not in KNOWN]
    gaps = {language: _gaps(text.subject) | _gaps(text.body) for language, text in row.texts.items()}
    for language, names in gaps.items():
        found += [f"{row.name}, {language}: {{{gap}}} is no word of ours" for gap in sorted(names - KNOWN)]
        if not set(row.needs) <= names:
            found.append(f"{row.name}, {language}: it needs a word that it does not hold")
        if not _gaps(row.texts[language].subject) <= set(row.needs):
            found.append(f"{row.name}, {language}: its subject may have a gap")
        if "signature" not in names:
            found.append(f"{row.name}, {language}: nobody signs it")
    if len({frozenset(names) for names in gaps.values()}) > 1:
        found.append(f"{row.name}: its languages do not say the same")
    if bool(row.asks) != ("words" in row.needs) and row.name != "done":
        found.append(f"{row.name}: what the staff write for it is asked for, and needed, or neither")
    return found


def _gaps(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}
