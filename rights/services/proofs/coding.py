"""A code on the phone or by mail, by which somebody proves a number or an address today."""

import base64
import binascii
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from callprivacy.tenancy.models import Agency, Client
from callprivacy.vault.sealing import Place, SealBrokenError
from consent.enums import CodeWay, Language
from consent.services import codes
from consent.services.codes import Sending
from rights.channels.links import Named
from rights.enums import IdentityKind, ProofKind
from rights.models import Identity, Proof, Submission
from rights.selectors import openers, words
from rights.services import house_codes, sealing
from rights.services.proofs.settling import CODED, CODES, add, scope_of, settle, submission_of

FRESH_FOR: Final = timedelta(minutes=30)
"""How long the proof that a package needs counts as fresh."""


class NotOfThisRequestError(LookupError):
    """The request has no such identity, or it needs no such proof."""


@dataclass(frozen=True, slots=True, repr=False)
class _Phone:
    """
    A number, or a mail address, that a code goes to, and in whose name.

    :ivar code_ids: the codes that the page requested for it.
    """

    agency: Agency
    client: Client | None
    number: str
    is_mail: bool
    code_ids: list[uuid.UUID]


def _phone_of(named: Named, identity_id: uuid.UUID, challenge: str) -> _Phone:
    with scope_of(named):
        submission = submission_of(named)
        row = _identity(submission, identity_id)
        if row.kind == IdentityKind.WITHHELD:
            number = _opens_by_mail(submission, row)
        else:
            number = words.text(row.value, words.key_of(submission))
        code_ids = _opened(submission, row.pk, challenge)
    if not number:
        raise NotOfThisRequestError
    return _Phone(submission.agency, submission.client, number, row.kind != IdentityKind.PHONE, code_ids)


def _challenge(
    submission: Submission, identity_id: uuid.UUID, code_ids: Sequence[uuid.UUID], *, at: datetime
) -> str:
    """The codes that a page requested for an identity, for that page to bring back; they count nowhere else."""
    key = sealing.key_of(submission=submission, at=at)
    plain = b"".join(code_id.bytes for code_id in code_ids)
    return base64.urlsafe_b64encode(key.seal(plain, _place(submission, identity_id))).decode()


def _opened(submission: Submission, identity_id: uuid.UUID, challenge: str) -> list[uuid.UUID]:
    """The codes of a challenge; none where it is none of ours, or another identity's."""
    key = words.key_of(submission)
    if key is None:
        return []
    try:
        plain = key.unseal(base64.urlsafe_b64decode(challenge.encode()), _place(submission, identity_id))
    except (SealBrokenError, binascii.Error, ValueError):
        return []
    return [uuid.UUID(bytes=plain[start : start + 16]) for start in range(0, len(plain), 16)]


def _place(submission: Submission, identity_id: uuid.UUID) -> Place:
    return Place(submission.holder_id, Identity._meta.db_table, "challenge", identity_id)


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
    *,
    named: Named,
    identity_id: uuid.UUID,
    challenge: str,
    language: Language,
    way: CodeWay,
    at: datetime,
) -> Sending:
    """
    Send a code to a number of a request, where its limits allow one more; says why none goes out, where they do not.

    Called outside any scope.

    :param challenge: of the codes that the page requested before, if any.

    :raises UnknownLinkError: the request is gone.
    :raises NotOfThisRequestError: it has no such number.
    """
    to = _phone_of(named, identity_id, challenge)
    earlier = to.code_ids
    if to.is_mail:
        name = to.agency.name if to.client is None else to.client.name
        sending = house_codes.mail_code(
            agency=to.agency, name=name, address=to.number, language=language, at=at, earlier=earlier
        )
    elif to.client is None:
        sending = house_codes.send_code(
            agency=to.agency, number=to.number, language=language, way=way, at=at, earlier=earlier
        )
    else:
        sending = codes.send_code(
            client=to.client, number=to.number, language=language, way=way, at=at, earlier=earlier
        )
    with scope_of(named):
        submission = submission_of(named)
        sealed = _challenge(submission, identity_id, sending.code_ids, at=at)
    return replace(sending, challenge=sealed)


def prove_phone(
    *, named: Named, identity_id: uuid.UUID, challenge: str, code: str, way: CodeWay, at: datetime
) -> uuid.UUID:
    """
    Prove that who asks holds a number today, by the newest code that the page requested; returns the id of the proof.

    Called outside any scope: a try counts whether or not it was right.

    :raises UnknownLinkError: the request is gone. :raises NotOfThisRequestError: it has no such number.
    :raises WrongCodeError: the number is not proven.
    """
    to = _phone_of(named, identity_id, challenge)
    if to.client is None or to.is_mail:
        what = house_codes.MAIL if to.is_mail else house_codes.PHONE
        house_codes.check_number(
            agency=to.agency, number=to.number, code=code, code_ids=to.code_ids, at=at, what=what
        )
    else:
        codes.check_number(client=to.client, number=to.number, code=code, code_ids=to.code_ids, at=at)
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
