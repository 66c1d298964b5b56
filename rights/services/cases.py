"""
Cases: what a person asked for, from the day it came in to the day it was answered.

A submission is what one person sent in at once; each thing asked for is a case of its own, with its own laws and clock.
What the person refuses takes effect at once, before anybody looks at it.
"""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from django.db import models, transaction
from django.db.models import F, Value
from django.db.models.functions import Greatest

from callprivacy.lib import calendars
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Answerer, PartyRole
from callprivacy.tenancy.models import Agency, Client, Engagement
from callprivacy.vault.sealing import Key, SealBrokenError
from callprivacy.work import services as work
from rights import kinds
from rights.deadlines import engine
from rights.enums import Ask, CaseState, Channel, EventKind, IdentityKind, IdentityState, OnBehalf
from rights.models import Case, CaseEvent, CaseNote, CaseTask, Identity, Pause, Submission
from rights.selectors import clocks
from rights.selectors import words as opened
from rights.services import approvals, queue, sealing, stopping, timeline

_SIGNS: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


class NothingAskedError(ValueError):
    """A submission asks for nothing, or nobody is named in it."""


class ClosedError(LookupError):
    """The case is answered or taken back, so nothing more is done in it."""


class AlreadyDoneError(LookupError):
    """Somebody has done this already."""


class NoExtensionError(ValueError):
    """No law that applies lets the answer take longer, or the day by which the person had to be told is past."""


class ClockRunsOnError(ValueError):
    """No law that applies stops the clock while the person is asked."""


class EmptyWordsError(ValueError):
    """Nothing was written."""


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
    said_at: datetime | None = None,
    words: str = "",
    on_behalf: OnBehalf = OnBehalf.SELF,
    is_minor: bool = False,
    place: clocks.Where = ("", ""),
    language: str = "en",
    submission_id: UUID | None = None,
) -> Submission:
    """
    Open a case for each thing that a person asks for, and start the clocks.

    :param client: whom it was sent to; None, the agency itself.
    :param claims: by what the person says who they are; each is proven on its own (`Identity`).
    :param received_at: when it first came in anywhere; the clock runs from then.
    :param said_at: the last instant at which it can have come in, where `received_at` stands for a day.
    :param place: (country, region) as the person said it; ("", "") where not, then the first number's country counts.
    :param submission_id: which id the submission has; None, one by chance.
    :returns: the submission; `submission.cases.all()` are its cases, in the order of `Ask`.
    :raises NothingAskedError: nothing is asked for, or no identity is claimed.
    """
    if not asks or not claims:
        raise NothingAskedError("Say what is asked for, and by which number or address.")
    place_by = "said" if place[0] else ""
    if not place_by and (number := _first_number(claims)):
        place, place_by = clocks.place_of_number(number), "area_code"
    submission = Submission(
        id=submission_id or uuid4(),
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
        said_at=said_at,
        recorded_at=at,
        recorded_by_id=by.user_id,
    )
    key = sealing.key_of(submission=submission, at=at)
    submission.contact = sealing.seal(submission, "contact", contact.as_json(), key)
    if words:
        submission.words = sealing.seal(submission, "words", words, key)
    submission.save(force_insert=True)
    _claim(submission, claims, key, at)
    for case in open_more(submission=submission, asks=asks, by=by, at=at):
        if Ask(case.asks).stops_at_once:
            stopping.stop_at_once(case=case, key=key, by=by, at=at)
    return submission


def open_more(*, submission: Submission, asks: Collection[Ask], by: Actor, at: datetime) -> list[Case]:
    made = [
        _open_case(submission, ask, received_at=submission.received_at, by=by, at=at)
        for ask in sorted(set(asks), key=list(Ask).index)
    ]
    queue.renew(agency_id=submission.agency_id, client_id=submission.client_id, by=by, at=at)
    return made


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
    said_at: datetime | None = None,
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
        said_at=said_at,
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
        answer_by=clock.answer_by.isoformat() if clock.answer_by else None,
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


# --- What staff do with a case ------------------------------------------------------------------------------------


def _open(case: Case) -> None:
    """:raises ClosedError: nothing is owed in it any more."""
    if not Case.objects.filter(pk=case.pk, closed_at=None).exists():
        raise ClosedError(f"{case.reference} is closed.")


