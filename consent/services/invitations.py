"""
Asking people by e-mail whether they agree: a list that arrives sealed, one letter each, one reminder, and an end.

Who has said no is not asked, nor who has agreed already, nor for twelve months who opted out by this number or address,
nor for a consent to advertising who would have to agree to such a mail first; looked at again before each letter. An
address is sealed under its caller's content key and leaves with the answer, with a bounce, or thirty days after nobody
answered. The link in a letter is derived from the invitation, so that the reminder carries the same one; only its
digest is kept, and takes a no until sixty days after the last letter. While a consent of the person stands, the
invitation stays that gave it: the same link and an answer by mail take it back.
"""

import csv
import re
import secrets
import uuid
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, Max, OuterRef, Q
from django.db.models.functions import Coalesce
from django.urls import reverse

from callprivacy.audit import services as audit
from callprivacy.calls.models import Caller
from callprivacy.calls.services import people
from callprivacy.lib import bounds, phone
from callprivacy.lib.mail import Fault
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.enums import KeyPurpose
from callprivacy.tenancy.models import Client, PublicKey
from callprivacy.tenancy.scope import client_scope, job_scope
from callprivacy.tenancy.selectors import ClientLeftError, require_here
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault.sealing import Place
from consent.channels import mail_words
from consent.enums import (
    YES_KINDS,
    Channel,
    EventKind,
    InvitationState,
    Language,
    Purpose,
    Scope,
    State,
    Strength,
)
from consent.models import ConsentEvent, ConsentState, Invitation, InvitationBatch, NoticeVersion
from consent.selectors import asking, standards
from consent.selectors import invitations as selectors
from consent.selectors import web as pages
from consent.selectors.contact import number_of
from consent.services import contact, ledger, menu_calls, web
from consent.services.ledger import Said
from consent.services.web import Look, Visit, Words

ROWS_AT_MOST: Final = 5000
KEPT_FOR: Final = timedelta(days=30)
"""How long an address is kept, and a question may be answered with yes."""
LINK_FOR: Final = timedelta(days=60)
"""How long after the last letter its link still takes a no: CASL s. 11(2); 30 days by 15 U.S.C. 7704(a)(3)."""
MAIL_AGAIN_AFTER: Final = timedelta(minutes=10)
_REFUSED_AT_MOST: Final = 5
_OPEN: Final = (InvitationState.SENT, InvitationState.REMINDED)
_ADDRESS: Final = re.compile(r"[^@\s<>,;:\"]{1,64}@[^@\s<>,;:\"]{1,190}\.[^@\s<>,;:\".]{2,60}").fullmatch
_BY: Final = Actor.client("consent.email")


class NothingToAskError(ValueError):
    """A list of which nobody is to be asked; nothing was written."""


class UnknownInvitationError(LookupError):
    """No open invitation has this link: it was answered long ago, has ended, or never was."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that was not taken, and why; never what stood in it."""

    line: int
    why: str


@dataclass(frozen=True, slots=True, repr=False)
class Read:
    """What a list holds. :ivar people: number (E.164) -> address, the first of each."""

    people: dict[str, str]
    refused: tuple[Refusal, ...]


def read_list(lines: Iterable[str], *, country: str) -> Read:
    """
    Addresses and numbers of a list: on each line one of each, in whichever column.

    A first line of words is passed over. At most `ROWS_AT_MOST` lines are read; the rest is refused by its line.
    """
    found: dict[str, str] = {}
    refused = []
    rows = csv.reader(lines)
    try:
        for number, row in enumerate(rows, start=1):
            cells = [cell.strip() for cell in row if cell.strip()]
            if not cells:
                continue
            if len(found) >= ROWS_AT_MOST:
                refused.append(Refusal(number, f"the limit is {ROWS_AT_MOST:,} people per list"))
                break
            why = _take(cells, found, country)
            if why and not (number == 1 and not any("@" in cell for cell in cells)):
                refused.append(Refusal(number, why))
    except csv.Error as error:
        refused.append(Refusal(rows.line_num, bounds.csv_fault(error)))
    return Read(found, tuple(refused))


