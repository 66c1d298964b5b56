"""
What stands at an instant: the consent, refusal and notices that the events of one purpose leave behind.

Only when a thing happened counts, never when or in which order we learned of it. At equal instants the refusal or
withdrawal wins, and an expiry wins over the consent it ends. A weak consent (`enums.is_weak`) lifts no refusal or
withdrawal, for good or for one call: it counts where none stands.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Final

from consent.decide.ground import Ground
from consent.decide.question import CallSpan, Event
from consent.enums import (
    NO_KINDS,
    YES_KINDS,
    Basis,
    Channel,
    EventKind,
    Scope,
    Strength,
    grade_of,
    is_weak,
)

BEFORE: Final = timedelta(minutes=15)
"""How long before a call an event of one call still belongs to it, where no call is named."""
LONGEST: Final = timedelta(hours=1)
"""How long a call is taken to last whose end is not known."""
OUTSET: Final = timedelta(minutes=1)
"""What is spoken this soon after the beginning was announced at the outset."""
IN_THE_MENU: Final = timedelta(minutes=5)
"""How soon after its beginning a call's menu has been answered, where no call is named and its end not known."""

_ENDING: Final = frozenset({EventKind.EXPIRED, EventKind.INVALIDATED})
# By these nobody says anything: a consent that came this way is a notice.
_SILENT: Final = frozenset({Channel.POSTED, Channel.ANNOUNCEMENT, Channel.GPC})
_SPOKEN: Final = frozenset({Channel.ANNOUNCEMENT, Channel.AGENT, Channel.MENU})
_IN_WRITING: Final = frozenset(
    {Channel.WEB, Channel.EMAIL, Channel.TERMS, Channel.MENU, Channel.SMS, Channel.PORTAL}
)


@dataclass(slots=True)
class Standing:
    """
    :ivar at: the instant. :ivar zone: in which texts show instants.
    :ivar yes: the consent in force. :ivar no: the refusal or withdrawal that nothing lifts.
    :ivar of_this_call: whether that refusal was for this call. :ivar announced: heard on this call, at its outset.
    :ivar on_recording: and the recording holds it. :ivar heard: the event of it, if there is one.
    :ivar posted: a notice was there before; :ivar seen: its event.
    :ivar stop: the first refusal or withdrawal after the instant. :ivar end: the first expiry after it.
    :ivar refusal: the first refusal for this call after it.
    :ivar press: the first key pressed for consent in this call's menu after it.
    :ivar late: a consent that came after it. :ivar unfit: a consent that does not have the form asked for.
    """

    at: datetime
    zone: tzinfo = UTC
    yes: Event | None = None
    no: Event | None = None
    of_this_call: bool = False
    announced: bool = False
    on_recording: bool = False
    heard: Event | None = None
    posted: bool = False
    seen: Event | None = None
    stop: Event | None = None
    refusal: Event | None = None
    end: Event | None = None
    press: Event | None = None
    late: Event | None = None
    unfit: Event | None = None


@dataclass(slots=True)
class _Newest:
    """The newest yes, weak yes, no and end up to the instant, of one scope."""

    yes: Event | None = None
    weak: Event | None = None
    no: Event | None = None
    end: Event | None = None

    def take(self, event: Event) -> None:
        kind = event.kind
        if kind in YES_KINDS and is_weak(event.purpose, kind, event.strength):
            self.weak = _newest(self.weak, event)
        elif kind in YES_KINDS:
            self.yes = _newest(self.yes, event)
        elif kind in NO_KINDS:
            self.no = _newest(self.no, event)
        else:
            self.end = _newest(self.end, event)

    @property
    def forbids(self) -> bool:
        """Whether a no stands that nothing has lifted."""
        return self.no is not None and not _outlasts(self.yes, self.no, self.end)

    def believe(self) -> None:
        """Let a weak yes count like any other."""
        if self.weak is not None:
            self.yes = _newest(self.yes, self.weak)


def read(
    events: tuple[Event, ...],
    purpose: str,
    ground: Ground,
    call: CallSpan | None,
    *,
    begins: datetime,
    until: datetime,
    outset: datetime,
    posted: bool,
    zone: tzinfo = UTC,
) -> Standing:
    """
    What the events of one purpose leave standing at `begins`, and what happens after it up to `until`.

    :param outset: up to when a spoken notice was given at the beginning of the call.
    """
    announced = call is not None and call.announcement
    on_recording = announced and call is not None and call.announced_on_recording
    found = Standing(begins, zone=zone, announced=announced, on_recording=on_recording, posted=posted)
    of_call, standing = _Newest(), _Newest()
    for event in events:
        if event.purpose != purpose or event.at > until:
            continue
        mine = event.scope == Scope.THIS_CALL
        if mine and not _belongs(event, call):
            continue
        no_consent = event.kind == EventKind.NOTICED or unfit_because(event, ground, begins) is not None
        if no_consent or (event.at > begins and event.kind in YES_KINDS):
            _take_notice(found, event, call, begins, outset)
        if no_consent:
            if event.kind in YES_KINDS:
                found.unfit = _newest(found.unfit, event)
        elif event.at > begins:
            _take_later(found, event, call, mine=mine)
        else:
            (of_call if mine else standing).take(event)
    _settle(found, of_call, standing)
    return found


