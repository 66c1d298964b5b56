"""
The laws on requests as data: which there are, whom they reach, and by when they want an answer.

Pure: neither models nor the clock. `load()` gives the shipped book, `read` another one, `faults` says what is wrong
with one, `which_laws` finds those that apply to a person and a client. What a refusal may rest on stands in
`rights.law.grounds`.
"""

from rights.law.book import (
    Book,
    BookError,
    Fault,
    UnknownKindError,
    UnknownLawError,
    faults,
    load,
    read,
    stale,
)
from rights.law.reach import (
    Applies,
    Facts,
    Standing,
    Verdict,
    Way,
    standing_of,
    threshold_words,
    which_laws,
)
from rights.law.rows import Counting, Law, Reach, Span, Term, Unit
