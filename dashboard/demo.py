"""
The demo as data: an invented agency, its clients, people and calls. The same every time for the same day.

Only numbers reserved for fiction are used: 555-0100 to 555-0199 in North America, +44 20 7946 0xxx (Ofcom),
+49 30 23125 xxx (Bundesnetzagentur) and +33 1 99 00 xx xx (Arcep).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from callprivacy.accounts.enums import Role
from callprivacy.calls.enums import Direction, Outcome
from callprivacy.calls.providers.base import CallFacts
from callprivacy.tenancy.enums import Sector

AGENCY = "Northlight"
MAIL = "@northlight.example"
ZONE = "America/Chicago"
DAYS = 90
_SEED = 20_260_901


@dataclass(frozen=True, slots=True)
class DemoClient:
    """One invented client: where it is, how often its phone rings, and who advertises it."""

    slug: str
    name: str
    legal_name: str
    sector: Sector
    zone: str
    country: str
    region: str
    prefix: str
    calls_a_day: float
    provider: str
    colour: str


CLIENTS = (
    DemoClient(
        "harbor-dental",
        "Harbor Dental",
        "Harbor Dental Group, Inc.",
        Sector.DENTAL,
        "America/Los_Angeles",
        "US",
        "CA",
        "415",
        28,
        "callrail",
        "#1f6f8b",
    ),
    DemoClient(
        "sunset-plumbing",
        "Sunset Plumbing",
        "Sunset Plumbing & Heating LLC",
        Sector.HOME,
        "America/Los_Angeles",
        "US",
        "CA",
        "213",
        34,
        "callrail",
        "#b45309",
    ),
    DemoClient(
        "bayline-law",
        "Bayline Law",
        "Bayline Injury Law, P.C.",
        Sector.LEGAL,
        "America/Los_Angeles",
        "US",
        "CA",
        "510",
        12,
        "twilio",
        "#4c1d95",
    ),
    DemoClient(
        "lakeshore-roofing",
        "Lakeshore Roofing",
        "Lakeshore Roofing Co.",
        Sector.HOME,
        "America/Chicago",
        "US",
        "IL",
        "312",
        22,
        "callrail",
        "#7c2d12",
    ),
    DemoClient(
        "prairie-auto",
        "Prairie Auto",
        "Prairie Auto Center, Inc.",
        Sector.AUTO,
        "America/Chicago",
        "US",
        "IL",
        "217",
        16,
        "callrail",
        "#1e3a8a",
    ),
    DemoClient(
        "lone-star-hvac",
        "Lone Star HVAC",
        "Lone Star Air & Heat LLC",
        Sector.HOME,
        "America/Chicago",
        "US",
        "TX",
        "512",
        38,
        "callrail",
        "#9f1239",
    ),
    DemoClient(
        "magnolia-dental",
        "Magnolia Dental",
        "Magnolia Family Dentistry PLLC",
        Sector.DENTAL,
        "America/Chicago",
        "US",
        "TX",
        "713",
        18,
        "twilio",
        "#0f766e",
    ),
    DemoClient(
        "coral-homes",
        "Coral Homes",
        "Coral Homes Realty, LLC",
        Sector.PROPERTY,
        "America/New_York",
        "US",
        "FL",
        "305",
        20,
        "callrail",
        "#be185d",
    ),
    DemoClient(
        "gulf-legal",
        "Gulf Legal",
        "Gulf Coast Legal Group, P.A.",
        Sector.LEGAL,
        "America/New_York",
        "US",
        "FL",
        "813",
        9,
        "callrail",
        "#334155",
    ),
    DemoClient(
        "hudson-movers",
        "Hudson Movers",
        "Hudson Moving & Storage Corp.",
        Sector.OTHER,
        "America/New_York",
        "US",
        "NY",
        "212",
        19,
        "callrail",
        "#166534",
    ),
    DemoClient(
        "lindenhof",
        "Lindenhof Moebel",
        "Lindenhof Moebel GmbH",
        Sector.RETAIL,
        "Europe/Berlin",
        "DE",
        "",
        "+493023125",
        14,
        "twilio",
        "#365314",
    ),
    DemoClient(
        "atelier-canal",
        "Atelier Canal",
        "Atelier Canal SAS",
        Sector.RETAIL,
        "Europe/Paris",
        "FR",
        "",
        "+33199",
        11,
        "generic",
        "#86198f",
    ),
)

PEOPLE = (
    ("Ada Lindqvist", "ada", Role.ADMIN),
    ("Olivia Reyes", "olivia", Role.OFFICER),
    ("Marcus Bell", "marcus", Role.ACCOUNT_MANAGER),
    ("Nina Kovac", "nina", Role.ANALYST),
    ("Theo Grant", "theo", Role.REVIEWER),
    ("Priya Shah", "priya", Role.AGENT),
    ("Paul Harbor", "paul", Role.APPROVER),
    ("Carla Stern", "carla", Role.CALL_CENTRE_HEAD),
)

# Which clients each role is granted; the admin is granted none, for managing people shows no calls.
GRANTED: dict[Role, tuple[str, ...]] = {
    Role.OFFICER: tuple(client.slug for client in CLIENTS),
    Role.ACCOUNT_MANAGER: ("harbor-dental", "sunset-plumbing", "lone-star-hvac", "lindenhof"),
    Role.ANALYST: ("harbor-dental", "sunset-plumbing", "lakeshore-roofing", "prairie-auto", "coral-homes"),
    Role.REVIEWER: ("harbor-dental", "magnolia-dental"),
    Role.AGENT: ("sunset-plumbing",),
    Role.APPROVER: ("harbor-dental",),
    Role.CALL_CENTRE_HEAD: ("lone-star-hvac",),
}

_SOURCES = (
    ("Google Ads", "cpc", 36),
    ("Google Organic", "organic", 22),
    ("Google Business Profile", "local", 16),
    ("Facebook", "paid social", 9),
    ("Bing Ads", "cpc", 5),
    ("Direct", "", 8),
    ("Print", "offline", 4),
)
_CAMPAIGNS = {
    Sector.DENTAL: ("Implants", "Emergency dentist", "Whitening"),
    Sector.HOME: ("Emergency repair", "Spring check", "Financing"),
    Sector.LEGAL: ("Car accident", "Free consultation"),
    Sector.AUTO: ("Tire week", "Trade-in"),
    Sector.PROPERTY: ("Open house", "Waterfront"),
    Sector.RETAIL: ("Autumn sale", "Kitchen planning"),
    Sector.OTHER: ("Moving season", "Storage offer"),
}
# Share of a day's calls by hour, 0 to 23, and of a week's by weekday, Monday to Sunday.
_HOURS = (1, 1, 0, 0, 1, 2, 5, 14, 36, 58, 66, 60, 44, 48, 54, 52, 46, 36, 22, 14, 9, 6, 3, 2)
_WEEKDAYS = (1.25, 1.18, 1.1, 1.08, 1.02, 0.5, 0.28)
_WITHHELD = 0.03
_RECORDED = 0.62
# Area codes of neighbours and of people who kept a number from elsewhere.
_ELSEWHERE = ("206", "303", "404", "602", "615", "702", "718", "808", "919", "972")


def tracking_numbers(client: DemoClient) -> list[str]:
    """Three numbers that the client's ads show."""
    if client.country == "US":
        return [f"+1{client.prefix}55501{last:02d}" for last in (10, 20, 30)]
    return [_local(client, last) for last in (110, 220, 330)]


