"""The sentences of an answer."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Final

from consent.decide.question import Event
from consent.decide.standing import Unfit
from consent.enums import Channel, EventKind, Scope, Standard, UnknownAge

NO_EVIDENCE: Final = "Nobody recorded a consent or an announcement for this purpose."
ANNOUNCED: Final = "It was announced on this call, and the caller stayed."
ON_RECORDING: Final = "The recording holds that announcement."
NOT_ON_RECORDING: Final = (
    "The law here asks that the recording holds the announcement, and nobody says that it does."
)
POSTED: Final = "A sign or page told of it beforehand."
POSTED_ALONE: Final = "A posted sign or page alone never suffices here."
NOTICE_ALONE: Final = "A notice alone never suffices here; express consent is asked for."
UNTOLD: Final = "The law here asks for an announcement on this call or express consent."
UNWRITTEN: Final = "The law here asks for consent in writing."
UNSAID: Final = "The law here asks for express consent."
NOTHING_ASKED: Final = "The law here asks nothing of the caller."
THIS_CALL_FIRST: Final = "A refusal for this call beats any standing consent."
OPT_OUT: Final = "Measuring rests on the client's declared basis until the person objects."
DECLARED_CONSENT: Final = "The client declared consent as its basis for measuring, and none is in force."
NOT_MET: Final = {
    Standard.EXPRESS: "The client asks itself for express consent.",
    Standard.ANNOUNCE: "The client asks itself for an announcement on this call or express consent.",
}

_UNFIT: Final = {
    Unfit.NOTICE: "it is a notice only and does not count as consent here",
    Unfit.WRITTEN: "not in writing",
    Unfit.CLAIMED: "nobody proved the number: the consent is claimed (grade D) and does not count as express",
    Unfit.GUARDIAN: "a minor's own consent does not suffice",
    Unfit.OF_AGE: "a guardian gave it, and the person is of age",
}

_CHANNELS: Final = {channel.value: channel.label.lower() for channel in Channel} | {
    Channel.SMS.value: "text message",
    Channel.API.value: "API",
}
_SCOPES: Final = {Scope.THIS_CALL.value: "for this call", Scope.STANDING.value: "standing"}
_DID: Final = {
    EventKind.GIVEN.value: "Agreed",
    EventKind.RENEWED.value: "Agreed again",
    EventKind.REFUSED.value: "Refused",
    EventKind.WITHDRAWN.value: "Withdrawn",
    EventKind.EXPIRED.value: "The consent expired",
    EventKind.INVALIDATED.value: "The consent was found invalid",
    EventKind.NOTICED.value: "Told",
}


def stands(event: Event, zone: tzinfo, *, at: datetime) -> str:
    """The consent in force at an instant."""
    return f"{_happened(event, zone)}; in force on {_when(at, zone)}."


def forbids(event: Event, zone: tzinfo, *, at: datetime) -> str:
    """The refusal or withdrawal that held at an instant."""
    return f"{_happened(event, zone)}; no later consent lifted it by {_when(at, zone)}."


def too_late(event: Event, zone: tzinfo) -> str:
    """A consent that cannot heal what was begun without it."""
    return f"{_happened(event, zone)}, after the recording began. It does not cover that recording."


def unfit(event: Event, zone: tzinfo, why: Unfit | None) -> str:
    """A consent that is none here, and why."""
    return f"{_happened(event, zone)}, but {_UNFIT[why or Unfit.NOTICE]}."


def claimed_counts(reason: str) -> str:
    """Why a consent counts of which nobody proved the number."""
    return f"The client counts claimed consent: {reason}"


def unknown_age(reading: UnknownAge, reason: str) -> str:
    """How a client reads a caller whose age nobody knows."""
    why = f": {reason}" if reason else "."
    return f"The caller's age is not known, which the client reads {reading.label.lower()}{why}"


def cut(event: Event, zone: tzinfo) -> str:
    """What ends a recording on its call."""
    return f"{_happened(event, zone)}, on the call. The rest of the recording is quarantined."


def _happened(event: Event, zone: tzinfo) -> str:
    if event.channel is None:
        return f"Withdrawn: on the opt-out list since {_when(event.at, zone)}"
    return (
        f"{_DID[event.kind]} on {_when(event.at, zone)} ({_CHANNELS[event.channel]}, {_SCOPES[event.scope]})"
    )


def _when(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"
