"""
What is said of a breach to those who are to be told, drafted from the facts that are written down. Pure.

A draft names what is known, and says plainly what is not known yet; a person reads, changes and sends it. The notice to
an authority has the parts of GDPR article 33(3), in their order; a later one (33(4)) says first what is new since.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from governance.enums import BreachKind, BreachRisk, DataCategory, NoticeTo

UNKNOWN: Final = "not known yet; it follows"
_RESTS_ON: Final = (
    "Nature of the breach", "Data", "People concerned", "Where they live", "Risk", "Likely consequences",
)  # fmt: skip
_OTHERS: Final = (
    "[More than one client is concerned. Name this client's people, numbers and places alone, and no other.]"
)
_WHOEVER: Final = "[Whom that law names]"


@dataclass(frozen=True, slots=True, repr=False)
class Facts:
    """
    What a notice is drafted from.

    :ivar addressee: whom it goes to. :ivar contact: who answers questions. :ivar citation: the law that asks for it.
    :ivar of_several: more than one client is concerned, and these are the facts of all of them.
    """

    agency: str
    addressee: str
    contact: str
    number: int
    is_drill: bool
    kind: BreachKind
    risk: BreachRisk
    words: str
    aware_at: datetime
    began_at: datetime | None
    ended_at: datetime | None
    contained_at: datetime | None
    categories: tuple[str, ...]
    places: tuple[str, ...]
    people: int | None
    records: int | None
    effects: str
    remedy: str
    due_at: datetime | None
    told_at: datetime
    zone: str
    citation: str = ""
    of_several: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Known:
    """What was known of a breach when a notice went out, as text, so that the next one can say what is new."""

    told_at: str
    parts: dict[str, str]

    @classmethod
    def of(cls, facts: Facts) -> "Known":
        return cls(facts.told_at.isoformat(), dict(_said(facts)))

    @classmethod
    def from_json(cls, text: str) -> "Known":
        raw = json.loads(text)
        return cls(raw["told_at"], raw["parts"])

    def as_json(self) -> str:
        """The same as text that is sealed."""
        return json.dumps({"told_at": self.told_at, "parts": self.parts}, ensure_ascii=False)


def _said(facts: Facts) -> Iterator[tuple[str, str]]:
    yield "Aware since", _when(facts.aware_at, facts)
    yield "Began", _when(facts.began_at, facts)
    yield "Ended", _when(facts.ended_at, facts)
    yield "Contained", _when(facts.contained_at, facts)
    yield "Nature of the breach", facts.kind.label
    yield "What happened", facts.words or UNKNOWN
    yield "Data", _categories(facts)
    yield "People concerned", _count(facts.people)
    yield "Records concerned", _count(facts.records)
    yield "Where they live", ", ".join(facts.places) or UNKNOWN
    yield "Risk", facts.risk.label
    yield "Likely consequences", facts.effects or UNKNOWN
    yield "Measures taken or proposed", facts.remedy or UNKNOWN


def is_news(before: Known, facts: Facts) -> bool:
    """Whether anything differs from what was told."""
    return before.parts != dict(_said(facts))


def is_changed(before: Known, facts: Facts) -> bool:
    """Whether anything differs of what says who is to be told: a reason why somebody is not rests on it."""
    now = dict(_said(facts))
    return any(before.parts.get(name) != now[name] for name in _RESTS_ON)


def draft(to: NoticeTo, facts: Facts, *, before: Known | None = None, phase: int = 1) -> str:
    """
    The draft of a notice, as plain text with a blank line between its parts.

    :param before: what the last notice said, where this one follows it; :param phase: 1 for the first.
    """
    if to in {NoticeTo.PEOPLE, NoticeTo.STATE}:
        parts = _to_people(facts)
    elif to == NoticeTo.OFFICE:
        parts = _to_office(facts)
    elif to == NoticeTo.PLACE:
        parts = [*_head(replace(facts, addressee=_WHOEVER), facts.citation), *_parts(facts)]
    else:
        parts = _further(to, facts, before, phase) if phase > 1 else _to_authority(facts)
        if to == NoticeTo.CLIENT and facts.of_several:
            parts.insert(2, _OTHERS)
    mark = ["DRILL - nothing has happened, and this is sent to nobody."] if facts.is_drill else []
    return "\n\n".join([*mark, *(part for part in parts if part)])


def _to_authority(facts: Facts) -> list[str]:
    """The parts of article 33(3)(a) to (d), for an authority or a controller."""
    return [*_head(facts, "GDPR article 33"), *_parts(facts), _late(facts)]


def _to_office(facts: Facts) -> list[str]:
    """The same for an office of a state, and when its residents are told; its own form asks for what it asks for."""
    return [
        *_head(facts, facts.citation),
        *_parts(facts),
        (
            "7. What residents are told\n[Say when and how they are told, how many of them live in this state, and"
            " enclose the letter.]"
        ),
    ]


def _head(facts: Facts, citation: str) -> list[str]:
    return [
        f"To: {facts.addressee}\nFrom: {facts.agency}\nOur reference: breach {facts.number}",
        f"Notification of a personal data breach ({citation}).",
    ]


def _parts(facts: Facts) -> list[str]:
    return [
        (
            f"1. When\nAware since: {_when(facts.aware_at, facts)}\nBegan: {_when(facts.began_at, facts)}\n"
            f"Ended: {_when(facts.ended_at, facts)}\nContained: {_when(facts.contained_at, facts)}"
        ),
        f"2. Nature of the breach\n{facts.kind.label}.\n{facts.words}",
        (
            f"3. Categories and approximate numbers\nData: {_categories(facts)}"
            f"\nPeople concerned: {_count(facts.people)}"
            f"\nRecords concerned: {_count(facts.records)}\nWhere they live: {', '.join(facts.places) or UNKNOWN}"
        ),
        f"4. Likely consequences\n{facts.risk.label}.\n{facts.effects or UNKNOWN}",
        f"5. Measures taken or proposed\n{facts.remedy or UNKNOWN}",
        f"6. Contact point\n{facts.contact}",
    ]


def _further(to: NoticeTo, facts: Facts, before: Known | None, phase: int) -> list[str]:
    """What follows an earlier notice: what is new, what is still open, and where nothing of that is kept, all of it."""
    article = "33(4)" if to == NoticeTo.AUTHORITY else "33(2)"
    head = [
        f"To: {facts.addressee}\nFrom: {facts.agency}\nOur reference: breach {facts.number}, notice {phase}",
        f"Further information on a personal data breach that we notified before (GDPR article {article}).",
    ]
    if before is None:
        return [
            *head,
            "What stood in the earlier notice is not kept as facts; all of them follow.",
            *_all(facts),
        ]
    now = dict(_said(facts))
    new = [
        f"{name}\nUntil now: {before.parts.get(name, UNKNOWN)}\nNow: {value}"
        for name, value in now.items()
        if before.parts.get(name) != value
    ]
    still = [name for name, value in now.items() if value == UNKNOWN]
    told_at = _when(datetime.fromisoformat(before.told_at), facts)
    return [
        *head,
        f"1. What is new since our notice of {told_at}",
        *(new or ["Nothing of what we told has changed."]),
        f"2. What is not known yet\n{', '.join(still) if still else 'Nothing that we know to be missing.'}",
        f"3. Contact point\n{facts.contact}",
    ]


def _all(facts: Facts) -> list[str]:
    return ["\n".join(f"{name}: {value}" for name, value in _said(facts)), f"Contact point: {facts.contact}"]


def _to_people(facts: Facts) -> list[str]:
    """In clear and plain words, with the parts of article 34(2)."""
    return [
        f"{facts.agency} writes to you because data about your phone calls may have been affected by an incident.",
        (
            f"What happened\n{facts.words}\nIt began: {_when(facts.began_at, facts)}. We learned of it: "
            f"{_when(facts.aware_at, facts)}."
        ),
        f"What data it is about\n{_categories(facts)}",
        f"What it may mean for you\n{facts.effects or UNKNOWN}",
        f"What we have done, and what you can do\n{facts.remedy or UNKNOWN}",
        f"Whom to ask\n{facts.contact}",
    ]


def _late(facts: Facts) -> str:
    if facts.due_at is None or facts.told_at < facts.due_at:
        return ""
    return "7. Reasons for the delay\n[This notice comes after its date: say why (article 33(1)).]"


def _when(at: datetime | None, facts: Facts) -> str:
    if at is None:
        return UNKNOWN
    here = at.astimezone(ZoneInfo(facts.zone))
    return f"{here.day} {here:%B %Y, %H:%M %Z}"


def _count(number: int | None) -> str:
    return UNKNOWN if number is None else f"about {number:,}"


def _categories(facts: Facts) -> str:
    return ", ".join(DataCategory(name).label.lower() for name in facts.categories) or UNKNOWN
