"""
The demo as data: an invented agency, its clients, people and calls. The same every time for the same day.

Only numbers reserved for fiction are used: 555-0100 to 555-0199 in North America, +44 20 7946 0xxx (Ofcom),
+49 30 23125 xxx (Bundesnetzagentur) and +33 1 99 00 xx xx (Arcep).
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from callprivacy.accounts.enums import Role
from callprivacy.calls.enums import Direction, Outcome
from callprivacy.calls.providers.base import CallFacts
from callprivacy.tenancy.enums import Answerer, PartyRole, Sector

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

# Where a role has two people, the first is who did what stands in the demo.
PEOPLE = (
    ("Ada Lindqvist", "ada", Role.ADMIN),
    ("Olivia Reyes", "olivia", Role.OFFICER),
    ("Oscar Lund", "oscar", Role.OFFICER),
    ("Marcus Bell", "marcus", Role.ACCOUNT_MANAGER),
    ("Nina Kovac", "nina", Role.ANALYST),
    ("Theo Grant", "theo", Role.REVIEWER),
    ("Priya Shah", "priya", Role.AGENT),
    ("Paul Harbor", "paul", Role.APPROVER),
    ("Carla Stern", "carla", Role.CALL_CENTRE_HEAD),
)

# Which clients the people of each role are granted, both officers all, so that each may sign what the other proposes;
# the admin is granted none, for managing people shows no calls.
GRANTED: dict[Role, tuple[str, ...]] = {
    Role.OFFICER: tuple(client.slug for client in CLIENTS),
    Role.ACCOUNT_MANAGER: ("harbor-dental", "sunset-plumbing", "lone-star-hvac", "lindenhof"),
    Role.ANALYST: ("harbor-dental", "sunset-plumbing", "lakeshore-roofing", "prairie-auto", "coral-homes"),
    Role.REVIEWER: ("harbor-dental", "magnolia-dental"),
    Role.AGENT: ("sunset-plumbing",),
    Role.APPROVER: ("harbor-dental",),
    Role.CALL_CENTRE_HEAD: ("lone-star-hvac",),
}

# Clients with a number of Twilio's for texts beside the numbers of their tracker.
TEXTED = ("sunset-plumbing", "prairie-auto")

# Clients whose calls are kept for sixty days, for the live one expired calls leave already.
KEEP_FOR_DAYS = 60
OBSERVED_POLICY = "harbor-dental"
LIVE_POLICY = "prairie-auto"
# A client that is live for longer than a recording stays in quarantine, so that some have left it already.
QUARANTINED = "coral-homes"
LIVE_FOR = timedelta(days=4)
# Whose calls were released to somebody outside, proposed by the account manager and signed by the officer.
RELEASED = "lone-star-hvac"

# A client whose tracker has said nothing for so many days.
SILENT = {"hudson-movers": 2}

# Clients whose trackers have sent events that cannot be read, and how many.
UNREADABLE = {"magnolia-dental": 2, "bayline-law": 1}


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the agency and a client have agreed; None where the paper is missing."""

    contract_on: date
    dpa_on: date | None
    measure_as: PartyRole = PartyRole.PROCESSOR
    record_as: PartyRole = PartyRole.PROCESSOR
    contact_as: PartyRole = PartyRole.PROCESSOR
    answered_by: Answerer = Answerer.AFTER_APPROVAL
    breach_notice_hours: int = 24
    instructions: str = ""


AGREEMENTS = {
    "harbor-dental": Agreement(
        date(2024, 3, 1),
        date(2024, 3, 1),
        instructions="Health details may be spoken. Nobody outside the account's team listens.",
    ),
    "sunset-plumbing": Agreement(date(2023, 9, 18), date(2023, 10, 2)),
    "bayline-law": Agreement(
        date(2025, 1, 13),
        date(2025, 1, 13),
        answered_by=Answerer.CLIENT,
        instructions="Calls may be privileged. Recordings are for the firm alone.",
    ),
    "lakeshore-roofing": Agreement(date(2024, 6, 3), date(2024, 6, 10)),
    "prairie-auto": Agreement(date(2022, 11, 7), date(2023, 1, 9)),
    "lone-star-hvac": Agreement(date(2024, 4, 22), date(2024, 4, 22), measure_as=PartyRole.JOINT),
    "magnolia-dental": Agreement(date(2025, 5, 5), date(2025, 5, 12)),
    "coral-homes": Agreement(date(2024, 8, 19), date(2024, 8, 19), answered_by=Answerer.AGENCY),
    "gulf-legal": Agreement(date(2025, 10, 6), None),
    "hudson-movers": Agreement(date(2023, 2, 27), None, answered_by=Answerer.AGENCY),
    "lindenhof": Agreement(
        date(2024, 1, 15),
        date(2024, 1, 15),
        measure_as=PartyRole.JOINT,
        answered_by=Answerer.AFTER_APPROVAL,
        breach_notice_hours=12,
        instructions="No recording before the caller has agreed.",
    ),
    "atelier-canal": Agreement(
        date(2024, 9, 2),
        date(2024, 9, 2),
        contact_as=PartyRole.CONTROLLER,
        breach_notice_hours=12,
    ),
}

