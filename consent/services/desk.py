"""
The desk of people on the phone: what they were told and asked by a caller, written down by one tap.

What an agent reports lifts no earlier no (`ledger.purposes_held_back`): for that the person has to prove who it is.

A no counts here in the same transaction and stops what runs. A yes is what an agent reports, so it is never of the
strength of the person's own key; and nobody agrees before the notice was spoken.
"""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.calls.models import Caller
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from consent.enums import NO_KINDS, Basis, Channel, EventKind, Purpose, Scope, Strength
from consent.models import ConsentEvent, NoticeVersion
from consent.selectors import desk as selectors
from consent.selectors import notices
from consent.services import ledger, menu_calls, minors, preferences, texts
from consent.services.ledger import CallerGoneError, Said

__all__ = ["CallerGoneError", "How", "NotSpokenError", "Speaker", "Stopped"]

RECORDED: Final = (Purpose.RECORD, Purpose.REVIEW, Purpose.ANALYSE)
LINK_DAYS: Final = 7


class NotSpokenError(ValueError):
    """Somebody is said to agree to words that nobody has spoken."""


class NobodyError(ValueError):
    """There is neither a caller nor a call that it could be about."""


class How(StrEnum):
    """The way in which a person told somebody of the staff."""

    PHONE = "phone"
    IN_PERSON = "in_person"
    LETTER = "letter"
    EMAIL = "email"
    CLIENT = "client"

    @property
    def label(self) -> str:
        """As a person reads it."""
        return _HOW[self]


_HOW: Final = {
    How.PHONE: "On the phone",
    How.IN_PERSON: "In person",
    How.LETTER: "By letter",
    How.EMAIL: "By email to a team member",
    How.CLIENT: "Reported by the client",
}


@dataclass(frozen=True, slots=True)
class Speaker:
    """
    Who is on the phone: a caller, or of who withholds the number the call.

    :ivar call_digest: by which the ledger names the call that runs, where one is known.
    """

    caller_id: uuid.UUID | None = None
    call_digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class Stopped:
    """What a no has done at once."""

    at: datetime
    events: int
    recordings: int


def speak_notice(
    *, client: Client, speaker: Speaker, version: NoticeVersion, tap: uuid.UUID, by: Actor, at: datetime
) -> list[ConsentEvent]:
    """
    Write down that an agent has spoken a notice: for the call that runs, or where none is known to the person.

    :param tap: of the form; the same tap twice is one fact.
    :raises NobodyError: there is nobody it could have been spoken to.
    """
    scope = Scope.STANDING if speaker.call_digest is None else Scope.THIS_CALL
    return _write(
        client,
        speaker,
        [Purpose(purpose) for purpose in version.notice.purposes],
        EventKind.NOTICED,
        scope,
        tap=tap,
        evidence={"said_by": "agent", "did": "read the notice aloud", **_words(version)},
        version=version,
        basis=Basis.NOTICE,
        by=by,
        at=at,
    )


def agree(
    *,
    client: Client,
    speaker: Speaker,
    version: NoticeVersion,
    scope: Scope,
    tap: uuid.UUID,
    by: Actor,
    at: datetime,
) -> list[ConsentEvent]:
    """
    Write down that the person agreed to the notice that was spoken, for this call or from now on.

    :raises NotSpokenError: nobody has spoken it within the last hours.
    :raises NobodyError: no call is known that it could be for, or no caller for whom it could stand.
    """
    spoken = selectors.spoken_lately(client, caller_id=speaker.caller_id, digest=speaker.call_digest, at=at)
    if spoken is None:
        raise NotSpokenError("Read the notice to the caller first, then confirm that you did.")
    return _write(
        client,
        speaker,
        [Purpose(purpose) for purpose in version.notice.purposes],
        EventKind.GIVEN,
        scope,
        tap=tap,
        evidence={
            "said_by": "agent",
            "did": "reported that the caller agreed",
            "notice_spoken_at": spoken.happened_at.isoformat(),
            **_words(version),
        },
        version=version,
        by=by,
        at=at,
    )


@transaction.atomic
def stop_recording(*, client: Client, speaker: Speaker, tap: uuid.UUID, by: Actor, at: datetime) -> Stopped:
    """
    "Stop recording me": a standing no to record, review and analyse, and whatever runs through our menu is stopped.

    Of who withholds the number it is a no for the call. The view wakes `consent.tasks.menu_calls` on commit.

    :raises NobodyError: there is neither a caller nor a call.
    """
    said = {"said_by": "agent", "did": "selected: stop recording me"}
    if speaker.caller_id is not None:
        return _withdraw(client, speaker, RECORDED, tap, said, by=by, at=at)
    events = _write(
        client, speaker, RECORDED, EventKind.WITHDRAWN, Scope.THIS_CALL, tap=tap, evidence=said, by=by, at=at
    )
    first = next((event.pk for event in events if event.purpose == Purpose.RECORD), None)
    count = menu_calls.stop_running(
        client=client, caller_id=None, call_digest=speaker.call_digest, by=by, at=at, event_id=first
    )
    return Stopped(at, len(events), count)


@transaction.atomic
def take_off(*, client: Client, speaker: Speaker, tap: uuid.UUID, by: Actor, at: datetime) -> Stopped:
    """
    "Take me off": a standing no to being called and texted, which joins the list of numbers that said no.

    :raises NobodyError: the number is withheld, so there is nothing that could be taken off.
    """
    said = {"said_by": "agent", "did": "selected: take me off"}
    return _withdraw(client, speaker, (Purpose.CONTACT,), tap, said, by=by, at=at)


