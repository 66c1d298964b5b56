"""
Proving who asks: a code on the phone, two facts of a call, a signed declaration, and what shows a right to ask for
somebody else.

A code shows who holds a number today. So what shows calls needs two facts as well, and what is older than twelve
months, or from before the number is known to have changed hands, waits for a person. Each identity is proven on its
own. Nobody who asks learns from an answer whether a number, a day or a business is known here.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.calls.models import Call, TrackingNumber
from callprivacy.lib import phone
from callprivacy.lib.scope import Actor, Scope
from callprivacy.tenancy.models import Agency, Client
from callprivacy.tenancy.scope import client_scope
from callprivacy.vault import files
from callprivacy.vault import selectors as vault
from callprivacy.vault.sealing import SealBrokenError
from consent.enums import CodeWay, EventKind, Language, ListKind
from consent.models import ConsentEvent, NumberList
from consent.selectors.ages import months_after
from consent.services import codes
from consent.services.codes import WrongCodeError
from rights.channels.links import Named, UnknownLinkError
from rights.enums import Ask, IdentityKind, IdentityState, OnBehalf, ProofKind
from rights.models import Case, Identity, Proof, Submission
from rights.selectors import words
from rights.selectors.casebook import mask_mail
from rights.services import cases, house_codes, sealing

__all__ = ["WrongCodeError"]

BY: Final = Actor.client("rights.portal")
SHOWN_FOR_MONTHS: Final = 12
FRESH_FOR: Final = timedelta(minutes=30)
"""How long the proof that a package needs counts as fresh."""
PERMISSION_AT_MOST: Final = 5 * 1024 * 1024
_CODES: Final = {CodeWay.TEXT: ProofKind.TEXT_CODE, CodeWay.CALL: ProofKind.CALL_CODE}
_CODED: Final = (*_CODES.values(), ProofKind.MAIL_CODE)
_EVIDENCE: Final = {OnBehalf.AGENT: ProofKind.PERMISSION, OnBehalf.GUARDIAN: ProofKind.GUARDIAN}
_SHORTEST_NAME: Final = 3
_SIGNS: Final = re.compile(r"[^0-9a-z]+")


class NotOfThisRequestError(LookupError):
    """The request has no such identity, or it needs no such proof."""


class FutureDayError(ValueError):
    """A call on a day that has not come."""


class NoPaperError(LookupError):
    """Nothing was handed in, or it does not open any more."""


class NothingOlderError(ValueError):
    """The identity is not proven, or all calls since that instant are shown already."""


@dataclass(frozen=True, slots=True)
class Steps:
    """
    What a request needs of the person; None where it does not need it, else whether it is done.

    :ivar phones: (identity id, done) for each number and each mail address. :ivar facts: for all numbers together.
    """

    phones: tuple[tuple[uuid.UUID, bool], ...]
    facts: bool | None
    declaration: bool | None
    evidence: bool | None

    @property
    def is_done(self) -> bool:
        """Whether the person has done everything."""
        rest = (self.facts, self.declaration, self.evidence)
        return all(done for _, done in self.phones) and False not in rest


def scope_of(named: Named) -> AbstractContextManager[Scope]:
    """The scope that a personal page works in: the client's, or that of client 0 for the agency's own."""
    return client_scope(agency_id=named.agency_id, client_id=named.client_id)


def submission_of(named: Named) -> Submission:
    """
    The request that a link names, inside its scope.

    :raises UnknownLinkError: it is gone.
    """
    rows = Submission.objects.select_related("agency", "client__agency").filter(pk=named.submission_id)
    rows = rows.filter(client_id=named.client_id) if named.client_id else rows.filter(client__isnull=True)
    found = rows.first()
    if found is None:
        raise UnknownLinkError
    return found


# --- What is needed -------------------------------------------------------------------------------------------------


def needs(submission: Submission, asked: Sequence[Case], identities: Sequence[Identity]) -> Steps:
    """What a request needs of the person; one query."""
    proofs = list(Proof.objects.filter(submission=submission))
    proven = {row.identity_id for row in proofs if row.kind in _CODED and row.holds}
    kinds = {row.kind for row in proofs}
    coded = [row for row in identities if row.kind in {IdentityKind.PHONE, IdentityKind.EMAIL}]
    phones = [row for row in coded if row.kind == IdentityKind.PHONE]
    wants = any(Ask(case.asks).needs_proof for case in _open(asked))
    more = any(Ask(case.asks).needs_more for case in _open(asked))
    evidence = _EVIDENCE.get(OnBehalf(submission.on_behalf))
    return Steps(
        phones=tuple((row.pk, row.pk in proven) for row in coded) if wants else (),
        facts=(ProofKind.FACTS in kinds) if more and phones else None,
        declaration=(ProofKind.DECLARATION in kinds) if more else None,
        evidence=(evidence in kinds) if evidence is not None and wants else None,
    )


def _open(asked: Sequence[Case]) -> list[Case]:
    return [case for case in asked if case.closed_at is None]


# --- The code -------------------------------------------------------------------------------------------------------


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
        if row.kind not in {IdentityKind.PHONE, IdentityKind.EMAIL}:
            raise NotOfThisRequestError
        number = words.text(row.value, words.key_of(submission))
    if not number:
        raise NotOfThisRequestError
    return _Phone(submission.agency, submission.client, number, row.kind == IdentityKind.EMAIL)


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
) -> None:
    """
    Send a code to a number of a request, where its limits allow one more; nobody is told whether they did.

    Called outside any scope.

    :raises UnknownLinkError: the request is gone.
    :raises NotOfThisRequestError: it has no such number.
    """
    to = _phone_of(named, identity_id)
    if to.is_mail:
        name = to.agency.name if to.client is None else to.client.name
        house_codes.mail_code(agency=to.agency, name=name, address=to.number, language=language, at=at)
    elif to.client is None:
        house_codes.send_code(agency=to.agency, number=to.number, language=language, way=way, at=at)
    else:
        codes.send_code(client=to.client, number=to.number, language=language, way=way, at=at)


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
        kind = ProofKind.MAIL_CODE if to.is_mail else _CODES[way]
        proof = _add(submission, kind, holds=True, at=at, identity=row)
        _settle(submission, at=at)
    return proof.pk


def fresh_proof(
    submission: Submission, proof_id: uuid.UUID, *, before: datetime, at: datetime
) -> Proof | None:
    """
    A code that proved a number of this request a moment ago, which is what a download asks for; of a request without a
    number that is proven, one that proved its mail address.

    :param before: the number had been proven by then, so that what was put together is about it.
    """
    phones = Identity.objects.filter(
        submission=submission, kind=IdentityKind.PHONE, state=IdentityState.PROVEN
    )
    return Proof.objects.filter(
        submission=submission,
        pk=proof_id,
        kind__in=list(_CODES.values() if phones.exists() else _CODED),
        holds=True,
        at__gt=at - FRESH_FOR,
        identity__state=IdentityState.PROVEN,
        identity__proven_at__lte=before,
    ).first()


def _add(
    submission: Submission,
    kind: ProofKind,
    *,
    holds: bool,
    at: datetime,
    identity: Identity | None = None,
    said: dict[str, object] | None = None,
    file_key: uuid.UUID | None = None,
    file_type: str = "",
    by: Actor = BY,
) -> Proof:
    row = Proof(
        agency_id=submission.agency_id,
        client_id=submission.client_id,
        submission=submission,
        identity=identity,
        kind=kind,
        holds=holds,
        file_key=file_key,
        file_type=file_type,
        at=at,
        user_id=by.user_id,
        by=by.name,
    )
    if said is not None:
        row.evidence = sealing.seal(row, "evidence", said, sealing.key_of(submission=submission, at=at))
    row.save(force_insert=True)
    audit.record("proof.added", subject=row, by=by, at=at, kind=kind.value, holds=holds)
    return row


# --- Facts, declaration, evidence -----------------------------------------------------------------------------------


def say_facts(*, named: Named, day: date, business: str, at: datetime) -> None:
    """
    Keep two facts of a call as the person said them, and whether they fit. Enters the scope itself.

    What was said on the agency's own page is checked later, by the job that may look at all clients (`facts`).

    :raises UnknownLinkError: the request is gone. :raises FutureDayError: the day has not come anywhere.
    """
    if day > (at + timedelta(hours=14)).date():
        raise FutureDayError
    with scope_of(named):
        submission = submission_of(named)
        fits = None if submission.client is None else _fits(submission, submission.client, day, business)
        said: dict[str, object] = {"day": day.isoformat(), "business": business, "fits": fits}
        _add(submission, ProofKind.FACTS, holds=bool(fits), at=at, said=said)
        _settle(submission, at=at)


def _fits(submission: Submission, client: Client, day: date, business: str) -> bool:
    """Whether a number of the request had a call with that business of the client on that day of the client's."""
    key = words.key_of(submission)
    rows = Identity.objects.filter(submission=submission, kind=IdentityKind.PHONE)
    callers = [
        found
        for row in rows
        if (found := vault.find_callers([client.pk], words.text(row.value, key)).get(client.pk))
    ]
    return fits_call(client, callers, day, business)