def _words(text: str) -> str:
    """:raises EmptyWordsError: nothing was written."""
    said = text.strip()
    if not said:
        raise EmptyWordsError("Write what it is about.")
    return said


def _person(by: Actor) -> int:
    if by.user_id is None:
        raise TypeError("This is done by a person.")
    return by.user_id


@transaction.atomic
def write_note(*, case: Case, words: str, by: Actor, at: datetime) -> CaseNote:
    """
    Write to the others who work on a case; the person never sees it. Closed cases may be written about, too.

    :raises EmptyWordsError: nothing was written.
    """
    note = CaseNote(agency_id=case.agency_id, client_id=case.client_id, case=case, by_id=_person(by), at=at)
    note.words = sealing.seal(note, "words", _words(words), sealing.key_of(submission=case.submission, at=at))
    note.save(force_insert=True)
    timeline.add_event("case.noted", case=case, kind=EventKind.NOTED, by=by, at=at)
    return note


@transaction.atomic
def add_task(
    *, case: Case, words: str, owner_id: int | None, due_on: date | None, by: Actor, at: datetime
) -> CaseTask:
    """
    Note something that a person has to do for a case.

    :raises ClosedError: the case is closed. :raises EmptyWordsError: nothing was written.
    """
    _open(case)
    task = CaseTask(
        agency_id=case.agency_id,
        client_id=case.client_id,
        case=case,
        owner_id=owner_id,
        due_on=due_on,
        added_by_id=_person(by),
        added_at=at,
    )
    task.words = sealing.seal(task, "words", _words(words), sealing.key_of(submission=case.submission, at=at))
    task.save(force_insert=True)
    timeline.add_event("case.task_added", case=case, kind=EventKind.TASK_ADDED, by=by, at=at)
    return task


@transaction.atomic
def finish_task(*, task: CaseTask, by: Actor, at: datetime) -> bool:
    """Note that a task is done; returns whether it was open."""
    if not CaseTask.objects.filter(pk=task.pk, done_at=None).update(done_at=at, done_by_id=by.user_id):
        return False
    timeline.add_event("case.task_done", case=task.case, kind=EventKind.TASK_DONE, by=by, at=at)
    return True


@transaction.atomic
def assign(*, case: Case, owner_id: int | None, by: Actor, at: datetime) -> None:
    """
    Hand a case to a person, or to nobody; that the person may act on it is asked by who calls.

    :raises ClosedError: the case is closed.
    """
    if not Case.objects.filter(pk=case.pk, closed_at=None).update(owner_id=owner_id):
        raise ClosedError(f"{case.reference} is closed.")
    timeline.add_event("case.assigned", case=case, kind=EventKind.ASSIGNED, by=by, at=at, person=owner_id)


@transaction.atomic
def acknowledge(*, case: Case, by: Actor, at: datetime) -> bool:
    """Note that the person was told that the request came in; returns whether that is new."""
    if not Case.objects.filter(pk=case.pk, acknowledged_at=None).update(acknowledged_at=at):
        return False
    timeline.add_event("case.acknowledged", case=case, kind=EventKind.ACKNOWLEDGED, by=by, at=at, shown=True)
    return True


@transaction.atomic
def take_back(*, case: Case, by: Actor, at: datetime) -> None:
    """
    Close a case that the person takes back. What it stopped stays stopped.

    :raises ClosedError: the case is closed.
    """
    rows = Case.objects.filter(pk=case.pk, closed_at=None)
    if not rows.update(state=CaseState.WITHDRAWN, closed_at=at):
        raise ClosedError(f"{case.reference} is closed.")
    approvals.withdraw_open(case=case, by=by, at=at)
    timeline.add_event("case.taken_back", case=case, kind=EventKind.TAKEN_BACK, by=by, at=at, shown=True)
    settle_end(submission=case.submission, at=at)
    queue.renew(agency_id=case.agency_id, client_id=case.client_id, by=by, at=at)


def settle_end(*, submission: Submission, at: datetime) -> None:
    """Note when a submission came to its end, from which the days of its policy count; none while a case is open."""
    # Of two cases that close at once the second sees the first.
    Submission.objects.select_for_update(no_key=True, of=("self",)).get(pk=submission.pk)
    if Case.objects.filter(submission_id=submission.pk).open().exists():
        Submission.objects.filter(pk=submission.pk).update(ended_at=None)
        return
    Submission.objects.filter(pk=submission.pk).update(ended_at=at)


