"""
A call as it is kept, and what news may change of it, so that events in any order end in one right row.

Three rules. What a tracker's later stage says beats what an earlier one said. Call Modified settles its own fields
and only fills blanks of the others. A file of calls only ever fills blanks; but a row that knows its place among others
of the same call (`CallFacts.ranked`: a correction) speaks as a tracker does, and the newest stands whichever file came
first.

`Call.sequence` remembers which news a row holds, in one whole number: the newest order (stage and revision, see
`CallFacts.order`) in bits 0 to 51, the fields that a Call Modified has settled in bits 52 to 55, the rank of the
stage that the other fields come from above them. -1: by files alone.
"""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from callprivacy.calls.enums import Outcome
from callprivacy.calls.models import start_of
from callprivacy.calls.providers.base import MODIFIABLE, CallFacts, Stage

BY_FILES: Final = -1
OWN: Final = tuple(sorted(MODIFIABLE))

_ORDER_BITS: Final = 52
_ORDER: Final = (1 << _ORDER_BITS) - 1
_RANK_SHIFT: Final = _ORDER_BITS + len(OWN)
_RANKS: Final = {
    Stage.ADDENDUM: 0,
    Stage.STARTED: 1,
    Stage.ROUTED: 2,
    Stage.MODIFIED: 3,
    Stage.ENDED: 4,
}
_UNSAID: Final[tuple[object, ...]] = (None, "", [], Outcome.UNDERWAY)


class Way(StrEnum):
    """How facts come in: a tracker told us, or somebody brought a file."""

    HOOK = "hook"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class Order:
    """What a row's `sequence` says."""

    newest: int = BY_FILES
    settled: frozenset[str] = frozenset()
    rank: int = 0

    @classmethod
    def of(cls, sequence: int) -> "Order":
        if sequence < 0:
            return cls()
        mask = sequence >> _ORDER_BITS
        return cls(
            sequence & _ORDER,
            frozenset(name for bit, name in enumerate(OWN) if mask >> bit & 1),
            sequence >> _RANK_SHIFT,
        )

    def after(self, facts: CallFacts) -> "Order":
        """The order once these facts were heard."""
        return Order(
            max(self.newest, facts.order),
            self.settled | facts.modified_only,
            max(self.rank, _RANKS[facts.stage]),
        )

    @property
    def sequence(self) -> int:
        """The whole number to store."""
        if self.newest < 0:
            return BY_FILES
        mask = sum(1 << bit for bit, name in enumerate(OWN) if name in self.settled)
        return self.rank << _RANK_SHIFT | mask << _ORDER_BITS | self.newest

    def yields_to(self, facts: CallFacts) -> bool:
        """Whether these facts know the call better than what was heard before."""
        rank = _RANKS[facts.stage]
        if rank != self.rank or facts.stage is Stage.ADDENDUM:
            return rank > self.rank
        return self.newest >> 48 != Stage.MODIFIED and facts.order >= self.newest


def first_sequence(facts: CallFacts, way: Way) -> int:
    """The `sequence` of a row that these facts make."""
    return Order().after(facts).sequence if _speaks(facts, way) else BY_FILES


def is_outdated(kept: "Kept", facts: CallFacts) -> bool:
    """Whether a row of a file has been replaced by one that came in before it."""
    return facts.ranked and facts.order < Order.of(kept.sequence).newest


def _speaks(facts: CallFacts, way: Way) -> bool:
    """Whether these facts may overrule others."""
    return way is Way.HOOK or facts.ranked


def first_outcome(facts: CallFacts) -> str:
    """The outcome of a row that these facts make; "" when a call is over and nobody said how."""
    if facts.outcome is not None:
        return facts.outcome.value
    return Outcome.UNDERWAY.value if facts.stage < Stage.ENDED else ""


@dataclass(frozen=True, slots=True)
class Kept:
    """A row of calls, with its recording's length."""

    id: uuid.UUID
    caller_id: uuid.UUID | None
    caller_withheld: bool
    tracking_number_id: uuid.UUID | None
    direction: str
    outcome: str
    seconds: int | None
    source: str
    campaign: str
    medium: str
    landing_page: str
    keyword: str
    country: str
    region: str
    first_call: bool | None
    qualified: bool | None
    value_cents: int | None
    tags: list[str]
    sequence: int
    recording_id: uuid.UUID | None = None
    recording_seconds: int | None = None

    @property
    def started_at(self) -> datetime:
        return start_of(self.id)


COLUMNS: Final = tuple(
    name for name in Kept.__dataclass_fields__ if name not in {"recording_id", "recording_seconds"}
)


def _is_said(value: object) -> bool:
    return value not in _UNSAID


def updated(
    kept: Kept,
    facts: CallFacts,
    *,
    way: Way,
    caller_id: uuid.UUID | None,
    tracking_number_id: uuid.UUID | None,
) -> tuple[Kept, bool]:
    """
    The row after these facts, and whether something that had been said was said differently.

    The start, in the row's id, is the caller's business.
    """
    order = Order.of(kept.sequence)
    speaks = _speaks(facts, way)
    wins = speaks and order.yields_to(facts)
    wins_own = speaks and facts.order >= order.newest
    said: dict[str, Any] = {
        "tracking_number_id": tracking_number_id,
        "direction": facts.direction and facts.direction.value,
        "outcome": facts.outcome and facts.outcome.value,
        "seconds": facts.seconds,
        "source": facts.source,
        "campaign": facts.campaign,
        "medium": facts.medium,
        "landing_page": facts.landing_page,
        "keyword": facts.keyword,
        "first_call": facts.first_call,
    }
    changes = {
        name: value
        for name, value in said.items()
        if _is_said(value) and value != getattr(kept, name) and (wins or not _is_said(getattr(kept, name)))
    }
    if facts.country and (wins or not kept.country):
        changes |= {"country": facts.country, "region": facts.region}
    changes |= _caller_changes(kept, facts, caller_id, wins=wins)
    for name in OWN:
        old = getattr(kept, name)
        new: Any = list(facts.tags) if name == "tags" else getattr(facts, name)
        settles = wins_own and (_is_said(new) or name in facts.modified_only)
        fills = _is_said(new) and not _is_said(old) and name not in order.settled
        if settles or fills:
            changes[name] = new
    changes = {name: value for name, value in changes.items() if value != getattr(kept, name)}
    if speaks:
        changes["sequence"] = order.after(facts).sequence
    overruled = any(
        name != "sequence"
        and _is_said(getattr(kept, name))
        and not (name == "caller_withheld" and changes[name])
        for name in changes
    )
    return replace(kept, **changes), overruled


def _caller_changes(
    kept: Kept, facts: CallFacts, caller_id: uuid.UUID | None, *, wins: bool
) -> dict[str, Any]:
    """A person or nobody: what is said later stands, and a blank may be filled."""
    is_blank = kept.caller_id is None and not kept.caller_withheld
    if not wins and not is_blank:
        return {}
    if caller_id is not None:
        return {"caller_id": caller_id, "caller_withheld": False}
    if facts.caller_withheld:
        return {"caller_id": None, "caller_withheld": True}
    return {}
