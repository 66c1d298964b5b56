"""
What the demo's callers were told and said, as data: the same every time for the same day.

Most of them have said nothing, as in life; a few have taken back what they said.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from callprivacy.calls.enums import Outcome
from callprivacy.calls.providers.base import CallFacts
from consent.enums import Channel, EventKind, Language, OnWithdrawal, PostedWhere, Purpose, Standard
from consent.replies.table import EVERYTHING
from dashboard.demo import DemoClient, seed_of, tracking_numbers

ASKED: Final = (Purpose.RECORD, Purpose.REVIEW)
LISTENING: Final = frozenset({Purpose.RECORD, Purpose.REVIEW, Purpose.ANALYSE})
PUBLISHED_BEFORE: Final = timedelta(days=120)
"""So long before the demo its notices went in force, before its first call."""

# Which words are in force, by client; the others have published nothing.
NOTICES: Final[Mapping[str, tuple[Channel, ...]]] = {
    "harbor-dental": (Channel.EMAIL, Channel.AGENT, Channel.POSTED),
    "sunset-plumbing": (Channel.WEB, Channel.AGENT),
    "bayline-law": (Channel.MENU, Channel.AGENT),
    "prairie-auto": (Channel.WEB, Channel.AGENT, Channel.SMS),
    "lone-star-hvac": (Channel.ANNOUNCEMENT, Channel.AGENT, Channel.POSTED),
    "magnolia-dental": (Channel.TERMS, Channel.WEB),
    "coral-homes": (Channel.WEB, Channel.EMAIL, Channel.POSTED),
}
LANGUAGES: Final = (Language.ENGLISH, Language.SPANISH)

# The share of a client's callers who ever said anything, and the ways by which they did, by weight.
_WAYS: Final[Mapping[str, tuple[float, Mapping[Channel, int]]]] = {
    "harbor-dental": (0.09, {Channel.EMAIL: 6, Channel.AGENT: 4}),
    "sunset-plumbing": (0.08, {Channel.WEB: 4, Channel.AGENT: 6}),
    "bayline-law": (0.05, {Channel.AGENT: 1}),
    "prairie-auto": (0.06, {Channel.WEB: 5, Channel.AGENT: 3}),
    "lone-star-hvac": (0.04, {Channel.AGENT: 1}),
    "magnolia-dental": (0.1, {Channel.TERMS: 6, Channel.WEB: 4}),
    "coral-homes": (0.05, {Channel.WEB: 3, Channel.EMAIL: 5}),
}
_SPANISH: Final = 0.2
_TOLD_ONLY: Final = 0.25
_PROVEN: Final = 0.3


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a client asks of itself, where that is less than express consent."""

    standard: Standard
    reason: str


STANDARDS: Final = {
    "lone-star-hvac": Chosen(
        Standard.ANNOUNCE,
        "Texas asks for one party's consent, and every caller hears the announcement before the call connects.",
    )
}
# Clients whose basis for measuring is declared, with the balancing test that ships.
DECLARED: Final = ("harbor-dental", "sunset-plumbing", "bayline-law", "lone-star-hvac", "coral-homes")


@dataclass(frozen=True, slots=True)
class Posted:
    """What hangs somewhere. `nth`: of the client's numbers; None for all of them."""

    where: PostedWhere
    place: str
    from_on: date
    nth: int | None = None


POSTED: Final[Mapping[str, tuple[Posted, ...]]] = {
    "harbor-dental": (
        Posted(PostedWhere.PREMISES, "Front desk, Harbor Street", date(2025, 9, 1)),
        Posted(PostedWhere.SITE, "harbor-dental.example/contact", date(2025, 11, 3), nth=1),
    ),
    "lone-star-hvac": (Posted(PostedWhere.SITE, "lone-star-hvac.example", date(2025, 11, 3)),),
    "coral-homes": (Posted(PostedWhere.PROFILE, "Business profile, Miami", date(2026, 1, 12), nth=2),),
}

# The client whose phone menu asks before anything is recorded, on its number for ads.
MENU: Final = "bayline-law"
MENU_FOR: Final = timedelta(days=30)
FORWARD_TO, PERSON_LINE = "+15105550180", "+15105550181"

# Whom signed forms cover is written down from a list under one document.
TERMS: Final = "Registration forms"
CLAUSE: Final = (
    "I agree that Magnolia Family Dentistry PLLC records and monitors telephone calls with me, to check its service. "
    "I can take this back at any time."
)


@dataclass(frozen=True, slots=True)
class Fact:
    """
    One caller's word.

    :ivar call: the reference of the call that it is about; "" where it stands until it is taken back.
    :ivar key: pressed in the phone menu.
    """

    number: str
    channel: Channel
    kind: EventKind
    happened_at: datetime
    language: Language = Language.ENGLISH
    is_proven: bool = False
    call: str = ""
    key: str = ""


