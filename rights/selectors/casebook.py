"""
One case as the people see who work on it: its clock, why its laws apply, identities, notes, tasks and its timeline.

Numbers and addresses are masked here; what the person wrote is shown without the numbers in it.
"""

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, QuerySet

from callprivacy.accounts.models import User
from callprivacy.calls.models import CallRef, caller_label
from callprivacy.lib import phone
from callprivacy.lib.redact import redact
from callprivacy.lib.status import Progress, Reader, Thing, words_for
from callprivacy.vault.sealing import Key
from rights.enums import (
    ApprovalState,
    Ask,
    Copies,
    EventKind,
    IdentityKind,
    IdentityState,
    StepKind,
    StepState,
)
from rights.models import (
    Approval,
    Case,
    CaseEvent,
    CaseNote,
    CaseTask,
    Finding,
    Identity,
    Package,
    Proof,
    RecipientNotice,
    Step,
)
from rights.selectors import progress, told, words

_MASK: Final = "•"


def find(case_id: UUID) -> Case | None:
    """A case that the scope may see, with what its page needs; one query."""
    rows = Case.objects.select_related(
        "submission__client",
        "submission__agency",
        "client__agency",
        "agency",
        "owner",
        "decided_by",
        "appeal_of",
    )
    return rows.filter(pk=case_id).first()


def others_of(case: Case) -> list[Case]:
    """The other cases of the same submission, in the order in which they were opened."""
    rows = Case.objects.filter(submission_id=case.submission_id).exclude(pk=case.pk)
    return list(rows.select_related("client").defer("answer", "laws").order_by("received_at", "reference"))


@dataclass(frozen=True, slots=True)
class LawLine:
    """A law that applies: why, by when, and how its days were counted."""

    name: str
    title: str
    sure: bool
    why: list[str]
    counted: list[str]
    acknowledge_by: date | None
    answer_by: date | None


def laws_of(case: Case) -> list[LawLine]:
    """The laws that apply, the soonest first."""
    return [
        LawLine(
            name=str(row["name"]),
            title=str(row.get("title", row["name"])),
            sure=bool(row.get("sure", True)),
            why=list(row.get("why", [])),
            counted=list(row.get("counted", [])),
            acknowledge_by=_date(row.get("acknowledge_by")),
            answer_by=_date(row.get("answer_by")),
        )
        for row in case.laws
    ]


