"""
From what somebody typed to plain lower-case words and the marks between them.

Everything that changes how a word looks and not what it says goes: case, accents, letters of other alphabets that look
Latin, invisible characters, emoji, stretched letters, letters set apart by spaces or dots.
"""

import re
import unicodedata
from itertools import groupby
from typing import Final

LONGEST: Final = 10_000
"""Characters that are read. Longer texts are cut, and the matcher says so."""

STOP_SIGNS: Final = "\N{OCTAGONAL SIGN}\N{NO ENTRY}\N{NO ENTRY SIGN}\N{RAISED HAND}"
SENTENCE: Final = "."
QUESTION: Final = "?"
COMMA: Final = ","
MARKS: Final = frozenset(SENTENCE + QUESTION + COMMA)

# Cyrillic and Greek letters that print like Latin ones, and Latin ones that no decomposition takes apart
_LOOK_ALIKES: Final = str.maketrans(
    "аеорсухіјѕԁһьвнкмтгԛԝӏοαρντυκιεχηγøłđħıſɡɑ",
    "aeopcyxijsdhbbhkmtrqwloapvtukiexnyoldhisga",
)
_DIGITS: Final = str.maketrans("013457", "oieast")
_UNSEEN: Final = frozenset({"Cf", "Cc", "Cs", "Co", "Mn", "Me"})
_QUOTES: Final = str.maketrans(dict.fromkeys("’‘ʼ`´＇", "'") | dict.fromkeys("“”«»„″", '"'))
_ADDRESS: Final = re.compile(r"(?:https?://|www\.)\S{1,200}|[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}")
_APART: Final = re.compile(r"(?<![^\W_])[^\W\d_](?:[ .\-_*/]{1,2}[^\W\d_]){2,14}(?![^\W_])")
_PARTS: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)*'?|[.!;:\n…?¿,()]|(?<=\s)[-–—]+(?=\s)|&")
_CLOCK: Final = re.compile(r"(?<=\d)(?=[ap]\.?m\b)")
_NUMBER_SIGN: Final = re.compile(r"#(?=[\s.!?,]|$)")
_DECIMAL: Final = re.compile(r"(?<=\d)[.,:](?=\d)")


def clean(text: str) -> str:
    """One text in lower-case Latin letters with their accents, without what cannot be seen."""
    text = unicodedata.normalize("NFKC", text[:LONGEST]).translate(_QUOTES)
    text = "".join(
        character for character in text if character == "\n" or unicodedata.category(character) not in _UNSEEN
    )
    return text.casefold().translate(_LOOK_ALIKES)


def fold(word: str) -> str:
    """The word without accents."""
    if word.isascii():
        return word
    return "".join(
        letter for letter in unicodedata.normalize("NFD", word) if not unicodedata.combining(letter)
    )


def unleet(word: str) -> str:
    """Digits in a word as the letters they stand for: st0p, 5top."""
    return word.translate(_DIGITS)


def shrink(word: str) -> tuple[str, str, str]:
    """A stretched word (stoppp, mee): runs of three and more cut to two letters, to one, and every run to one."""
    runs = [(letter, len(list(group))) for letter, group in groupby(word)]
    two = "".join(letter * min(length, 2) for letter, length in runs)
    one = "".join(letter * (1 if length > 2 else length) for letter, length in runs)
    return two, one, "".join(letter for letter, _ in runs)


def split(text: str, joined: frozenset[str]) -> list[str]:
    """
    Words with their accents, and the marks "." "?" "," between them.

    Letters set apart (s t o p) are put together when they spell one of `joined`.
    """
    text = _CLOCK.sub(" ", text)
    text = _ADDRESS.sub(" x ", _NUMBER_SIGN.sub(" number ", _DECIMAL.sub("", text)))
    text = _APART.sub(lambda found: _together(found.group(), joined), text)
    parts: list[str] = []
    for part in _PARTS.findall(text):
        mark = _MARK_OF.get(part[0])
        if mark is None:
            parts.append(part.strip("'"))
        elif not parts or parts[-1] not in MARKS:
            parts.append(mark)
        elif mark == QUESTION or parts[-1] == COMMA:
            parts[-1] = mark
    return parts


_MARK_OF: Final = (
    dict.fromkeys(".!;:\n…", SENTENCE) | dict.fromkeys("?", QUESTION) | dict.fromkeys("¿,()-–—", COMMA)
)


def _together(letters: str, joined: frozenset[str]) -> str:
    word = "".join(letter for letter in letters if letter.isalpha())
    return word if fold(word) in joined else letters
