"""
The answer to a case: decided by a person on a ground from the list, carried out by jobs, told in a letter.

Nothing is decided before it is proven who asks, where the law lets proof be asked for; and nothing is decided for a
client whose approval the engagement wants before that client has said so.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Q

from callprivacy.accounts import access
from callprivacy.accounts.enums import CLIENT_SIDE, AgencyRight
from callprivacy.accounts.models import Membership
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Permission
from consent.enums import Purpose
from rights.enums import (
    ApprovalKind,
    ApprovalState,
    Ask,
    CaseState,
    Copies,
    Decided,
    EventKind,
    IdentityKind,
    IdentityState,
    Kind,
    OnBehalf,
    OtherParty,
    ProofKind,
    StepKind,
    StepState,
)
from rights.law.grounds import UnknownGroundError
from rights.law.grounds import ground as find_ground
from rights.models import Approval, Case, Finding, Identity, Proof, Step
from rights.selectors import guardians, openers, progress, reach
from rights.services import approvals, cases, queue, reaching, restricting, sealing, steps, stopping, timeline
from rights.services.cases import AlreadyDoneError, ClosedError, EmptyWordsError

__all__ = ["AlreadyDoneError", "ClosedError", "EmptyWordsError"]


class NotProvenError(LookupError):
    """It is not proven who asks, and this would show or take away what is somebody's."""


class NotApprovedError(LookupError):
    """The client has to agree first, and has not."""


class NoGroundError(ValueError):
    """A refusal names a ground from the list that fits the request and the laws that apply."""


class GoesOnError(ValueError):
    """What of an objection is not followed is named, use by use, and never direct marketing."""


class NotSearchedError(LookupError):
    """What there is of the person has not been looked for yet."""


class OtherThanShownError(LookupError):
    """An erasure would take other than was shown to whoever decides it."""


class OwnAnswerError(LookupError):
    """An appeal is answered by somebody who did not give the answer that it is against."""


class UnfinishedError(LookupError):
    """A step of the decision is still to be done, so the answer cannot say that it is."""


_STEPS: Final[dict[Ask, tuple[StepKind, ...]]] = {
    Ask.SEE: (StepKind.PACK,),
    Ask.COPY: (StepKind.PACK,),
    Ask.CORRECT: (StepKind.CORRECT, StepKind.PASS_ON),
    Ask.DELETE: (StepKind.ERASE, StepKind.PASS_ON),
    Ask.RESTRICT: (StepKind.RESTRICT, StepKind.PASS_ON),
    Ask.OBJECT: (StepKind.PASS_ON,),
}


MAY_GO_ON: Final = frozenset(Purpose) - stopping.MARKETING
"""What an objection may not stop, where there are grounds."""

_MORE: Final = {ProofKind.FACTS.value, ProofKind.DECLARATION.value}


def needs_approval(case: Case) -> bool:
    """
    Whether the client has still to agree, because the engagement says so; refusals of contact need no agreement.

    What it answered last counts. It agreed to what it was asked about: not to an identity that is proven, or reaches
    further, only since.
    """
    if not case.client_agrees_first:
        return False
    last = Approval.objects.answered().filter(case=case, kind=ApprovalKind.APPROVE).first()
    if last is None or last.state == ApprovalState.REFUSED:
        return True
    proven = Identity.objects.filter(submission_id=case.submission_id, state=IdentityState.PROVEN)
    return proven.filter(Q(proven_at__gt=last.asked_at) | Q(looked_at__gt=last.asked_at)).exists()


def why_not(case: Case) -> str:
    """Why a case as it stands is not ours to decide any more, for whoever would; "" where it is."""
    if case.closed_at is not None:
        return f"{case.reference} is closed."
    if case.decided_at is not None:
        return f"{case.reference} is decided already."
    if case.client_answers:
        return f"The client has taken {case.reference} over, and answers it."
    return ""


