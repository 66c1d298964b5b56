"""
Restriction and correction: what the person asked for holds everywhere the data are used.

A restricted caller's calls stay where they are and are neither shown, nor exported, nor counted: `restricted_at` of
the caller says so, and nobody opens recordings or words of them. Calls of whoever had the number before stay in use
(`restricted_from`), until a person has looked at whose they are. Lifting it is told to the person first (GDPR article
18(3)). A correction changes what is known here of the person's place, language and name, facts of single calls, and
which calls are the person's at all.
"""

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from callprivacy.audit import services as audit
from callprivacy.calls.models import FIRST_ID, Call, Caller, first_id_at
from callprivacy.calls.services import redaction
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import services as vault
from consent.enums import RESTRICTED, Language, Purpose
from consent.law import places
from consent.models import MinorMark, Rejudgement
from consent.services import minors
from rights.enums import Ask, Copies, EventKind, LetterState, StepKind, StepState
from rights.models import Case, Finding, Letter, Step, Submission
from rights.selectors import reach, words
from rights.selectors.reach import Target
from rights.services import reaching, sealing, steps

JOB: Final = Actor.job("rights.restrict_people")
LONGEST_NAME: Final = 200
ENDS: Final = "restriction_ends"
"""The letter that tells a person so."""
OTHERS: Final = "others"
"""Why calls stay in use (`Finding.kept_why`): they are of whoever had the number before."""
FIELDS: Final = ("first_call", "qualified", "source", "campaign", "medium", "country", "region")
"""What of a call may be corrected: what was read into it, not when it was and how long."""

type Clock = Callable[[], datetime]


class NotCorrectableError(ValueError):
    """What is to be corrected is not something that can be."""


class NotRestrictedError(LookupError):
    """The case brought no restriction, or it was ended."""


class NotToldError(LookupError):
    """The person has not been told that the restriction ends."""


# --- Restriction --------------------------------------------------------------------------------------------------


def carry_out(*, step: Step, clock: Clock) -> None:
    """Restrict everybody whom a case reaches. Called outside any scope; may be repeated."""
    case = step.case
    with job_scope(agency_id=case.agency_id):
        at = clock()
        targets = reach.targets_of(case)
        others = 0
        for target in targets:
            restrict(
                client=target.client, caller_id=target.caller_id, since=target.others_until, by=JOB, at=at
            )
            others += note_others(case=case, target=target)
        steps.finish(
            step=step,
            action="case.restricted",
            event=EventKind.RESTRICTED,
            at=at,
            outcome={"callers": len(targets), "calls_of_others": others},
            callers=len(targets),
        )


def note_others(*, case: Case, target: Target) -> int:
    """
    Note on the lines of what was found how many calls stay as they are, for the letter: those of whoever had the number
    before. Returns how many.
    """
    count = reach.calls_of(target).filter(reach.of_others(target)).count()
    rows = Finding.objects.filter(
        submission_id=case.submission_id, client=target.client, caller_id=target.caller_id
    )
    rows = rows.filter(copies=Copies.CALLS)
    if count:
        rows.update(kept=count, kept_why=OTHERS, kept_by={})
    else:
        rows.filter(kept_why=OTHERS).update(kept=0, kept_why="", kept_by={})
    return count


@transaction.atomic
def restrict(
    *, client: Client, caller_id: UUID, by: Actor, at: datetime, since: datetime | None = None
) -> bool:
    """
    Use nothing of a caller's for anything any more; returns whether that is new. In a job's scope.

    The vault remembers it, so that no old copy of the database puts the person's data to use again: of such a copy
    all calls of the caller, for it does not know since when the number is the person's. Of a client that has left the
    vault's list was handed over and takes nothing more: what is still here of the person is restricted all the same.

    :param since: calls from before are of whoever had the number, and stay in use; None: all are the person's.
    """
    first = _first_of(since)
    if tenancy.is_here(client.pk):
        vault.suppress_callers(client_id=client.pk, caller_ids=[caller_id], purposes={RESTRICTED}, at=at)
    rows = _held(client, caller_id)
    # Of one that is restricted already the further reach counts.
    new = rows.filter(restricted_at=None).update(restricted_at=at, restricted_from=first)
    if not new and not rows.filter(restricted_from__gt=first).update(restricted_from=first):
        return False
    audit.record("caller.restricted", subject=Caller(pk=caller_id, client_id=client.pk), by=by, at=at)
    _look_again(client, caller_id, at)
    return True


