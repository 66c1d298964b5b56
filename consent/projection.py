"""
Where a person stands, out of what happened: the same for the same events in whatever order they came.

Pure. A standing event counts from the moment it happened; at one moment a no beats a yes. A notice alone never
changes a yes or a no, and what was said of a single call changes nothing beyond it. A yes that is too weak (nobody
showed whose it is, or one to sharing that was not asked twice) lifts no no that stands at its moment.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from consent.enums import NO_KINDS, NO_STATES, YES_KINDS, EventKind, Scope, State, Strength, is_weak

# At one moment the later in this list counts.
_WEIGHT: Final = {
    EventKind.NOTICED: 0,
    EventKind.GIVEN: 1,
    EventKind.RENEWED: 2,
    EventKind.EXPIRED: 3,
    EventKind.INVALIDATED: 4,
    EventKind.REFUSED: 5,
    EventKind.WITHDRAWN: 6,
}
_STATE: Final = {
    EventKind.NOTICED: State.NOTICED,
    EventKind.GIVEN: State.GIVEN,
    EventKind.RENEWED: State.GIVEN,
    EventKind.EXPIRED: State.EXPIRED,
    EventKind.INVALIDATED: State.INVALIDATED,
    EventKind.REFUSED: State.REFUSED,
    EventKind.WITHDRAWN: State.WITHDRAWN,
}


class Happened(Protocol):
    """What is asked of an event."""

    @property
    def id(self) -> UUID: ...
    @property
    def purpose(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def scope(self) -> str: ...
    @property
    def strength(self) -> str: ...
    @property
    def happened_at(self) -> datetime: ...


def _order(event: Happened) -> tuple[datetime, int, int]:
    return event.happened_at, _WEIGHT[EventKind(event.kind)], event.id.int


def standing[E: Happened](events: Iterable[E]) -> tuple[State, E | None]:
    """
    Where a person stands with one purpose, and the event that says so.

    An expiry or an invalidation ends a yes, never a no, and a no before that yes holds again. Events of single calls
    are left out.
    """
    deciding, _ = _walk(events)
    return (State.NONE, None) if deciding is None else (_STATE[EventKind(deciding.kind)], deciding)


def idle(events: Iterable[Happened]) -> frozenset[UUID]:
    """The ids of those yeses to one purpose that lift nothing, because a no stands against them and they are weak."""
    return frozenset(event.id for event in _walk(events)[1])


def _walk[E: Happened](events: Iterable[E]) -> tuple[E | None, list[E]]:
    """The event that decides, and the yeses that changed nothing."""
    deciding: E | None = None
    no: E | None = None
    lifting_nothing: list[E] = []
    for event in sorted((event for event in events if event.scope == Scope.STANDING), key=_order):
        state = State.NONE if deciding is None else _STATE[EventKind(deciding.kind)]
        if event.kind == EventKind.NOTICED and state is not State.NONE:
            continue
        if event.kind in {EventKind.EXPIRED, EventKind.INVALIDATED}:
            if state is State.GIVEN:
                # What ended is as if it had never been given: an earlier no holds again.
                deciding = no or event
            continue
        is_claimed = event.strength == Strength.D and event.kind in YES_KINDS
        if is_claimed and state is State.GIVEN and deciding and deciding.strength != Strength.D:
            # A claimed consent takes nothing from a proven one.
            continue
        stands = state in NO_STATES
        if stands and event.kind in YES_KINDS and is_weak(event.purpose, event.kind, event.strength):
            lifting_nothing.append(event)
            continue
        deciding = event
        if event.kind in NO_KINDS:
            no = event
    return deciding, lifting_nothing