def fits_call(client: Client, callers: Sequence[uuid.UUID], day: date, business: str) -> bool:
    """Whether one of these callers had a call with that business of the client on that day of the client's."""
    start = datetime.combine(day, time.min, tzinfo=ZoneInfo(client.time_zone))
    calls = (
        Call.objects.for_client(client)
        .filter(caller_id__in=callers)
        .started_from(start)
        .started_before(start + timedelta(days=1))
    )
    numbers = TrackingNumber.objects.for_client(client).filter(
        pk__in=calls.exclude(tracking_number=None).values("tracking_number_id")
    )
    if not calls.exists():
        return False
    names = [client.name, client.legal_name]
    lines = []
    for number in numbers:
        names += [number.label, number.target_site]
        lines.append(number.number)
    return is_named(business, names, lines)


def is_named(said: str, names: Collection[str], numbers: Collection[str]) -> bool:
    """Whether a person names a business by one of its names, or a part of one of four letters, or by a number."""
    words_said = _SIGNS.sub(" ", said.casefold()).split()
    digits = "".join(sign for sign in said if sign.isdigit())
    if len(digits) >= 7 and any(number.endswith(digits[-10:]) for number in numbers):
        return True
    told = " ".join(words_said)
    for name in filter(None, names):
        known = _SIGNS.sub(" ", name.casefold()).split()
        if told and told == " ".join(known):
            return True
        if {word for word in words_said if len(word) > 3} & {word for word in known if len(word) > 3}:
            return True
    return False


