"""A code on the phone or by mail, by which somebody proves a number or an address today."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from callprivacy.tenancy.models import Agency, Client
from consent.enums import CodeWay, Language
from consent.services import codes
from consent.services.codes import NotNow
from rights.channels.links import Named
from rights.enums import IdentityKind, ProofKind
from rights.models import Identity, Proof, Submission
from rights.selectors import openers, words
from rights.services import house_codes
from rights.services.proofs.settling import CODED, CODES, add, scope_of, settle, submission_of

FRESH_FOR: Final = timedelta(minutes=30)
"""How long the proof that a package needs counts as fresh."""


class NotOfThisRequestError(LookupError):
    """The request has no such identity, or it needs no such proof."""


@dataclass(frozen=True, slots=True, repr=False)
class _Phone:
    """A number, or a mail address, that a code goes to, and in whose name."""

    agency: Agency
    client: Client | None
    number: str
    is_mail: bool


def _phone_of(named: Named, identity_id: uuid.UUID) -> _Phone:
    with scope_of(named):
        submission = submission_of(named)
        row = _identity(submission, identity_id)
        if row.kind == IdentityKind.WITHHELD:
            number = _opens_by_mail(submission, row)
        else:
            number = words.text(row.value, words.key_of(submission))
    if not number:
        raise NotOfThisRequestError
    return _Phone(submission.agency, submission.client, number, row.kind != IdentityKind.PHONE)


def _opens_by_mail(submission: Submission, row: Identity) -> str:
    """Where a code goes that opens the package for a withheld call; "" where none does."""
    found = [one.mail for one in openers.openers_of(submission) if one.identity.pk == row.pk]
    return found[0] if found else ""


def _identity(submission: Submission, identity_id: uuid.UUID) -> Identity:
    row = Identity.objects.filter(submission=submission, pk=identity_id).first()
    if row is None:
        raise NotOfThisRequestError
    return row


def can_send(submission: Submission, *, at: datetime) -> bool:
    """Whether codes reach phones in the name of who was asked. Inside its scope."""
    if submission.client is None:
        return house_codes.can_send()
    return codes.can_send(submission.client, at=at)


def send_code(
    *, named: Named, identity_id: uuid.UUID, language: Language, way: CodeWay, at: datetime
) -> NotNow | None:
    """
    Send a code to a number of a request, where its limits allow one more; returns why none goes out, where they do not.

    Called outside any scope.

    :raises UnknownLinkError: the request is gone.
    :raises NotOfThisRequestError: it has no such number.
    """
    to = _phone_of(named, identity_id)
    if to.is_mail:
        name = to.agency.name if to.client is None else to.client.name
        return house_codes.mail_code(agency=to.agency, name=name, address=to.number, language=language, at=at)
    if to.client is None:
        return house_codes.send_code(agency=to.agency, number=to.number, language=language, way=way, at=at)
    return codes.send_code(client=to.client, number=to.number, language=language, way=way, at=at).not_now


def prove_phone(*, named: Named, identity_id: uuid.UUID, code: str, way: CodeWay, at: datetime) -> uuid.UUID:
    """
    Prove that who asks holds a number today, by its newest code; returns the id of the proof.

    Called outside any scope: a try counts whether or not it was right.

    :raises UnknownLinkError: the request is gone. :raises NotOfThisRequestError: it has no such number.
    :raises WrongCodeError: the number is not proven.
    """
    to = _phone_of(named, identity_id)
    if to.is_mail:
        house_codes.check_number(agency=to.agency, number=to.number, code=code, at=at, what=house_codes.MAIL)
    elif to.client is None:
        house_codes.check_number(agency=to.agency, number=to.number, code=code, at=at)
    else:
        codes.check_number(client=to.client, number=to.number, code=code, at=at)
    with scope_of(named):
        submission = submission_of(named)
        row = _identity(submission, identity_id)
        kind = ProofKind.MAIL_CODE if to.is_mail else CODES[way]
        proof = add(submission, kind, holds=True, at=at, identity=row)
        settle(submission, at=at)
    return proof.pk


def fresh_proof(
    submission: Submission, proof_id: uuid.UUID, *, before: datetime, at: datetime
) -> Proof | None:
    """
    A code of a moment ago for what opens the package of this request (`openers`), which is what a download asks for.

    :param before: it had been proven by then, so that what was put together is about it.
    """
    return Proof.objects.filter(
        submission=submission,
        pk=proof_id,
        kind__in=CODED,
        holds=True,
        at__gt=at - FRESH_FOR,
        identity__in=[one.identity.pk for one in openers.openers_of(submission)],
        identity__proven_at__lte=before,
    ).first()