def said_of(client: DemoClient, facts: Sequence[CallFacts]) -> Iterator[Fact]:
    """Yield what a client's callers said, by the calls of theirs that are known, in the order of their first calls."""
    chance = random.Random(f"{seed_of(client)}/said")  # noqa: S311  (an invented past, nothing secret)
    share, ways = _WAYS.get(client.slug, (0.0, {}))
    for number, fact in _first_calls(facts).items():
        if chance.random() >= share:
            continue
        channel = chance.choices(list(ways), weights=list(ways.values()))[0]
        told_only = channel is Channel.AGENT and chance.random() < _TOLD_ONLY
        on_the_phone = timedelta(seconds=chance.randrange(20, 90))
        before = timedelta(minutes=chance.randrange(30, 4_000))
        yield Fact(
            number=number,
            channel=channel,
            kind=EventKind.NOTICED if told_only else EventKind.GIVEN,
            happened_at=fact.started_at + on_the_phone
            if channel is Channel.AGENT
            else fact.started_at - before,
            language=Language.SPANISH if chance.random() < _SPANISH else Language.ENGLISH,
            is_proven=channel is Channel.WEB and chance.random() < _PROVEN,
        )
    if client.slug == MENU:
        yield from _keys_pressed(client, facts, chance)


def _first_calls(facts: Sequence[CallFacts]) -> dict[str, CallFacts]:
    found: dict[str, CallFacts] = {}
    for fact in facts:
        if fact.caller:
            found.setdefault(fact.caller, fact)
    return found


def _keys_pressed(client: DemoClient, facts: Sequence[CallFacts], chance: random.Random) -> Iterator[Fact]:
    """What callers pressed in the menu since it answers: 1 for yes, 2 for no, each for that call alone."""
    if not facts:
        return
    since, line = facts[-1].started_at - MENU_FOR, tracking_numbers(client)[0]
    for fact in facts:
        asked = fact.tracking_number == line and fact.outcome == Outcome.ANSWERED and fact.caller is not None
        if not asked or fact.started_at < since:
            continue
        key = chance.choices(("1", "2", ""), weights=(50, 30, 20))[0]
        yield Fact(
            number=fact.caller or "",
            channel=Channel.MENU,
            kind=EventKind.GIVEN if key == "1" else EventKind.REFUSED,
            happened_at=fact.started_at,
            call=fact.references[0][1],
            key=key,
        )


class Work(StrEnum):
    """How far the officer is with the vendors' part of a withdrawal."""

    NOTHING = "nothing"
    CHOSEN = "chosen"
    SENT = "sent"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class No:
    """
    A caller who took back what was said, or never wanted it.

    :ivar slug: of the client. :ivar ago: how long before the demo. :ivar words: of a text.
    """

    slug: str
    channel: Channel
    ago: timedelta
    purposes: frozenset[Purpose] = LISTENING
    words: str = ""
    work: Work = Work.NOTHING
    choice: OnWithdrawal = OnWithdrawal.DELETE


NOES: Final = (
    No(
        "prairie-auto",
        Channel.SMS,
        timedelta(days=9, hours=2),
        EVERYTHING,
        words="STOP",
        work=Work.DONE,
    ),
    No("harbor-dental", Channel.EMAIL, timedelta(days=8, hours=5), work=Work.SENT),
    No("coral-homes", Channel.GPC, timedelta(days=6), frozenset({Purpose.SHARE})),
    No(
        "magnolia-dental",
        Channel.WEB,
        timedelta(hours=20),
        work=Work.CHOSEN,
        choice=OnWithdrawal.OFF,
    ),
    No("lone-star-hvac", Channel.AGENT, timedelta(hours=11), frozenset({Purpose.CONTACT})),
    No("sunset-plumbing", Channel.AGENT, timedelta(hours=5)),
    No("bayline-law", Channel.MENU, timedelta(hours=3)),
    No("sunset-plumbing", Channel.SMS, timedelta(minutes=50), EVERYTHING, words="Stop. Thank you"),
)
DOUBTFUL: Final = No(
    "sunset-plumbing", Channel.SMS, timedelta(minutes=95), words="we have got to STOP this bill"
)
"""What no machine decides: it waits for a person."""


def who_said_no(client: DemoClient, facts: Sequence[CallFacts], said: Sequence[Fact], *, nth: int) -> str:
    """The number of the nth caller of a client who said no: of those who had agreed, else of any."""
    agreed = [fact.number for fact in said if fact.kind is EventKind.GIVEN and not fact.call]
    pool = list(dict.fromkeys(agreed)) or list(_first_calls(facts))
    chance = random.Random(f"{seed_of(client)}/no")  # noqa: S311  (an invented past, nothing secret)
    chance.shuffle(pool)
    return pool[nth % len(pool)] if pool else ""