def _local(client: DemoClient, last: int) -> str:
    if client.country == "DE":
        return f"{client.prefix}{last:03d}"
    return f"{client.prefix}00{last:04d}"


def calls_of(client: DemoClient, *, until: date) -> Iterator[CallFacts]:
    """
    Yield a client's calls of the ninety days up to and without `until`, oldest first.

    :param until: the day of the demo, in the client's zone.
    """
    chance = random.Random(f"{_SEED}/{client.slug}")  # noqa: S311  (an invented past, nothing secret)
    zone = ZoneInfo(client.zone)
    tracking = tracking_numbers(client)
    known: list[str] = []
    for back in range(DAYS, 0, -1):
        day = until - timedelta(days=back)
        expected = client.calls_a_day * _WEEKDAYS[day.weekday()]
        count = max(0, round(chance.gauss(expected, expected**0.5)))
        moments = sorted(_moment(day, zone, chance) for _ in range(count))
        for started_at in moments:
            yield _call(client, started_at, tracking, known, chance)


def _moment(day: date, zone: ZoneInfo, chance: random.Random) -> datetime:
    hour = chance.choices(range(24), weights=_HOURS)[0]
    local = datetime.combine(day, time(hour, chance.randrange(60), chance.randrange(60)), tzinfo=zone)
    return local.astimezone(UTC)


