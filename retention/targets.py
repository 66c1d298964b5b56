"""
What retention can erase: how each kind of row leaves is its own app's knowledge, listed here once. Rooms above make
theirs known when they start.

Runs and previews walk the list, in the order in which a run works: calls first, so that what leaves with its call is
not looked at on its own; a no before the yes beside it, so that none of both is chosen that was not previewed.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Protocol
from uuid import UUID

from analytics import services as totals
from analytics.services import ends as release_ends
from analytics.services import making
from callprivacy.audit import services as audit
from callprivacy.calls.models import CallQuerySet
from callprivacy.calls.services import ends, erasure
from callprivacy.calls.services.erasure import (
    Chosen,
    Due,
    Erased,
    Extent,
    Line,
    Removed,
    Said,
    VendorCopy,
)
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Agency, Client
from consent.services import evidence_ends, identity_ends, quarantine
from retention.enums import Category
from retention.models import Hold

__all__ = [
    "ASKED",
    "HOUSE",
    "SAID",
    "TARGETS",
    "Chosen",
    "Deed",
    "Due",
    "Erased",
    "Extent",
    "HouseLine",
    "HouseTarget",
    "Line",
    "Months",
    "Part",
    "Removed",
    "Said",
    "Target",
    "VendorCopy",
    "count_due",
    "keep_totals",
    "kept_back",
    "register",
    "register_asked",
    "register_house",
    "settle_cells",
]

count_due = erasure.count_due
kept_back = identity_ends.kept_back
keep_totals = totals.keep_totals
settle_cells = making.settle


@dataclass(frozen=True, slots=True)
class Deed:
    """Who erases, when, and until when evidence of the erased may be asked for."""

    by: Actor
    at: datetime
    evidence_until: date


class Count(Protocol):
    def __call__(self, lines: Collection[Line], /) -> dict[int, Extent]: ...


class Select(Protocol):
    def __call__(self, line: Line, *, after: UUID | None, limit: int) -> list[UUID]: ...


class Choose(Protocol):
    def __call__(self, line: Line, *, after: UUID | None, limit: int, deed: Deed) -> Chosen: ...


class Step[T](Protocol):
    def __call__(self, line: Line, chosen: Chosen, deed: Deed, /) -> T: ...


class ByDay[T](Protocol):
    """
    How many rows fall due in each span between two limits, the later excluded, by the span's number from 0; what a
    hold keeps is none. A row's span is that of its own moment.
    """

    def __call__(self, ids: T, limits: Sequence[datetime], /) -> Mapping[int, int]: ...


type Told = tuple[datetime, str]
"""A row for a person to look at before it leaves: its moment, and what it is without a person of it."""


@dataclass(frozen=True, slots=True)
class Target:
    """
    One kind of row that expires, and its steps in the order of leaving; each may be repeated.

    :ivar noun: what the trail calls it, as in "calls.erased". :ivar batch: rows that one batch takes at most.
    :ivar watermark: the vault's line behind which nothing of it is let in again; empty where nothing brings it back.
    :ivar count: what is past its date at several clients. :ivar due: which rows leave, to the row.
    :ivar choose: in the scope that writes the intent. :ivar destroy: keys and files, outside any scope.
    :ivar remove: in the scope that records the deed. :ivar by_day: for several clients' calendar, and :ivar told: for
    a sample, where the room that registers it knows more than this one.
    """

    category: Category
    noun: str
    batch: int
    watermark: str
    count: Count
    due: Select
    choose: Choose
    destroy: Step[Chosen]
    remove: Step[Removed]
    by_day: ByDay[Sequence[int]] | None = None
    told: Callable[[Client, Sequence[UUID]], list[Told]] | None = None


# --- Calls --------------------------------------------------------------------------------------------------------


def _calls(category: Category, watermark: str, *, out: bool) -> Target:
    return Target(
        category=category,
        noun="calls",
        batch=5_000,
        watermark=watermark,
        count=lambda lines: erasure.count_calls(lines, out=out),
        due=lambda line, *, after, limit: erasure.due_ids(line, out=out, after=after, limit=limit),
        choose=lambda line, *, after, limit, deed: erasure.choose_calls(
            line, out=out, after=after, limit=limit
        ),
        destroy=lambda line, chosen, deed: erasure.forget_callers(
            client=line.client, chosen=chosen, at=deed.at, held=line.held
        ),
        remove=lambda line, chosen, deed: erasure.remove_calls(client=line.client, chosen=chosen),
    )


def _said(category: Category, noun: str, name: str) -> Target:
    def due(line: Line, *, after: UUID | None, limit: int) -> list[UUID]:
        return [found for found, _ in ends.due_said(line, category=name, after=after, limit=limit)]

    def destroy(line: Line, chosen: Chosen, deed: Deed) -> Chosen:
        ends.destroy_said(client=line.client, chosen=chosen)
        return chosen

    return Target(
        category=category,
        noun=noun,
        batch=500,
        watermark=name,
        count=lambda lines: ends.count_said(lines, category=name),
        due=due,
        choose=lambda line, *, after, limit, deed: ends.choose_said(
            line, category=name, after=after, limit=limit, at=deed.at
        ),
        destroy=destroy,
        remove=lambda line, chosen, deed: ends.clear_said(client=line.client, chosen=chosen, category=name),
    )


# --- People, and what they said -----------------------------------------------------------------------------------

_IDENTITY = Target(
    category=Category.IDENTITY,
    noun="callers",
    batch=500,
    watermark=erasure.IDENTITY,
    count=identity_ends.count,
    due=identity_ends.due,
    choose=lambda line, *, after, limit, deed: identity_ends.choose(line, after=after, limit=limit),
    destroy=lambda line, chosen, deed: identity_ends.destroy_keys(
        line=line, chosen=chosen, evidence_until=deed.evidence_until, at=deed.at
    ),
    remove=lambda line, chosen, deed: identity_ends.remove(client=line.client, chosen=chosen),
)


def _evidence(category: Category, noun: str, name: str) -> Target:
    def due(line: Line, *, after: UUID | None, limit: int) -> list[UUID]:
        return [found for found, _ in evidence_ends.due(line, category=name, after=after, limit=limit)]

    def destroy(line: Line, chosen: Chosen, deed: Deed) -> Chosen:
        evidence_ends.destroy_keys(client=line.client, chosen=chosen)
        return chosen

    return Target(
        category=category,
        noun=noun,
        batch=500,
        watermark="",
        count=lambda lines: evidence_ends.count(lines, category=name),
        due=due,
        choose=lambda line, *, after, limit, deed: evidence_ends.choose(
            line, category=name, after=after, limit=limit
        ),
        destroy=destroy,
        remove=lambda line, chosen, deed: evidence_ends.remove(client=line.client, chosen=chosen, line=line),
    )


# --- What lies beside ---------------------------------------------------------------------------------------------


def _beside(select: Select, *, line: Line, after: UUID | None, limit: int) -> Chosen:
    ids = select(line, after=after, limit=limit)
    return Chosen(ids=tuple(ids), cursor=ids[-1] if ids else None)


def _delete_export_files(line: Line, chosen: Chosen, deed: Deed) -> Chosen:
    ends.delete_export_files(client=line.client, chosen=chosen)
    return chosen


_EXPORT = Target(
    category=Category.EXPORT,
    noun="exports",
    batch=100,
    watermark="",
    count=ends.count_exports,
    due=ends.due_exports,
    choose=lambda line, *, after, limit, deed: _beside(ends.due_exports, line=line, after=after, limit=limit),
    destroy=_delete_export_files,
    remove=lambda line, chosen, deed: ends.remove_exports(client=line.client, chosen=chosen),
)


def _destroy_releases(line: Line, chosen: Chosen, deed: Deed) -> Chosen:
    release_ends.destroy(line, chosen)
    return chosen


_RELEASE = Target(
    category=Category.RELEASE,
    noun="releases",
    batch=50,
    watermark="",
    count=release_ends.count,
    due=release_ends.due,
    choose=lambda line, *, after, limit, deed: _beside(release_ends.due, line=line, after=after, limit=limit),
    destroy=_destroy_releases,
    remove=lambda line, chosen, deed: release_ends.remove(line, chosen, by=deed.by, at=deed.at),
    by_day=release_ends.by_day,
    told=release_ends.told,
)
_INBOX = Target(
    category=Category.INBOX,
    noun="inbox",
    batch=500,
    watermark="",
    count=ends.count_inbox,
    due=ends.due_inbox,
    choose=lambda line, *, after, limit, deed: _beside(ends.due_inbox, line=line, after=after, limit=limit),
    destroy=lambda line, chosen, deed: chosen,
    remove=lambda line, chosen, deed: ends.remove_inbox(
        client=line.client, chosen=chosen, by=deed.by, at=deed.at
    ),
)


def _count_words(lines: Collection[Line]) -> dict[int, Extent]:
    found = audit.count_reasons([line.client.pk for line in lines], [line.cutoff for line in lines])
    held = {line.client.pk for line in lines if line.is_held}
    return {
        client_id: Extent(held=count) if client_id in held else Extent(rows=count)
        for client_id, count in found.items()
    }


def _due_words(line: Line, *, after: UUID | None, limit: int) -> list[UUID]:
    """An event's number as an id; nothing where anything of the client is held."""
    if line.is_held:
        return []
    since = after.int if after else 0
    found = audit.reasons_before(client_id=line.client.pk, before=line.cutoff, after=since, limit=limit)
    return [UUID(int=event_id) for event_id in found]


