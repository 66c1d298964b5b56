"""
Slips of the finger: which known word an unknown one was meant to be.

Only words that matter are guessed at, only one slip away (two where they are long), and never from a word that exists.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from consent.replies import normal

_SHORT: Final = 5
_LONG: Final = 9
_LONGEST: Final = 40


def guesses(word: str) -> Iterator[str]:
    """Known words that `word` may have been meant to be, the surest first."""
    if len(word) > _LONGEST:
        return
    yield from dict.fromkeys(normal.shrink(word)[: 2 if word in _exist() else 3])
    if not word.isalpha():
        if any(letter.isalpha() for letter in word):
            yield normal.unleet(word)
            yield word.rstrip("0123456789")
        return
    if len(word) >= _SHORT and word not in _exist():
        targets = _targets()
        for shorter in (word, *_without_one(word)):
            for target in targets.get(shorter, ()):
                if target[0] == word[0] and is_slip(word, target):
                    yield target


def apart(word: str, known: frozenset[str]) -> tuple[str, ...]:
    """The words in one written without spaces (stoptextingme), or nothing where it does not come out even."""
    if not _LEAST_APART <= len(word) <= _LONGEST or not word.startswith(_OPENERS) or word in _exist():
        return ()
    ways: list[tuple[str, ...] | None] = [()] + [None] * len(word)
    for end in range(2, len(word) + 1):
        for start in range(end - 2, max(end - _MOST_LETTERS, 0) - 1, -1):
            before, best = ways[start], ways[end]
            if before is not None and word[start:end] in known and (best is None or len(before) < len(best)):
                ways[end] = (*before, word[start:end])
    found = ways[-1] or ()
    return found if 1 < len(found) <= _MOST_WORDS_APART else ()


_OPENERS: Final = (
    "stop", "please", "dont", "donot", "quit", "remove", "take", "leave", "no", "never", "optme", "unsub", "cancel",
    "delete", "lose", "get", "ya", "dejen", "deja", "basta", "borr", "saqu", "iconsent", "ido", "idont", "record",
)  # fmt: skip
_LEAST_APART: Final = 6
_MOST_LETTERS: Final = 14
_MOST_WORDS_APART: Final = 8


def is_stop(word: str) -> bool:
    """Whether a word that stands alone is STOP with one slip."""
    return 2 < len(word) < 6 and word not in _exist() and _distance(word, "stop", 1) == 1


def is_slip(word: str, target: str) -> bool:
    """Whether one letter is missing, doubled, wrong or swapped; two such slips in a long word."""
    allowed = 2 if min(len(word), len(target)) >= _LONG else 1
    return _distance(word, target, allowed) <= allowed


def _distance(one: str, other: str, allowed: int) -> int:
    """Damerau's distance of two words (optimal alignment), at least `allowed` + 1 where it is more."""
    if abs(len(one) - len(other)) > allowed:
        return allowed + 1
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        now = [row]
        for column, wanted in enumerate(other, 1):
            cost = min(last[column] + 1, now[-1] + 1, last[column - 1] + (letter != wanted))
            swapped = row > 1 and column > 1 and letter == other[column - 2] and one[row - 2] == wanted
            now.append(min(cost, before[column - 2] + 1) if swapped else cost)
        before, last = last, now
    return last[-1]


def _without_one(word: str) -> Iterator[str]:
    for place in range(len(word)):
        yield word[:place] + word[place + 1 :]


@cache
def _targets() -> dict[str, tuple[str, ...]]:
    """Each word that is guessed at, under itself and under itself less one letter."""
    found: dict[str, list[str]] = {}
    for target in _lines("guessed.txt"):
        for key in (target, *_without_one(target)):
            if target not in (group := found.setdefault(key, [])):
                group.append(target)
    return {key: tuple(group) for key, group in found.items()}


@cache
def _exist() -> frozenset[str]:
    return frozenset(_lines("exist.txt"))


def _lines(name: str) -> list[str]:
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    return [word for line in text.splitlines() if not line.startswith("#") for word in line.split()]
