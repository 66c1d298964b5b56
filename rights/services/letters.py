"""
Letters about a case: shown before they leave, kept as they left, and sent by a job or by hand.

What a letter says and where it went is sealed under the submission's key, and gone with it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from billiard.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.db.models import F

from callprivacy.lib import figures
from callprivacy.lib.logs import logger
from callprivacy.lib.mail import Fault
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault.sealing import SealBrokenError
from callprivacy.work import services as work
from rights import kinds, letters
from rights.enums import EventKind, LetterState, LetterWay
from rights.letters import Filled, LetterTo
from rights.models import Case, Letter
from rights.selectors import letters as selectors
from rights.selectors import words
from rights.selectors.progress import ACKNOWLEDGEMENT
from rights.services import cases, sealing, timeline

log = logger(__name__)

EXTENSION: Final = "extension"
MAIL_AGAIN_AFTER: Final = timedelta(minutes=10)
MOST_ATTEMPTS: Final = 6
JOB: Final = Actor.job("rights.send_letters")


class NoAddressError(ValueError):
    """The person named no address that this way needs."""


class NotForThisCaseError(ValueError):
    """There is no such letter for this kind of request."""


class TooLateError(LookupError):
    """It says that an answer takes longer, and the day by which the person had to be told is past."""


class GoneError(LookupError):
    """The letter's text is erased, or it is not waiting to be sent any more."""


@dataclass(frozen=True, slots=True, repr=False)
class Mail:
    """
    A letter that is due, opened: to be handed to the mail server outside any scope. It prints as nothing.

    :ivar answers_to: where an answer to it is read; "" where nobody reads any.
    """

    letter_id: UUID
    sender: str
    answers_to: str
    to: str
    subject: str
    body: str
    language: str


def preview(*, case: Case, name: str, at: datetime, said: str = "", link: str = "") -> Filled:
    """
    A letter as it would leave; nothing is written down.

    :param link: of the person's own page, "" where there is none.
    :raises NotForThisCaseError: there is no such letter for this kind of request.
    :raises MissingWordsError: it lacks words that it needs.
    """
    if name not in {one.name for one in letters.letters_for(case.kind)}:
        raise NotForThisCaseError("There is no such letter for this kind of request.")
    more = {"status_url": link}
    if name == EXTENSION and case.extending_at is not None and not cases.is_too_late(case, at):
        more["answer_by"] = selectors.day_of(cases.longer_day(case), selectors.language_of(case))
    facts = selectors.facts_of(case, said=said, more=more)
    return letters.fill(name, selectors.language_of(case), facts)


@transaction.atomic
def send_letter(
    *,
    case: Case,
    name: str,
    way: LetterWay,
    text: Filled,
    by: Actor,
    at: datetime,
) -> Letter:
    """
    Keep a letter as it leaves, and send it: by mail a job does, by post or phone whoever calls this has.

    The first acknowledgement stops the clock of the acknowledgement; the letter that it takes longer moves the day of
    the answer once it has gone.

    :raises NotForThisCaseError: there is no such letter for this kind of request.
    :raises NoAddressError: the person named no mail address, and it goes by mail.
    :raises TooLateError: it says that it takes longer, goes by mail, and the first term is past.
    """
    wanted = letters.letter(name)
    if wanted.to is not LetterTo.PERSON or (wanted.kinds and case.kind not in wanted.kinds):
        raise NotForThisCaseError("There is no such letter for this kind of request.")
    key = sealing.key_of(submission=case.submission, at=at)
    contact = words.record(case.submission.contact, key)
    to = str(
        contact.get(
            {LetterWay.MAIL: "mail", LetterWay.POST: "post", LetterWay.PHONE: "phone"}.get(way, ""), ""
        )
    )
    if way is LetterWay.MAIL and not to:
        raise NoAddressError("The person named no mail address. Print the letter, or read it to the person.")
    is_mail = way is LetterWay.MAIL
    if is_mail and name == EXTENSION and cases.is_too_late(case, at):
        raise TooLateError("The person had to be told within the first term. The day stands as it was.")
    row = Letter(
        agency_id=case.agency_id,
        client_id=case.client_id,
        case=case,
        template=name,
        language=selectors.language_of(case),
        way=way,
        state=LetterState.WAITING if is_mail else LetterState.SENT,
        made_by_id=by.user_id,
        made_at=at,
        due_at=at if is_mail else None,
        sent_by_id=None if is_mail else by.user_id,
        sent_at=None if is_mail else at,
    )
    row.subject = sealing.seal(row, "subject", text.subject, key)
    row.body = sealing.seal(row, "body", text.body, key)
    if to:
        row.to = sealing.seal(row, "to", to, key)
    row.save(force_insert=True)
    timeline.add_event(
        "letter.written",
        case=case,
        kind=EventKind.WRITTEN,
        by=by,
        at=at,
        shown=True,
        letter=name,
        way=way.value,
    )
    if name == ACKNOWLEDGEMENT:
        cases.acknowledge(case=case, by=by, at=at)
    if name == EXTENSION and not is_mail:
        cases.note_told(case=case, by=by, at=at)
    return row


def open_letter(*, letter: Letter) -> Filled:
    """
    A letter as it left.

    :raises GoneError: its text is erased.
    """
    key = words.key_of(letter.case.submission)
    if key is None:
        raise GoneError("The text of this letter is erased.")
    return Filled(words.text(letter.subject, key), words.text(letter.body, key))


