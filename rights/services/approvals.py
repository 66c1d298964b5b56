"""
The client's word on a case: a link that works for one answer, without an account and without a number on its page.

The clock runs from the first receipt whatever time it takes. The link's digest alone stands in the directory of public
keys; the link itself is sealed with what was asked until it is answered, so that its mail can be sent again.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import transaction

from callprivacy.accounts import access
from callprivacy.accounts.enums import CLIENT_SIDE
from callprivacy.accounts.models import Membership
from callprivacy.lib import calendars
from callprivacy.lib.logs import logger
from callprivacy.lib.redact import redact
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.enums import KeyPurpose, Permission
from callprivacy.tenancy.models import PublicKey
from callprivacy.tenancy.scope import client_scope, job_scope
from callprivacy.vault.sealing import SealBrokenError
from callprivacy.work import services as work
from consent.enums import Language
from rights import kinds, letters
from rights.enums import ApprovalKind, ApprovalState, Ask, CaseState, Copies, EventKind, IdentityState
from rights.letters import Filled
from rights.letters.words import UNTIL_THEN
from rights.models import Approval, Case, Identity
from rights.selectors import letters as letter_selectors
from rights.selectors import words
from rights.services import sealing, timeline

log = logger(__name__)

GOOD_FOR: Final = timedelta(days=14)
KEPT_FOR: Final = timedelta(days=30)
"""How long the link still shows its receipt after it expired."""
MAIL_AGAIN_AFTER: Final = timedelta(minutes=10)
_LOOKED_AT: Final = 20
"""Earlier answers of a client that are asked for their addresses."""
LATELY: Final = timedelta(days=2)
BY_LINK: Final = Actor.client("approval")
JOB: Final = Actor.job("rights.ask_clients")
_LETTERS: Final = {ApprovalKind.APPROVE: "approval_wanted", ApprovalKind.TAKE_OVER: "client_handover"}


class NotToAskError(ValueError):
    """The case is the agency's own, closed, or a question to the client is open already."""


class UnknownAddressError(ValueError):
    """Nobody at the client is known by this mail address."""


class UnknownLinkError(LookupError):
    """No link of ours, or one that is over."""


class AnsweredError(LookupError):
    """The question was answered, taken back, or is too old."""


class NoNameError(ValueError):
    """Whoever answers says who that is; who does not agree says why."""


@dataclass(frozen=True, slots=True)
class Asked:
    """
    A question as the client's person is shown it, by the link or signed in. It holds no number.

    :ivar facts: what was written down when it was asked: laws, what was found, words of the agency.
    :ivar name: who answered, and :ivar said: with what words; "" before.
    """

    approval: Approval
    case: Case
    facts: dict[str, Any]
    name: str
    said: str
    is_open: bool

    @property
    def hands_over(self) -> bool:
        """Whether a yes takes the request over, in place of saying that it may be done."""
        return self.approval.kind == ApprovalKind.TAKE_OVER

    @property
    def until_then(self) -> str:
        return until_then(self.case)

    @property
    def found(self) -> list[tuple[str, int]]:
        """What was found when it was asked: name of the copies, and how many there are."""
        return [(Copies(name).label, count) for name, count in self.facts.get("found", {}).items() if count]


@dataclass(frozen=True, slots=True, repr=False)
class Mail:
    """A mail that asks a client, to be handed to the mail server outside any scope. It prints as nothing."""

    approval_id: UUID
    sender: str
    to: str
    text: Filled


@dataclass(frozen=True, slots=True)
class Known:
    """Who is reached by a mail address, and :ivar why: by what that is known: "approver", "answered before"."""

    name: str
    why: str


def url_of(token: str) -> str:
    """The public address of a question."""
    return f"{settings.CALLPRIVACY_URL.rstrip('/')}/approve/{token}/"


def until_then(case: Case) -> str:
    """What a client that is asked is told of the time until it answers; in English, as agency and client speak."""
    return UNTIL_THEN[Language.ENGLISH][case.client_agrees_first]