def _call(
    client: DemoClient, started_at: datetime, tracking: list[str], known: list[str], chance: random.Random
) -> CallFacts:
    withheld = chance.random() < _WITHHELD
    repeated = not withheld and bool(known) and chance.random() < 0.34
    number = None if withheld else (chance.choice(known) if repeated else _fresh_number(client, chance))
    if number is not None and number not in known:
        known.append(number)
    source, medium, _ = chance.choices(_SOURCES, weights=[weight for *_, weight in _SOURCES])[0]
    outcome = chance.choices(
        (Outcome.ANSWERED, Outcome.MISSED, Outcome.VOICEMAIL, Outcome.ABANDONED), weights=(74, 11, 10, 5)
    )[0]
    seconds = _seconds(outcome, chance)
    qualified = outcome == Outcome.ANSWERED and seconds > 60 and chance.random() < 0.45
    reference = f"demo-{client.slug}-{started_at:%Y%m%dT%H%M%S}-{chance.randrange(10_000):04d}"
    recorded = outcome in {Outcome.ANSWERED, Outcome.VOICEMAIL} and chance.random() < _RECORDED
    return CallFacts(
        started_at=started_at,
        direction=Direction.INBOUND if chance.random() < 0.94 else Direction.OUTBOUND,
        seconds=seconds,
        outcome=outcome,
        caller=number,
        caller_withheld=withheld,
        tracking_number=chance.choice(tracking),
        source=source,
        campaign=chance.choice(_CAMPAIGNS[client.sector]) if medium in {"cpc", "paid social"} else "",
        medium=medium,
        region=client.region,
        country=client.country,
        first_call=None if withheld else not repeated,
        qualified=qualified if outcome == Outcome.ANSWERED else None,
        value_cents=chance.randrange(80, 900) * 100 if qualified else None,
        references=(("call", reference),),
        recording_reference=f"https://recordings.example/{reference}" if recorded else None,
        recording_seconds=seconds if recorded else None,
    )


def _seconds(outcome: Outcome, chance: random.Random) -> int:
    if outcome == Outcome.ANSWERED:
        return min(3_600, 8 + int(chance.lognormvariate(4.7, 0.9)))
    if outcome == Outcome.VOICEMAIL:
        return 15 + int(chance.lognormvariate(3.0, 0.6))
    return chance.randrange(4, 32)


def _fresh_number(client: DemoClient, chance: random.Random) -> str:
    if client.country == "US":
        area = client.prefix if chance.random() < 0.5 else chance.choice(_ELSEWHERE)
        return f"+1{area}55501{chance.randrange(100):02d}"
    if chance.random() < 0.08:
        return f"+442079460{chance.randrange(1_000):03d}"
    return _local(client, chance.randrange(1_000 if client.country == "DE" else 10_000))