def declare(*, named: Named, name: str, declaration: str, language: Language, at: datetime) -> None:
    """
    Keep a declaration with the name that was signed. Enters the scope itself.

    :param declaration: the words as they stood there.
    :raises UnknownLinkError: the request is gone. :raises ValueError: no name.
    """
    signed = " ".join(name.split())
    if len(signed) < _SHORTEST_NAME:
        raise ValueError("Nobody signed it.")
    with scope_of(named):
        submission = submission_of(named)
        said: dict[str, object] = {"words": declaration, "name": signed, "language": language.value}
        _add(submission, ProofKind.DECLARATION, holds=True, at=at, said=said)
        _settle(submission, at=at)


def hand_in(*, named: Named, file_key: uuid.UUID, file_type: str, digest: bytes, at: datetime) -> None:
    """
    Keep a sealed file that shows a right to ask for somebody else; a person looks at it. Enters the scope itself.

    :param file_key: of `callprivacy.vault.files`, of the request's holder.
    :raises UnknownLinkError: the request is gone.
    :raises NotOfThisRequestError: it is made for oneself, or has such a file already.
    """
    with scope_of(named):
        submission = submission_of(named)
        kind = _EVIDENCE.get(OnBehalf(submission.on_behalf))
        if kind is None or Proof.objects.filter(submission=submission, kind=kind).exists():
            raise NotOfThisRequestError
        said: dict[str, object] = {"sha256": digest.hex()}
        _add(submission, kind, holds=False, at=at, said=said, file_key=file_key, file_type=file_type)
        _settle(submission, at=at)


# --- Facts that a job checks ----------------------------------------------------------------------------------------