# --- Proof --------------------------------------------------------------------------------------------------------


@transaction.atomic
def note_proven(*, submission: Submission, by: Actor, at: datetime, proven_at: datetime | None = None) -> int:
    """
    Let the cases go on that waited for proof, once an identity is proven; returns how many did.

    Called by who has proven it, in the same transaction. Laws whose clock starts then are counted anew.

    :param proven_at: when the last of what was needed had come in, seldom when somebody looks at it; None: now.
    """
    if not Identity.objects.filter(submission=submission, state=IdentityState.PROVEN).exists():
        return 0
    waiting = list(_locked(submission).filter(state=CaseState.PROVING))
    for case in waiting:
        case.state, case.identified_at = CaseState.OPEN, min(proven_at or at, at)
        _count_anew(case)
        case.save(update_fields=["state", "identified_at", *_CLOCK])
        timeline.add_event("case.proven", case=case, kind=EventKind.PROVEN, by=by, at=at, shown=True)
    if waiting:
        queue.renew(agency_id=submission.agency_id, client_id=submission.client_id, by=by, at=at)
    if Case.objects.filter(submission=submission, decided_at=None).open().exists():
        # What there is of the person is looked for at once, so that it is there when a person looks; and again where
        # another identity is proven.
        Submission.objects.filter(pk=submission.pk).update(search_due_at=at, searched_at=None)
    return len(waiting)


def _locked(submission: Submission) -> models.QuerySet[Case]:
    rows = Case.objects.filter(submission=submission).order_by("pk")
    return rows.select_related("submission__agency", "submission__client").select_for_update(of=("self",))


# --- The clock ----------------------------------------------------------------------------------------------------

_CLOCK: Final = (
    "law",
    "laws",
    "acknowledge_by",
    "acknowledge_due_at",
    "extend_before",
    "answer_by",
    "answer_due_at",
)


def _count_anew(case: Case) -> None:
    """Count a case's days again, with its pauses and its extension; the row is not saved by this."""
    clock = _counted(case, extended=case.extended_at is not None, standing_since=case.paused_at)
    set_clock(case, clock)


def _counted(case: Case, *, extended: bool, standing_since: datetime | None = None) -> clocks.Clock:
    submission = case.submission
    pauses = Pause.objects.filter(case=case, until__isnull=False).order_by("since")
    return clocks.clock_of(
        agency=submission.agency,
        client=submission.client,
        kind=Ask(case.asks).kind,
        place=(submission.country, submission.region),
        received_at=case.received_at,
        paused=[(pause.since, pause.until) for pause in pauses if pause.until is not None],
        standing_since=standing_since,
        extended=extended,
        identified_at=case.identified_at,
    )


def longer_day(case: Case) -> date | None:
    """The day by which a case is answered where the person is told in time that it takes longer, were nothing asked."""
    return _counted(case, extended=True).answer_by


def is_too_late(case: Case, at: datetime) -> bool:
    """
    Whether the first term of a case that is not extended is past, so that no letter moves its day any more; never while
    its clock stands.
    """
    last = None if case.stands else case.extend_before
    return case.extended_at is None and last is not None and at.astimezone(_zone(case)).date() > last


def may_extend(case: Case, at: datetime) -> bool:
    """Whether the day of an open case may still be moved, once, by a letter within its first term."""
    is_open = case.extended_at is None and case.extending_at is None and case.extend_before is not None
    return is_open and not is_too_late(case, at)


def _zone(case: Case) -> ZoneInfo:
    return engine.zone_of((case.client or case.agency).time_zone)


def _extension(case: Case) -> str:
    """The key of what waits for the letter: the agency's own kind has another item of the case beside it."""
    return kinds.extension_key(case.pk) if case.client_id is None else str(case.pk)


def _one(case: Case) -> Case:
    """
    The case, locked, with what its clock needs.

    :raises ClosedError: the case is closed.
    """
    rows = Case.objects.select_related("submission__agency", "submission__client", "client", "agency")
    found = rows.select_for_update(of=("self",)).get(pk=case.pk)
    if found.closed_at is not None:
        raise ClosedError(f"{found.reference} is closed.")
    return found


