"""
The public requests page of a client or of the agency itself, and the personal page of one request.

Nobody is told whether a number is known, and the agency's own page names no client. What is asked for is written down
when it comes in, proven or not, for the law's clock runs from then; what a person refuses counts at once.
"""

import json
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import reverse

from callprivacy.calls.services import people
from callprivacy.lib.scope import Actor
from callprivacy.lib.status import Answer, Progress
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.enums import KeyPurpose
from callprivacy.tenancy.models import Agency, Client
from callprivacy.tenancy.scope import client_scope
from callprivacy.tenancy.selectors import find_public_key
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import Key
from consent.channels import tokens
from consent.channels.colours import shades_of
from consent.enums import Channel as Way
from consent.enums import Language, Purpose, Strength
from consent.models import ConsentEvent
from consent.selectors import web as consent_pages
from consent.services import again, web
from consent.services.web import Look, UnknownKeyError, Visit, look_of
from rights.channels import links
from rights.channels.links import Named, UnknownLinkError
from rights.enums import (
    Ask,
    CaseState,
    Channel,
    EventKind,
    IdentityKind,
    LetterState,
    OnBehalf,
    PackageState,
)
from rights.models import (
    Case,
    CaseEvent,
    Finding,
    Identity,
    Letter,
    Package,
    PrivacyNotice,
    RequestPage,
    Submission,
)
from rights.selectors import letters, notice, openers, progress, words
from rights.selectors.casebook import mask_mail, waits_for_number
from rights.services import cases, deciding, packages, proofs
from rights.services.cases import Claim, Contact
from rights.services.proofs import Steps

__all__ = ["UnknownKeyError", "UnknownLinkError"]

BY: Final = Actor.client("rights.portal")
NUMBERS_AT_MOST: Final = 3
_COLOUR: Final = "#2f5d62"
_KEY_LENGTHS: Final = range(20, 65)


@dataclass(frozen=True, slots=True)
class Door:
    """Whose page a key opens; `client_id` is 0 for the agency's own."""

    key: str
    agency_id: int
    client_id: int


@dataclass(frozen=True, slots=True)
class Page:
    """
    What a requests page shows.

    :ivar choices: where consent is looked at; "" where nowhere. :ivar form: the signed note that a form brings back.
    """

    look: Look
    holder_id: int
    contact: RequestPage
    has_notice: bool
    choices: str
    form: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Sent:
    """
    What somebody sent from the page.

    :ivar note: the signed note of the form; the same form with the same words is the same request, however often it
        is sent.
    """

    note: str
    ask: Ask
    numbers: Sequence[str]
    withheld: "Withheld | None"
    on_behalf: OnBehalf
    is_minor: bool
    name: str
    mail: str
    words: str
    place: tuple[str, str]
    language: Language


@dataclass(frozen=True, slots=True)
class Withheld:
    """A call whose number was withheld, as the person describes it: local day and time, and the business."""

    day: date
    at: time
    business: str


@dataclass(frozen=True, slots=True)
class ShownEvent:
    """A line of a case's timeline that its person sees, and how far the letter is that it is about."""

    kind: EventKind
    at: datetime
    words: str
    letter: Progress | None = None


@dataclass(frozen=True, slots=True)
class ShownCase:
    """
    One case as its person sees it.

    :ivar is_carried_out: nothing of a decision is for us to do. :ivar waits_for_number: nothing of what it refuses
        is stopped, because no number is known. :ivar found: after an erasure, what it left and where.
    """

    case: Case
    ask: Ask
    state: CaseState
    answer: str
    is_carried_out: bool
    waits_for_number: bool
    events: tuple[ShownEvent, ...]
    answered: Answer
    notified: Progress
    found: tuple[Finding, ...]
    deleted: Progress
    is_proven: bool

    @property
    def question(self) -> str | None:
        """What the person was asked and has not answered; "" where its words are erased, None where nothing was."""
        if self.case.paused_at is None or self.case.closed_at is not None:
            return None
        return next((one.words for one in reversed(self.events) if one.kind is EventKind.STOPPED), "")


@dataclass(frozen=True, slots=True)
class ShownNumber:
    """
    One identity as the personal page shows it: a masked number or address, or "" for a withheld call.

    :ivar mailed_to: the masked address that a code for it goes to; "" where it goes to a phone, or nowhere.
    :ivar opens: a fresh code for it opens the person's data.
    """

    identity: Identity
    mask: str
    mailed_to: str
    is_coded: bool
    opens: bool


