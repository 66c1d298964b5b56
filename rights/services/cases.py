"""
Cases: what a person asked for, from the day it came in to the day it was answered.

A submission is what one person sent in at once; each thing asked for is a case of its own, with its own laws and clock.
What the person refuses takes effect at once, before anybody looks at it.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction

from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Answerer, PartyRole
from callprivacy.tenancy.models import Agency, Client, Engagement
from callprivacy.vault.sealing import Key
from rights.enums import Ask, CaseState, Channel, EventKind, IdentityKind, OnBehalf
from rights.models import Case, Identity, Submission
from rights.selectors import clocks
from rights.services import sealing, timeline

_SIGNS: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


class NothingAskedError(ValueError):
    """A submission asks for nothing, or nobody is named in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Where the answer goes; what is empty was not said. `post` is an address in lines."""

    name: str = ""
    mail: str = ""
    phone: str = ""
    post: str = ""

    def as_json(self) -> dict[str, str]:
        """Without what was not said."""
        found = {"name": self.name, "mail": self.mail, "phone": self.phone, "post": self.post}
        return {name: value for name, value in found.items() if value}


@dataclass(frozen=True, slots=True)
class Claim:
    """
    One identity that a person claims.

    :ivar value: a number in E.164; an address in lower case; of a withheld call JSON {"at", "minutes", "business"}.
    """

    kind: IdentityKind
    value: str


@transaction.atomic
def open_cases(
    *,
    agency: Agency,
    client: Client | None,
    asks: Collection[Ask],
    channel: Channel,
    claims: Sequence[Claim],
    contact: Contact,
    received_at: datetime,
    by: Actor,
    at: datetime,
    words: str = "",
    on_behalf: OnBehalf = OnBehalf.SELF,
    is_minor: bool = False,
    place: clocks.Where = ("", ""),
    language: str = "en",
) -> Submission:
    """
    Open a case for each thing that a person asks for, and start the clocks.

    :param client: whom it was sent to; None, the agency itself.
    :param claims: by what the person says who they are; each is proven on its own (`Identity`).
    :param received_at: when it first came in anywhere; the clock runs from then.
    :param place: (country, region) as the person said it; ("", "") where not, then the first number's country counts.
    :returns: the submission; `submission.cases.all()` are its cases, in the order of `Ask`.
    :raises NothingAskedError: nothing is asked for, or no identity is claimed.
    """
    if not asks or not claims:
        raise NothingAskedError("Say what is asked for, and by which number or address.")
    place_by = "said" if place[0] else ""
    if not place_by and (number := _first_number(claims)):
        place, place_by = clocks.place_of_number(number), "area_code"
    submission = Submission(
        agency=agency,
        client=client,
        channel=channel,
        on_behalf=on_behalf,
        is_minor=is_minor,
        language=language,
        country=place[0],
        region=place[1],
        place_by=place_by if place[0] else "",
        received_at=received_at,
        recorded_at=at,
        recorded_by_id=by.user_id,
    )
    key = sealing.key_of(submission=submission, at=at)
    submission.contact = sealing.seal(submission, "contact", contact.as_json(), key)
    if words:
        submission.words = sealing.seal(submission, "words", words, key)
    submission.save(force_insert=True)
    _claim(submission, claims, key, at)
    for ask in sorted(set(asks), key=list(Ask).index):
        _open_case(submission, ask, received_at=received_at, by=by, at=at)
    return submission


def _first_number(claims: Sequence[Claim]) -> str:
    return next((claim.value for claim in claims if claim.kind == IdentityKind.PHONE), "")


def _claim(submission: Submission, claims: Sequence[Claim], key: Key, at: datetime) -> None:
    rows = []
    for claim in dict.fromkeys(claims):
        row = Identity(
            agency_id=submission.agency_id,
            client_id=submission.client_id,
            submission=submission,
            kind=claim.kind,
            claimed_at=at,
        )
        row.value = sealing.seal(row, "value", claim.value, key)
        rows.append(row)
    Identity.objects.bulk_create(rows)


def _open_case(
    submission: Submission,
    ask: Ask,
    *,
    received_at: datetime,
    by: Actor,
    at: datetime,
    appeal_of: Case | None = None,
) -> Case:
    clock = clocks.clock_of(
        agency=submission.agency,
        client=submission.client,
        kind=ask.kind,
        place=(submission.country, submission.region),
        received_at=received_at,
    )
    answerer, role = _who_answers(submission.client, ask)
    case = Case(
        agency_id=submission.agency_id,
        client_id=submission.client_id,
        submission=submission,
        reference=_reference(),
        asks=ask,
        kind=ask.kind,
        channel=submission.channel,
        state=CaseState.PROVING if ask.needs_proof else CaseState.OPEN,
        answerer=answerer,
        role=role,
        appeal_of=appeal_of,
        received_at=received_at,
    )
    set_clock(case, clock)
    case.save(force_insert=True)
    timeline.add_event(
        "case.opened",
        case=case,
        kind=EventKind.OPENED,
        by=by,
        at=at,
        shown=True,
        asks=ask.value,
        channel=submission.channel,
        law=clock.law or None,
        answer_by=clock.answer_by.isoformat(),
    )
    return case


def set_clock(case: Case, clock: clocks.Clock) -> None:
    """Put a clock's days on a case that is not saved by this."""
    case.law = clock.law
    case.laws = [one.as_json() for one in clock.laws]
    case.acknowledge_by, case.acknowledge_due_at = clock.acknowledge_by, clock.acknowledge_due_at
    case.extend_before = clock.extend_before
    case.answer_by, case.answer_due_at = clock.answer_by, clock.answer_due_at


def _who_answers(client: Client | None, ask: Ask) -> tuple[Answerer, PartyRole]:
    """As the engagement says on this day; the agency's own are its own until a client may be named."""
    if client is None:
        return Answerer.AGENCY, PartyRole.CONTROLLER
    found = Engagement.objects.for_client(client).first()
    if found is None:
        return Answerer.AFTER_APPROVAL, PartyRole.PROCESSOR
    roles = {PartyRole(found.measure_as), PartyRole(found.record_as), PartyRole(found.contact_as)}
    if ask is Ask.DO_NOT_CONTACT:
        roles = {PartyRole(found.contact_as)}
    for role in (PartyRole.CONTROLLER, PartyRole.JOINT):
        if role in roles:
            return Answerer(found.answered_by), role
    return Answerer(found.answered_by), PartyRole.PROCESSOR


def _reference() -> str:
    drawn = "".join(secrets.choice(_SIGNS) for _ in range(8))
    return f"R-{drawn[:4]}-{drawn[4:]}"