def _date(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


@dataclass(frozen=True, slots=True)
class IdentityLine:
    """
    An identity that is claimed, masked.

    :ivar shown: a mask, never the value. :ivar caller: the caller's stable name, "" where none is known.
    """

    row: Identity
    shown: str
    caller: str
    tone: str
    proofs: list[Proof]


_IDENTITY_TONES: Final = {
    IdentityState.CLAIMED: "warn",
    IdentityState.PROVEN: "good",
    IdentityState.DOUBTFUL: "warn",
    IdentityState.REFUSED: "bad",
}


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks, as far as it may be shown. :ivar wrote: what the person wrote, without numbers in it."""

    name: str
    mail: str
    phone: str
    post: bool
    wrote: str
    can_mail: bool
    can_post: bool
    is_gone: bool


def person_of(case: Case, key: Key | None) -> Person:
    """Who asks: the mail and the phone masked, the name in the clear for who answers."""
    contact = words.record(case.submission.contact, key)
    mail, number = str(contact.get("mail", "")), str(contact.get("phone", ""))
    return Person(
        name=str(contact.get("name", "")),
        mail=mask_mail(mail),
        phone=phone.mask(number) if phone.is_e164(number) else "",
        post=bool(contact.get("post")),
        wrote=redact(words.text(case.submission.words, key)).text,
        can_mail=bool(mail),
        can_post=bool(contact.get("post")),
        is_gone=key is None and case.submission.contact is not None,
    )


def mask_mail(address: str) -> str:
    """An address as it is shown: its first sign and its domain."""
    name, at, domain = address.partition("@")
    return f"{name[:1]}{_MASK * 3}@{domain}" if at else ""


def identities_of(case: Case, key: Key | None) -> list[IdentityLine]:
    """The identities of a case's submission with their proofs; two queries."""
    proofs = list(
        Proof.objects.filter(submission_id=case.submission_id).select_related("user").order_by("at", "pk")
    )
    return [
        IdentityLine(
            row=row,
            shown=_shown(row, key),
            caller="" if row.caller_id is None else caller_label(row.caller_id),
            tone=_IDENTITY_TONES[IdentityState(row.state)],
            proofs=[proof for proof in proofs if proof.identity_id == row.pk],
        )
        for row in Identity.objects.filter(submission_id=case.submission_id).order_by("claimed_at", "pk")
    ]


def other_proofs(case: Case) -> list[Proof]:
    """Proofs that are about the request and no identity: declarations, permissions, guardians."""
    rows = Proof.objects.filter(submission_id=case.submission_id, identity=None)
    return list(rows.select_related("user").order_by("at", "pk"))


def _shown(row: Identity, key: Key | None) -> str:
    value = words.text(row.value, key)
    if not value:
        return "erased"
    if row.kind == IdentityKind.PHONE:
        return phone.mask(value)
    if row.kind == IdentityKind.EMAIL:
        return mask_mail(value)
    try:
        said = json.loads(value)
    except ValueError:
        return "a call"
    return f"a call of {str(said.get('at', ''))[:16].replace('T', ' ')}"


# --- Notes, tasks, timeline ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NoteLine:
    row: CaseNote
    text: str


def notes_of(case: Case, key: Key | None) -> list[NoteLine]:
    """The notes of a case, the newest first."""
    rows = CaseNote.objects.filter(case=case).select_related("by").order_by("-at", "-pk")
    return [NoteLine(row, words.text(row.words, key)) for row in rows]


@dataclass(frozen=True, slots=True)
class TaskLine:
    """Something to do, opened."""

    row: CaseTask
    text: str
    is_late: bool


def tasks_of(case: Case, key: Key | None, *, today: date) -> list[TaskLine]:
    """What is to be done for a case: open first, the soonest first."""
    rows = CaseTask.objects.filter(case=case).select_related("owner", "done_by")
    found = [
        TaskLine(
            row,
            words.text(row.words, key),
            row.done_at is None and row.due_on is not None and row.due_on < today,
        )
        for row in rows.order_by("due_on", "added_at", "pk")
    ]
    return sorted(found, key=lambda line: line.row.done_at is not None)


_EVENT_LOOKS: Final[dict[str, tuple[str, str]]] = {
    EventKind.OPENED: ("info", "incoming"),
    EventKind.TOOK_EFFECT: ("good", "good"),
    EventKind.NOT_RECORDED: ("warn", "warn"),
    EventKind.MARKETING_STOPPED: ("good", "good"),
    EventKind.WAITS_FOR_NUMBER: ("warn", "warn"),
    EventKind.PROVEN: ("good", "check"),
    EventKind.NOT_PROVEN: ("bad", "bad"),
    EventKind.ACKNOWLEDGED: ("good", "document"),
    EventKind.EXTENDING: ("warn", "clock"),
    EventKind.EXTENDED: ("warn", "clock"),
    EventKind.NOT_EXTENDED: ("bad", "bad"),
    EventKind.STOPPED: ("warn", "clock"),
    EventKind.APPROVED: ("good", "good"),
    EventKind.NOT_APPROVED: ("bad", "bad"),
    EventKind.DECIDED: ("info", "check"),
    EventKind.ERASED: ("good", "good"),
    EventKind.REST_ERASED: ("good", "good"),
    EventKind.WRITTEN: ("info", "document"),
    EventKind.REMINDED: ("warn", "clock"),
    EventKind.FAILED: ("bad", "bad"),
    EventKind.ANSWERED: ("good", "good"),
}


def timeline_of(case: Case, key: Key | None) -> list[dict[str, Any]]:
    """What happened to a case, the newest first, as the timeline component takes it."""
    rows = CaseEvent.objects.filter(case=case).select_related("user").order_by("-at", "-pk")
    letters = progress.letters_of(case)
    return [
        {
            "at": row.at,
            "title": _title(row, progress.letter_of(row, letters)),
            "text": _said(row, key),
            "by": str(row.user) if row.user is not None else "",
            "tone": _EVENT_LOOKS.get(row.kind, ("", "clock"))[0],
            "icon": _EVENT_LOOKS.get(row.kind, ("", "clock"))[1],
        }
        for row in rows
    ]


def _title(row: CaseEvent, letter: Progress | None) -> str:
    if row.kind == EventKind.PASSED_ON and row.details.get("recipients") == 0:
        return words_for(Progress(), Reader.OFFICER)
    if letter is None:
        return row.get_kind_display()
    what = "Acknowledgement" if row.kind == EventKind.ACKNOWLEDGED else "Letter"
    return f"{what}: {words_for(letter, Reader.OFFICER, thing=Thing.LETTER).lower()}"


_OF_CLIENT: Final = frozenset({EventKind.APPROVED, EventKind.NOT_APPROVED, EventKind.RECEIVED_BY_CLIENT})


def _said(row: CaseEvent, key: Key | None) -> str:
    """The words of an event; of the client's, who writes what it likes, without the numbers in them."""
    said = words.text(row.words, key)
    return redact(said).text if row.kind in _OF_CLIENT else said


def is_not_recorded(case: Case) -> bool:
    """Whether nothing of what a client's own case refuses was recorded when it came in, because the client has left."""
    ask = Ask(case.asks)
    if case.client_id is None or case.took_effect_at is not None or not ask.stops_at_once:
        return False
    if ask.works_at_once:
        return not waits_for_number(case)
    of_stop = (EventKind.NOT_RECORDED, EventKind.MARKETING_STOPPED)
    events = CaseEvent.objects.filter(case=case, kind__in=of_stop)
    return set(events.values_list("kind", flat=True)) == {EventKind.NOT_RECORDED}


def waits_for_number(case: Case) -> bool:
    """Whether a refusal has stopped nothing, because neither a number nor a caller is known for which it could."""
    if not Ask(case.asks).stops_at_once or case.took_effect_at is not None:
        return False
    of_stop = (EventKind.WAITS_FOR_NUMBER, EventKind.MARKETING_STOPPED)
    events = CaseEvent.objects.filter(case=case, kind__in=of_stop)
    return set(events.values_list("kind", flat=True)) == {EventKind.WAITS_FOR_NUMBER}


# --- What was found, done and passed on ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FoundLine:
    """One category of copies at one client, over all identities."""

    client: str
    copies: Copies
    count: int
    erased: int
    kept: int
    kept_why: str
    oldest_at: datetime | None
    newest_at: datetime | None
    note: str = ""

    @property
    def why(self) -> str:
        """Why something of it stays, as staff read it."""
        return _STAYS.get(self.kept_why, "until its own date")


_STAYS: Final = {
    "hold": "a hold keeps it",
    "law": "a law wants it kept",
    "others": "from before the number was this person's",
    "again": "the number: the person has called, agreed or written again since",
    "evidence": "evidence of consent, until its own date",
    "lone": "as a count: no number was shown",
    "tracker": "recordings: the client has not instructed you to have them deleted there",
}


def found_of(case: Case) -> list[FoundLine]:
    """What was found, a line for each client and category; of a client's case that client alone."""
    rows = Finding.objects.filter(submission_id=case.submission_id).select_related("client")
    if case.client_id is not None:
        rows = rows.filter(client_id=case.client_id)
    lines: dict[tuple[str, str], FoundLine] = {}
    held = _held_at_trackers(rows)
    for row in rows.order_by("client__name", "pk"):
        if (
            row.copies == Copies.VENDOR
            and not row.kept
            and (there := held.get((row.client_id, row.caller_id), 0))
        ):
            row.kept, row.kept_why = there, "hold"
        deleted = progress.deletions([row]) if row.copies == Copies.VENDOR else None
        before = lines.get((row.client.name, row.copies))
        lines[row.client.name, row.copies] = FoundLine(
            client=row.client.name,
            copies=Copies(row.copies),
            count=row.count + (before.count if before else 0),
            erased=(deleted.acknowledged if deleted else row.erased) + (before.erased if before else 0),
            kept=row.kept + (before.kept if before else 0),
            kept_why=row.kept_why or (before.kept_why if before else ""),
            oldest_at=_edge(min, row.oldest_at, before.oldest_at if before else None),
            newest_at=_edge(max, row.newest_at, before.newest_at if before else None),
            note=_note_of(row, deleted) or (before.note if before else ""),
        )
    order = {copies: place for place, copies in enumerate(Copies)}
    return sorted(lines.values(), key=lambda line: (line.client, order[line.copies]))


def _held_at_trackers(rows: QuerySet[Finding]) -> dict[tuple[int, UUID | None], int]:
    """
    How many calls that a hold has kept from an erasure are at a tracker, by client and caller, as they were counted
    when they were found: calls of each tracker; two queries.
    """
    kept = set(rows.filter(copies=Copies.CALLS, kept_why="hold").values_list("client_id", "caller_id"))
    if not kept:
        return {}
    there = CallRef.objects.filter(
        client_id__in={client_id for client_id, _ in kept},
        call__caller_id__in={caller_id for _, caller_id in kept},
        call__on_hold=True,
    ).order_by()
    counted = there.values_list("client_id", "call__caller_id", "provider").annotate(
        n=Count("call_id", distinct=True)
    )
    found = Counter[tuple[int, UUID | None]]()
    for client_id, caller_id, _, n in counted:
        found[client_id, caller_id] += n
    return {pair: n for pair, n in found.items() if pair in kept}


def _note_of(row: Finding, deleted: Progress | None) -> str:
    """What the counts of a line do not say: of files that were given to others, and of what a tracker is asked for."""
    said, detail = [], row.detail
    if deleted and deleted.planned:
        said.append(f"{words_for(deleted, Reader.OFFICER, thing=Thing.DELETIONS)}.")
    if detail.get("recipients"):
        said.append(f"With {', '.join(detail['recipients'])}.")
    if count := detail.get("anonymised"):
        said.append(
            f"Beside them {count} file{'' if count == 1 else 's'} in which no row can be told to be anybody’s:"
            " nothing can be taken out of them."
        )
    return " ".join(said)


def _edge(pick: Any, one: datetime | None, other: datetime | None) -> datetime | None:
    known = [at for at in (one, other) if at is not None]
    return pick(known) if known else None


def steps_of(case: Case) -> list[Step]:
    """What jobs do for a case, in the order in which it was asked for."""
    return list(Step.objects.filter(case=case).order_by("created_at", "kind"))


def is_working(steps: Collection[Step]) -> bool:
    """Whether a job still works on one of these."""
    return any(step.state in {StepState.WAITING, StepState.RUNNING} for step in steps)


def tells_later(steps: Collection[Step]) -> bool:
    """Whether trackers and systems are told of an erasure only once no hold keeps anything of the person."""
    return any(told.left_of(step) for step in steps if step.kind == StepKind.PASS_ON)


def packages_of(case: Case) -> list[Package]:
    """The packages that were made, the newest first."""
    return list(Package.objects.filter(case=case).prefetch_related("downloads").order_by("-created_at"))


@dataclass(frozen=True, slots=True)
class ApprovalLine:
    """A question to the client, opened. :ivar name: who answered, and :ivar said: in which words, without numbers."""

    row: Approval
    to: str
    name: str
    said: str
    tone: str


_APPROVAL_TONES: Final = {"waiting": "warn", "approved": "good", "refused": "bad", "withdrawn": "neutral"}


def approvals_of(case: Case, key: Key | None) -> list[ApprovalLine]:
    """What the client was asked and said, the newest first."""
    rows = Approval.objects.filter(case=case).select_related("asked_by").order_by("-asked_at")
    return [_opened(row, key) for row in rows]


def answers_of(case: Case, key: Key | None) -> list[ApprovalLine]:
    """The client's last answer to each kind of question, the latest first; what was taken back is none."""
    last: dict[str, Approval] = {}
    for row in Approval.objects.answered().filter(case=case):
        last.setdefault(row.kind, row)
    return [_opened(row, key) for row in last.values()]


def _opened(row: Approval, key: Key | None) -> ApprovalLine:
    return ApprovalLine(
        row,
        words.text(row.to, key),
        redact(words.text(row.name, key)).text,
        redact(words.text(row.words, key)).text,
        _APPROVAL_TONES[row.state],
    )


def notices_of(case: Case) -> list[RecipientNotice]:
    """Who was told of a case, in the order in which it was begun."""
    return list(
        RecipientNotice.objects.filter(case=case)
        .select_related("sent_by")
        .order_by("created_at", "recipient")
    )


def decisions_awaiting(client_ids: Collection[int], *, at: datetime) -> QuerySet[Approval]:
    """The questions that the client's side has not answered, earliest due first."""
    found = Approval.objects.filter(client_id__in=client_ids, state=ApprovalState.WAITING, expires_at__gt=at)
    return found.select_related("case__client").order_by("expires_at", "id")


def people_who_may(user_ids: Collection[int]) -> QuerySet[User]:
    """People by name, for handing a case over."""
    return User.objects.filter(pk__in=list(user_ids)).order_by("name", "email")


def evidence_of(proof: Proof, key: Key | None) -> str:
    """What a proof rests on, in a sentence without numbers; "" where nothing is kept of it."""
    said = words.record(proof.evidence, key)
    if not said:
        return ""
    return redact("; ".join(f"{name.replace('_', ' ')}: {value}" for name, value in said.items())).text
