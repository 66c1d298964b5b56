"""How many calls there were on the days of the last weeks, added up from what is counted already."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.db.models import Sum

from analytics.models import DayCount

_FIGURES = ("calls", "answered", "withheld", "consent", "notice", "law")


@dataclass(frozen=True, slots=True)
class Counted:
    """Calls: all, answered, with a recording that is withheld, and with one that may be kept, by what it rests on."""

    calls: int = 0
    answered: int = 0
    withheld: int = 0
    consent: int = 0
    notice: int = 0
    law: int = 0

    @property
    def kept(self) -> int:
        """How many recordings may be kept."""
        return self.consent + self.notice + self.law


def of_clients(client_ids: Sequence[int], *, first: date) -> dict[int, Counted]:
    """Client id -> its calls from a day of the agency's on; clients without any are left out. One query."""
    rows = DayCount.objects.filter(client_id__in=client_ids, day__gte=first).order_by()
    summed = rows.values_list("client_id").annotate(*map(Sum, _FIGURES))
    return {client_id: Counted(*figures) for client_id, *figures in summed}


def of_days(client_ids: Sequence[int], *, first: date) -> dict[date, tuple[int, int]]:
    """Day -> calls of these clients, and how many were answered; days without any are left out. One query."""
    rows = DayCount.objects.filter(client_id__in=client_ids, day__gte=first).order_by()
    return {
        day: (calls, answered)
        for day, calls, answered in rows.values_list("day").annotate(Sum("calls"), Sum("answered"))
    }
