"""Sources and mediums that wait for a person."""

from dataclasses import dataclass

from django.db.models import Count

from callprivacy.calls.models import PLACEHOLDER, Call, KnownValue
from callprivacy.tenancy.models import Client

_LISTED = 100


@dataclass(frozen=True, slots=True)
class Waiting:
    """A client's oldest values that wait, each with how many calls hold its placeholder; and how many wait in all."""

    lines: list[tuple[KnownValue, int]]
    total: int

    @property
    def last(self) -> int:
        return self.lines[-1][0].pk if self.lines else 0


def waiting_of(client: Client) -> Waiting:
    """What a person decides on next."""
    waiting = KnownValue.objects.for_client(client).waiting()
    rows = list(waiting.order_by("pk")[:_LISTED])
    counts: dict[str, int] = {}
    for field in sorted({row.field for row in rows}):
        calls = Call.objects.for_client(client).filter(
            **{
                f"{field}__in": [row.placeholder for row in rows if row.field == field],
                f"{field}__startswith": PLACEHOLDER,
            }
        )
        counts |= dict(calls.order_by().values_list(field).annotate(count=Count("pk")))
    return Waiting([(row, counts.get(row.placeholder, 0)) for row in rows], waiting.count())


def has_waiting(client: Client) -> bool:
    return KnownValue.objects.for_client(client).waiting().exists()


def confirmed_of(client: Client) -> list[str]:
    """The confirmed values of a client, as suggestions of what to store another one as."""
    rows = KnownValue.objects.for_client(client).filter(decided_at__isnull=False)
    return list(rows.order_by("stored_as").values_list("stored_as", flat=True).distinct()[:_LISTED])