@transaction.atomic
def extend(*, case: Case, ground: str, words: str, by: Actor, at: datetime) -> Case:
    """
    Say that the answer takes longer, and why; it does once the letter has gone that tells the person so (`note_told`).

    Until then the day stands as it was, and it waits for whoever handles the requests.

    :param ground: "complexity" or "number", as GDPR article 12(3) says; other laws: "necessary".
    :param words: the reason as the person is told it.
    :raises ClosedError: the case is closed. :raises AlreadyDoneError: somebody has said so before.
    :raises NoExtensionError: no law allows it, or it is too late. :raises EmptyWordsError: no reason.
    """
    found = _one(case)
    if found.extended_at is not None or found.extending_at is not None:
        raise AlreadyDoneError(f"{found.reference} was extended before.")
    if found.extend_before is None or is_too_late(found, at):
        raise NoExtensionError(
            "The person had to be told within the first term, or no law lets it take longer."
        )
    reason = _words(words)
    found.extending_at, found.extended_for = at, ground
    found.save(update_fields=["extending_at", "extended_for"])
    timeline.add_event(
        "case.extending", case=found, kind=EventKind.EXTENDING, by=by, at=at, words=reason, ground=ground
    )
    work.open_item(
        kinds.of_holder(kinds.EXTENSION_UNSENT, found.client_id),
        agency_id=found.agency_id,
        client_id=found.client_id,
        key=_extension(found),
        at=at,
        due_at=calendars.end_of(found.extend_before, _zone(found)),
    )
    return found


@transaction.atomic
def note_told(*, case: Case, by: Actor, at: datetime, told_at: datetime | None = None) -> bool:
    """
    Extend a case, now that the letter which says so has gone; returns whether it is. Called when it has.

    What went after the first term extends nothing, and waits for a person as any day that stands; a letter that nobody
    has given a reason for extends nothing either.

    :param told_at: when it went; None: now.
    """
    found = Case.objects.select_related("submission__agency", "submission__client", "client", "agency")
    row = found.select_for_update(of=("self",)).get(pk=case.pk)
    if row.extending_at is None or row.closed_at is not None:
        return False
    told_at = told_at or at
    in_time = row.extend_before is not None and not is_too_late(row, told_at)
    before, row.extending_at = row.answer_by, None
    row.extended_at = told_at if in_time else None
    _count_anew(row)
    row.save(update_fields=["extending_at", "extended_at", *_CLOCK])
    timeline.add_event(
        "case.extended" if in_time else "case.not_extended",
        case=row,
        kind=EventKind.EXTENDED if in_time else EventKind.NOT_EXTENDED,
        by=by,
        at=at,
        words=_reason(row) if in_time else "",
        shown=in_time,
        ground=row.extended_for,
        was=before.isoformat() if before else None,
        answer_by=row.answer_by.isoformat() if row.answer_by else None,
    )
    work.close_item(
        kinds.of_holder(kinds.EXTENSION_UNSENT, row.client_id),
        agency_id=row.agency_id,
        key=_extension(row),
        at=at,
        by=by,
    )
    if not in_time:
        is_late = row.answer_due_at is not None and row.answer_due_at <= at
        kind = kinds.LATE if is_late else kinds.DUE
        work.open_item(
            kinds.of_holder(kind, row.client_id),
            agency_id=row.agency_id,
            client_id=row.client_id,
            key=str(row.pk),
            at=at,
            due_at=row.answer_due_at,
        )
    queue.renew(agency_id=row.agency_id, client_id=row.client_id, by=by, at=at)
    return in_time


def _reason(case: Case) -> str:
    """Why it takes longer, as it was said; "" where that does not open: the day moves all the same."""
    said = CaseEvent.objects.filter(case=case, kind=EventKind.EXTENDING).order_by("-at", "-pk").first()
    if said is None:
        return ""
    try:
        return opened.text(said.words, opened.key_of(case.submission))
    except SealBrokenError:
        return ""