@dataclass(frozen=True, slots=True)
class Message:
    """A letter to the person."""

    at: datetime
    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Request:
    """
    What the personal page of a request shows.

    :ivar heard_signal: the browser that sent it in asked not to share, and that was written down as a no.
    """

    look: Look
    named: Named
    link: str
    page_key: str
    submission: Submission
    cases: tuple[ShownCase, ...]
    numbers: tuple[ShownNumber, ...]
    steps: Steps
    can_send: bool
    package: Package | None
    messages: tuple[Message, ...]
    form: str
    heard_signal: bool

    @property
    def needs_something(self) -> bool:
        """Whether the person has something left to do."""
        return not self.steps.is_done

    @property
    def is_open(self) -> bool:
        """Whether anything is owed."""
        return any(shown.case.closed_at is None for shown in self.cases)


# --- The page -------------------------------------------------------------------------------------------------------


def door_of(key: str) -> Door:
    """
    Whose page a key opens; outside any scope.

    :raises UnknownKeyError: nobody's.
    """
    is_one = len(key) in _KEY_LENGTHS and key.isascii() and key.replace("-", "").replace("_", "").isalnum()
    owner = find_public_key(key, KeyPurpose.REQUEST) if is_one else None
    if owner is None:
        raise UnknownKeyError
    return Door(key, owner.agency_id, owner.client_id or 0)


def _owners(door: Door | Named) -> tuple[Agency, Client | None]:
    if door.client_id:
        client = Client.objects.select_related("agency").get(pk=door.client_id)
        return client.agency, client
    return Agency.objects.get(pk=door.agency_id), None


def _look(agency: Agency, client: Client | None, key: str) -> Look:
    """In whose name a page stands: the client's, or the agency's, which names no client."""
    if client is not None:
        return look_of(client, key)
    return Look(
        key=key,
        agency_id=agency.pk,
        client_id=0,
        name=agency.name,
        legal_name=agency.name,
        zone=agency.time_zone,
        country="US",
        policy_url="",
        shades=shades_of(_COLOUR),
    )


def show_look(*, key: str) -> Look:
    """
    A page's name and colours alone. Enters the scope itself.

    :raises UnknownKeyError: nobody's key.
    """
    door = door_of(key)
    with client_scope(agency_id=door.agency_id, client_id=door.client_id):
        return _look(*_owners(door), key)


def show_page(*, key: str, at: datetime) -> Page:
    """
    What a requests page shows. Enters the scope itself.

    :raises UnknownKeyError: nobody's key.
    """
    door = door_of(key)
    with client_scope(agency_id=door.agency_id, client_id=door.client_id):
        agency, client = _owners(door)
        holder = client.pk if client else -agency.pk
        consent_page = consent_pages.page_of(client) if client else None
        return Page(
            look=_look(agency, client, key),
            holder_id=holder,
            contact=RequestPage.objects.get(agency=agency, client=client),
            has_notice=client is not None and PrivacyNotice.objects.for_client(client).exists(),
            choices=_choices(consent_page.key) if consent_page else "",
            # The link to a request follows from its form, so nobody gets the form of somebody else.
            form=tokens.sign_form(holder, {}, at=at, once=secrets.token_urlsafe(12)),
        )


def _choices(key: str) -> str:
    return f"{settings.CALLPRIVACY_URL}{reverse('consent:public_choices', args=[key])}"


@dataclass(frozen=True, slots=True)
class ShownNotice:
    look: Look
    row: PrivacyNotice
    numbers: tuple[int, ...]


def show_notice(*, key: str, number: int | None) -> ShownNotice:
    """
    A client's published notice: the newest, or one of those before. Enters the scope itself.

    :raises UnknownKeyError: nobody's key, the agency's own, or there is no such notice.
    """
    door = door_of(key)
    with client_scope(agency_id=door.agency_id, client_id=door.client_id):
        agency, client = _owners(door)
        rows = list(notice.published(client)) if client is not None else []
        row = next((row for row in rows if number in {None, row.number}), None)
        if row is None:
            raise UnknownKeyError
        return ShownNotice(_look(agency, client, key), row, tuple(row.number for row in rows))


# --- What is sent in ------------------------------------------------------------------------------------------------


def send(*, key: str, sent: Sent, visit: Visit, at: datetime) -> str:
    """
    Write down what somebody asks for, and return the link to the personal page. Enters the scope itself.

    What is written is the same for a number that is known and for one that is not. A browser that asks not to share is
    a no to sharing for each number that is sent to a client.

    :raises UnknownKeyError: nobody's key. :raises BusyError: it could not be written now; it may be sent again.
    """
    door = door_of(key)

    def deed() -> str:
        with client_scope(agency_id=door.agency_id, client_id=door.client_id):
            agency, client = _owners(door)
            submission_id = _id_of(sent, agency, client, at)
            if Submission.objects.filter(pk=submission_id).exists():
                return links.link_of(Named(door.agency_id, door.client_id, submission_id))
            submission = cases.open_cases(
                agency=agency,
                client=client,
                asks=[sent.ask],
                channel=Channel.PORTAL,
                claims=_claims(sent, (client or agency).time_zone),
                contact=Contact(name=sent.name, mail=sent.mail),
                received_at=at,
                by=BY,
                at=at,
                words=sent.words,
                on_behalf=sent.on_behalf,
                is_minor=sent.is_minor,
                place=sent.place,
                language=sent.language.value,
                submission_id=submission_id,
            )
            if visit.opted_out and client is not None and tenancy.is_here(client.pk):
                _hear_signal(client, submission, sent.numbers, visit, at)
            return links.link_of(Named(door.agency_id, door.client_id, submission.pk))

    return again.insist(deed)