@transaction.atomic
def reach_back(*, submission_id: UUID, at: datetime) -> int:
    """
    Let the restrictions of a submission be made again, since a person has said that older calls are the person's, too.

    Returns how many; those that ended stay ended. In the scope of who may see the request.
    """
    rows = Case.objects.filter(submission_id=submission_id, asks=Ask.RESTRICT)
    open_ = [case for case in rows if not is_lifted(case)]
    return sum(steps.again(case=case, kind=StepKind.RESTRICT, at=at) for case in open_)


def is_lifted(case: Case) -> bool:
    """Whether the restriction that a case brought was ended, or is being ended."""
    return Step.objects.filter(case=case, kind=StepKind.LIFT).exists()


def may_lift(case: Case) -> bool:
    """Whether a case brought a restriction that still holds."""
    done = Step.objects.filter(case=case, kind=StepKind.RESTRICT, state=StepState.DONE)
    return case.asks == Ask.RESTRICT and done.exists() and not is_lifted(case)


@transaction.atomic
def end(*, case: Case, by: Actor, at: datetime) -> None:
    """
    Let a job end the restriction that a case brought, once the person has been told so.

    :raises NotRestrictedError: it brought none, or none any more.
    :raises NotToldError: the letter that says so has not gone out (GDPR article 18(3)).
    :raises reaching.NotYoursError: it would end at clients that are not granted to the person.
    """
    rows = Case.objects.select_related("submission").select_for_update(of=("self",))
    found = rows.get(pk=case.pk)
    if not may_lift(found):
        raise NotRestrictedError(f"{found.reference} restricts nothing now.")
    if not is_told(found):
        raise NotToldError("Write to the person first that the restriction ends, and since when.")
    reaching.check(found.submission, by=by, at=at)
    steps.plan(case=found, kind=StepKind.LIFT, at=at)
    audit.record("case.restriction_ending", subject=found, by=by, at=at)


def is_told(case: Case) -> bool:
    """Whether the person was told that the restriction ends: by a letter that has gone out."""
    return Letter.objects.filter(case=case, template=ENDS, state=LetterState.SENT).exists()


def carry_out_end(*, step: Step, clock: Clock) -> None:
    """End the restriction of everybody whom a case reaches. Called outside any scope; may be repeated."""
    case = step.case
    with job_scope(agency_id=case.agency_id):
        at = clock()
        count = lift(case=case, by=JOB, at=at)
        steps.finish(
            step=step,
            action="case.restriction_lifted",
            event=EventKind.LIFTED,
            at=at,
            outcome={"callers": count},
            callers=count,
        )


@transaction.atomic
def lift(*, case: Case, by: Actor, at: datetime) -> int:
    """
    End a restriction that a case brought; returns of how many callers.

    Who asked for it in another request as well stays restricted, as far as that one reaches. In the scope of who may
    write the client's callers.
    """
    count = 0
    targets = reach.targets_of(case)
    callers = {target: _held(target.client, target.caller_id) for target in targets}
    others = kept_restricted(case=case, targets=targets)
    for target, held in callers.items():
        rows = held.filter(restricted_at__isnull=False)
        if (first := others.get(_who(target))) is not None:
            if rows.exclude(restricted_from=first).update(restricted_from=first):
                _look_again(target.client, target.caller_id, at)
            continue
        vault.lift_suppressions(client_id=target.client.pk, caller_id=target.caller_id, purposes={RESTRICTED})
        if rows.update(restricted_at=None, restricted_from=FIRST_ID):
            count += 1
            _look_again(target.client, target.caller_id, at)
            audit.record(
                "caller.restriction_lifted",
                subject=Caller(pk=target.caller_id, client_id=target.client.pk),
                by=by,
                at=at,
            )
    return count