@transaction.atomic
def stop_clock(*, case: Case, words: str, by: Actor, at: datetime) -> None:
    """
    Ask the person what exactly is meant; by laws that say so the clock stands until the answer comes.

    The days are then those of the other laws; none where there is no other, unless the clock had run out before.

    :param words: what the person is asked. :raises ClosedError: the case is closed.
    :raises ClockRunsOnError: no law that applies lets it stand. :raises AlreadyDoneError: it stands.
    """
    found = _one(case)
    if found.paused_at is not None:
        raise AlreadyDoneError(f"The clock of {found.reference} stands already.")
    if not may_stop(found):
        raise ClockRunsOnError(
            "No law that applies lets the clock stand; the person can be asked all the same."
        )
    Pause.objects.create(agency_id=found.agency_id, client_id=found.client_id, case=found, since=at)
    found.paused_at = at
    _count_anew(found)
    found.save(update_fields=["paused_at", *_CLOCK])
    timeline.add_event(
        "case.stopped",
        case=found,
        kind=EventKind.STOPPED,
        by=by,
        at=at,
        words=_words(words),
        shown=True,
        answer_by=found.answer_by.isoformat() if found.answer_by else None,
    )
    queue.renew(agency_id=found.agency_id, client_id=found.client_id, by=by, at=at)


def may_stop(case: Case) -> bool:
    """Whether a law that applies stops the clock while the person is asked what is meant."""
    return any(term.pauses for term in clocks.terms_of(case))


@transaction.atomic
def resume_clock(
    *,
    case: Case,
    by: Actor,
    at: datetime,
    words: str = "",
    said_at: datetime | None = None,
    is_said: bool = True,
) -> Case:
    """
    Let the clock go on, because the person has said what is meant.

    :param is_said: False, it goes on without that, and the person's page does not say that they have.
    :param words: what the person said. :param said_at: when that came in, from which the clock goes on; None: now.
    :raises ClosedError: the case is closed. :raises AlreadyDoneError: it runs already.
    """
    found = _one(case)
    pauses = Pause.objects.filter(case=found, until=None)
    until = Greatest(F("since"), Value(min(said_at or at, at)))
    if not pauses.update(until=until):
        raise AlreadyDoneError(f"The clock of {found.reference} runs already.")
    found.paused_at = None
    _count_anew(found)
    found.save(update_fields=["paused_at", *_CLOCK])
    timeline.add_event(
        "case.resumed",
        case=found,
        kind=EventKind.RESUMED,
        by=by,
        at=at,
        words=words.strip(),
        shown=is_said,
        answer_by=found.answer_by.isoformat() if found.answer_by else None,
    )
    queue.renew(agency_id=found.agency_id, client_id=found.client_id, by=by, at=at)
    return found


@transaction.atomic
def appeal(
    *,
    case: Case,
    words: str,
    received_at: datetime,
    by: Actor,
    at: datetime,
    said_at: datetime | None = None,
) -> Case:
    """
    Open a case in which somebody else looks at an answer again; one for each answer.

    :param said_at: the last instant at which it can have come in, where `received_at` stands for a day.
    :raises NotAnsweredError: there is no answer yet. :raises AlreadyDoneError: an appeal is there.
    """
    rows = Case.objects.select_related("submission__agency", "submission__client")
    found = rows.select_for_update(of=("self",)).get(pk=case.pk)
    if found.decided_at is None:
        raise NotAnsweredError(f"{found.reference} has no answer yet.")
    if Case.objects.filter(appeal_of=found).exists():
        raise AlreadyDoneError(f"{found.reference} was appealed against already.")
    made = _open_case(
        found.submission,
        Ask.APPEAL,
        received_at=received_at,
        said_at=said_at,
        by=by,
        at=at,
        appeal_of=found,
    )
    timeline.add_event(
        "case.appealed",
        case=found,
        kind=EventKind.APPEALED,
        by=by,
        at=at,
        words=words.strip(),
        shown=True,
        appeal=made.reference,
    )
    Submission.objects.filter(pk=found.submission_id).update(ended_at=None)
    queue.renew(agency_id=found.agency_id, client_id=found.client_id, by=by, at=at)
    return made


@transaction.atomic
def open_again(*, appeal: Case, by: Actor, at: datetime) -> Case | None:
    """
    Open anew what an appeal was about, because it was right, to be decided and carried out; by the appeal's day.

    Returns the new case; None where nothing has to be done that waits for a decision.
    """
    first = appeal.appeal_of
    if first is None or not Ask(first.asks).needs_proof:
        return None
    submission = appeal.submission
    made = _open_case(
        submission, Ask(first.asks), received_at=appeal.received_at, said_at=appeal.said_at, by=by, at=at
    )
    note_proven(submission=submission, by=by, at=at, proven_at=made.received_at)
    queue.renew(agency_id=made.agency_id, client_id=made.client_id, by=by, at=at)
    return made


class NotAnsweredError(LookupError):
    """There is no answer yet that could be appealed against."""