def _hear_signal(
    client: Client, submission: Submission, numbers: Sequence[str], visit: Visit, at: datetime
) -> None:
    found = people.add_callers(client=client, numbers=numbers, at=at)
    said = [
        web.opt_out(caller_id, Strength.C, source=f"signal {submission.pk}", visit=visit, at=at)
        for caller_id in found.values()
    ]
    web.write(client, said, by=BY, at=at)


def _was_signalled(client: Client, submission: Submission) -> bool:
    """Whether the sending wrote a no by signal; a no of another day is not asked for, as nobody is proven here."""
    events = ConsentEvent.objects.for_client(client).filter(happened_at=submission.received_at)
    return events.filter(channel=Way.GPC, purpose=Purpose.SHARE).exists()


def _id_of(sent: Sent, agency: Agency, client: Client | None, at: datetime) -> uuid.UUID:
    """The id that this form with these words has: a keyed digest, from which nothing can be read or tried."""
    holder = client.pk if client else -agency.pk
    if client is None:
        vault.create_client_keys(client_id=holder, agency_id=agency.pk, at=at)
    told = "" if sent.withheld is None else f"{sent.withheld.day} {sent.withheld.at} {sent.withheld.business}"
    parts = (
        sent.note,
        sent.ask.value,
        *sent.numbers,
        told,
        sent.on_behalf.value,
        sent.name,
        sent.mail,
        sent.words,
    )
    digest = vault_selectors.client_keys(holder).tokens.digest("request", *parts)
    return uuid.UUID(bytes=digest[:16], version=4)


def _claims(sent: Sent, zone: str) -> list[Claim]:
    found = [Claim(IdentityKind.PHONE, number) for number in sent.numbers]
    if sent.withheld is not None:
        described = datetime.combine(sent.withheld.day, sent.withheld.at, tzinfo=ZoneInfo(zone))
        said = {"at": described.isoformat(), "minutes": 0, "business": sent.withheld.business}
        found.append(Claim(IdentityKind.WITHHELD, json.dumps(said, ensure_ascii=False, sort_keys=True)))
    return found


# --- The personal page ----------------------------------------------------------------------------------------------


def show_request(*, link: str, at: datetime) -> Request:
    """
    What the personal page of a request shows. Enters the scope itself.

    :raises UnknownLinkError: the link is none, or its request is gone.
    """
    named = links.read(link)
    with proofs.scope_of(named):
        submission = proofs.submission_of(named)
        agency, client = submission.agency, submission.client
        key = words.key_of(submission)
        page = notice.page_of(client, agency_id=agency.pk)
        rows = list(Case.objects.filter(submission=submission).order_by("received_at", "pk"))
        identities = list(Identity.objects.filter(submission=submission).order_by("claimed_at", "pk"))
        steps = proofs.needs(submission, rows, identities)
        coded = dict(steps.phones)
        opens = {one.identity.pk: mask_mail(one.mail) for one in openers.openers_of(submission)}
        return Request(
            look=_look(agency, client, page.key if page else ""),
            named=named,
            link=link,
            page_key=page.key if page else "",
            submission=submission,
            cases=tuple(_shown(case, key) for case in rows),
            numbers=tuple(_number(row, submission, coded, opens) for row in identities),
            steps=steps,
            can_send=proofs.can_send(submission, at=at),
            package=_package(rows, at),
            messages=_messages(rows, key),
            form=tokens.sign_form(submission.holder_id, {}, at=at),
            heard_signal=client is not None and _was_signalled(client, submission),
        )


def _number(
    row: Identity, submission: Submission, coded: Mapping[uuid.UUID, bool], opens: Mapping[uuid.UUID, str]
) -> ShownNumber:
    mask = proofs.mask_of(row, submission)
    mailed_to = mask if row.kind == IdentityKind.EMAIL else opens.get(row.pk, "")
    return ShownNumber(row, mask, mailed_to, coded.get(row.pk, False), row.pk in opens)