def digest_of(token: str) -> bytes:
    """What stands in the database for a link."""
    return hashlib.sha256(token.encode()).digest()


@transaction.atomic
def ask_client(
    *,
    case: Case,
    kind: ApprovalKind,
    to: str,
    said: str,
    by: Actor,
    at: datetime,
    is_vouched: bool = False,
) -> Approval:
    """
    Ask the client's person by mail, or hand the case over to the client with a receipt.

    :param to: the mail address of the client's person. :param said: words of the agency on it.
    :param is_vouched: who asks has made sure that the address is the client's; the trail says so.
    :raises NotToAskError: the case is closed, the agency's own, or a question is open.
    :raises UnknownAddressError: nobody at the client is known by this address, and nobody vouches for it.
    """
    if case.client_id is None:
        raise NotToAskError("This request was made to the agency itself; there is no client to ask.")
    known = known_addresses(case, at=at).get(to.strip().lower())
    if known is None and not is_vouched:
        raise UnknownAddressError("Nobody at the client is known by this address.")
    if Approval.objects.filter(case=case, state=ApprovalState.WAITING).exists():
        raise NotToAskError("The client was asked already. Take that question back first.")
    handed = kind is ApprovalKind.TAKE_OVER
    states = [CaseState.OPEN, CaseState.PROVING] if handed else [CaseState.OPEN]
    moved: dict[str, Any] = {"state": CaseState.HANDED_OVER if handed else CaseState.WITH_CLIENT}
    if handed:
        moved["handed_over_at"] = at
    if not Case.objects.filter(pk=case.pk, state__in=states, closed_at=None).update(**moved):
        raise NotToAskError("Only an open request whose person has proven who asks goes to the client.")
    row = Approval(
        agency_id=case.agency_id,
        client_id=case.client_id,
        case=case,
        kind=kind,
        digest=_new_link(case.agency_id, case.client_id)[1],
        asked_by_id=by.user_id,
        asked_at=at,
        mail_due_at=at,
        expires_at=at + GOOD_FOR,
    )
    key = sealing.key_of(submission=case.submission, at=at)
    row.to = sealing.seal(row, "to", to, key)
    row.asked = sealing.seal(row, "asked", _facts(case, said), key)
    row.save(force_insert=True)
    timeline.add_event(
        "case.handed_over" if handed else "case.approval_asked",
        case=case,
        kind=EventKind.HANDED_OVER if handed else EventKind.APPROVAL_ASKED,
        by=by,
        at=at,
        shown=handed,
        address="vouched for" if known is None else known.why,
    )
    return row


def _new_link(agency_id: int, client_id: int | None) -> tuple[str, bytes]:
    """A link's token, which stands in the mail alone, and its digest, which leads to whose it is."""
    token = secrets.token_urlsafe(32)
    digest = digest_of(token)
    PublicKey.objects.create(
        key=digest.hex(), purpose=KeyPurpose.APPROVAL, agency_id=agency_id, client_id=client_id
    )
    return token, digest


def known_addresses(case: Case, *, at: datetime) -> dict[str, Known]:
    """
    Mail address, in lower case -> who may speak for the client of a case: people who approve for it, and whoever has
    answered before by a link that was sent there.
    """
    if case.client_id is None:
        return {}
    ids = access.people_with(Permission.HANDLE_REQUESTS, case.client_id, agency_id=case.agency_id, at=at)
    people = Membership.objects.filter(agency_id=case.agency_id, user_id__in=ids, role__in=CLIENT_SIDE)
    found = {
        one.user.email.lower(): Known(str(one.user), "approver") for one in people.select_related("user")
    }
    answered = Approval.objects.answered().filter(
        client_id=case.client_id, answered_by=None, to__isnull=False
    )
    for row in answered.select_related("case__submission")[:_LOOKED_AT]:
        key = words.key_of(row.case.submission)
        address = words.text(row.to, key).lower()
        if address:
            found.setdefault(address, Known(words.text(row.name, key), "answered before"))
    return found