def _remove_words(line: Line, chosen: Chosen, deed: Deed) -> Removed:
    event_ids = [one.int for one in chosen.ids]
    found = audit.erase_reasons_of(client_id=line.client.pk, event_ids=event_ids)
    return Removed(ids=tuple(UUID(int=event_id) for event_id in found), reasons=len(found))


_TRAIL = Target(
    category=Category.TRAIL,
    noun="reasons",
    batch=1_000,
    watermark="",
    count=_count_words,
    due=_due_words,
    choose=lambda line, *, after, limit, deed: _beside(_due_words, line=line, after=after, limit=limit),
    destroy=lambda line, chosen, deed: chosen,
    remove=_remove_words,
)

TARGETS: Final[dict[Category, Target]] = {
    target.category: target
    for target in (
        _calls(Category.CALL, erasure.WATERMARK, out=False),
        _calls(Category.CALL_OUT, erasure.WATERMARK_OUT, out=True),
        _said(Category.RECORDING, "recordings", erasure.RECORDING),
        _said(Category.TRANSCRIPT, "transcripts", erasure.TRANSCRIPT),
        _IDENTITY,
        _evidence(Category.WITHDRAWAL, "withdrawals", evidence_ends.WITHDRAWAL),
        _evidence(Category.CONSENT, "consents", evidence_ends.CONSENT),
        _EXPORT,
        _RELEASE,
        _INBOX,
        _TRAIL,
    )
}
"""Every category's target, in the order of a run; what rooms above register comes last."""