@transaction.atomic
def decide(
    *,
    case: Case,
    decided: Decided,
    ground: str,
    words: str,
    by: Actor,
    at: datetime,
    other_party: OtherParty = OtherParty.WITHHOLD,
    corrections: Collection[Mapping[str, Any]] = (),
    shown_by: str = "",
    beyond_floor: bool = False,
    going_on: Collection[Purpose] = (),
    shown: str | None = None,
) -> Case:
    """
    Decide a case, and let jobs carry it out.

    :param ground: id of a ground (`rights.law.grounds`) for what is refused or kept back; "" for what is fulfilled.
    :param words: what the person is told besides the letter's own words; needed where something is refused.
    :param other_party: of a copy: what becomes of the other party's voice in recordings.
    :param corrections: of a correction, as `restricting.check` has them.
    :param shown_by: what shows that these are right; sealed. Needed with corrections.
    :param beyond_floor: of an erasure: what only a law wants kept leaves too.
    :param going_on: of an objection that is followed in part: the uses that go on; any of `MAY_GO_ON`.
    :param shown: of an erasure: `reach.digest_of` what was shown of it; None where nothing was.
    :raises ClosedError, AlreadyDoneError, NotProvenError, NotApprovedError, NoGroundError, EmptyWordsError,
        NotSearchedError, NotCorrectableError, OwnAnswerError, OtherThanShownError, GoesOnError: as their names say.
    :raises reaching.NotYoursError: something would be done at clients that are not granted to the person.
    """
    rows = Case.objects.select_related(
        "submission__agency", "submission__client", "client", "agency", "appeal_of"
    )
    found = rows.select_for_update(of=("self",)).get(pk=case.pk)
    _check(found, decided, ground, words)
    _check_going_on(found, decided, going_on)
    _check_other_eyes(found, by, at)
    if decided in {Decided.FULFIL, Decided.PART} and Ask(found.asks) in _STEPS:
        reaching.check(found.submission, by=by, at=at)
    _check_shown(found, decided, shown, at)
    key = sealing.key_of(submission=found.submission, at=at)
    found.decided, found.ground = decided, ground
    found.decided_at, found.decided_by_id = at, by.user_id
    found.state = CaseState.DECIDED
    if words.strip():
        found.answer = sealing.seal(found, "answer", words.strip(), key)
    found.save(update_fields=["decided", "ground", "decided_at", "decided_by", "state", "answer"])
    timeline.add_event(
        "case.decided",
        case=found,
        kind=EventKind.DECIDED,
        by=by,
        at=at,
        shown=True,
        decided=decided.value,
        ground=ground or None,
        going_on=",".join(sorted(going_on)) or None,
    )
    approvals.withdraw_open(case=found, by=by, at=at)
    if decided in {Decided.FULFIL, Decided.PART}:
        restricting.check(list(corrections))
        if corrections:
            _write_evidence(found, corrections, shown_by, by, at)
        if found.asks == Ask.OBJECT:
            stopping.stop_decided(case=found, going_on=going_on, by=by, at=at)
        wanted: dict[StepKind, dict[str, Any]] = {
            StepKind.PACK: {"other_party": other_party.value},
            StepKind.CORRECT: {"corrections": restricting.without_names(corrections)},
            StepKind.ERASE: {"beyond_floor": beyond_floor},
        }
        if going_on:
            wanted[StepKind.PASS_ON] = {"going_on": sorted(going_on)}
        _plan(found, at, wanted)
        if found.asks == Ask.APPEAL:
            cases.open_again(appeal=found, by=by, at=at)
    if found.paused_at is not None:
        # What is decided needs no more asking, and an answer that is owed has its day.
        return cases.resume_clock(case=found, by=by, at=at, is_said=False)
    queue.renew(agency_id=found.agency_id, client_id=found.client_id, by=by, at=at)
    return found


def _check(case: Case, decided: Decided, ground: str, words: str) -> None:
    if why := why_not(case):
        raise ClosedError(why) if case.closed_at is not None else AlreadyDoneError(why)
    if decided in {Decided.REFUSE, Decided.PART}:
        _check_ground(case, decided, ground, words)
    elif ground:
        raise NoGroundError("What is done in full needs no ground against it.")
    if decided in {Decided.FULFIL, Decided.PART} and Ask(case.asks).needs_proof:
        _check_person(case)
        _check_number(case)
        _check_opened(case)
    if decided != Decided.NOT_OURS and needs_approval(case):
        raise NotApprovedError("The client has to agree to the answer first.")


