"""
Where the two sides of a call are, and how that is known.

Of the caller an address counts alone. Without one, what somebody says and the number's area code count together, so
that the stricter decides: a tracker may have read the number no better than we do. What was not used is kept beside.
Of those who answer: the site that the tracking number names, then the client's default site, then everywhere the
client does business. Where nothing is known, that is said, and the law takes it as unknown.

A tracker that says what the area code says, in whatever words, may have looked nowhere else, so it counts as the area
code.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from callprivacy.calls.models import Call
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.models import Place as Business
from consent import decide
from consent.law import places
from consent.models import CallerPlace
from consent.selectors import sites
from consent.selectors.sites import Sites

CALLER: Final = "caller"
SITE: Final = "site"

ADDRESS: Final = "address"
BILLING: Final = "billing"
CARRIER: Final = "carrier"
TRACKER: Final = "tracker"
AREA_CODE: Final = "area_code"

ALONE: Final = frozenset({ADDRESS, BILLING})
"""What counts alone: somebody found out where the person lives."""
FOUND_OUT: Final = ALONE | {CARRIER}
"""What was asked of somebody, so that it may agree with the number and still not be made of it."""

WORDS: Final = {
    ADDRESS: "from an address",
    TRACKER: "from the tracker",
    AREA_CODE: "from the area code",
    "site": "answering site",
    "office": "client's place of business",
}
"""What each kind of evidence is called in a sentence."""


@dataclass(frozen=True, slots=True)
class Located:
    """
    One piece of evidence of where a side is.

    :ivar side: of the caller, or of those who answer. :ivar counts: whether the decision looked at it.
    """

    country: str
    region: str
    evidence: str
    side: str
    counts: bool = True

    def as_json(self) -> dict[str, Any]:
        """As a decision keeps it."""
        return {
            "country": self.country,
            "region": self.region,
            "evidence": self.evidence,
            "side": self.side,
            "counts": self.counts,
        }

    @property
    def place(self) -> decide.Place:
        """As the engine is asked."""
        return decide.Place(self.country, self.region, self.evidence)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of places at one client for a batch of calls."""

    sites: Sites
    business: tuple[Located, ...]
    addresses: Mapping[uuid.UUID, tuple[str, str]]


def known_of(client: Client, caller_ids: Iterable[uuid.UUID]) -> Known:
    """Read what places are known at a client, and the addresses of these callers; three queries."""
    business = Business.objects.for_client(client).order_by("country", "region")
    rows = CallerPlace.objects.for_client(client).filter(caller_id__in=list(caller_ids))
    return Known(
        sites=sites.sites_by_name(client),
        business=tuple(
            Located(country, region, "office", SITE)
            for country, region in business.values_list("country", "region")
        ),
        addresses={row[0]: (row[1], row[2]) for row in rows.values_list("caller_id", "country", "region")},
    )


def places_of(call: Call, known: Known) -> tuple[Located, ...]:
    """Both sides of a call, whose caller and tracking number are loaded; the caller's best evidence first."""
    return (*_of_caller(call, known), *_of_site(call, known))


def that_count(located: Sequence[Located]) -> tuple[decide.Place, ...]:
    return tuple(one.place for one in located if one.counts)


def of_caller(said: Iterable[decide.Place], by_number: tuple[str, str]) -> list[Located]:
    """
    Where a caller is: what is said of it, the best first, then the number's own place (docs/adr/0143).

    :param by_number: (country, region) of the number's plan.
    """
    own = places.plain(*by_number)
    found = [
        one
        for one in said
        if (place := places.plain(one.country, one.region))[0] and (one.evidence in FOUND_OUT or place != own)
    ]
    if by_number[0]:
        found.append(decide.Place(*by_number, AREA_CODE))
    by_address = any(one.evidence in ALONE for one in found)
    return [
        Located(one.country, one.region, one.evidence, CALLER, counts=one.evidence in ALONE or not by_address)
        for one in found
    ]


def _of_caller(call: Call, known: Known) -> list[Located]:
    caller = call.caller
    said = [decide.Place(call.country, call.region, TRACKER)]
    if call.caller_id is not None and call.caller_id in known.addresses:
        said.insert(0, decide.Place(*known.addresses[call.caller_id], ADDRESS))
    return of_caller(said, ("", "") if caller is None else (caller.country, caller.region))


def _of_site(call: Call, known: Known) -> tuple[Located, ...]:
    number = call.tracking_number
    site = known.sites.of_number("" if number is None else number.target_site)
    if site is not None:
        return (Located(site.country, site.region, "site", SITE),)
    return known.business or (Located("", "", "site", SITE),)
