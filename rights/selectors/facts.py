"""Which laws on requests reach a client, and which fact is missing where that is not known."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from callprivacy.lib import calendars
from callprivacy.tenancy.models import Client, Place
from rights import law
from rights.law import Facts, Law, Standing
from rights.models import ClientFacts
from rights.selectors import clocks

CALIFORNIA: Final = "ccpa"


def said_by(client: Client) -> ClientFacts | None:
    return ClientFacts.objects.for_client(client).select_related("set_by").first()


def with_thresholds() -> list[Law]:
    """The laws that reach only who is large enough, or trades enough; California's first."""
    rows = [one for one in law.load().laws.values() if one.reaches]
    return sorted(rows, key=lambda one: one.id != CALIFORNIA)


def of_interest(client: Client) -> list[Law]:
    """California's, and those of the states in which the client does business."""
    regions = set(Place.objects.for_client(client).values_list("country", "region"))
    return [one for one in with_thresholds() if one.id == CALIFORNIA or set(one.places) & regions]


def standings(client: Client, *, at: datetime) -> list[Standing]:
    """How each of them stands for a client today, in the client's zone; three queries."""
    on = calendars.day_in(client.time_zone, at)
    facts = clocks.facts_of(client)
    return [law.standing_of(one, facts, on=on) for one in of_interest(client)]


def california_of(clients: Sequence[Client], *, on: date) -> dict[int, Standing]:
    """Client id -> how the law of California stands for it; two queries however many clients."""
    ids = [client.pk for client in clients]
    said = {row.client_id: row for row in ClientFacts.objects.filter(client_id__in=ids)}
    places: dict[int, set[tuple[str, str]]] = {client.pk: {(client.home_country, "")} for client in clients}
    for client_id, country, region in Place.objects.filter(client_id__in=ids).values_list(
        "client_id", "country", "region"
    ):
        places[client_id].add((country, region))
    california = law.load().law(CALIFORNIA)
    return {
        client_id: law.standing_of(california, _facts(said.get(client_id), where), on=on)
        for client_id, where in places.items()
    }


def _facts(said: ClientFacts | None, where: set[tuple[str, str]]) -> Facts:
    if said is None:
        return Facts(places=frozenset(where))
    return Facts(
        places=frozenset(where),
        revenue=said.revenue,
        sale_share=said.sale_share,
        sensitive=said.sensitive,
        people=said.people,
        traded=said.traded,
        nonprofit=said.nonprofit,
    )
