"""
A reply as the matcher reads it: words put together into phrases, each with its meaning, as one string of characters.

The language is the one that knows more of the words; a word that it does not know is asked of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

from consent.replies import lexicon, normal, spelling

MOST_WORDS: Final = 1_500
_DEFINITE: Final = {
    "en": frozenset("my our your this that the these those a an any all no more further another one every such his her their phone text".split()),
    "es": frozenset("mi mis tu tus su sus el la los las un una este esta estas estos mas ninguna mucha muchas otra otro".split()),
    "fr": frozenset[str](),
}
# A verb that stands behind one of those is a noun: my call, the text.
_NOUNS: Final = {
    "phone": "NUMBER",
    "call": "CALL",
    "record": "DATA",
    "tape": "R_n",
    "mine": "MY",
}
_BEFORE_PHONING: Final = frozenset("do not|never|to|not|please|can|will|may|just|ever|you|or|can not|should".split("|"))
_OTHERS: Final = {"en": ("es", "fr"), "es": ("en", "fr"), "fr": ("en", "es")}


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read."""

    words: tuple[str, ...]
    """Words, folded and as they were taken, and marks."""
    meanings: str
    """One character for each of `words`."""
    language: str
    """"en", "es", "fr", or "" where no word is known."""


def read(parts: Sequence[str]) -> Reading:
    """Read words and marks (see `normal.split`)."""
    parts = parts[:MOST_WORDS]
    folded = [part if part in normal.MARKS else normal.fold(part) for part in parts]
    language = language_of(folded)
    order = (language or "en", *_OTHERS[language or "en"])
    folded, accented = _expanded(folded, parts, order[0])
    words: list[str] = []
    meanings: list[str] = []
    place = 0
    while place < len(folded):
        length, meaning = _phrase_at(folded, place, order)
        if length == 1:
            meaning = _one(folded[place], accented[place], words[-1] if words else "", meaning, order)
        words.append(" ".join(folded[place : place + length]))
        meanings.append(_code(meaning))
        place += length
    return Reading(tuple(words), "".join(meanings), language)


def language_of(folded: Sequence[str]) -> str:
    """The language that knows most of these words; English where they tie, "" where nobody knows any."""
    known = dict.fromkeys(lexicon.LANGUAGES, 0)
    tables = lexicon.load()
    for word in folded:
        for language, table in tables.items():
            if word in table.words or word in table.expand or word in table.phrases:
                known[language] += 1
    best = max(known, key=lambda language: known[language])
    return best if known[best] else ""


def _expanded(folded: list[str], parts: Sequence[str], language: str) -> tuple[list[str], list[str]]:
    expand = lexicon.load()[language].expand
    words: list[str] = []
    accented: list[str] = []
    for word, part in zip(folded, parts, strict=True):
        plain = word.replace("'", "")
        long = expand.get(word) or expand.get(plain)
        if long is None and "'" in word:
            long = _apostrophe(word)
        if long is None and not _is_known(plain):
            long = _written_together(plain, language)
        words.extend(long or (plain,))
        accented.extend(long or (part,))
    return words, accented


def _written_together(word: str, language: str) -> tuple[str, ...] | None:
    for guess in (language, *_OTHERS[language]):
        if found := spelling.apart(word, _all_words(guess)):
            expand = lexicon.load()[guess].expand
            return tuple(piece for part in found for piece in expand.get(part, (part,)))
    return None


@cache
def _is_known(word: str) -> bool:
    return any(word in table.words or word in table.phrases for table in lexicon.load().values())


@cache
def _all_words(language: str) -> frozenset[str]:
    own = lexicon.load()[language]
    longer = {word for phrases in own.phrases.values() for phrase, _ in phrases for word in phrase}
    return frozenset({"i", *(word for word in {*own.words, *own.expand, *longer} if len(word) > 1)})


_TAILS: Final = {"re": "are", "ll": "will", "d": "would", "ve": "have", "m": "am", "s": "s", "t": "not"}


def _apostrophe(word: str) -> tuple[str, ...] | None:
    head, _, tail = word.rpartition("'")
    if tail == "t" and head.endswith("n"):
        return (head[:-1], "not")
    return (head, _TAILS[tail]) if tail in _TAILS and head else None


def _phrase_at(folded: list[str], place: int, order: Sequence[str]) -> tuple[int, str]:
    tables = lexicon.load()
    for language in order:
        for phrase, meaning in tables[language].phrases.get(folded[place], ()):
            if tuple(folded[place : place + len(phrase)]) == phrase:
                return len(phrase), meaning
    return 1, ""


def _one(word: str, accented: str, before: str, meaning: str, order: Sequence[str]) -> str:
    if word in normal.MARKS:
        return word
    if word == "phone" and before in _BEFORE_PHONING:
        return "C_v"
    meaning = meaning or _meaning_of(word, tuple(order))
    if meaning.endswith("_v"):
        if before in _DEFINITE[order[0]]:
            return _NOUNS.get(word, f"{meaning[0]}_n" if meaning[1] == "_" else meaning)
        if accented.endswith(("é", "ó", "í")):  # llamé, llamó: told, not asked for
            return f"{meaning[:-1]}d"
    return meaning


def _travels(word: str, meaning: str) -> bool:
    """Whether a word is used also by people who write another language."""
    return meaning[1:2] == "_" or meaning in _TRAVELLERS or word in {"please", "thanks", "gracias"}


_TRAVELLERS: Final = frozenset(
    {"STOP", "STOPES", "UNSUB", "DNC", "SPAM", "REMOVE", "CONSENT", "LIST", "GOAWAY", "STOPFR", "NEFR", "AGREE", "REMOVEME"}
)


@lru_cache(maxsize=20_000)
def _meaning_of(word: str, order: tuple[str, ...]) -> str:
    tables = lexicon.load()
    for language in order:
        found = tables[language].words.get(word)
        if found and (language == order[0] or _travels(word, found)):
            return found
    if word.isdigit():
        return "NUMBER" if len(word) >= 4 else "DIGITS"
    for guess in spelling.guesses(word):
        for language in order:
            found = tables[language].words.get(guess)
            if found and (language == order[0] or _travels(guess, found)):
                return found
    return ""


@cache
def _code(meaning: str) -> str:
    return meaning if meaning in normal.MARKS else lexicon.codes().get(meaning, lexicon.UNKNOWN)
