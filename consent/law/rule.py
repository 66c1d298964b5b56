"""One rule of the law as the files hold it: a place, a topic, a value, and where that is written."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from consent.law.topics import Topic


class Confidence(StrEnum):
    """
    How sure the value is; a rule that is not verified decides all the same and says so.

    Verified: a person read the statute, the regulation or the regulator's page, in an official or a stored copy. The
    row names its address, the day, and the sentence that it rests on.
    """

    VERIFIED = "verified"
    SECONDARY = "secondary"
    UNVERIFIED = "unverified"


@dataclass(frozen=True, slots=True)
class Rule:
    """
    One row.

    `effective_from` None is "as far back as calls are judged", `effective_to` is exclusive and None is "until
    further notice". `signed_off_by` names the counsel's role that approved the row, or is "". `address`, `read_on` and
    `quotation` say where and when the primary text was read, and the sentence that the value rests on; `not_verified`
    says why that did not happen, and what decides until then.
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
    address: str = ""
    read_on: date | None = None
    quotation: str = ""
    not_verified: str = ""

    @property
    def is_verified(self) -> bool:
        """Whether the row is called verified and has all that this takes."""
        return self.confidence is Confidence.VERIFIED and not self.is_unread

    @property
    def is_unread(self) -> bool:
        """Whether the row does not show that a person read the text: an address, a day and a sentence."""
        return not (self.address and self.read_on and self.quotation)

    @property
    def strictness(self) -> float:
        return self.topic.strictness(self.value)

    def read(self) -> Any:
        """The value as programs use it: a word, a number, `Days`, `Hours` or a tuple of words."""
        return self.topic.read(self.value)

    def holds_on(self, on: date) -> bool:
        return (self.effective_from is None or self.effective_from <= on) and (
            self.effective_to is None or on < self.effective_to
        )