def register(target: Target) -> None:
    """Make known how a kind of clients' rows leaves that a room above keeps; called from an app's `ready()`."""
    TARGETS[target.category] = target


# --- What is no client's ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Months:
    """
    Which months of the trail are past their date: those of before `before`, by the policy that keeps it longest.

    :ivar facts: what is still asked of old events, as `retention_trail_due` takes it.
    """

    before: datetime
    keep_for_days: int
    version: int
    facts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HouseLine:
    """
    Up to where rows of one kind, the agency's own, are past their date.

    :ivar is_held: an open hold keeps what the agency has of its staff. :ivar months: of the trail, where the agency
    has said how long it is kept.
    """

    agency: Agency
    cutoff: datetime
    is_held: bool = False
    months: Months | None = None


@dataclass(frozen=True, slots=True)
class HouseTarget:
    """
    One kind of row that is the agency's own and no client's, and its steps; each may be repeated.

    :ivar count: what is past its date. :ivar due: which rows leave, to the row, the next ones first.
    :ivar destroy: keys and files, outside any scope. :ivar remove: in the scope that records the deed; returns which.
    :ivar by_day: for the calendar. :ivar told: for a sample.
    """

    category: Category
    noun: str
    batch: int
    count: Callable[[HouseLine], Extent]
    due: Callable[[HouseLine, int], list[UUID]]
    destroy: Callable[[HouseLine, Sequence[UUID]], None]
    remove: Callable[[HouseLine, Sequence[UUID], Deed], tuple[UUID, ...]]
    by_day: ByDay[Agency]
    told: Callable[[Agency, Sequence[UUID]], list[Told]]


HOUSE: Final[dict[Category, HouseTarget]] = {}
"""What the agency itself has rows of, by category; a run takes it after its clients'."""


def register_house(target: HouseTarget) -> None:
    """Make known how a kind of the agency's own rows leaves; called from an app's `ready()`."""
    HOUSE[target.category] = target


# --- What people have asked for -------------------------------------------------------------------------------------


class Freed(Protocol):
    """
    How many calls, and how many numbers, leave once a hold is lifted because people have asked for it.

    :param calls: that the hold alone keeps.
    """

    def __call__(self, hold: Hold, calls: CallQuerySet, /, *, at: datetime) -> tuple[int, int]: ...


ASKED: Final[list[Freed]] = []
"""Who knows which erasures wait for a hold to be lifted."""


def register_asked(count: Freed) -> None:
    """Make known what lifting a hold erases because people have asked for it; called from an app's `ready()`."""
    if count not in ASKED:
        ASKED.append(count)


# --- Quarantine ---------------------------------------------------------------------------------------------------


class Erasable(Protocol):
    def __call__(self, client: Client, *, at: datetime, limit: int) -> list[UUID]: ...


class MarkGone(Protocol):
    def __call__(self, *, client: Client, call_ids: Collection[UUID], at: datetime) -> list[VendorCopy]: ...


class NoteTold(Protocol):
    def __call__(self, *, client: Client, recording_ids: Collection[UUID], at: datetime) -> None: ...


class Unfinished(Protocol):
    def __call__(self, client: Client, *, limit: int) -> Said: ...


class EraseSaid(Protocol):
    def __call__(self, *, client: Client, said: Said) -> None: ...


class ClearGone(Protocol):
    def __call__(self, *, client: Client, said: Said) -> Erased: ...


@dataclass(frozen=True, slots=True)
class Part:
    """What leaves a row while the row stays, and its steps in the order of leaving."""

    name: str
    due: Erasable
    mark: MarkGone
    note_told: NoteTold
    unfinished: Unfinished
    erase: EraseSaid
    clear: ClearGone


SAID = Part(
    name="recording",
    due=quarantine.erasable,
    mark=erasure.mark_gone,
    note_told=erasure.note_vendor_told,
    unfinished=erasure.unfinished,
    erase=erasure.erase_said,
    clear=erasure.clear_gone,
)
"""Recordings and transcripts whose quarantine is over."""