def _check_other_eyes(case: Case, by: Actor, at: datetime) -> None:
    """
    Another person looks at an appeal, as was said to who made it, and at what an appeal that was right opened again.

    Where nobody else may, it is answered as well.
    """
    gave = _gave_answers_before(case)
    if by.user_id not in gave:
        return
    if case.client_id is None:
        people = access.people_with_right(AgencyRight.SIGN_OFF, agency_id=case.agency_id)
    else:
        people = access.people_with(
            Permission.HANDLE_REQUESTS, case.client_id, agency_id=case.agency_id, at=at
        )
    # Who approves for a client answers what the client is asked, and decides nothing.
    others = Membership.objects.filter(agency_id=case.agency_id, user_id__in=set(people) - gave)
    if others.exclude(role__in=CLIENT_SIDE).exists():
        raise OwnAnswerError(
            "You gave the answer before; since the appeal somebody else looks at it. Hand it over."
        )


def _check_shown(case: Case, decided: Decided, shown: str | None, at: datetime) -> None:
    """What is erased cannot be undone: it is decided on what there is, and not on what there was."""
    if shown is None or case.asks != Ask.DELETE or decided not in {Decided.FULFIL, Decided.PART}:
        return
    if reach.digest_of(reach.preview(reach.targets_of(case), at=at)) != shown:
        raise OtherThanShownError(
            "What would leave or stay has changed since you saw it. Look again, then decide."
        )


def _gave_answers_before(case: Case) -> set[int]:
    """Who gave an answer that an appeal is against: this one, or one that was right and opened this case."""
    rows = Case.objects.filter(submission_id=case.submission_id)
    if case.appeal_of_id is not None:
        rows = rows.filter(pk=case.appeal_of_id)
    else:
        rows = rows.filter(asks=case.asks, appeals__decided__in=[Decided.FULFIL, Decided.PART])
    rows = rows.exclude(pk=case.pk).filter(decided_by__isnull=False)
    return set(rows.values_list("decided_by_id", flat=True))


def _check_ground(case: Case, decided: Decided, ground: str, words: str) -> None:
    laws = [str(one["law"]) for one in case.laws]
    try:
        found = find_ground(ground, kind=case.kind, laws=laws)
    except UnknownGroundError:
        # Where no law that we know applies nothing binds the answer to a law's list.
        if laws:
            raise NoGroundError("Pick a ground from the list for what is not done.") from None
    else:
        # Against an objection a ground for a part is none against all of it: marketing stops.
        if case.kind == Kind.OBJECT and decided == Decided.REFUSE and found.in_part:
            raise NoGroundError("This ground stands against a part only: decide it in part.")
    if not words.strip():
        raise EmptyWordsError("Say in plain words why; the person reads it.")


def _check_going_on(case: Case, decided: Decided, going_on: Collection[Purpose]) -> None:
    if not set(going_on) <= MAY_GO_ON:
        raise GoesOnError("Direct marketing does not go on.")
    if (case.asks == Ask.OBJECT and decided == Decided.PART) != bool(going_on):
        raise GoesOnError(
            "Say which uses go on, of an objection that is followed in part; of no other answer."
        )


def _check_number(case: Case) -> None:
    """
    An objection is followed by stopping what is done with a caller: where no number is proven, and staff have named
    no caller to what is, nothing would stop.
    """
    proven = Identity.objects.filter(
        Q(kind=IdentityKind.PHONE) | Q(caller_id__isnull=False),
        submission_id=case.submission_id,
        state=IdentityState.PROVEN,
    )
    if case.asks == Ask.OBJECT and not proven.exists():
        raise NotProvenError(
            "No phone number is proven, and it is a number's calls that would stop being used. Have one proven, say"
            " whose calls a proven mail address stands for, or refuse with the ground that fits."
        )


def _check_opened(case: Case) -> None:
    """A package is taken after a code alone: where none could go anywhere, it would lie there until it ends."""
    if StepKind.PACK in _STEPS.get(Ask(case.asks), ()) and not openers.openers_of(case.submission):
        raise NotProvenError(
            "No one could download the package: a code opens it, but no number or email address is verified, and"
            " none was given for the answer. Verify a number, or refuse on the ground that fits and ask for a new"
            " request with an email address."
        )


