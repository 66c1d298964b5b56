"""
Which callers of a client are known to be minors: with them a notice alone never suffices, and below the age at which
their own consent counts a guardian has to agree.
"""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

from callprivacy.tenancy.enums import Sector
from callprivacy.tenancy.models import Client
from consent.decide import MAJORITY
from consent.models import MinorMark


@dataclass(frozen=True, slots=True)
class Minor:
    """That a person is known to be a minor, and from which day on no more."""

    majority_on: date | None = None

    def age_on(self, day: date) -> int | None:
        of_age = self.majority_on
        if of_age is None:
            return None
        return day.year - of_age.year + MAJORITY - ((day.month, day.day) < (of_age.month, of_age.day))


def asked(known: Minor | None, *, presumed: bool, on: date) -> dict[str, Any]:
    """What the engine is asked with of a person's age on a day."""
    if known is None:
        return {"minor": presumed, "presumed": presumed}
    return {"minor": True, "age": known.age_on(on)}


def among(client: Client, caller_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Minor]:
    """Those of these callers who are known to be minors; one query."""
    rows = MinorMark.objects.for_client(client).filter(caller_id__in=list(caller_ids))
    return {row[0]: Minor(row[1]) for row in rows.values_list("caller_id", "majority_on")}


def are_presumed(client: Client) -> bool:
    """Whether a client's trade has everybody who calls taken for a minor, whoever noted it or not."""
    return Sector(client.sector).presumes_minors


def mark_of(client: Client, caller_id: uuid.UUID) -> MinorMark | None:
    """That a caller is known to be a minor, who said so and when."""
    return (
        MinorMark.objects.for_client(client).filter(caller_id=caller_id).select_related("marked_by").first()
    )