def unchecked_facts(submission: Submission) -> tuple[date, str] | None:
    """The day and the business that were said to the agency and that nobody has held against calls; None: none are."""
    if submission.client_id is not None or not coded_ids(submission):
        return None
    rows = Proof.objects.filter(submission=submission, kind=ProofKind.FACTS).order_by("-at", "-pk")
    key = words.key_of(submission)
    told = [words.record(row.evidence, key) for row in rows]
    if not told or "day" not in told[0] or any(one.get("fits") is not None for one in told):
        return None
    return date.fromisoformat(str(told[0]["day"])), str(told[0]["business"])


def coded_ids(submission: Submission) -> list[uuid.UUID]:
    """The identities of a request that a code has proven."""
    rows = Proof.objects.filter(submission=submission, kind__in=list(_CODED), holds=True)
    return [row.identity_id for row in rows if row.identity_id is not None]


@transaction.atomic
def note_checked(*, submission: Submission, holds: bool, by: Actor, at: datetime) -> None:
    """Add what the check of facts has shown, and say of each identity what follows. In a scope that may write them."""
    _add(submission, ProofKind.FACTS, holds=holds, at=at, said={"fits": holds, "checked": "by a job"}, by=by)
    _settle(submission, at=at)


# --- What comes of it -----------------------------------------------------------------------------------------------


def _settle(submission: Submission, *, at: datetime) -> None:
    """
    Say of each identity what its proofs say; once the person has done everything.

    What a machine cannot judge, a permission, a guardian's paper, facts that do not fit, a withheld call, is doubtful:
    a person looks at it.
    """
    # Two proofs at the same moment take turns, so that the second sees the first.
    Submission.objects.select_for_update(of=("self",)).get(pk=submission.pk)
    asked = list(Case.objects.filter(submission=submission))
    identities = list(Identity.objects.filter(submission=submission))
    steps = needs(submission, asked, identities)
    if False in (steps.facts, steps.declaration, steps.evidence):
        return
    if steps.facts is not None and unchecked_facts(submission) is not None:
        # The job that checks them says what follows; until then nobody has to look.
        Submission.objects.filter(pk=submission.pk).update(search_due_at=at, searched_at=None)
        return
    facts = Proof.objects.filter(submission=submission, kind=ProofKind.FACTS)
    is_sure = steps.evidence is None and (steps.facts is None or facts.filter(holds=True).exists())
    coded = [pk for pk, is_done in steps.phones if is_done]
    ready = [row for row in identities if row.pk in coded and row.state == IdentityState.CLAIMED]
    for row in ready:
        if is_sure:
            _prove(submission, row, by=BY, at=at)
        else:
            Identity.objects.filter(pk=row.pk).update(state=IdentityState.DOUBTFUL)
    if ready and is_sure:
        _go_on(submission, by=BY, at=at)


def _go_on(submission: Submission, *, by: Actor, at: datetime) -> None:
    """Let cases go on, and have what there is of a number looked for that was proven just now."""
    cases.note_proven(submission=submission, by=by, at=at)
    Submission.objects.filter(pk=submission.pk).update(search_due_at=at, searched_at=None)


def _prove(submission: Submission, row: Identity, *, by: Actor, at: datetime) -> None:
    number = words.text(row.value, words.key_of(submission))
    row.state, row.proven_at = IdentityState.PROVEN, at
    is_number = row.kind == IdentityKind.PHONE
    row.from_at = shown_from(submission, number, at=at) if is_number else months_after(at, -SHOWN_FOR_MONTHS)
    if submission.client_id is not None and row.kind == IdentityKind.PHONE:
        row.caller_id = vault.find_callers([submission.client_id], number).get(submission.client_id)
    row.save(update_fields=["state", "proven_at", "from_at", "caller_id"])
    audit.record("identity.proven", subject=row, by=by, at=at, kind=row.kind)