def _withdraw(
    client: Client,
    speaker: Speaker,
    purposes: Collection[Purpose],
    tap: uuid.UUID,
    said: Mapping[str, Any],
    *,
    by: Actor,
    at: datetime,
) -> Stopped:
    if speaker.caller_id is None:
        raise NobodyError("The caller's number is hidden, so there is no number to opt out.")
    before = _running(client, speaker.caller_id, at) if Purpose.RECORD in purposes else 0
    events = texts.withdraw(
        client=client,
        caller_id=speaker.caller_id,
        purposes=frozenset(purposes),
        channel=Channel.AGENT,
        strength=Strength.C,
        source=f"desk {tap}",
        evidence={**said, "call_known": speaker.call_digest is not None},
        said_at=at,
        by=by,
        at=at,
    )
    return Stopped(at, len(events), before)


def _running(client: Client, caller_id: uuid.UUID, at: datetime) -> int:
    return sum(1 for one in selectors.running([client], at=at) if one.caller_id == caller_id and one.records)


@dataclass(frozen=True, slots=True, repr=False)
class Guardian:
    """What shows that somebody is a minor's guardian, and the day on which the minor comes of age."""

    proof: str
    majority_on: date


@transaction.atomic
def record_said(
    *,
    client: Client,
    caller_id: uuid.UUID,
    kind: EventKind,
    purposes: Collection[Purpose],
    how: How,
    said_at: datetime,
    note: str,
    tap: uuid.UUID,
    by: Actor,
    at: datetime,
    guardian: Guardian | None = None,
) -> list[ConsentEvent]:
    """
    Write down what a person told somebody of the staff, with a note as evidence. It reaches until it is withdrawn.

    A yes is an attestation (strength C). A no also stops what runs.

    :param guardian: who said yes for a minor, which the person is noted as; it counts until the person comes of age.
    """
    channel = Channel.AGENT if how is How.PHONE else Channel.OFFICER
    evidence = {"said_to": "staff", "how": how.value, "note": note, "said_at": said_at.isoformat()}
    if guardian is not None and kind not in NO_KINDS:
        evidence |= {
            "said_by": "a guardian",
            "proof": guardian.proof,
            "majority_on": guardian.majority_on.isoformat(),
        }
        caller = Caller.objects.for_client(client).get(pk=caller_id)
        minors.mark(client=client, caller=caller, majority_on=guardian.majority_on, by=by, at=at)
    if kind in NO_KINDS:
        return texts.withdraw(
            client=client,
            caller_id=caller_id,
            purposes=frozenset(purposes),
            channel=channel,
            strength=Strength.C,
            source=f"said {tap}",
            evidence=evidence,
            said_at=said_at,
            by=by,
            at=at,
        )
    return ledger.record_events(
        client=client,
        said=[
            Said(
                purpose=purpose,
                kind=kind,
                channel=channel,
                strength=Strength.C,
                happened_at=said_at,
                source=f"said {tap}",
                caller_id=caller_id,
                evidence=evidence,
                guardian_until=guardian.majority_on if guardian is not None else None,
            )
            for purpose in sorted(purposes)
        ],
        by=by,
        at=at,
    )


def what_stands_against(
    *, client: Client, caller_id: uuid.UUID | None, purposes: Collection[str], at: datetime
) -> str:
    """Why a yes that staff report does not count; "" where nothing stands against it. Inside a scope."""
    noes = ledger.noes_of(client, caller_id, at=at) if caller_id is not None else {}
    named = [one.label.lower() for one in Purpose if one in purposes and one in noes]
    if not named:
        return ""
    return (
        f"Consent does not count for: {', '.join(named)}. The caller opted out, and a reported consent does not"
        " lift that. The caller can opt in on the consent page with a verified phone, by text, by key press, or by"
        " signature."
    )


@transaction.atomic
def hand_link(*, client: Client, caller_id: uuid.UUID, by: Actor, at: datetime) -> str:
    """
    Return the address of a person's own choices, to be passed on by whoever speaks with the person.

    It proves nothing of who opens it, so what is said there is of the weakest kind. That it was made is in the trail.
    """
    audit.record(
        "preferences.link_made",
        by=by,
        at=at,
        subject=Caller(pk=caller_id, client_id=client.pk),
        days=LINK_DAYS,
    )
    return preferences.link_for(
        client=client, caller_id=caller_id, at=at, days=LINK_DAYS, strength=Strength.D
    )


# --- Inside ---


def _words(version: NoticeVersion) -> dict[str, Any]:
    return {
        "words": notices.said_in_full(version),
        "version": str(version.pk),
        "version_digest": bytes(version.digest or b"").hex(),
        "language": version.notice.language,
    }


def _write(
    client: Client,
    speaker: Speaker,
    purposes: Collection[Purpose],
    kind: EventKind,
    scope: Scope,
    *,
    tap: uuid.UUID,
    evidence: Mapping[str, Any],
    by: Actor,
    at: datetime,
    version: NoticeVersion | None = None,
    basis: Basis = Basis.CONSENT,
) -> list[ConsentEvent]:
    if scope == Scope.THIS_CALL and speaker.call_digest is None:
        raise NobodyError("No call is in progress, so a choice for this call only cannot be recorded.")
    if scope == Scope.STANDING and speaker.caller_id is None:
        raise NobodyError("The caller's number is hidden, so a choice beyond this call cannot be recorded.")
    return ledger.record_events(
        client=client,
        said=[
            Said(
                purpose=purpose,
                kind=kind,
                basis=basis,
                channel=Channel.AGENT,
                scope=scope,
                strength=Strength.C,
                happened_at=at,
                source=f"desk {tap}",
                caller_id=speaker.caller_id,
                call_digest=speaker.call_digest if scope == Scope.THIS_CALL else None,
                version_id=version.pk if version is not None else None,
                evidence=evidence,
            )
            for purpose in purposes
        ],
        by=by,
        at=at,
    )
