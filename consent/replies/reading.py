"""
A reply as the matcher reads it: words put together into phrases, each with its meaning, as one string of characters.

The language is the one that knows more of the words; a word that it does not know is asked of the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

from consent.replies import lexicon, normal, spelling

MOST_WORDS: Final = 1_500
_OTHERS: Final = {"en": ("es", "fr"), "es": ("en", "fr"), "fr": ("en", "es")}
_TAILS: Final = {"re": "are", "ll": "will", "d": "would", "ve": "have", "m": "am", "s": "s"}
_NUMBER_LENGTH: Final = 4


@dataclass(frozen=True, slots=True)
class Reading:
    words: tuple[str, ...]
    """Words and phrases, folded, and marks."""
    meanings: str
    """One character for each of `words`."""
    language: str
    """ "en", "es", "fr", or "" where no word is known."""


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
            meaning = _one(folded[place], accented[place], words[-1] if words else "", order)
        words.append(" ".join(folded[place : place + length]))
        meanings.append(_code(meaning))
        place += length
    return Reading(tuple(words), "".join(meanings), language)


def language_of(folded: Sequence[str]) -> str:
    """The language that knows most of these words; English where they tie, "" where nobody knows any."""
    known = dict.fromkeys(lexicon.LANGUAGES, 0)
    tables = lexicon.load()
    for word in folded:
        for language, own in tables.items():
            if word in own.words or word in own.expand or word in own.phrases:
                known[language] += 1
    best = max(known, key=lambda language: known[language])
    return best if known[best] else ""


# --- words -----------------------------------------------------------------------------------------------------------


def _expanded(folded: list[str], parts: Sequence[str], language: str) -> tuple[list[str], list[str]]:
    """Short forms written out; the second list keeps the accents."""
    words: list[str] = []
    accented: list[str] = []
    for word, part in zip(folded, parts, strict=True):
        long = _written_out(word, language)
        words.extend(long or (word.replace("'", ""),))
        accented.extend(long or (part,))
    return words, accented


def _written_out(word: str, language: str) -> tuple[str, ...] | None:
    plain = word.replace("'", "")
    expand = lexicon.load()[language].expand
    long = expand.get(word) or expand.get(plain)
    if long is None and "'" in word:
        long = _apostrophe(word)
    if long is None and not _is_known(plain):
        long = _written_together(plain, language)
    return long


def _apostrophe(word: str) -> tuple[str, ...] | None:
    head, _, tail = word.rpartition("'")
    if tail == "t" and head.endswith("n"):
        return (head[:-1], "not")
    return (head, _TAILS[tail]) if tail in _TAILS and head else None


def _written_together(word: str, language: str) -> tuple[str, ...] | None:
    for guess in (language, *_OTHERS[language]):
        if found := spelling.apart(word, _all_words(guess)):
            expand = lexicon.load()[guess].expand
            return tuple(piece for part in found for piece in expand.get(part, (part,)))
    return None


@cache
def _is_known(word: str) -> bool:
    return any(word in own.words or word in own.phrases for own in lexicon.load().values())


@cache
def _all_words(language: str) -> frozenset[str]:
    own = lexicon.load()[language]
    longer = {word for phrases in own.phrases.values() for phrase, _ in phrases for word in phrase}
    return frozenset({"i", *(word for word in {*own.words, *own.expand, *longer} if len(word) > 1)})


# --- meanings --------------------------------------------------------------------------------------------------------


def _phrase_at(folded: list[str], place: int, order: Sequence[str]) -> tuple[int, str]:
    tables = lexicon.load()
    for language in order:
        for phrase, meaning in tables[language].phrases.get(folded[place], ()):
            if tuple(folded[place : place + len(phrase)]) == phrase:
                return len(phrase), meaning
    return 1, ""


def _one(word: str, accented: str, before: str, order: Sequence[str]) -> str:
    """The meaning of one word after another: my call, the text are things; llamé, llamó are told, not asked for."""
    if word in normal.MARKS:
        return word
    hints = lexicon.hints()
    if word == "phone" and before in hints.before_phoning:
        return "C_v"
    meaning = _meaning_of(word, tuple(order))
    if meaning.endswith("_v"):
        if before in hints.definite[order[0]]:
            return hints.things.get(word) or (f"{meaning[0]}_n" if meaning[1] == "_" else meaning)
        if accented.endswith(("é", "ó", "í")):
            return f"{meaning[:-1]}d"
    return meaning


@lru_cache(maxsize=20_000)
def _meaning_of(word: str, order: tuple[str, ...]) -> str:
    if found := _looked_up(word, order):
        return found
    if word.isdigit():
        return "NUMBER" if len(word) >= _NUMBER_LENGTH else "DIGITS"
    return next((found for guess in spelling.guesses(word) if (found := _looked_up(guess, order))), "")


def _looked_up(word: str, order: tuple[str, ...]) -> str:
    tables = lexicon.load()
    for language in order:
        found = tables[language].words.get(word)
        if found and (language == order[0] or _travels(word, found)):
            return found
    return ""


def _travels(word: str, meaning: str) -> bool:
    """Whether a word is used also by people who write another language."""
    hints = lexicon.hints()
    return meaning[1:2] == "_" or meaning in hints.travelling_meanings or word in hints.travelling_words


@cache
def _code(meaning: str) -> str:
    return meaning if meaning in normal.MARKS else lexicon.codes().get(meaning, lexicon.UNKNOWN)