def _facts(case: Case, said: str) -> dict[str, Any]:
    """What the client is shown, as it stood when it was asked."""
    found: dict[str, int] = {}
    for row in letter_selectors.findings_of(case).filter(client=case.client):
        found[row.copies] = found.get(row.copies, 0) + row.count
    return {"said": said, "found": found, "laws": [str(law["name"]) for law in case.laws]}


@transaction.atomic
def take_back(*, approval: Approval, by: Actor, at: datetime) -> None:
    """
    Take a question back; its link opens nothing any more.

    :raises AnsweredError: it was answered in the meantime.
    """
    _take_case(approval.case_id)
    won = Approval.objects.filter(pk=approval.pk, state=ApprovalState.WAITING).update(
        state=ApprovalState.WITHDRAWN, answered_at=at, answered_by_id=by.user_id, mail_due_at=None
    )
    if not won:
        raise AnsweredError("The client has answered in the meantime.")
    PublicKey.objects.filter(key=bytes(approval.digest).hex()).delete()
    _give_back(approval.case_id)
    timeline.add_event(
        "case.question_withdrawn",
        case=approval.case,
        kind=EventKind.NOTED,
        by=by,
        at=at,
        question="withdrawn",
    )


def withdraw_open(*, case: Case, by: Actor, at: datetime) -> bool:
    """
    End the question that is open about a case which needs no word of the client any more; returns whether one was.

    In the transaction that decides or closes the case. Its link says that the question is not open any more.
    """
    won = Approval.objects.filter(case=case, state=ApprovalState.WAITING).update(
        state=ApprovalState.WITHDRAWN, answered_at=at, answered_by_id=by.user_id, mail_due_at=None
    )
    if won:
        timeline.add_event(
            "case.question_withdrawn", case=case, kind=EventKind.NOTED, by=by, at=at, question="withdrawn"
        )
    return bool(won)


def waiting(*, case: Case, at: datetime) -> Asked | None:
    """The question about a case that is open, as who approves for the client and is signed in is shown it."""
    row = (
        Approval.objects.filter(case=case, state=ApprovalState.WAITING, expires_at__gt=at)
        .select_related("case__submission", "case__client", "case__agency")
        .first()
    )
    return None if row is None else _read(row, at)


# --- The client's page --------------------------------------------------------------------------------------------


def show(*, token: str, at: datetime) -> Asked:
    """
    A question by its link; after the answer its receipt. Outside any scope.

    :raises UnknownLinkError: no link of ours, or one that is over.
    """
    agency_id, client_id = _whose(token)
    with client_scope(agency_id=agency_id, client_id=client_id):
        return _read(_find(token, at), at)


def answer(*, token: str, agrees: bool, name: str, said: str, at: datetime) -> Asked:
    """
    Write down what the client's person says; once. Outside any scope. Returns the receipt.

    :param agrees: whether the answer may be given; of a case that is handed over, that the client takes it.
    :raises UnknownLinkError: no link of ours, or one that is over.
    :raises AnsweredError: it was answered or taken back, or is too old.
    :raises NoNameError: nobody is named, or it is not agreed to without a word why.
    """
    agency_id, client_id = _whose(token)
    with client_scope(agency_id=agency_id, client_id=client_id):
        row = _find(token, at)
        _answer(row, agrees=agrees, name=name, said=said, by=BY_LINK, at=at)
        return _read(_find(token, at), at)


@transaction.atomic
def answer_signed_in(
    *, approval: Approval, agrees: bool, name: str, said: str, by: Actor, at: datetime
) -> None:
    """
    What the client's person says who is signed in as a member; counts as by the link.

    :raises AnsweredError, NoNameError: as for `answer`.
    """
    _answer(approval, agrees=agrees, name=name, said=said, by=by, at=at)