def _check_person(case: Case) -> None:
    proven = Identity.objects.filter(submission_id=case.submission_id, state=IdentityState.PROVEN)
    if not proven.exists():
        raise NotProvenError("It is not proven who asks.")
    if case.submission.searched_at is None:
        raise NotSearchedError("What there is of the person is being looked for. Decide when it is there.")
    holding = set(
        Proof.objects.filter(submission_id=case.submission_id, holds=True).values_list("kind", flat=True)
    )
    needed = guardians.accepted(case.submission, [target.client for target in reach.targets_of(case)])
    if needed and not holding & needed:
        raise NotProvenError(
            "The right to ask for this person has to be shown first"
            + (
                "."
                if case.submission.on_behalf != OnBehalf.SELF
                else ": by a guardian, or that they are of age."
            )
        )
    if Ask(case.asks).needs_more and not holding >= _MORE:
        # What a person looked at shows whose the calls of that identity are, and says nothing of another's.
        looked_at = Proof.objects.filter(
            submission_id=case.submission_id, kind=ProofKind.DOCUMENT, holds=True, identity__isnull=False
        )
        calls = Finding.objects.filter(submission_id=case.submission_id, copies=Copies.CALLS)
        if (
            calls.filter(identity__in=proven)
            .exclude(identity_id__in=looked_at.values("identity_id"))
            .exists()
        ):
            raise NotProvenError(
                "Calls are shown on two facts of a call and a signed declaration besides the code."
            )


def _write_evidence(
    case: Case, corrections: Collection[Mapping[str, Any]], shown_by: str, by: Actor, at: datetime
) -> None:
    """Keep what shows that corrections are right; and correct a name at once, which no job's plan may hold."""
    if not shown_by.strip():
        raise EmptyWordsError("Say what shows that it is right as you have it.")
    timeline.add_event(
        "case.correction_shown",
        case=case,
        kind=EventKind.NOTED,
        by=by,
        at=at,
        words=shown_by.strip(),
        corrections=len(corrections),
    )
    for one in corrections:
        if one["what"] == "name":
            restricting.correct_name(case=case, name=str(one["name"]), by=by, at=at)


def _plan(case: Case, at: datetime, wanted: Mapping[StepKind, dict[str, Any]]) -> None:
    for kind in _STEPS.get(Ask(case.asks), ()):
        if kind is StepKind.CORRECT and not wanted[kind]["corrections"]:
            # What was corrected by hand, or at the tracker, is said in the words of the answer.
            continue
        steps.plan(case=case, kind=kind, at=at, wanted=wanted.get(kind))


@transaction.atomic
def close(*, case: Case, by: Actor, at: datetime) -> bool:
    """
    Note that the person has the answer, which ends the case; returns whether this did. Called when its letter has gone.

    :raises UnfinishedError: a step is still to be done. :raises NotDecidedError: nothing is decided.
    """
    found = Case.objects.select_related("submission__agency", "submission__client").get(pk=case.pk)
    if found.decided_at is None:
        raise NotDecidedError(f"{found.reference} is not decided.")
    if unfinished(found):
        raise UnfinishedError("Not everything that was decided is done yet.")
    rows = Case.objects.filter(pk=case.pk, closed_at=None)
    answered_at = progress.answered_at(found) or at
    if not rows.update(state=CaseState.DONE, answered_at=answered_at, closed_at=at):
        return False
    approvals.withdraw_open(case=found, by=by, at=at)
    timeline.add_event("case.answered", case=found, kind=EventKind.ANSWERED, by=by, at=at, shown=True)
    cases.settle_end(submission=found.submission, at=at)
    queue.renew(agency_id=found.agency_id, client_id=found.client_id, by=by, at=at)
    return True


class NotDecidedError(LookupError):
    """A case is answered only once it is decided."""


def unfinished(case: Case) -> list[Step]:
    """The steps of a case that are still to be done; what a hold or a law keeps is no reason not to answer."""
    done = [StepState.DONE, StepState.KEPT]
    return list(Step.objects.filter(case=case).exclude(state__in=done).order_by("created_at"))
