"""The rows of the book: a law with its reach, and a term that a law sets for some kinds of requests."""

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final, Self

from consent.law import Confidence
from rights.enums import Kind

MEMBER: Final = "member"
NATION: Final = "nation"
"""Whose holidays a term knows: of the client's member of the Union, of its nation of the United Kingdom, or a code."""

_SPAN: Final = re.compile(r"(\d{1,3}) (working day|day|month)s?")


class Unit(StrEnum):
    """What a span counts."""

    WORKING_DAYS = "working day"
    DAYS = "day"
    MONTHS = "month"


class Counting(StrEnum):
    """How a term finds its last day. In each of them the day of receipt does not count, and the last day is whole."""

    REGULATION_1182_71 = "regulation_1182_71"
    CORRESPONDING_DATE = "corresponding_date"
    DAYS_AFTER = "days_after"

    @property
    def moves(self) -> bool:
        """Whether an end that is no working day moves to the next one."""
        return self is not Counting.DAYS_AFTER

    @property
    def words(self) -> str:
        return {
            Counting.REGULATION_1182_71: (
                "The day of receipt does not count. By Regulation (EEC, Euratom) 1182/71 article 3 the time ends with"
                " the last hour of the same date, or of the month's last day, and moves to the next working day."
            ),
            Counting.CORRESPONDING_DATE: (
                "By the ICO's reading the time runs from the day of receipt to the corresponding date, or to the"
                " month's last day, and moves to the next working day."
            ),
            Counting.DAYS_AFTER: (
                "The day of receipt does not count, and the end is not moved where it is no working day."
            ),
        }[self]


@dataclass(frozen=True, slots=True)
class Span:
    """So many working days, days or months."""

    count: int
    unit: Unit

    def __str__(self) -> str:
        return f"{self.count} {self.unit}{'' if self.count == 1 else 's'}"

    @classmethod
    def read(cls, text: str) -> Self:
        """
        Read a span, such as "10 working days".

        :raises ValueError: it is none.
        """
        found = _SPAN.fullmatch(text)
        if found is None:
            raise ValueError(f'"{text}" is no span such as "10 working days", "45 days" or "1 month"')
        return cls(int(found[1]), Unit(found[2]))

    def plus(self, more: "Span") -> "Span":
        """Both spans as one; they count the same."""
        return Span(self.count + more.count, self.unit)


@dataclass(frozen=True, slots=True)
class Reading:
    """Where and when a person read the text, and the sentence that the row rests on; what "verified" takes."""

    address: str
    on: date
    quotation: str


@dataclass(frozen=True, slots=True)
class Reach:
    """
    One way to be under a law: every figure that is named has to be reached.

    :ivar figures: the fact, the figure, and whether it must be more than that (else that or more).
    """

    figures: tuple[tuple[str, int, bool], ...]
    since: date | None
    until: date | None

    def holds_on(self, on: date) -> bool:
        """Whether this way is in force on that day."""
        return (self.since is None or self.since <= on) and (self.until is None or on < self.until)


@dataclass(frozen=True, slots=True)
class Law:
    """
    One law.

    :ivar places: where the person lives, or the client is established, as (country, region).
    :ivar established: whether it also reaches everybody whose data are handled by who is established there.
    :ivar commercial: whether it leaves out clients that do not work for profit, and
    :ivar commercial_until: before which day; None: without end.
    :ivar kinds: the only kinds of requests it is about; empty: whatever it has terms for.
    :ivar reaches: the ways of being under it; none: everybody is.
    """

    id: str
    name: str
    title: str
    aliases: tuple[str, ...]
    places: tuple[tuple[str, str], ...]
    since: date
    established: bool
    commercial: bool
    commercial_until: date | None
    kinds: frozenset[Kind]
    reaches: tuple[Reach, ...]
    citation: str
    source: str
    confidence: Confidence
    checked_on: date
    words: str
    read: Reading | None

    def leaves_out_nonprofits(self, on: date) -> bool:
        """Whether clients that do not work for profit are outside of it on that day."""
        return self.commercial and (self.commercial_until is None or on < self.commercial_until)


@dataclass(frozen=True, slots=True)
class Term:
    """
    By when a law wants requests of some kinds acknowledged and answered.

    :ivar silent_on: kinds that the law grants no right to, so that the answer is a refusal; it is due all the same.
    :ivar extension: how much longer an answer may take, if the person is told why before the first date.
    :ivar pauses: whether the clock stops while the person is asked what exactly is meant.
    :ivar starts_when_identified: whether it starts only when the person has proven who asks.
    :ivar holidays: whose holidays are no working days: MEMBER, NATION or a code such as "US" or "US-CA".
    :ivar since: first day of receipt for which it holds; None: as far back as there are requests.
    :ivar until: first day of receipt for which it holds no more.
    """

    id: str
    law: str
    kinds: tuple[Kind, ...]
    silent_on: frozenset[Kind]
    acknowledge: Span | None
    answer: Span | None
    extension: Span | None
    counting: Counting
    holidays: str
    pauses: bool
    starts_when_identified: bool
    since: date | None
    until: date | None
    citation: str
    source: str
    confidence: Confidence
    checked_on: date
    words: str
    read: Reading | None

    def holds_on(self, on: date) -> bool:
        """Whether it is in force for what is received on that day."""
        return (self.since is None or self.since <= on) and (self.until is None or on < self.until)