def _answer(row: Approval, *, agrees: bool, name: str, said: str, by: Actor, at: datetime) -> None:
    name, said = " ".join(name.split()), said.strip()
    if not name or (not agrees and not said):
        raise NoNameError("Say who you are; and why, if you do not agree.")
    _take_case(row.case_id)
    won = Approval.objects.filter(pk=row.pk, state=ApprovalState.WAITING, expires_at__gt=at).update(
        state=ApprovalState.APPROVED if agrees else ApprovalState.REFUSED,
        answered_at=at,
        answered_by_id=by.user_id,
        mail_due_at=None,
    )
    if not won:
        raise AnsweredError("This question was answered already, or is not open any more.")
    case = row.case
    key = sealing.key_of(submission=case.submission, at=at)
    asked = words.record(row.asked, key)
    asked.pop("token", None)  # of an earlier version
    Approval.objects.filter(pk=row.pk).update(
        name=sealing.seal(row, "name", name, key),
        words=sealing.seal(row, "words", said, key) if said else None,
        asked=sealing.seal(row, "asked", asked, key),
    )
    if row.kind == ApprovalKind.TAKE_OVER:
        _handed(case, agrees=agrees, said=said, by=by, at=at)
    else:
        Case.objects.filter(pk=case.pk, state=CaseState.WITH_CLIENT).update(state=CaseState.OPEN)
        timeline.add_event(
            "case.approved" if agrees else "case.not_approved",
            case=case,
            kind=EventKind.APPROVED if agrees else EventKind.NOT_APPROVED,
            by=by,
            at=at,
            words=said,
            key=key,
        )


def _handed(case: Case, *, agrees: bool, said: str, by: Actor, at: datetime) -> None:
    """The client has it, or sends it back: then it is the agency's to answer again."""
    if agrees:
        Case.objects.filter(pk=case.pk, state=CaseState.HANDED_OVER).update(client_has_it_at=at)
    else:
        _give_back(case.pk)
    timeline.add_event(
        "case.received_by_client" if agrees else "case.sent_back",
        case=case,
        kind=EventKind.RECEIVED_BY_CLIENT if agrees else EventKind.NOT_APPROVED,
        by=by,
        at=at,
        words=said,
    )


def _take_case(case_id: UUID) -> None:
    """Take the case before its question, as who decides or closes it does; in two orders each waits for the other."""
    Case.objects.select_for_update(of=("self",)).get(pk=case_id)


def _give_back(case_id: UUID) -> None:
    """The case is the agency's again: open, or waiting for its proof as before it was handed over."""
    case = Case.objects.get(pk=case_id)
    proven = Identity.objects.filter(submission_id=case.submission_id, state=IdentityState.PROVEN)
    is_proven = not Ask(case.asks).needs_proof or proven.exists()
    rows = Case.objects.filter(pk=case_id, state__in=[CaseState.WITH_CLIENT, CaseState.HANDED_OVER])
    rows.update(state=CaseState.OPEN if is_proven else CaseState.PROVING, handed_over_at=None)


def _whose(token: str) -> tuple[int, int]:
    found = tenancy.find_public_key(digest_of(token).hex(), KeyPurpose.APPROVAL)
    if found is None or found.client_id is None:
        raise UnknownLinkError
    return found.agency_id, found.client_id


def _find(token: str, at: datetime) -> Approval:
    row = (
        Approval.objects.filter(digest=digest_of(token), expires_at__gt=at - KEPT_FOR)
        .select_related("case__submission", "case__client", "case__agency")
        .first()
    )
    if row is None:
        raise UnknownLinkError
    return row


def _read(row: Approval, at: datetime) -> Asked:
    """Open a question; whoever wrote words of it may have written a number, which is taken out."""
    key = words.key_of(row.case.submission)
    facts = words.record(row.asked, key)
    facts.pop("token", None)
    facts["said"] = redact(str(facts.get("said", ""))).text
    return Asked(
        approval=row,
        case=row.case,
        facts=facts,
        name=redact(words.text(row.name, key)).text,
        said=redact(words.text(row.words, key)).text,
        is_open=row.state == ApprovalState.WAITING and row.expires_at > at,
    )


# --- The job ------------------------------------------------------------------------------------------------------