def _take(cells: list[str], found: dict[str, str], country: str) -> str:
    address = next((cell.lower() for cell in cells if _ADDRESS(cell)), None)
    number = next((one for cell in cells if (one := phone.normalise(cell, country)) is not None), None)
    if address is None:
        return "no email address"
    if number is None:
        return "no phone number"
    found.setdefault(number, address)
    return ""


# --- A batch ------------------------------------------------------------------------------------------------------


@transaction.atomic
def create_batch(
    *,
    client: Client,
    name: str,
    version: NoticeVersion,
    read: Read,
    by: Actor,
    at: datetime,
) -> InvitationBatch:
    """
    Queue one invitation for everybody on a list who is to be asked.

    :raises NothingToAskError: nobody is.
    :raises ClientLeftError: the client leaves.
    :raises CallerGoneError: somebody on it was erased in this moment; try again.
    """
    tenancy.require_here(client.pk)
    purposes = set(version.notice.purposes)
    no = vault_selectors.suppressed(client.pk, list(read.people), on=standards.today_at(client, at))
    left_alone = asking.not_asked(client, set(read.people.values()), at=at)
    # Whom an old list names was perhaps erased since: nobody is made anew to be asked.
    no_more = no.keys() | people.gone(client=client, numbers=read.people)
    asked = {
        number: address
        for number, address in read.people.items()
        if number not in no_more and address not in left_alone
    }
    by_law: set[str] = set()
    if asking.is_advertising(version):
        by_law = contact.consent_first(client=client, numbers=list(asked), at=at)
        asked = {number: address for number, address in asked.items() if number not in by_law}
    callers = people.add_callers(client=client, numbers=list(asked), at=at)
    agreed = _agreed(client, callers.values(), purposes)
    waiting = set(
        Invitation.objects.for_client(client)
        .filter(
            caller_id__in=list(callers.values()),
            channel=Channel.EMAIL,
            state__in=(InvitationState.QUEUED, *_OPEN),
            address__isnull=False,
        )
        .values_list("caller_id", flat=True)
    )
    left = {number: caller_id for number, caller_id in callers.items() if caller_id not in agreed | waiting}
    if not left:
        raise NothingToAskError(
            "No invitations to send: everyone on this list has agreed, opted out, been erased, or been asked."
            if not by_law
            else f"No invitations to send. {len(by_law):,} people are in places where the law treats an email that asks"
            " for consent to contact or sharing as advertising, and they have not agreed to be contacted."
        )
    batch = InvitationBatch.objects.create(
        agency_id=client.agency_id,
        client=client,
        name=name,
        version=version,
        size=len(left),
        refused=len(read.refused) + len(read.people) - len(left),
        left_by_law=len(by_law),
        created_by_id=by.user_id,
        created_at=at,
    )
    keys = vault_selectors.content_keys({client.pk: list(left.values())})
    if len(keys) < len(left):
        raise ledger.CallerGoneError(f"{len(left) - len(keys)} callers were deleted.")
    tokens = vault_selectors.client_keys(client.pk).tokens
    rows = []
    for number, caller_id in left.items():
        row = Invitation(
            agency_id=client.agency_id,
            client=client,
            batch=batch,
            caller_id=caller_id,
            channel=Channel.EMAIL,
            version=version,
            address_digest=tokens.digest("address", asked[number]),
            created_at=at,
            due_at=at,
            purge_at=at + KEPT_FOR,
        )
        place = Place(client.pk, Invitation._meta.db_table, "address", row.pk)
        row.address = keys[caller_id].seal(asked[number].encode(), place)
        row.link_digest = sha256(secret_of(client.pk, row.pk).encode()).digest()
        row.message_digest = tokens.digest("message", message_id_of(row.pk))
        rows.append(row)
    Invitation.objects.bulk_create(rows, batch_size=1000)
    # Nobody of them may have called: without this the sweep of idle callers would take them away.
    Caller.objects.for_client(client).filter(pk__in=list(left.values())).update(has_evidence=True)
    audit.record(
        "invitations.queued",
        by=by,
        at=at,
        subject=batch,
        people=len(rows),
        left_out=batch.refused,
        by_law=len(by_law),
    )
    return batch