def kept_restricted(*, case: Case, targets: Collection[Target]) -> dict[tuple[int, UUID], UUID]:
    """
    Those of these people whom another request restricts all the same, with the first call that it reaches.

    One that was decided and waits for its job counts: the person has the word that it holds.
    """
    wanted = {_who(target) for target in targets}
    found = Finding.objects.filter(copies=Copies.IDENTITY, caller_id__in=[one for _, one in wanted])
    rows = Case.objects.filter(
        Exists(Step.objects.filter(case=OuterRef("pk"), kind=StepKind.RESTRICT)),
        ~Exists(Step.objects.filter(case=OuterRef("pk"), kind=StepKind.LIFT)),
        agency_id=case.agency_id,
        asks=Ask.RESTRICT,
        submission_id__in=found.values("submission_id"),
    ).exclude(pk=case.pk)
    firsts: dict[tuple[int, UUID], UUID] = {}
    for target in _all_targets(rows):
        if (who := _who(target)) in wanted:
            first = _first_of(target.others_until)
            firsts[who] = min(first, firsts.get(who, first))
    return firsts


def _all_targets(rows: Iterable[Case]) -> Iterable[Target]:
    return (target for one in rows for target in reach.targets_of(one))


def _who(target: Target) -> tuple[int, UUID]:
    return target.client.pk, target.caller_id


def _first_of(since: datetime | None) -> UUID:
    return FIRST_ID if since is None else first_id_at(since)


def _held(client: Client, caller_id: UUID) -> QuerySet[Caller]:
    """A caller's row, held: of two requests one that ends and one that begins take turns."""
    rows: QuerySet[Caller] = Caller.objects.for_client(client).filter(pk=caller_id)
    list(rows.select_for_update().values_list("pk", flat=True))
    return rows


def _look_again(client: Client, caller_id: UUID, at: datetime) -> None:
    """What was decided of the caller's calls is decided anew; what was counted of them a trigger has counted anew."""
    ours = {"agency_id": client.agency_id, "client_id": client.pk}
    Rejudgement.objects.bulk_create(
        [Rejudgement(**ours, caller_id=caller_id, cause="restriction", due_at=at, created_at=at)]
    )


# --- Correction ---------------------------------------------------------------------------------------------------


def check(corrections: Collection[Mapping[str, Any]]) -> None:
    """
    Look whether corrections are of the kind that can be made: {"what": "place", "country", "region"}, {"what":
    "language", "language"}, {"what": "name", "name"}; of a fact that was read into a call {"what": "call", "call",
    "field", "value"}; of a call that is not the person's {"what": "unlink", "call"}.

    :raises NotCorrectableError: one is not; the text says which.
    """
    for one in corrections:
        what = one.get("what")
        if what == "place":
            _check_place(str(one.get("country", "")), str(one.get("region", "")))
        elif what == "language":
            if one.get("language") not in Language.values:
                raise NotCorrectableError("Letters are written in no such language.")
        elif what == "name":
            if not 0 < len(str(one.get("name", "")).strip()) <= LONGEST_NAME:
                raise NotCorrectableError(f"A name has one to {LONGEST_NAME} letters.")
        elif what == "call":
            if one.get("field") not in FIELDS:
                raise NotCorrectableError("Of a call only what was read into it can be corrected.")
        elif what != "unlink":
            raise NotCorrectableError("A correction is of a place, a language, a name or a call.")


def _check_place(country: str, region: str) -> None:
    if not places.is_place(country, region):
        raise NotCorrectableError("That is no place that is known here.")