def claim_mails(*, agency_id: int, at: datetime, limit: int) -> list[Mail]:
    """
    Open the questions whose mail is due; each comes back unless `mail_sent` is told, with another link: one from before
    opens nothing.

    One that does not open is passed by, until its time is over and a person gets it back.
    """
    found: list[Mail] = []
    with job_scope(agency_id=agency_id):
        rows = list(
            Approval.objects.filter(mail_due_at__lte=at, state=ApprovalState.WAITING, expires_at__gt=at)
            .select_related("case__submission", "case__client", "case__agency")
            .select_for_update(skip_locked=True, of=("self",))
            .order_by("mail_due_at", "pk")[:limit]
        )
        Approval.objects.filter(pk__in=[row.pk for row in rows]).update(mail_due_at=at + MAIL_AGAIN_AFTER)
        for row in rows:
            try:
                key = words.key_of(row.case.submission)
                asked, to = words.record(row.asked, key), words.text(row.to, key)
            except SealBrokenError:
                log.warning("approval.sealed_shut", approval=str(row.pk))
                continue
            if to:
                PublicKey.objects.filter(key=bytes(row.digest).hex(), purpose=KeyPurpose.APPROVAL).delete()
                token, row.digest = _new_link(row.agency_id, row.client_id)
                row.save(update_fields=["digest"])
                found.append(Mail(row.pk, row.case.agency.name, to, _letter(row, asked, token)))
    return found


def _letter(row: Approval, asked: dict[str, Any], token: str) -> Filled:
    """In English, as agency and client speak to each other."""
    ends = calendars.day_in(letter_selectors.zone_of(row.case), row.expires_at)
    more = {
        "link": url_of(token),
        "link_until": letters.day(ends, Language.ENGLISH),
        "signature": row.case.agency.name,
        "until_then": until_then(row.case),
    }
    facts = letter_selectors.facts_of(
        row.case, said=str(asked.get("said", "")), more=more, language=Language.ENGLISH
    )
    return letters.fill(_LETTERS[ApprovalKind(row.kind)], Language.ENGLISH, facts)


def mail_sent(*, agency_id: int, approval_id: UUID, at: datetime) -> None:
    """Note that the mail server took a question."""
    with job_scope(agency_id=agency_id):
        Approval.objects.filter(pk=approval_id).update(mailed_at=at, mail_due_at=None)


def sweep(*, agency_id: int, at: datetime) -> int:
    """
    Let answers wait for who acts on them, give questions back that nobody answered in time, and forget links whose
    receipt is over; returns how many were given back.

    Where the client does not answer, a person decides: the case stays in the inbox.
    """
    with job_scope(agency_id=agency_id):
        answered = Approval.objects.answered().filter(answered_at__gt=at - LATELY)
        for row in answered.select_related("case"):
            if row.case.closed_at is None and work.claim_period(
                agency_id=agency_id, job=f"approval {row.pk}", period="answered", at=at
            ):
                _wait(kinds.CLIENT_ANSWERED, row, at)
        late = list(
            # In the order in which all who take several cases take them.
            Approval.objects.filter(state=ApprovalState.WAITING, expires_at__lte=at)
            .select_related("case")
            .order_by("case_id")
        )
        for row in late:
            _take_case(row.case_id)
            won = Approval.objects.filter(pk=row.pk, state=ApprovalState.WAITING).update(
                state=ApprovalState.WITHDRAWN, answered_at=at, mail_due_at=None
            )
            if won:
                _give_back(row.case_id)
                _wait(kinds.CLIENT_SILENT, row, at)
        over = Approval.objects.filter(expires_at__lte=at - KEPT_FOR).values_list("digest", flat=True)
        keys = [bytes(digest).hex() for digest in over]
        PublicKey.objects.filter(purpose=KeyPurpose.APPROVAL, key__in=keys).delete()
    return len(late)


def _wait(kind: str, row: Approval, at: datetime) -> None:
    work.open_item(
        kind,
        agency_id=row.agency_id,
        client_id=row.client_id,
        key=str(row.case_id),
        at=at,
        due_at=row.case.answer_due_at,
    )