def _agreed(client: Client, caller_ids: Iterable[uuid.UUID], purposes: set[str]) -> set[uuid.UUID]:
    """Those who have said yes to every purpose of the notice; who only claimed it may still be asked."""
    given = Counter(
        ConsentState.objects.for_client(client)
        .filter(caller_id__in=list(caller_ids), purpose__in=purposes, state=State.GIVEN)
        .exclude(strength=Strength.D)
        .values_list("caller_id", flat=True)
    )
    return {caller_id for caller_id, count in given.items() if count == len(purposes)}


def secret_of(client_id: int, invitation_id: uuid.UUID) -> str:
    """
    What stands in the link of an invitation and in the address that answers go to.

    96 bits that nobody derives without the client's token key, in digits and small letters: mail servers change case.
    """
    return vault_selectors.client_keys(client_id).tokens.digest("ask", str(invitation_id)).hex()[:24]


def mail_key(client: Client) -> str:
    """
    The name of a client in addresses that answers go to, made when first needed. Inside a scope.

    :raises ClientLeftError: it has none, or none any more, and has left.
    """
    rows = PublicKey.objects.filter(
        purpose=KeyPurpose.ASK, agency_id=client.agency_id, client_id=client.pk
    ).order_by("key")
    found = rows.values_list("key", flat=True).first()
    if found is None:
        require_here(client.pk)
        found = secrets.token_hex(12)
        PublicKey.objects.create(
            key=found, purpose=KeyPurpose.ASK, agency_id=client.agency_id, client_id=client.pk
        )
    return found


def message_id_of(invitation_id: uuid.UUID) -> str:
    """The id of the letter, by which an answer or a bounce is known."""
    return f"<{invitation_id.hex}@{mail_words.host()}>"


@transaction.atomic
def pause(*, batch: InvitationBatch, is_paused: bool, by: Actor, at: datetime) -> bool:
    """Send nothing more of a batch, or go on; returns whether that changed anything."""
    rows = InvitationBatch.objects.for_client(batch.client_id).filter(
        pk=batch.pk, paused_at__isnull=is_paused
    )
    if not rows.update(paused_at=at if is_paused else None):
        return False
    audit.record("invitations.paused" if is_paused else "invitations.resumed", by=by, at=at, subject=batch)
    return True


def end_with_client(*, client: Client) -> int:
    """
    Ask nobody any more for a client that leaves, by letter or by text; returns how many questions do not go out. Who
    was asked before can answer for as long as the link leads anywhere. Inside a job's scope.
    """
    rows = Invitation.objects.for_client(client).filter(due_at__isnull=False)
    queued = rows.filter(state=InvitationState.QUEUED)
    ended = queued.update(state=InvitationState.PURGED, due_at=None, address=None)
    return ended + rows.update(due_at=None)


# --- Sending: claim, commit, send, record -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class Letter:
    """One letter that is ours to send for a while."""

    invitation_id: uuid.UUID
    client_id: int
    is_reminder: bool
    address: str
    sender: str
    subject: str
    text: str
    headers: dict[str, str]
    language: str


def claim_letters(*, agency_id: int, at: datetime, limit: int) -> list[Letter]:
    """
    Claim letters that are due; each comes back unless it is noted as sent.

    One whose recipient was refused too often, or whose address does not open any more, counts as come back, and one
    for a client that has left is taken back.
    While a message of the person waits for somebody to read it, theirs waits too.
    """
    with job_scope(agency_id=agency_id):
        rows = list(
            Invitation.objects.filter(
                agency_id=agency_id, channel=Channel.EMAIL, due_at__lte=at, address__isnull=False
            )
            .filter(
                selectors.taken_up(),
                state__in=(InvitationState.QUEUED, InvitationState.SENT),
                client__shut_at=None,
            )
            .select_related("client__agency", "version__notice")
            .select_for_update(skip_locked=True, of=("self",))
            .order_by("due_at", "pk")[:limit]
        )
        letters = []
        for row in rows:
            try:
                letter = _letter(row, at)
            except ClientLeftError:
                _take_back(row)
                continue
            if letter is not None and _is_left_alone(row, letter, at):
                _take_back(row)
            elif letter is None or row.attempts >= _REFUSED_AT_MOST:
                row.state, row.due_at, row.bounced_at = InvitationState.BOUNCED, None, at
                row.address = None
                row.save(update_fields=["state", "due_at", "bounced_at", "address"])
            else:
                letters.append(letter)
        ids = [letter.invitation_id for letter in letters]
        Invitation.objects.filter(pk__in=ids).update(due_at=at + MAIL_AGAIN_AFTER)
    return letters


