"""One rule of the law as the files hold it: a place, a topic, a value, and where that is written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from consent.law.topics import Topic


class Confidence(StrEnum):
    """How sure the value is; a rule that is not verified decides all the same and says so."""

    VERIFIED = "verified"
    SECONDARY = "secondary"
    UNVERIFIED = "unverified"


@dataclass(frozen=True, slots=True)
class Rule:
    """
    One row.

    `effective_from` None is "as far back as calls are judged", `effective_to` is exclusive and None is "until
    further notice". `signed_off_by` names the counsel's role that approved the row, or is "".
    """

    id: str
    country: str
    region: str
    topic: Topic
    value: str
    citation: str
    source: str
    effective_from: date | None
    effective_to: date | None
    confidence: Confidence
    checked_on: date
    signed_off_by: str

    @property
    def is_verified(self) -> bool:
        return self.confidence is Confidence.VERIFIED

    @property
    def strictness(self) -> float:
        return self.topic.strictness(self.value)

    def read(self) -> Any:
        """The value as programs use it: a word, a number, `Days`, `Hours` or a tuple of words."""
        return self.topic.read(self.value)

    def holds_on(self, on: date) -> bool:
        """Whether the rule is in force on that day."""
        return (self.effective_from is None or self.effective_from <= on) and (
            self.effective_to is None or on < self.effective_to
        )