# --- The job ------------------------------------------------------------------------------------------------------


def claim_letters(*, agency_id: int, at: datetime, limit: int) -> list[Mail]:
    """
    Open letters that are due; each comes back after `MAIL_AGAIN_AFTER` unless `letter_sent` is told.

    One whose key is gone, or whose recipient was refused or that could not be opened too often, is given up, and waits
    for a person. So is one that promises a longer day which does not hold any more: then the request itself waits.
    """
    found: list[Mail] = []
    with job_scope(agency_id=agency_id):
        rows = (
            Letter.objects.due(at)
            .filter(state=LetterState.WAITING)
            .select_related("case__submission", "case__client", "case__agency")
            .select_for_update(skip_locked=True, of=("self",))
            .order_by("due_at", "pk")[:limit]
        )
        for row in rows:
            if row.template == EXTENSION and cases.is_too_late(row.case, at):
                _fail(row, at)
                cases.note_told(case=row.case, by=JOB, at=at)
                continue
            if row.attempts >= MOST_ATTEMPTS:
                _give_up(row, at)
                continue
            Letter.objects.filter(pk=row.pk).update(due_at=at + MAIL_AGAIN_AFTER)
            try:
                key = words.key_of(row.case.submission)
                to, subject, body = (words.text(one, key) for one in (row.to, row.subject, row.body))
            except SealBrokenError:
                log.warning("letter.sealed_shut", letter=str(row.pk))
                Letter.objects.filter(pk=row.pk).update(attempts=row.attempts + 1)
                continue
            if key is None or not to:
                _give_up(row, at)
                continue
            found.append(
                Mail(
                    row.pk,
                    selectors.sender_of(row.case),
                    selectors.mailbox_of(row.case),
                    to,
                    subject,
                    body,
                    row.language,
                )
            )
    return found


def _fail(row: Letter, at: datetime) -> None:
    Letter.objects.filter(pk=row.pk).update(state=LetterState.FAILED, due_at=None)
    timeline.add_event(
        "letter.failed", case=row.case, kind=EventKind.FAILED, by=JOB, at=at, letter=row.template
    )


def _give_up(row: Letter, at: datetime) -> None:
    _fail(row, at)
    work.open_item(
        kinds.of_holder(kinds.LETTER_FAILED, row.client_id),
        agency_id=row.agency_id,
        client_id=row.client_id,
        key=f"letter {row.pk}",
        at=at,
        due_at=at,
    )


def letter_sent(*, agency_id: int, letter_id: UUID, at: datetime) -> None:
    """Note that the mail server took a letter, whatever becomes of what follows: it is not sent a second time."""
    with job_scope(agency_id=agency_id):
        waiting = Letter.objects.filter(pk=letter_id, state=LetterState.WAITING)
        # One that says that it takes longer stays due until the case does.
        due_at = at if waiting.filter(template=EXTENSION).exists() else None
        waiting.update(state=LetterState.SENT, sent_at=at, due_at=due_at, last_error="")
    note_extensions(agency_id=agency_id, at=at)


def note_extensions(*, agency_id: int, at: datetime) -> None:
    """
    Extend the cases of which letters have gone that say so, each by itself, by the day on which its letter went.

    One that fails is logged and tried again by the next run. Called outside any scope.
    """
    with job_scope(agency_id=agency_id):
        gone = Letter.objects.due(at).filter(agency_id=agency_id, state=LetterState.SENT, template=EXTENSION)
        found = list(gone.select_related("case").order_by("due_at", "pk"))
    for letter in found:
        try:
            with job_scope(agency_id=agency_id):
                if Letter.objects.filter(pk=letter.pk, due_at__isnull=False).update(due_at=None):
                    cases.note_told(case=letter.case, by=JOB, at=at, told_at=letter.sent_at)
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:  # noqa: BLE001  (the next run finds it again; the others' go on)
            figures.note_fault()
            log.error("letter.extends_nothing_yet", letter=str(letter.pk), error=type(error).__name__)  # noqa: TRY400  (a text may hold a value)


def letter_not_taken(*, agency_id: int, letter_id: UUID, fault: Fault) -> None:
    """Note by its kind why the mail server did not take a letter; it counts only where the recipient was refused."""
    with job_scope(agency_id=agency_id):
        Letter.objects.filter(pk=letter_id).update(
            last_error=fault.kind[:120], attempts=F("attempts") + int(fault.is_recipients)
        )


@transaction.atomic
def send_again(*, letter: Letter, by: Actor, at: datetime) -> bool:
    """
    Try a letter that was not delivered once more; returns whether it is. One that promises a longer day which does not
    hold any more is not: the request waits in its place.

    :raises GoneError: it did not fail.
    """
    case = Case.objects.select_related("client", "agency").get(pk=letter.case_id)
    is_late = letter.template == EXTENSION and cases.is_too_late(case, at)
    failed = Letter.objects.filter(pk=letter.pk, state=LetterState.FAILED)
    if not (failed.exists() if is_late else failed.update(state=LetterState.WAITING, due_at=at, attempts=0)):
        raise GoneError("This letter is not waiting for another try.")
    if is_late:
        cases.note_told(case=case, by=by, at=at)
    work.close_item(
        kinds.of_holder(kinds.LETTER_FAILED, letter.client_id),
        agency_id=letter.agency_id,
        key=f"letter {letter.pk}",
        at=at,
        by=by,
    )
    return not is_late
