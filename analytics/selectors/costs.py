"""What campaigns cost, per campaign and per day."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db.models import Max, Min, QuerySet, Sum

from analytics.models import CampaignCost, CostImport
from callprivacy.tenancy.models import Client


@dataclass(frozen=True, slots=True)
class Known:
    first_on: date | None
    last_on: date | None


def known_costs(client: Client) -> Known:
    """From when until when a client's costs are known."""
    ends = CampaignCost.objects.for_client(client).aggregate(first=Min("day"), last=Max("day"))
    return Known(ends["first"], ends["last"])


def costs_by_campaign(client: Client, first: date, last: date) -> dict[str, tuple[str, int]]:
    """Campaign, as names are compared -> its name and cents, from the first to the last day, both included."""
    rows = (
        CampaignCost.objects.for_client(client)
        .filter(day__gte=first, day__lte=last)
        .order_by("campaign")
        .values_list("campaign")
        .annotate(Sum("cents"))
    )
    found: dict[str, tuple[str, int]] = {}
    for campaign, cents in rows:
        name, before = found.get(campaign.casefold(), (campaign, 0))
        found[campaign.casefold()] = (name, before + cents)
    return found


def costs_of_clients(client_ids: list[int], first: date, last: date) -> dict[int, int]:
    """Client id -> cents of all its campaigns; clients without costs are left out."""
    rows = CampaignCost.objects.filter(client_id__in=client_ids, day__gte=first, day__lte=last)
    return dict(rows.order_by().values_list("client_id").annotate(Sum("cents")))


def brought(client: Client) -> QuerySet[CostImport]:
    """A client's files of costs, newest first, without their lines."""
    return (
        CostImport.objects.for_client(client)
        .defer("rows")
        .select_related("created_by", "client")
        .order_by("-created_at")
    )


def find_import(client: Client, import_id: UUID) -> CostImport | None:
    """One file of a client's, with its lines while it waits."""
    return (
        CostImport.objects.for_client(client)
        .filter(pk=import_id)
        .select_related("client", "created_by")
        .first()
    )
