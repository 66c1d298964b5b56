"""
Drafts of breach notifications. Pure.

The notification to an authority follows the order of GDPR article 33(3). An update (33(4)) starts with what changed.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from governance.enums import BreachKind, BreachRisk, DataCategory, NoticeTo

UNKNOWN: Final = "not known yet; it follows"
_DECISIVE: Final = (
    "Nature of the breach", "Data", "People concerned", "Where they live", "Risk", "Likely consequences",
)  # fmt: skip
_OTHERS: Final = "[More than one client is affected. Name only this client's people, numbers and locations.]"
_RECIPIENT: Final = "[Recipient named by that law]"


@dataclass(frozen=True, slots=True, repr=False)
class Facts:
    """
    The facts of a notification.

    :ivar citation: the law that requires it. :ivar of_several: the facts of more than one affected client.
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
    """The facts of a sent notification, stored to compare the next one with them."""

    told_at: str
    parts: dict[str, str]

    @classmethod
    def of(cls, facts: Facts) -> "Known":
        return cls(facts.told_at.isoformat(), dict(_statements(facts)))

    @classmethod
    def from_json(cls, text: str) -> "Known":
        raw = json.loads(text)
        return cls(raw["told_at"], raw["parts"])

    def as_json(self) -> str:
        return json.dumps({"told_at": self.told_at, "parts": self.parts}, ensure_ascii=False)


def _statements(facts: Facts) -> Iterator[tuple[str, str]]:
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
    return before.parts != dict(_statements(facts))


def is_changed(before: Known, facts: Facts) -> bool:
    """Whether facts changed that decide who must be notified."""
    now = dict(_statements(facts))
    return any(before.parts.get(name) != now[name] for name in _DECISIVE)


def draft(to: NoticeTo, facts: Facts, *, before: Known | None = None, phase: int = 1) -> str:
    """
    The plain text of a notification, with a blank line between its parts.

    :param before: the facts of the previous notification. :param phase: 1 for the first.
    """
    if to in {NoticeTo.PEOPLE, NoticeTo.STATE}:
        parts = _to_people(facts)
    elif to == NoticeTo.OFFICE:
        parts = _to_office(facts)
    elif to == NoticeTo.PLACE:
        parts = [*_head(replace(facts, addressee=_RECIPIENT), facts.citation), *_parts(facts)]
    else:
        parts = _further(to, facts, before, phase) if phase > 1 else _to_authority(facts)
        if to == NoticeTo.CLIENT and facts.of_several:
            parts.insert(2, _OTHERS)
    mark = ["DRILL - no breach has happened. Do not send this."] if facts.is_drill else []
    return "\n\n".join([*mark, *(part for part in parts if part)])


def _to_authority(facts: Facts) -> list[str]:
    """The parts of article 33(3)(a) to (d), for an authority or a controller."""
    return [*_head(facts, "GDPR article 33"), *_parts(facts), _late(facts)]


def _to_office(facts: Facts) -> list[str]:

    return [
        *_head(facts, facts.citation),
        *_parts(facts),
        (
            "7. Notification of residents\n[State when and how residents are notified and how many live in this state."
            " Enclose the letter.]"
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
    """An update: what changed and what is still unknown, or all facts if the earlier ones were not stored."""
    article = "33(4)" if to == NoticeTo.AUTHORITY else "33(2)"
    head = [
        f"To: {facts.addressee}\nFrom: {facts.agency}\nOur reference: breach {facts.number}, notification {phase}",
        f"Update to our notification of a personal data breach (GDPR article {article}).",
    ]
    if before is None:
        return [
            *head,
            "The facts of the earlier notification were not stored. All current facts follow.",
            *_all(facts),
        ]
    now = dict(_statements(facts))
    new = [
        f"{name}\nBefore: {before.parts.get(name, UNKNOWN)}\nNow: {value}"
        for name, value in now.items()
        if before.parts.get(name) != value
    ]
    still = [name for name, value in now.items() if value == UNKNOWN]
    told_at = _when(datetime.fromisoformat(before.told_at), facts)
    return [
        *head,
        f"1. Changes since our notification of {told_at}",
        *(new or ["No changes."]),
        f"2. Not known yet\n{', '.join(still) if still else 'Nothing.'}",
        f"3. Contact point\n{facts.contact}",
    ]


def _all(facts: Facts) -> list[str]:
    return [
        "\n".join(f"{name}: {value}" for name, value in _statements(facts)),
        f"Contact point: {facts.contact}",
    ]


def _to_people(facts: Facts) -> list[str]:
    """In clear and plain words, with the parts of article 34(2)."""
    return [
        f"{facts.agency} is writing to you because an incident may have affected data about your phone calls.",
        (
            f"What happened\n{facts.words}\nIt began: {_when(facts.began_at, facts)}. We learned of it: "
            f"{_when(facts.aware_at, facts)}."
        ),
        f"What data is affected\n{_categories(facts)}",
        f"What it may mean for you\n{facts.effects or UNKNOWN}",
        f"What we have done, and what you can do\n{facts.remedy or UNKNOWN}",
        f"Contact\n{facts.contact}",
    ]


def _late(facts: Facts) -> str:
    if facts.due_at is None or facts.told_at < facts.due_at:
        return ""
    return "7. Reasons for the delay\n[This notification is late. State the reasons (article 33(1)).]"


def _when(at: datetime | None, facts: Facts) -> str:
    if at is None:
        return UNKNOWN
    here = at.astimezone(ZoneInfo(facts.zone))
    return f"{here.day} {here:%B %Y, %H:%M %Z}"


def _count(number: int | None) -> str:
    return UNKNOWN if number is None else f"about {number:,}"


def _categories(facts: Facts) -> str:
    return ", ".join(DataCategory(name).label.lower() for name in facts.categories) or UNKNOWN
