"""
What a form wrote, for who sent it: a receipt that opens for thirty days, and the proof of the phone behind it.

A receipt names its events and no number. Whoever has its address may have a code sent to that phone, and reads
nothing of the person but what this one form said.
"""

import contextlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from callprivacy.lib import phone
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import client_scope
from consent.channels import tokens, words
from consent.channels.tokens import UnknownReceiptError
from consent.enums import Channel, EventKind, Language, Purpose, Strength
from consent.models import ConsentEvent, NoticeVersion
from consent.selectors import web as selectors
from consent.selectors.contact import number_of
from consent.services import again, codes, ledger, web
from consent.services.codes import Proven
from consent.services.ledger import Said
from consent.services.web import Look, Visit

__all__ = ["UnknownReceiptError"]

PROVEN_WITHIN: Final = timedelta(hours=1)
"""After that an old answer is not said again by a proof: what was said in between would be lost."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a receipt."""

    event_id: uuid.UUID
    title: str
    is_yes: bool
    words: str
    ask: str
    page: str
    by_signal: bool


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was written, for who sent it."""

    look: Look
    token: str
    at: datetime
    mask: str
    entries: tuple[Entry, ...]
    is_proven: bool
    can_prove: bool
    later: bool
    stops_sharing: bool

    @property
    def has_yes(self) -> bool:
        """Whether something was agreed to."""
        return any(entry.is_yes for entry in self.entries)


def show_receipt(*, key: str, token: str, language: Language, at: datetime) -> Receipt:
    """
    Return what a form wrote. Enters the client's scope itself.

    :raises UnknownKeyError: nobody's key.
    :raises UnknownReceiptError: no receipt of this client, one that is too old, or of somebody erased since.
    """
    door = web.door_of(key)
    with client_scope(agency_id=door.agency_id, client_id=door.client_id):
        client = web.client_of(door)
        events, later = _events_of(client, token, at)
        opened = ledger.evidence_of(client=client, events=events, at=at)
        if not opened:
            raise UnknownReceiptError
        number = _number_of(client, events[0])
        is_proven = all(event.strength == Strength.A for event in events)
        return Receipt(
            look=web.look_of(client, key),
            token=token,
            at=events[0].happened_at,
            mask=phone.mask(number) if number else phone.DOTS,
            entries=tuple(
                _entry(event, opened[event.pk], language) for event in events if event.pk in opened
            ),
            is_proven=is_proven,
            can_prove=(
                not is_proven
                and number is not None
                and at - events[0].recorded_at < PROVEN_WITHIN
                and codes.can_send(client, at=at)
            ),
            later=later,
            stops_sharing=any(
                event.purpose == Purpose.SHARE and event.kind == EventKind.WITHDRAWN for event in events
            ),
        )


def _events_of(client: Client, token: str, at: datetime) -> tuple[list[ConsentEvent], bool]:
    event_ids, later = tokens.read_receipt(token, client_id=client.pk, at=at)
    rows = ConsentEvent.objects.for_client(client).filter(pk__in=event_ids)
    order = {purpose.value: place for place, purpose in enumerate(words.ORDER)}
    events = sorted(rows, key=lambda event: (order[event.purpose], event.channel))
    if not events:
        raise UnknownReceiptError
    return events, later


def _fresh_events_of(client: Client, token: str, at: datetime) -> list[ConsentEvent]:
    """Those of a receipt that may still be proven."""
    events, _ = _events_of(client, token, at)
    if at - events[0].recorded_at >= PROVEN_WITHIN:
        raise UnknownReceiptError
    return events


def _entry(event: ConsentEvent, evidence: Mapping[str, Any], language: Language) -> Entry:
    about = words.ABOUT[language][Purpose(event.purpose)]
    return Entry(
        event_id=event.pk,
        title=about.title,
        is_yes=evidence.get("said") == "yes",
        words=str(evidence.get("words", "")),
        ask=str(evidence["ask"]) if evidence.get("said") == "yes" else about.stops,
        page=str(evidence.get("page", "")),
        by_signal=event.channel == Channel.GPC,
    )


def _number_of(client: Client, event: ConsentEvent) -> str | None:
    """The number behind an event, for a code to be sent there; None where they were erased, or it does not open."""
    return (event.caller_id and number_of(client, event.caller_id)) or None


def start_proof(*, key: str, token: str, challenge: str, language: Language, at: datetime) -> codes.Sending:
    """
    Send a code to the phone of a receipt, and return what the page needs. Enters the client's scope itself.

    :param challenge: of the codes that the page requested before, if any.
    :raises UnknownKeyError: nobody's key.
    :raises UnknownReceiptError: no receipt of this client, or one too old to be proven.
    """
    door = web.door_of(key)
    with client_scope(agency_id=door.agency_id, client_id=door.client_id):
        client = web.client_of(door)
        events = _fresh_events_of(client, token, at)
        number = _number_of(client, events[0])
    if number is None:
        raise UnknownReceiptError
    earlier: list[uuid.UUID] = []
    with contextlib.suppress(codes.StaleChallengeError):
        earlier = codes.open_challenge(client=client, challenge=challenge, at=at)[1]
    return codes.send_code(client=client, number=number, language=language, at=at, earlier=earlier)


def finish_proof(*, key: str, token: str, challenge: str, code: str, visit: Visit, at: datetime) -> str:
    """
    Write what a receipt holds once more, now by the proven phone; returns the token of the new receipt.

    A yes to sharing after a no stays open: it is asked for twice, among the person's choices. Enters the client's
    scope itself.

    :raises UnknownKeyError: nobody's key.
    :raises UnknownReceiptError: no receipt of this client, too old to be proven, or of another number.
    :raises WrongCodeError: the phone is not proven.
    :raises StaleChallengeError: the page is too old.
    """
    door = web.door_of(key)
    with client_scope(agency_id=door.agency_id, client_id=door.client_id):
        client = web.client_of(door)
    proven = codes.check_code(client=client, challenge=challenge, code=code, at=at)

    def deed() -> str:
        with client_scope(agency_id=door.agency_id, client_id=door.client_id):
            events = _fresh_events_of(client, token, at)
            if any(event.caller_id != proven.caller_id for event in events):
                raise UnknownReceiptError
            opened = ledger.evidence_of(client=client, events=events, at=at)
            held = {Purpose.SHARE.value} & ledger.noes_of(client, proven.caller_id, at=at).keys()
            versions = selectors.versions_shown(
                client, {event.version_id for event in events if event.version_id}
            )
            said = [
                _said_again(event, opened[event.pk], versions=versions, proven=proven, visit=visit, at=at)
                for event in events
                if event.pk in opened
                and not (event.purpose in held and opened[event.pk].get("said") == "yes")
            ]
            later = len(said) < len(events)
            fresh = web.write(client, said, by=web.BY, at=at)
            event_ids = [event.pk for event in fresh or events]
            return tokens.sign_receipt(client.pk, event_ids, at=at, later=later)

    return again.insist(deed)


def _said_again(
    event: ConsentEvent,
    evidence: Mapping[str, Any],
    *,
    versions: Mapping[uuid.UUID, NoticeVersion],
    proven: Proven,
    visit: Visit,
    at: datetime,
) -> Said:
    """The same fact, said by who holds the phone."""
    purpose, source = Purpose(event.purpose), f"proof {proven.code_id}"
    version = versions.get(event.version_id) if event.version_id else None
    if evidence.get("said") == "yes" and version is not None:
        return web.agreement(
            purpose,
            version,
            proven.caller_id,
            source=source,
            visit=visit,
            at=at,
            strength=Strength.A,
            proves=str(event.pk),
            code=str(proven.code_id),
        )
    return Said(
        purpose=purpose,
        kind=EventKind.WITHDRAWN,
        channel=Channel(event.channel),
        strength=Strength.A,
        happened_at=at,
        source=source,
        caller_id=proven.caller_id,
        evidence={**evidence, "proves": str(event.pk), "code": str(proven.code_id)},
    )