def shown_from(submission: Submission, number: str, *, at: datetime) -> datetime:
    """
    Since when calls are this person's, as far as a code can show: twelve months at most, and never from before the
    number was, as far as anybody knows, disconnected.
    """
    since = months_after(at, -SHOWN_FOR_MONTHS)
    agency_id = submission.agency_id
    lists = NumberList.objects.filter(agency_id=agency_id, kind=ListKind.REASSIGNED, is_active=True)
    ids = list(lists.values_list("pk", flat=True))
    if ids:
        on = vault.listed_numbers(vault.client_keys(-agency_id), ids, [number]).get(number, [])
        days = [day for _, day in on if day is not None]
        since = max([since, *(datetime.combine(day, time.min, tzinfo=at.tzinfo) for day in days)])
    if submission.client_id is not None:
        caller_id = vault.find_callers([submission.client_id], number).get(submission.client_id)
        ended = ConsentEvent.objects.filter(
            client_id=submission.client_id, caller_id=caller_id, kind=EventKind.INVALIDATED
        )
        newest = ended.order_by("-happened_at").values_list("happened_at", flat=True).first()
        since = max(since, newest) if caller_id is not None and newest is not None else since
    return since


# --- What a person judges -------------------------------------------------------------------------------------------


@transaction.atomic
def judge(*, identity: Identity, holds: bool, seen: str, by: Actor, at: datetime) -> None:
    """
    Say of an identity that a person has looked at whether it is proven. In the scope of who may.

    :param seen: what the person saw, in a sentence; sealed.
    :raises ValueError: nothing is said of what was seen.
    """
    if not seen.strip():
        raise ValueError("Say what you saw.")
    submission = identity.submission
    _add(
        submission,
        ProofKind.DOCUMENT,
        holds=holds,
        at=at,
        identity=identity,
        said={"seen": seen.strip()},
        by=by,
    )
    identity.looked_by_id, identity.looked_at = by.user_id, at
    identity.save(update_fields=["looked_by", "looked_at"])
    if holds:
        _prove(submission, identity, by=by, at=at)
        _go_on(submission, by=by, at=at)
    else:
        Identity.objects.filter(pk=identity.pk).update(state=IdentityState.REFUSED)
        audit.record("identity.refused", subject=identity, by=by, at=at, kind=identity.kind)


@transaction.atomic
def show_older(*, identity: Identity, since: datetime, seen: str, by: Actor, at: datetime) -> None:
    """
    Let calls since an earlier instant be shown too, because a person looked at whose they are.

    :param seen: what shows that they are this person's, in a sentence; sealed.
    :raises ValueError: nothing is said of what was seen.
    :raises NothingOlderError: it is not proven, or hides nothing that began at `since` or later.
    """
    if not seen.strip():
        raise ValueError("Say what you saw.")
    rows = Identity.objects.filter(pk=identity.pk, state=IdentityState.PROVEN, from_at__gt=since)
    if not rows.update(from_at=since, looked_by_id=by.user_id, looked_at=at):
        raise NothingOlderError("Calls since that day are shown already.")
    _add(
        identity.submission,
        ProofKind.DOCUMENT,
        holds=True,
        at=at,
        identity=identity,
        said={"seen": seen.strip(), "shows calls since": since.date().isoformat()},
        by=by,
    )
    audit.record("identity.reaches_back", subject=identity, by=by, at=at, since=since.isoformat())


@transaction.atomic
def open_paper(*, submission: Submission, by: Actor, at: datetime) -> tuple[bytes, str]:
    """
    Open what was handed in to show a right to ask for somebody else, once it is written down who does; its type, too.

    In the scope of who may see the request. The file has `PERMISSION_AT_MOST` bytes at most.

    :raises NoPaperError: nothing was handed in, or it does not open any more.
    """
    rows = Proof.objects.filter(submission=submission, file_key__isnull=False)
    row = rows.order_by("-at", "-pk").first()
    if row is None or row.file_key is None:
        raise NoPaperError("Nothing was handed in.")
    audit.record("proof.opened", subject=row, by=by, at=at, kind=row.kind)
    try:
        with files.open(submission.holder_id, row.file_key) as stream:
            return stream.read(), row.file_type
    except (FileNotFoundError, SealBrokenError):
        raise NoPaperError(
            "What was handed in does not open any more. Ask the person for it again."
        ) from None


def mask_of(row: Identity, submission: Submission) -> str:
    """A number or a mail address as the personal page shows it; "" where it is none. Inside the scope."""
    if row.kind == IdentityKind.EMAIL:
        return mask_mail(words.text(row.value, words.key_of(submission)))
    if row.kind != IdentityKind.PHONE:
        return ""
    return phone.mask(words.text(row.value, words.key_of(submission)))