def _settle(found: Standing, of_call: _Newest, standing: _Newest) -> None:
    """A consent stands that is newer than whatever ends it; a refusal for this call beats any standing consent."""
    if not standing.forbids:
        if not of_call.forbids:
            of_call.believe()
        standing.believe()
    if _outlasts(of_call.yes, of_call.no, of_call.end, standing.no, standing.end):
        found.yes = of_call.yes
    elif of_call.no is not None:
        found.no, found.of_this_call = of_call.no, True
    elif _outlasts(standing.yes, standing.no, standing.end):
        found.yes = standing.yes
    else:
        found.no = standing.no


def _outlasts(yes: Event | None, *others: Event | None) -> bool:
    if yes is None:
        return False
    return all(other is None or other.at < yes.at for other in others)


class Unfit(StrEnum):
    """Why a consent is none where the call is."""

    NOTICE = "notice"
    WRITTEN = "written"
    CLAIMED = "claimed"
    GUARDIAN = "guardian"
    OF_AGE = "of_age"


def unfit_because(event: Event, ground: Ground, at: datetime) -> Unfit | None:
    """Why what was given is no express consent where the call is, if it is none. It may still show a notice."""
    if event.kind not in YES_KINDS:
        return None
    said = ground.terms_count if event.basis == Basis.CONTRACT else event.basis == Basis.CONSENT
    if not said or event.channel in _SILENT:
        return Unfit.NOTICE
    if not ground.claimed and is_claimed(event):
        return Unfit.CLAIMED
    if ground.written and event.channel not in _IN_WRITING and event.strength != Strength.A:
        return Unfit.WRITTEN
    if event.guardian_until is not None:
        return Unfit.OF_AGE if at.date() >= event.guardian_until else None
    return Unfit.GUARDIAN if ground.guardian else None


def is_claimed(event: Event) -> bool:
    """Whether nobody showed that the number is of the person who agreed."""
    return event.strength is not None and grade_of(event.channel, event.strength) is Strength.D


def _belongs(event: Event, call: CallSpan | None) -> bool:
    """
    Whether an event in the scope of one call is about this one.

    By name where both are named. Otherwise by time: from a quarter of an hour before the call to its end. A refusal
    that comes later still belongs to it: it can be about no call that it does not forbid. Where the question is
    about no call, a refusal may be about the one that is meant.
    """
    if call is None:
        return event.kind in NO_KINDS
    if event.call_id is not None and call.call_id is not None:
        return event.call_id == call.call_id
    if event.at < call.started_at - BEFORE:
        return False
    return event.kind in NO_KINDS or event.at <= (call.ended_at or call.started_at + LONGEST)


def _take_later(found: Standing, event: Event, call: CallSpan | None, *, mine: bool) -> None:
    """What happened after the instant: it ends what stood, or comes too late."""
    if event.kind in NO_KINDS:
        found.stop = _first(found.stop, event)
        if mine and event.kind == EventKind.REFUSED:
            found.refusal = _first(found.refusal, event)
    elif event.kind in _ENDING:
        found.end = _first(found.end, event)
    else:
        found.late = _first(found.late, event)
        if mine and call is not None and event.channel == Channel.MENU and _in_menu(event, call):
            found.press = _first(found.press, event)


def _in_menu(event: Event, call: CallSpan) -> bool:
    if call.ended_at is not None:
        return event.at <= call.ended_at
    named = event.call_id is not None and call.call_id is not None
    return named or event.at <= call.started_at + IN_THE_MENU


def _take_notice(
    found: Standing, event: Event, call: CallSpan | None, begins: datetime, outset: datetime
) -> None:
    """A notice spoken at this call's outset was announced on it; another that was there before is as good as posted."""
    if event.channel in _SPOKEN and event.at <= outset and _belongs(event, call):
        found.announced = True
        found.on_recording |= call is not None and _is_on_recording(event, call)
        found.heard = _newest(found.heard, event)
    elif event.at <= begins and (event.kind == EventKind.NOTICED or event.basis == Basis.NOTICE):
        found.posted = True
        found.seen = _newest(found.seen, event)


def _is_on_recording(event: Event, call: CallSpan) -> bool:
    """What an agent says is said to whoever records, once that has begun; of other ways nobody knows."""
    return event.channel == Channel.AGENT and event.at >= (call.recording_started_at or call.started_at)


def _newest(one: Event | None, other: Event) -> Event:
    return (
        other if one is None else max(one, other, key=lambda each: (each.at, _is_sourced(each), _facts(each)))
    )


def _first(one: Event | None, other: Event) -> Event:
    return (
        other
        if one is None
        else min(one, other, key=lambda each: (each.at, not _is_sourced(each), _facts(each)))
    )


def _is_sourced(event: Event) -> bool:
    """Of two events at one instant, the one whose source is known is named."""
    return event.channel is not None


def _facts(event: Event) -> tuple[str, ...]:
    """Which of two at one instant is named is never left to the order of arrival."""
    facts = (event.kind, event.channel, event.basis, event.scope, event.strength, event.recorded_at)
    return tuple(map(str, (*facts, event.call_id, event.id)))
