"""Changing what a client counts as a conversion, and how many callers a figure needs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.db import transaction

from analytics.enums import Conversion
from analytics.models import ReportRule
from analytics.selectors.rules import P
from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client

LEAST: Final = 3
"""Callers below which no figure is told, whatever is chosen."""

MOST: Final = 1000


class RuleError(ValueError):
    """A rule that counts nothing, or protects nobody; the text says what to change, `field` where."""

    def __init__(self, words: str, field: str) -> None:
        super().__init__(words)
        self.field = field


@transaction.atomic
def set_rule(
    *,
    client: Client,
    conversion: Conversion,
    seconds: int,
    tags: Sequence[str],
    k: int,
    p: int = P,
    currency: str = "",
    number_format: str = "",
    by: Actor,
    at: datetime,
) -> ReportRule:
    """
    Say what a client counts as a conversion, how many callers a figure needs, and how its money is written.

    A trigger touches all of the client, so that its cells are made anew within a minute or so.

    :param p: as of `groups.Amounts`.
    :raises RuleError: no tag is named where tags count, fewer than 3 callers or more than 1,000, less than 1 percent or
        more than 100.
    """
    if conversion is Conversion.TAGGED and not tags:
        raise RuleError("Name at least one tag.", "tags")
    if not LEAST <= k <= MOST:
        raise RuleError(f"A figure needs {LEAST} to {MOST} callers.", "k")
    if not 1 <= p <= 100:
        raise RuleError("A sum needs 1 to 100 percent.", "p")
    row, _ = ReportRule.objects.update_or_create(
        client=client,
        defaults={
            "agency_id": client.agency_id,
            "conversion": conversion,
            "seconds": seconds,
            "tags": sorted(set(tags)),
            "k": k,
            "p": p,
            "currency": currency,
            "number_format": number_format,
            "changed_at": at,
        },
    )
    audit.record(
        "report_rule.changed", subject=client, by=by, at=at,
        conversion=conversion.value, seconds=seconds, k=k, p=p, currency=currency, number_format=number_format,
    )  # fmt: skip
    return row
