"""What a client counts as a conversion, and how many callers a figure of it needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from analytics.enums import Conversion
from analytics.models import ReportRule
from callprivacy.lib.money import Money, money_of
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
    currency: str = ""
    number_format: str = ""

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
    return Rule(
        Conversion(row.conversion),
        row.seconds,
        frozenset(row.tags),
        row.k,
        row.p,
        row.currency,
        row.number_format,
    )


def money_of_clients(clients: Sequence[Client]) -> dict[int, Money]:
    """Client id -> in which currency and format its money is written; one query."""
    rows = ReportRule.objects.filter(client_id__in=[client.pk for client in clients])
    said = {row.client_id: row for row in rows.only("client_id", "currency", "number_format")}
    return {
        client.pk: money_of(client.home_country, currency=row.currency, numbers=row.number_format)
        if (row := said.get(client.pk))
        else money_of(client.home_country)
        for client in clients
    }


def money_of_client(client: Client) -> Money:
    """In which currency and format a client's money is written; one query."""
    return money_of_clients([client])[client.pk]
