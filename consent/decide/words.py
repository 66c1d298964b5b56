"""The sentences of an answer."""

from datetime import datetime, tzinfo
from typing import Final

from consent.decide.question import Event
from consent.decide.standing import Unfit
from consent.enums import Channel, EventKind, Scope, Standard, UnknownAge

NO_EVIDENCE: Final = "No consent or announcement is recorded for this purpose."
ANNOUNCED: Final = "An announcement was played on this call, and the caller stayed."
ON_RECORDING: Final = "The recording includes the announcement."
NOT_ON_RECORDING: Final = "The law here requires the announcement on the recording, which is not confirmed."
POSTED: Final = "A sign or page gave notice before the call."
POSTED_ALONE: Final = "A posted notice alone is never enough here."
NOTICE_ALONE: Final = "A notice alone is never enough here; express consent is required."
UNTOLD: Final = "The law here requires an announcement on this call or express consent."
UNWRITTEN: Final = "The law here requires written consent."
UNSAID: Final = "The law here requires express consent."
NOTHING_ASKED: Final = "The law here requires nothing from the caller."
THIS_CALL_FIRST: Final = "A refusal for this call overrides any ongoing consent."
OPT_OUT: Final = "Measuring is allowed on the client's declared legal basis until the caller opts out."
DECLARED_CONSENT: Final = (
    "The client declared consent as its legal basis for measuring, and none is in force."
)
NOT_MET: Final = {
    Standard.EXPRESS: "The client's standard requires express consent.",
    Standard.ANNOUNCE: "The client's standard requires an announcement on this call or express consent.",
}

_UNFIT: Final = {
    Unfit.NOTICE: "it is notice only and does not count as consent here",
    Unfit.WRITTEN: "it is not in writing",
    Unfit.CLAIMED: "the number is not verified: the consent is claimed (grade D) and does not count as express",
    Unfit.GUARDIAN: "a minor's own consent is not enough",
    Unfit.OF_AGE: "a guardian gave it, and the caller is now of age",
}

_CHANNELS: Final = {channel.value: channel.label.lower() for channel in Channel} | {
    Channel.SMS.value: "text message",
    Channel.API.value: "API",
}
_SCOPES: Final = {Scope.THIS_CALL.value: "for this call", Scope.STANDING.value: "ongoing"}
_DID: Final = {
    EventKind.GIVEN.value: "Agreed",
    EventKind.RENEWED.value: "Agreed again",
    EventKind.REFUSED.value: "Refused",
    EventKind.WITHDRAWN.value: "Withdrawn",
    EventKind.EXPIRED.value: "Consent expired",
    EventKind.INVALIDATED.value: "Consent invalidated",
    EventKind.NOTICED.value: "Notice given",
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
    return f"{_happened(event, zone)}, but {_UNFIT[why or Unfit.NOTICE]}."


def claimed_counts(reason: str) -> str:
    """Why a consent counts of which nobody proved the number."""
    return f"The client counts claimed consent: {reason}"


def unknown_age(reading: UnknownAge, reason: str) -> str:
    """How a client reads a caller whose age nobody knows."""
    why = f": {reason}" if reason else "."
    return f"The caller's age is unknown, which the client treats {reading.label.lower()}{why}"


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