_ENGLISH = "This call may be recorded so that we can serve you better. Please tell us if you do not agree."
_ALL_PARTIES = (
    "This call is recorded. If you stay on the line, you agree. Press 2 to talk without a recording."
)
_GERMAN = "Wir möchten das Gespräch aufzeichnen. Wenn Sie zustimmen, drücken Sie bitte die Eins."
# What a caller hears, by client; the others announce nothing that the agency knows of.
_ANNOUNCED = {
    "harbor-dental": _ALL_PARTIES,
    "sunset-plumbing": _ENGLISH,
    "lone-star-hvac": _ENGLISH,
    "coral-homes": _ALL_PARTIES,
    "lindenhof": _GERMAN,
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
_ADVERTISED = frozenset({"cpc", "paid social"})
_PLACED = frozenset({"local", "offline"})
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


@dataclass(frozen=True, slots=True)
class DemoNumber:
    """What is known of one of a client's tracking numbers; `tested` days before the demo, if ever."""

    label: str
    source: str
    campaign: str
    target_site: str
    records: bool
    announcement: str
    announced_from: date | None
    tested: int | None


def numbers_of(client: DemoClient) -> dict[str, DemoNumber]:
    """
    What is known of each tracking number. Where words are announced the ads' and the website's number
    announce them; the third number was forgotten, as in life.
    """
    words = _ANNOUNCED.get(client.slug, "")
    ads, website, profile = tracking_numbers(client)
    site, since = f"{client.slug}.example", date(2025, 11, 3) if words else None
    campaign = _CAMPAIGNS[client.sector][0]
    found = {
        ads: DemoNumber("Ads", "Google Ads", campaign, site, True, words, since, 21 if words else None),
        website: DemoNumber("Website", "Google Organic", "", site, True, words, since, None),
        profile: DemoNumber("Profile and print", "Google Business Profile", "", "", True, "", None, None),
    }
    texted = text_number(client)
    if texted:
        found[texted] = DemoNumber("Texts", "Website", "", site, False, "", None, 12)
    return found


def text_number(client: DemoClient) -> str:
    """The number of Twilio's that takes a client's texts, where its tracker takes none; else ""."""
    return f"+1{client.prefix}5550140" if client.slug in TEXTED else ""


def seed_of(client: DemoClient) -> str:
    """What a client's chance begins with: the same every time."""
    return f"{_SEED}/{client.slug}"


def heard_at(client: DemoClient, *, at: datetime) -> datetime:
    """When a client's tracker sent something last: within hours, or before it fell silent."""
    position = [other.slug for other in CLIENTS].index(client.slug)
    return at - timedelta(days=SILENT.get(client.slug, 0), minutes=6 + 17 * position)


def newest_call(client: DemoClient, *, at: datetime) -> CallFacts:
    """The call that the tracker told of last."""
    started_at = heard_at(client, at=at).replace(microsecond=0) - timedelta(seconds=150)
    return CallFacts(
        started_at=started_at,
        direction=Direction.INBOUND,
        seconds=142,
        outcome=Outcome.ANSWERED,
        caller=f"+1{client.prefix}5550142" if client.country == "US" else _local(client, 142),
        tracking_number=tracking_numbers(client)[0],
        source="Google Ads",
        medium="cpc",
        region=client.region,
        country=client.country,
        references=(("call", f"demo-{client.slug}-newest"),),
    )


def unreadable_of(client: DemoClient, *, at: datetime) -> list[tuple[datetime, dict[str, str]]]:
    """What a workflow tool between a tracker and us sent without the call's id, and when it came."""
    last = heard_at(client, at=at)
    moments = [last - timedelta(hours=2 * back) for back in range(UNREADABLE.get(client.slug, 0), 0, -1)]
    return [
        (moment, {"SentBy": "workflow", "SentAt": moment.isoformat(timespec="seconds")}) for moment in moments
    ]


def tracking_numbers(client: DemoClient) -> list[str]:
    """Three numbers that the client shows: in ads, on its website, in its profile and in print."""
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
    chance = random.Random(seed_of(client))  # noqa: S311  (an invented past, nothing secret)
    zone = ZoneInfo(client.zone)
    tracking = tracking_numbers(client)
    known: list[str] = []
    for back in range(DAYS, SILENT.get(client.slug, 0), -1):
        day = until - timedelta(days=back)
        expected = client.calls_a_day * _WEEKDAYS[day.weekday()]
        count = max(0, round(chance.gauss(expected, expected**0.5)))
        moments = sorted(_moment(day, zone, chance) for _ in range(count))
        for started_at in moments:
            yield _call(client, started_at, tracking, known, chance)


def costs_of(client: DemoClient, *, until: date) -> Iterator[tuple[date, str, int]]:
    """
    Yield what a client's campaigns cost on each of the ninety days up to and without `until`: day, campaign, cents.

    The first of its campaigns is dear: it costs four times what the others do and brings no more.
    """
    chance = random.Random(f"{seed_of(client)}/costs")  # noqa: S311  (an invented past, nothing secret)
    for back in range(DAYS, 0, -1):
        day = until - timedelta(days=back)
        for place, campaign in enumerate(_CAMPAIGNS[client.sector]):
            daily = client.calls_a_day * (260 if place == 0 else 65) * _WEEKDAYS[day.weekday()]
            yield day, campaign, round(daily * chance.uniform(0.8, 1.2))


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
    is_first = number is not None and number not in known
    if number is not None and is_first:
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
        tracking_number=tracking[0 if medium in _ADVERTISED else 2 if medium in _PLACED else 1],
        source=source,
        campaign=chance.choice(_CAMPAIGNS[client.sector]) if medium in _ADVERTISED else "",
        medium=medium,
        region=client.region,
        country=client.country,
        first_call=None if withheld else is_first,
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
