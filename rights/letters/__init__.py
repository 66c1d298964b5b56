"""
Letters about requests as texts with gaps, in each language, and how they are filled.

Pure: what is filled in is given as words. A letter that lacks a word it needs is refused, so that nothing leaves with a
gap in it; a paragraph whose word is not known is left out whole.
"""

from rights.letters.filling import (
    AUTHORITIES,
    Filled,
    Letter,
    LetterTo,
    MissingWordsError,
    UnknownLetterError,
    day,
    fill,
    kind_words,
    letter,
    letters_for,
    read,
    shipped,
    texts,
)
