"""
The demo's calls that can be heard: what is said on each, and its sound. The same words give the same bytes.

Every number, card, PIN and address in them is invented, and is there to be redacted.
"""

import io
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import cycle
from math import ceil
from typing import Final

import numpy as np

from callprivacy.calls.enums import Outcome
from callprivacy.calls.providers.base import CallFacts
from consent.enums import EventKind
from dashboard.demo import QUARANTINED, DemoClient
from dashboard.demo.said import NOES, Fact, said_of, who_said_no

STORED: Final = ("harbor-dental", "sunset-plumbing", QUARANTINED)
"""Clients whose recordings are stored here, with the tracker's transcripts."""
KEPT: Final = 10
"""So many newest calls of callers who agree can be heard at each of them."""
WITHHELD: Final = 12
"""So many calls of others have sound at the client in quarantine, two a day."""

RATE: Final = 8_000
_PITCH: Final = {"Agent": 130.0, "Caller": 210.0}
_A_WORD, _SYLLABLE, _PAUSE = 0.34, 0.17, 0.5
_HALF: Final = 18
"""The hour of UTC that parts a day of calls in two."""

TALKS: Final = (
    ("Thank you for calling. How can I help?", "I want to pay my bill. The card is 4242 4242 4242 4242.",
     "And the security code on the back?", "It is 552.", "Thank you, the bill is paid."),
    ("Hello, this call is recorded.", "Please call me back at 415-555-0143 after five.", "I will do that today."),
    ("I need to find your file first.", "My date of birth is zero five, fourteen, nineteen eighty three.",
     "Thank you, I have found it."),
    ("Hello, how can I help?", "Can you send the offer to dana at example dot com?", "It is on its way."),
    ("Gracias por llamar. ¿En qué puedo ayudarle?",
     "Mi teléfono es cuatro uno cinco, cinco cinco cinco, cero uno seis dos.", "Gracias. Le llamamos hoy."),
    ("Good morning. How can I help?", "Can I come in next week?", "Tuesday at ten is free.", "Tuesday is good."),
    ("How can I help?", "The bill says 340 dollars, but the offer was 290 dollars.", "You are right. I will fix it."),
    ("Good afternoon.", "When do you close today?", "At seven, and at four on Saturdays.", "Thank you."),
)  # fmt: skip
"""Who answers speaks first, then the other. The newest call has the first talk."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one of the two says, and when: seconds from the beginning of the recording."""

    speaker: str
    words: str
    starts: float
    ends: float


def turns_of(talk: Sequence[str]) -> list[Turn]:
    """A talk on the clock, the agent first, each turn as long as its words take."""
    found, at = [], _PAUSE
    for speaker, words in zip(cycle(_PITCH), talk, strict=False):
        ends = at + _A_WORD * len(words.split())
        found.append(Turn(speaker, words, at, ends))
        at = ends + _PAUSE
    return found


def seconds_of(talk: Sequence[str]) -> int:
    """How long the recording of a talk is."""
    return ceil(turns_of(talk)[-1].ends)


def transcript_of(talk: Sequence[str]) -> str:
    """What a tracker would write down of it, with the second at which each turn begins."""
    return "\n".join(
        f"{int(turn.starts) // 60}:{int(turn.starts) % 60:02d} {turn.speaker}: {turn.words}"
        for turn in turns_of(talk)
    )


def wav_of(talk: Sequence[str]) -> bytes:
    """The recording: for each voice a tone of its own, which swells once a syllable while that one speaks."""
    samples = np.zeros(seconds_of(talk) * RATE)
    for turn in turns_of(talk):
        first, last = round(turn.starts * RATE), round(turn.ends * RATE)
        spoken = np.arange(last - first) / RATE
        phase = 2 * np.pi * _PITCH[turn.speaker] * spoken
        tone = sum(np.sin(height * phase) / height for height in range(1, 6))
        samples[first:last] = tone * np.sin(np.pi * spoken / _SYLLABLE) ** 2
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(RATE)
        file.writeframes((128 + 60 * samples).astype(np.uint8).tobytes())
    return out.getvalue()


def with_talks(
    client: DemoClient, facts: Sequence[CallFacts]
) -> tuple[list[CallFacts], dict[str, tuple[str, ...]]]:
    """
    A client's calls, some of which can be heard, and what is said on those, by the address of the recording.

    No other call of a caller who agreed has a recording: it would be fetched, and the invented tracker has no sound.
    """
    if client.slug not in STORED:
        return list(facts), {}
    said = list(said_of(client, facts))
    agreed = {fact.number: fact.happened_at for fact in said if fact.kind is EventKind.GIVEN}
    heard = dict(zip(_heard(client, facts, said, agreed), cycle(TALKS), strict=False))
    talks = {_address(fact): heard[fact.references] for fact in facts if fact.references in heard}

    def recorded(fact: CallFacts) -> CallFacts:
        if talk := heard.get(fact.references):
            seconds = seconds_of(talk)
            return replace(
                fact, seconds=seconds, recording_seconds=seconds, recording_reference=_address(fact)
            )
        if fact.caller in agreed:
            return replace(fact, recording_seconds=None, recording_reference=None)
        return fact

    return [recorded(fact) for fact in facts], talks


def _address(fact: CallFacts) -> str:
    return f"https://recordings.example/{fact.references[0][1]}"


def _heard(
    client: DemoClient, facts: Sequence[CallFacts], said: Sequence[Fact], agreed: Mapping[str, datetime]
) -> list[tuple[tuple[str, str], ...]]:
    """The calls with a talk, by their references: of callers who agree still, and in quarantine of others."""
    answered = [fact for fact in facts if fact.outcome == Outcome.ANSWERED and fact.caller]
    withdrawn = {who_said_no(client, facts, said, nth=nth) for nth in range(len(NOES))}
    since = {number: at for number, at in agreed.items() if number not in withdrawn}
    kept = [fact for fact in answered if since.get(fact.caller or "", fact.started_at) < fact.started_at]
    others = [fact for fact in answered if fact.caller not in agreed]
    halves = {(fact.started_at.date(), fact.started_at.hour < _HALF): fact for fact in others}
    withheld = list(halves.values())[-WITHHELD:] if client.slug == QUARANTINED else []
    return [fact.references for fact in (*kept[: -KEPT - 1 : -1], *withheld)]
