"""What a client counts as a conversion, and how many callers a figure of it needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from analytics.enums import Conversion
from analytics.models import ReportRule
from callprivacy.tenancy.models import Client

K: Final = 5
"""Callers that a figure needs where the client has said nothing else."""

P: Final = 15
"""Percent by which nobody may find out another caller's part of a sum, where the client has said nothing else."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A client's rule; the defaults where it has none."""

    conversion: Conversion = Conversion.ANSWERED
    seconds: int = 60
    tags: frozenset[str] = frozenset()
    k: int = K
    p: int = P

    @property
    def words(self) -> str:
        """What counts as a conversion, as a person reads it."""
        if self.conversion is Conversion.QUALIFIED:
            return "Marked as qualified by the tracker"
        if self.conversion is Conversion.TAGGED:
            return f"Tagged {', '.join(sorted(self.tags))}"
        return f"Answered for at least {self.seconds} s"


def rule_of(client: Client) -> Rule:
    """A client's rule; one query."""
    row = ReportRule.objects.for_client(client).first()
    if row is None:
        return Rule()
    return Rule(Conversion(row.conversion), row.seconds, frozenset(row.tags), row.k, row.p)