def without_names(corrections: Collection[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Corrections as a job's plan keeps them: that a name was corrected, and not which."""
    return [{key: value for key, value in one.items() if key != "name"} for one in corrections]


def correct_name(*, case: Case, name: str, by: Actor, at: datetime) -> None:
    """Write down how a person is called: in this request, sealed as before. In the transaction that decides it."""
    submission = case.submission
    key = sealing.key_of(submission=submission, at=at)
    said = words.record(submission.contact, key) | {"name": " ".join(name.split())}
    submission.contact = sealing.seal(submission, "contact", said, key)
    submission.save(update_fields=["contact"])
    audit.record("person.corrected", subject=submission, by=by, at=at, what="name", field=None)


def correct(*, step: Step, clock: Clock) -> None:
    """Make the corrections that were decided. Called outside any scope; may be repeated."""
    case = step.case
    corrections = list(step.wanted.get("corrections", ()))
    check([one for one in corrections if one["what"] != "name"])
    unlinked = {uuid.UUID(str(one["call"])) for one in corrections if one["what"] == "unlink"}
    with job_scope(agency_id=case.agency_id):
        targets = reach.targets_of(case)
        foreign = {target: _calls_of(target, unlinked) for target in targets}
    changed = sum(_unlink(target.client, ids, clock()) for target, ids in foreign.items() if ids)
    with job_scope(agency_id=case.agency_id):
        at = clock()
        changed += sum(_correct(target, one, at) for target in targets for one in corrections)
        if any(one["what"] == "language" for one in corrections):
            _set_language(case, corrections, at)
            changed += 1
        steps.finish(
            step=step,
            action="case.corrected",
            event=EventKind.CORRECTED,
            at=at,
            outcome={"changed": changed},
            changed=changed,
        )


def _calls_of(target: Target, ids: Collection[uuid.UUID]) -> list[uuid.UUID]:
    rows = Call.objects.for_client(target.client).filter(caller_id=target.caller_id, pk__in=list(ids))
    return list(rows.values_list("pk", flat=True))


def _unlink(client: Client, call_ids: list[uuid.UUID], at: datetime) -> int:
    """
    Calls that were taken for a person's are nobody's; what was said on them leaves, for nobody can tell whose it is.

    One that is held keeps what it has until the hold ends.
    """
    redaction.begin(client=client, call_ids=call_ids, at=at)
    with job_scope(agency_id=client.agency_id):
        return redaction.finish(client=client, call_ids=call_ids, at=at)


def _set_language(case: Case, corrections: Collection[Mapping[str, Any]], at: datetime) -> None:
    """The language in which the person is written to, in this request and those that follow from it."""
    (language,) = {str(one["language"]) for one in corrections if one["what"] == "language"}
    rows = Submission.objects.filter(Q(pk=case.submission_id) | Q(parent_id=case.submission_id))
    rows.update(language=language)
    audit.record("person.corrected", subject=case.submission, by=JOB, at=at, what="language", field=None)


def _correct(target: Target, one: Mapping[str, Any], at: datetime) -> int:
    client = target.client
    if one["what"] == "place":
        rows = Caller.objects.for_client(client).filter(pk=target.caller_id)
        count = rows.update(country=str(one["country"]), region=str(one.get("region", "")))
        _look_again(client, target.caller_id, at)
        subject: Caller | Call = Caller(pk=target.caller_id, client_id=client.pk)
    elif one["what"] == "call":
        call = Call.objects.for_client(client).filter(
            caller_id=target.caller_id, pk=uuid.UUID(str(one["call"]))
        )
        count = call.update(**{str(one["field"]): one.get("value")})
        if count and one["field"] in {"country", "region"}:
            _look_again(client, target.caller_id, at)
        subject = Call(pk=uuid.UUID(str(one["call"])), client_id=client.pk)
    else:
        return 0
    if count:
        audit.record(
            "person.corrected", subject=subject, by=JOB, at=at, what=str(one["what"]), field=one.get("field")
        )
    return count


# --- Minors -------------------------------------------------------------------------------------------------------


def mark_minors(*, case: Case, by: Actor, at: datetime) -> int:
    """
    Note of everybody whom a case about a child reaches that they are minors: nothing of theirs is shared or released.

    Returns of how many that is new. In the scope of a job.
    """
    count = 0
    for target in reach.targets_of(case):
        caller = Caller.objects.for_client(target.client).filter(pk=target.caller_id).first()
        known = MinorMark.objects.for_client(target.client).filter(caller_id=target.caller_id)
        if caller is not None and not known.exists():
            count += minors.mark(client=target.client, caller=caller, by=by, at=at, also_left=True)
            if tenancy.is_here(target.client.pk):
                vault.suppress_callers(
                    client_id=target.client.pk,
                    caller_ids=[target.caller_id],
                    purposes={Purpose.SHARE.value},
                    at=at,
                )
    return count