def _shown(case: Case, key: Key | None) -> ShownCase:
    rows = CaseEvent.objects.filter(case=case, shown=True).order_by("id")
    is_erased = rows.filter(kind=EventKind.ERASED).exists()
    found = tuple(letters.findings_of(case)) if is_erased else ()
    written = progress.letters_of(case)
    return ShownCase(
        case=case,
        ask=Ask(case.asks),
        state=CaseState(case.state),
        answer=words.text(case.answer, key) if case.answered_at else "",
        is_carried_out=case.decided_at is not None and not deciding.unfinished(case),
        waits_for_number=case.decided_at is None and case.closed_at is None and waits_for_number(case),
        events=tuple(
            ShownEvent(
                EventKind(row.kind), row.at, words.text(row.words, key), progress.letter_of(row, written)
            )
            for row in rows
        ),
        answered=progress.answer(case),
        notified=progress.notifications(case),
        found=found,
        deleted=progress.deletions(found),
        is_proven=progress.is_proven(case),
    )


def _package(rows: Sequence[Case], at: datetime) -> Package | None:
    found = Package.objects.filter(case__in=rows, state=PackageState.READY, expires_at__gt=at)
    return found.order_by("-ready_at").first()


def _messages(rows: Sequence[Case], key: Key | None) -> tuple[Message, ...]:
    sent = Letter.objects.filter(case__in=rows, state=LetterState.SENT).order_by("sent_at")
    return tuple(
        Message(letter.sent_at, words.text(letter.subject, key), words.text(letter.body, key))
        for letter in sent
        if letter.sent_at is not None
    )


def is_in_future(day: date, *, at: datetime) -> bool:
    """Whether a day has not come anywhere on Earth."""
    return day > (at + timedelta(hours=14)).date()


# --- The package ----------------------------------------------------------------------------------------------------


def open_package(*, named: Named, proof_id: uuid.UUID, at: datetime) -> str:
    """
    Return what one download of the person's data needs, after a fresh proof. Enters the scope itself.

    :raises UnknownLinkError: the request is gone.
    :raises NotReadyError: there is no package any more. :raises NotFreshError: the proof is not one for it.
    """
    with proofs.scope_of(named):
        submission = proofs.submission_of(named)
        package = _package(list(Case.objects.filter(submission=submission)), at)
        if package is None or package.ready_at is None:
            raise packages.NotReadyError
        proof = proofs.fresh_proof(submission, proof_id, before=package.ready_at, at=at)
        if proof is None:
            raise packages.NotFreshError
        return packages.new_link(package=package, proof=proof, by=BY, at=at)


def take_package(*, named: Named, token: str, at: datetime) -> packages.Taken:
    """
    Take the person's data, once. Enters the scope itself.

    :raises UnknownLinkError: the request is gone. :raises UsedError: it was taken, is over, or another request's.
    """
    with proofs.scope_of(named):
        submission = proofs.submission_of(named)
        return packages.take(token=token, by=BY, at=at, of=submission)


# --- What the person does there ---------------------------------------------------------------------------------------


def _case(submission: Submission, case_id: uuid.UUID) -> Case:
    """:raises NotOfThisRequestError: the request has no such case."""
    case = Case.objects.filter(submission=submission, pk=case_id).first()
    if case is None:
        raise proofs.NotOfThisRequestError
    return case


def take_back(*, named: Named, case_id: uuid.UUID, at: datetime) -> None:
    """
    Take one thing back that was asked for. Enters the scope itself.

    :raises UnknownLinkError: the request is gone. :raises NotOfThisRequestError: it has no such case.
    :raises ClosedError: nothing is owed in it any more, or it is decided and being done.
    """
    with proofs.scope_of(named):
        case = _case(proofs.submission_of(named), case_id)
        if Case.objects.select_for_update(of=("self",)).get(pk=case.pk).decided_at is not None:
            raise cases.ClosedError(f"{case.reference} is decided.")
        cases.take_back(case=case, by=BY, at=at)


def answer_question(*, named: Named, case_id: uuid.UUID, said: str, at: datetime) -> None:
    """
    Say what was meant, so that the clock goes on. Enters the scope itself.

    :raises UnknownLinkError: the request is gone. :raises NotOfThisRequestError: it has no such case.
    :raises ClosedError: it is closed. :raises AlreadyDoneError: nobody asks any more.
    """
    with proofs.scope_of(named):
        cases.resume_clock(case=_case(proofs.submission_of(named), case_id), by=BY, at=at, words=said)


def appeal(*, named: Named, case_id: uuid.UUID, said: str, at: datetime) -> None:
    """
    Say that an answer is not content with. Enters the scope itself.

    :raises UnknownLinkError: the request is gone. :raises NotOfThisRequestError: it has no such case.
    :raises NotAnsweredError: there is no answer yet. :raises AlreadyDoneError: an appeal is there.
    """
    with proofs.scope_of(named):
        cases.appeal(
            case=_case(proofs.submission_of(named), case_id), words=said, received_at=at, by=BY, at=at
        )