def may_still_go(*, agency_id: int, letter: Letter, at: datetime) -> bool:
    """
    Whether a letter that was claimed is still to go out: others went before it, and took their time.

    That a first letter is handed over now is noted before it is: a worker that dies with it may have sent it, and links
    that are ended before it is sent again are that one's, too.
    """
    with job_scope(agency_id=agency_id):
        row = (
            Invitation.objects.for_client(letter.client_id)
            .filter(selectors.taken_up(), pk=letter.invitation_id)
            .filter(address__isnull=False, due_at__isnull=False, client__shut_at=None)
            .select_related("client")
            .first()
        )
        if row is None or _is_ended(row):
            return False
        Invitation.objects.filter(pk=row.pk, state=InvitationState.QUEUED, sent_at=None).update(sent_at=at)
        return True


def _letter(row: Invitation, at: datetime) -> Letter | None:
    client = row.client
    address = vault_selectors.content_of(client.pk, row.caller_id, row.address)
    if address is None:
        return None
    page = web.open_page(client=client, at=at)
    secret = secret_of(client.pk, row.pk)
    url = f"{settings.CALLPRIVACY_URL}{reverse('consent:ask', args=[page.key, secret])}"
    is_reminder = row.state == InvitationState.SENT
    language = Language(row.version.notice.language)
    key_in_mail = mail_key(client)
    answers = {"Reply-To": mail_words.reply_to(key_in_mail, secret)} if mail_words.are_answers_read() else {}
    return Letter(
        invitation_id=row.pk,
        client_id=client.pk,
        is_reminder=is_reminder,
        address=address,
        sender=client.name,
        subject=mail_words.subject(client, language, is_reminder=is_reminder),
        text=mail_words.letter(client, row.version, language, url=url, is_reminder=is_reminder),
        headers={
            "Message-ID": message_id_of(row.pk),
            "List-Unsubscribe": f"<{url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
        | answers
        | mail_words.marks(key_in_mail, secret),
        language=language.value,
    )


def _is_left_alone(row: Invitation, letter: Letter, at: datetime) -> bool:
    """
    Whether the person has said no to what is asked or opted out, or would have to agree first by now; or it reminds of
    a letter whose link was ended.
    """
    if _is_ended(row):
        return True
    noes = ledger.noes_of(row.client, row.caller_id, at=at)
    if not noes.keys().isdisjoint({*row.version.notice.purposes, Purpose.CONTACT.value}):
        return True
    if asking.is_not_asked(row.client, row.caller_id, at=at):
        return True
    return bool(asking.not_asked(row.client, [letter.address], at=at)) or _would_advertise(row, at)


def _would_advertise(row: Invitation, at: datetime) -> bool:
    """Whether the letter is advertising to somebody who has to have agreed to it first."""
    if not asking.is_advertising(row.version):
        return False
    number = number_of(row.client, row.caller_id)
    return not number or bool(contact.consent_first(client=row.client, numbers=[number], at=at))


def _take_back(row: Invitation) -> None:
    """Send nothing more; the link of a letter that went out, or may have, stays, so that it can still be answered."""
    row.due_at = None
    if row.state == InvitationState.QUEUED:
        row.state = InvitationState.SENT if row.sent_at else InvitationState.PURGED
        row.address = row.address if row.sent_at else None
    row.save(update_fields=["state", "due_at", "address"])


def letter_not_taken(*, agency_id: int, letter: Letter, at: datetime, fault: Fault) -> None:
    """
    The server did not take a letter; where it refused the recipient for good, at last the letter counts as come back.

    :param at: when it was about to be handed over. What was handed over before may have gone.
    """
    with job_scope(agency_id=agency_id):
        rows = Invitation.objects.for_client(letter.client_id).filter(pk=letter.invitation_id)
        if not fault.may_have_gone:
            rows.filter(state=InvitationState.QUEUED, sent_at=at).update(sent_at=None)
        rows.update(attempts=F("attempts") + int(fault.is_recipients))


def letter_sent(*, agency_id: int, letter: Letter, at: datetime) -> None:
    """
    The server took a letter: a reminder follows the first one after a week, nothing follows the reminder.

    :param at: when it was about to be handed over, before it was looked at whether it may still go.
    """
    with job_scope(agency_id=agency_id):
        row = Invitation.objects.for_client(letter.client_id).filter(pk=letter.invitation_id)
        if letter.is_reminder:
            row.filter(state=InvitationState.SENT).update(
                state=InvitationState.REMINDED, reminded_at=at, due_at=None, attempts=0
            )
        else:
            row.filter(state=InvitationState.QUEUED).update(
                state=InvitationState.SENT,
                sent_at=at,
                due_at=at + selectors.REMIND_AFTER,
                purge_at=at + KEPT_FOR,
                attempts=0,
            )


# --- Answers ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """
    What the page behind a link shows.

    :ivar answered: whether the person has answered before. :ivar stands: whether a consent of the person stands.
    :ivar is_over: whether a no alone is still taken.
    """

    look: Look
    language: Language
    words: Words
    form: str
    answered: bool
    stands: bool
    is_over: bool


def _find(client: Client, secret: str) -> Invitation:
    row = (
        Invitation.objects.for_client(client)
        .filter(link_digest=sha256(secret.encode()).digest(), channel=Channel.EMAIL)
        .exclude(state__in=(InvitationState.PURGED, InvitationState.QUEUED))
        .select_related("version__notice", "client")
        .select_for_update(of=("self",))
        .first()
    )
    if row is None:
        raise UnknownInvitationError
    return row


def show(*, key: str, secret: str, language: Language | None, at: datetime) -> Asked:
    """
    What the page behind a link shows. Enters the client's scope itself.

    :raises UnknownKeyError: nobody's key.
    :raises UnknownInvitationError: no such link.
    """
    door = web.door_of(key)
    with client_scope(agency_id=door.agency_id, client_id=door.client_id):
        client = web.client_of(door)
        row = _find(client, secret)
        words = web.words_of(row.version)
        stands = _stands(row)
        return Asked(
            look=web.look_of(client, key),
            language=language or words.language,
            words=words,
            form=web.form_of(client, [words], at=at),
            answered=row.state == InvitationState.ANSWERED,
            stands=stands,
            is_over=takes_no_yes(row) or (_is_over(row, at) and not stands),
        )


def _stands(row: Invitation) -> bool:
    given = ConsentState.objects.for_client(row.client_id).filter(caller_id=row.caller_id, state=State.GIVEN)
    return given.exists()


def is_others(row: Invitation) -> bool:
    """Whether who was asked may have the number no more, and so can say no for it, and not yes. Inside a scope."""
    return contact.is_reassigned(client=row.client, caller_id=row.caller_id, since=row.created_at)


def takes_no_yes(row: Invitation) -> bool:
    """Whether a letter's answer can be a no alone: it may be somebody else's, or have gone to somebody else."""
    return is_others(row) or _is_ended(row)


def _is_ended(row: Invitation) -> bool:
    """Whether staff have ended all personal links since it was sent."""
    page = pages.page_of(row.client)
    return (
        page is not None
        and page.links_ended_at is not None
        and row.sent_at is not None
        and row.sent_at <= page.links_ended_at
    )


def _is_over(row: Invitation, at: datetime) -> bool:
    return row.sent_at is not None and at >= row.sent_at + KEPT_FOR


def answer(
    *, key: str, secret: str, agreed: Collection[Purpose], visit: Visit, at: datetime
) -> tuple[str, int]:
    """
    Write down an answer by the link: yes to what was ticked, no to the rest; returns how many events, and the agency.

    Enters the client's scope itself. The last answer counts; the address leaves with the first.

    :raises UnknownKeyError: nobody's key.
    :raises UnknownInvitationError: no such link, or it is a yes after the question's time, after links were ended, or
        for a number that may be somebody else's by now.
    :raises CallerGoneError: the person was erased in this moment.
    """
    door = web.door_of(key)
    with client_scope(agency_id=door.agency_id, client_id=door.client_id):
        client = web.client_of(door)
        row = _find(client, secret)
        if agreed and (takes_no_yes(row) or (_is_over(row, at) and not _stands(row))):
            raise UnknownInvitationError
        evidence = {"by": "link in an email", "page": visit.page, "browser": visit.browser}
        source = f"link {row.pk} {at.isoformat()}"
        signal = (
            web.opt_out(row.caller_id, Strength.B, source=source, visit=visit, at=at)
            if visit.opted_out
            else None
        )
        write_answer(row=row, agreed=agreed, source=source, evidence=evidence, at=at, signal=signal)
    return client.name, door.agency_id


def write_answer(
    *,
    row: Invitation,
    agreed: Collection[Purpose],
    source: str,
    evidence: dict[str, Any],
    at: datetime,
    signal: Said | None = None,
) -> int:
    """
    Write an answer to an invitation into the ledger; returns how many events are new. Inside the client's scope.

    :param signal: the no of the browser, which stands in place of what was said to its purpose.
    :raises CallerGoneError: the person was erased in this moment.
    """
    version = row.version
    purposes = [Purpose(purpose) for purpose in version.notice.purposes]
    given = ConsentState.objects.for_client(row.client_id).filter(caller_id=row.caller_id, state=State.GIVEN)
    stands = set(given.values_list("purpose", flat=True))
    shown = {
        "words": version.words,
        "version": str(version.pk),
        "version_digest": bytes(version.digest or b"").hex(),
        "invitation": str(row.pk),
    }
    said = [
        Said(
            purpose=purpose,
            kind=_kind(purpose, agreed, stands),
            channel=Channel.EMAIL,
            strength=Strength.B,
            happened_at=at,
            source=source,
            caller_id=row.caller_id,
            version_id=version.pk,
            evidence=shown | evidence,
        )
        for purpose in purposes
        if signal is None or purpose != signal.purpose
    ]
    if signal is not None:
        said.append(signal)
    events = ledger.record_events(client=row.client, said=said, by=_BY, at=at)
    if any(event.purpose == Purpose.RECORD and event.kind != EventKind.GIVEN for event in events):
        menu_calls.stop_running(client=row.client, caller_id=row.caller_id, by=_BY, at=at)
    row.state, row.answered_at, row.due_at, row.address = InvitationState.ANSWERED, at, None, None
    row.save(update_fields=["state", "answered_at", "due_at", "address"])
    return len(events)


def _kind(purpose: Purpose, agreed: Collection[Purpose], stands: Collection[str]) -> EventKind:
    """A no after a yes takes it back."""
    if purpose in agreed:
        return EventKind.GIVEN
    return EventKind.WITHDRAWN if purpose in stands else EventKind.REFUSED


def unsubscribe(*, key: str, secret: str, at: datetime) -> int:
    """
    No more letters: a no to being contacted, by the one click that mail programs offer; returns the agency.

    :raises UnknownKeyError: nobody's key.
    :raises UnknownInvitationError: no such link.
    """
    door = web.door_of(key)
    with client_scope(agency_id=door.agency_id, client_id=door.client_id):
        client = web.client_of(door)
        row = _find(client, secret)
        fact = Said(
            purpose=Purpose.CONTACT,
            kind=EventKind.WITHDRAWN,
            channel=Channel.EMAIL,
            strength=Strength.B,
            happened_at=at,
            source=source_of_no(row, "unsubscribe"),
            caller_id=row.caller_id,
            evidence={"by": "one-click unsubscribe (RFC 8058)"},
        )
        ledger.record_events(client=client, said=[fact], by=_BY, at=at)
        row.state, row.answered_at, row.due_at, row.address = InvitationState.ANSWERED, at, None, None
        row.save(update_fields=["state", "answered_at", "due_at", "address"])
    return door.agency_id


def source_of_no(row: Invitation, how: str) -> str:
    """
    What is the same when a no to contact by a letter is told again, and another when it is said after a newer yes.

    :param how: by which way it was told. Inside the client's scope.
    """
    yeses = ConsentEvent.objects.for_client(row.client_id).filter(
        caller_id=row.caller_id, purpose=Purpose.CONTACT, scope=Scope.STANDING, kind__in=YES_KINDS
    )
    newest = yeses.aggregate(at=Max("happened_at"))["at"]
    return f"{how} {row.pk}" if newest is None else f"{how} {row.pk} {newest.isoformat()}"


def note_bounce(*, row: Invitation, at: datetime) -> None:
    """The letter came back: nothing more is sent there, and the address leaves. Inside the client's scope."""
    row.state, row.bounced_at, row.due_at, row.address = InvitationState.BOUNCED, at, None, None
    row.save(update_fields=["state", "bounced_at", "due_at", "address"])


def purge(*, agency_id: int, at: datetime, limit: int = 1000) -> int:
    """
    Remove invitations that nobody answered in time, and settled ones of the same age; returns how many.

    An address goes after `KEPT_FOR`, the rest `LINK_FOR` after the last letter, whose link takes a no until then. The
    letter says that a consent can be taken back at any time by the same link or by an answer. So what was answered
    is looked at once more a month later as long as any consent of the person stands. Whose person was erased goes at
    once. Whom nothing else knows is swept away with the idle callers.
    """
    callers_of = Caller.objects.filter(client_id=OuterRef("client_id"), pk=OuterRef("caller_id"))
    with job_scope(agency_id=agency_id):
        rows = list(
            Invitation.objects.filter(Q(purge_at__lte=at) | ~Exists(callers_of), agency_id=agency_id)
            .select_for_update(skip_locked=True, of=("self",))
            .order_by("purge_at")
            .only("pk", "caller_id", "client_id", "state", "channel", "sent_at", "reminded_at")[:limit]
        )
        kept = _still_needed(rows)
        Invitation.objects.filter(pk__in=[row.pk for row in kept]).update(purge_at=at + KEPT_FOR)
        linked = _still_linked([row for row in rows if row not in kept], at)
        Invitation.objects.filter(pk__in=[row.pk for row in linked]).update(
            address=None, due_at=None, purge_at=Coalesce("reminded_at", "sent_at") + LINK_FOR
        )
        left = [row for row in rows if row not in kept and row not in linked]
        Invitation.objects.filter(pk__in=[row.pk for row in left]).remove()
        callers = {row.caller_id for row in left}
        known = set(
            ConsentEvent.objects.filter(caller_id__in=callers).values_list("caller_id", flat=True).distinct()
        )
        known |= set(Invitation.objects.filter(caller_id__in=callers).values_list("caller_id", flat=True))
        Caller.objects.filter(pk__in=callers - known).update(has_evidence=False)
    return len(left)


def _still_linked(rows: Collection[Invitation], at: datetime) -> list[Invitation]:
    """Those of whose last letter the link has to take a no for longer; nobody reads one that came back."""
    states = {*_OPEN, InvitationState.ANSWERED}
    here = set(Caller.objects.filter(pk__in={row.caller_id for row in rows}).values_list("client_id", "pk"))
    return [
        row
        for row in rows
        if row.channel == Channel.EMAIL
        and row.state in states
        and (row.client_id, row.caller_id) in here
        and (last := row.reminded_at or row.sent_at) is not None
        and at < last + LINK_FOR
    ]


def _still_needed(rows: Collection[Invitation]) -> list[Invitation]:
    """Those by whose link, or by an answer to which, a consent that stands can be taken back."""
    answered = [row for row in rows if row.state == InvitationState.ANSWERED and row.channel == Channel.EMAIL]
    here = Caller.objects.filter(client_id=OuterRef("client_id"), pk=OuterRef("caller_id"))
    given = set(
        ConsentState.objects.filter(
            Exists(here), caller_id__in={row.caller_id for row in answered}, state=State.GIVEN
        )
        .values_list("client_id", "caller_id")
        .distinct()
    )
    return [row for row in answered if (row.client_id, row.caller_id) in given]
