"""Where a client's calls are answered, and who answers there knowing of being recorded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.db.models import Count, Q, QuerySet

from callprivacy.calls.models import TrackingNumber
from callprivacy.tenancy.models import Client
from consent.models import Acknowledgement, AnsweringSite

NUMBERS_SHOWN: Final = 100


def sites_of(client: Client) -> list[AnsweringSite]:
    """A client's answering sites, the default first, each with `people`, who answer there and acknowledged it."""
    rows = AnsweringSite.objects.for_client(client).annotate(
        people=Count("acknowledgements", filter=Q(acknowledgements__left_on=None))
    )
    return list(rows.order_by("-is_default", "name"))


def site_rows(client: Client) -> QuerySet[AnsweringSite]:
    """A client's answering sites, to find one among."""
    return AnsweringSite.objects.for_client(client).select_related("client")


def acknowledgements_of(site: AnsweringSite) -> QuerySet[Acknowledgement]:
    """Who acknowledged being recorded at a site, those who still answer there first."""
    rows = Acknowledgement.objects.for_client(site.client_id).filter(site=site)
    return rows.select_related("recorded_by").order_by("-left_on", "person")


@dataclass(frozen=True, slots=True)
class Sites:
    """A client's sites, to find the one at which a call was answered without asking again."""

    by_name: Mapping[str, AnsweringSite]
    default: AnsweringSite | None

    def of_number(self, target_site: str) -> AnsweringSite | None:
        """
        The site that a tracking number names, or the client's default.

        :param target_site: `TrackingNumber.target_site`; what is written there and is no site's name counts as none.
        """
        return self.by_name.get(target_site.strip().casefold()) or self.default


def sites_by_name(client: Client) -> Sites:
    """A client's sites by the names that tracking numbers know them by; one query."""
    rows = list(AnsweringSite.objects.for_client(client))
    by_name = {row.name.strip().casefold(): row for row in rows}
    return Sites(by_name, next((row for row in rows if row.is_default), None))


def numbers_at(site: AnsweringSite) -> QuerySet[TrackingNumber]:
    rows = TrackingNumber.objects.for_client(site.client_id)
    return rows.filter(target_site__iexact=site.name).order_by("label", "number")


@dataclass(frozen=True, slots=True)
class NumberAt:
    """A tracking number, and the site that it names, if it is one."""

    number: TrackingNumber
    site: AnsweringSite | None
    is_named: bool


def numbers_by_site(client: Client, *, limit: int = NUMBERS_SHOWN) -> list[NumberAt]:
    """A client's numbers with the sites at which they are answered; two queries."""
    known = sites_by_name(client)
    rows = TrackingNumber.objects.for_client(client).order_by("label", "number")[:limit]
    return [
        NumberAt(row, known.of_number(row.target_site), row.target_site.strip().casefold() in known.by_name)
        for row in rows
    ]
