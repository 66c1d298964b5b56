"""
Training: requirements, assignments, attempts and completions. Overdue training suspends access.

Assignments follow from requirements and completions. Each run reconciles them, so that a lost message costs one
interval.
"""

import secrets
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import F

from callprivacy.accounts import selectors as accounts
from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership
from callprivacy.accounts.services import people
from callprivacy.audit import services as audit
from callprivacy.lib import calendars
from callprivacy.lib.scope import Actor, ScopeKind
from callprivacy.tenancy.models import Agency
from callprivacy.tenancy.scope import job_scope
from callprivacy.work import services as work
from governance import kinds
from governance.courses import Course, draw, is_passed
from governance.models import Assignment, Attempt, Completion, TrainingDay, TrainingRule
from governance.selectors import training as selectors
from governance.services.certificates import File

JOB: Final = Actor.job("governance.watch_training")
GRACE: Final = timedelta(days=14)
"""After the due date, until access to numbers and files is suspended."""
REMIND_BEFORE: Final = (7, 1)
RENEW_BEFORE: Final = timedelta(days=30)
KEPT_FOR: Final = timedelta(days=400)
"""Retention of the daily progress."""
AGAIN_AFTER: Final = timedelta(minutes=10)


class TooSoonError(ValueError):
    """An attempt failed a moment ago."""


class OwnCertificateError(ValueError):
    """Users cannot add or revoke their own completions."""


class OwnTrainingError(ValueError):
    """Users cannot change their own assignments while another manager can."""

    def __init__(self, why: str) -> None:
        super().__init__(f"{why} Take it, or ask another admin or compliance officer to change this.")


class NotAskedError(LookupError):
    """The assignment was completed, withdrawn or moved since."""

    def __init__(self) -> None:
        super().__init__("This assignment has changed or no longer exists. Check it again.")


class OfARuleError(ValueError):
    """A role requirement would assign the course again."""


class NotPassedYetError(ValueError):
    """The date of a certificate is in the future."""


class NoProofError(LookupError):
    """The completion is already revoked."""


class NotYoursError(LookupError):
    """The attempt is finished or of another user."""


def check_not_own(*, agency: Agency, course: str, by: Actor, at: datetime) -> None:
    """
    Stop users from ending their own suspension by removing a requirement.

    :raises OwnTrainingError: they are overdue, and another manager could do it.
    """
    if by.kind != ScopeKind.STAFF or by.user_id is None:
        return
    overdue = Assignment.objects.filter(user_id=by.user_id, course=course, due_on__lt=_day(agency, at))
    if overdue.exists() and _others_manage(by):
        raise OwnTrainingError("You are overdue with this course.")


def _check_of_another(row: Assignment, by: Actor) -> None:
    """
    Stop users from changing their own assignments, also before the due date, which they could move for ever.

    :raises OwnTrainingError: it is one's own, and another manager could do it.
    """
    if by.kind == ScopeKind.STAFF and row.user_id == by.user_id and _others_manage(by):
        raise OwnTrainingError("This course is assigned to you.")


def _others_manage(by: Actor) -> bool:
    return accounts.managers().exclude(user_id=by.user_id or 0).exists()


@transaction.atomic
def set_rules(*, agency: Agency, course: Course, within: Mapping[Role, int], by: Actor, at: datetime) -> None:
    """
    Replace the roles that must take a course.

    :param within: role -> days after joining.
    :raises OwnTrainingError: it ends the requirement of one's own role while one is overdue.
    """
    ended = TrainingRule.objects.filter(course=course.id).exclude(role__in=list(within))
    dropped = sorted(ended.values_list("role", flat=True))
    mine = Membership.objects.filter(agency=agency, user_id=by.user_id or 0, role__in=dropped)
    if mine.exists():
        check_not_own(agency=agency, course=course.id, by=by, at=at)
    ended.delete()
    for role, days in within.items():
        TrainingRule.objects.update_or_create(
            agency=agency, course=course.id, role=role, defaults={"within_days": days}
        )
    audit.record(
        "training.ruled",
        by=by,
        at=at,
        course=course.id,
        roles=len(within),
        named=" ".join(sorted(role.value for role in within)),
        dropped=" ".join(dropped),
    )


@transaction.atomic
def assign(
    *, agency: Agency, course: Course, user_ids: Collection[int], due_on: date, by: Actor, at: datetime
) -> int:
    """Return the number of new assignments."""
    here = Membership.objects.filter(agency_id=agency.pk, user_id__in=list(user_ids)).active()
    known = set(here.values_list("user_id", flat=True))
    already = set(Assignment.objects.filter(course=course.id).values_list("user_id", flat=True))
    fresh = sorted(known - already)
    rows = [
        Assignment(
            agency=agency,
            user_id=user_id,
            course=course.id,
            due_on=due_on,
            assigned_at=at,
            assigned_by_id=by.user_id,
        )
        for user_id in fresh
    ]
    # A concurrent assignment wins.
    Assignment.objects.bulk_create(rows, ignore_conflicts=True)
    audit.record(
        "training.assigned", by=by, at=at, course=course.id, people=len(fresh), due=due_on.isoformat()
    )
    _notify(kinds.TRAINING_ASSIGNED, agency.pk, fresh, course.id, at)
    return len(fresh)


@transaction.atomic
def move_assignment(*, row: Assignment, due_on: date, reason: str, by: Actor, at: datetime) -> None:
    """
    Change a due date.

    :raises OwnTrainingError: it is one's own, and another manager could do it.
    :raises NotAskedError: it no longer exists, or its date has changed.
    """
    _check_of_another(row, by)
    if not Assignment.objects.filter(pk=row.pk, due_on=row.due_on).update(due_on=due_on):
        raise NotAskedError
    audit.record(
        "training.moved",
        by=by,
        at=at,
        course=row.course,
        person=row.user_id,
        was=row.due_on.isoformat(),
        due=due_on.isoformat(),
        reason=reason,
    )


@transaction.atomic
def take_back(*, agency: Agency, row: Assignment, reason: str, by: Actor, at: datetime) -> None:
    """
    Withdraw an assignment that a person made.

    :raises OfARuleError: a role requirement asks for it.
    :raises OwnTrainingError: it is one's own, and another manager could do it.
    :raises NotAskedError: it no longer exists.
    """
    if row.assigned_by_id is None or _would_be_ruled(agency, row, at):
        raise OfARuleError("The role requires this course. Change the requirement or the due date.")
    _check_of_another(row, by)
    deleted, _ = Assignment.objects.filter(pk=row.pk).delete()
    if not deleted:
        raise NotAskedError
    audit.record(
        "training.taken_back",
        by=by,
        at=at,
        course=row.course,
        person=row.user_id,
        due=row.due_on.isoformat(),
        reason=reason,
    )


def _notify(kind: str, agency_id: int, user_ids: Collection[int], key: str, at: datetime) -> None:
    if user_ids:
        work.notify(kind, agency_id=agency_id, user_ids=sorted(user_ids), at=at, key=key)


@transaction.atomic
def start_attempt(*, agency: Agency, course: Course, user_id: int, at: datetime) -> Attempt:
    """
    Start an attempt, or continue the open one in its own version.

    :raises TooSoonError: the last one failed less than ten minutes ago.
    """
    mine = Attempt.objects.filter(user_id=user_id, course=course.id)
    begun = selectors.begun_attempt(user_id, course.id)
    if begun is not None and selectors.course_of(begun) is not None:
        return begun
    last = mine.exclude(finished_at=None).order_by("-finished_at").first()
    ended = last.finished_at if last is not None and not is_passed(last.right or 0, last.asked) else None
    if ended is not None and ended > at - AGAIN_AFTER:
        raise TooSoonError("Read the screens again. You can try again in ten minutes.")
    return Attempt.objects.create(
        agency=agency,
        user_id=user_id,
        course=course.id,
        version=course.version,
        seed=secrets.randbelow(2**31),
        asked=course.asked,
        started_at=at,
    )


@transaction.atomic
def finish_attempt(
    *, attempt: Attempt, course: Course, answers: Mapping[int, int], user_id: int, at: datetime
) -> Completion | None:
    """
    Grade an attempt. Returns the completion if it passed.

    :param answers: number of the question -> position of the answer in the course; missing answers are wrong.
    :raises NotYoursError: the attempt is finished, of an older version, or of another user.
    """
    drawn = draw(course, attempt.seed)
    right = sum(answers.get(one.number) == 0 for one in drawn)
    claimed = Attempt.objects.filter(
        pk=attempt.pk, user_id=user_id, finished_at=None, version=course.version
    ).update(
        finished_at=at,
        right=right,
        asked=len(drawn),
        answers={str(one.number): answers.get(one.number) for one in drawn},
    )
    if not claimed:
        raise NotYoursError("This attempt is finished.")
    by = Actor.staff(user_id=user_id)
    passed = is_passed(right, len(drawn))
    audit.record(
        "training.tried",
        by=by,
        at=at,
        subject=attempt,
        course=course.id,
        version=course.version,
        right=right,
        asked=len(drawn),
        passed=passed,
    )
    if not passed:
        return None
    return _complete(
        agency=attempt.agency,
        course=course,
        user_id=user_id,
        passed_on=_day(attempt.agency, at),
        valid_until=None,
        issuer="",
        score=(right, len(drawn)),
        by=by,
        at=at,
    )


@transaction.atomic
def note_outside(
    *,
    agency: Agency,
    course: Course,
    user_id: int,
    issuer: str,
    passed_on: date,
    valid_until: date,
    file: File | None = None,
    by: Actor,
    at: datetime,
) -> Completion:
    """
    Add an external certificate. An expired one completes no assignment.

    :param file: already encrypted.
    :raises OwnCertificateError: it is one's own.
    :raises NotPassedYetError: its date is in the future.
    """
    if by.user_id == user_id:
        raise OwnCertificateError("Ask another manager to add your certificate, or take the course here.")
    if passed_on > _day(agency, at):
        raise NotPassedYetError("The date is in the future.")
    return _complete(
        agency=agency,
        course=course,
        user_id=user_id,
        passed_on=passed_on,
        valid_until=valid_until,
        issuer=issuer,
        score=None,
        file=file,
        by=by,
        at=at,
    )


def _complete(
    *,
    agency: Agency,
    course: Course,
    user_id: int,
    passed_on: date,
    valid_until: date | None,
    issuer: str,
    score: tuple[int, int] | None,
    file: File | None = None,
    by: Actor,
    at: datetime,
) -> Completion:
    right, asked = score or (None, None)
    until = valid_until or calendars.add_months(passed_on, course.valid_months)
    asked_for = Assignment.objects.filter(user_id=user_id, course=course.id)
    answered = asked_for.first() if until >= _day(agency, at) else None
    row = Completion.objects.create(
        agency=agency,
        user_id=user_id,
        course=course.id,
        version="" if issuer else course.version,
        issuer=issuer,
        passed_on=passed_on,
        valid_until=until,
        right=right,
        asked=asked,
        noted_by_id=by.user_id if issuer else None,
        noted_at=at,
        file_key=file.file_id if file else None,
        file_digest=file.digest if file else None,
        file_type=file.media_type if file else "",
        was_due_on=answered.due_on if answered else None,
        was_asked_by_id=answered.assigned_by_id if answered else None,
    )
    if answered is not None:
        asked_for.delete()
    audit.record(
        "training.passed",
        subject=row,
        by=by,
        at=at,
        course=course.id,
        person=user_id,
        until=row.valid_until.isoformat(),
        outside=bool(issuer),
        file=file.digest.hex() if file else None,
    )
    return row


@transaction.atomic
def end_proof(*, proof: Completion, reason: str, by: Actor, at: datetime) -> None:
    """
    Revoke a completion. Unless it had expired or another one is valid, its assignment returns with its old due date:
    now for an active member, otherwise on return.

    :raises OwnCertificateError: it is one's own.
    :raises NoProofError: it is already revoked.
    """
    if by.user_id == proof.user_id:
        raise OwnCertificateError("Ask another manager to revoke your completion.")
    ended = Completion.objects.counting().filter(pk=proof.pk).update(ended_at=at, ended_by_id=by.user_id)
    if not ended:
        raise NoProofError("This completion is already revoked.")
    audit.record(
        "training.proof_ended",
        subject=proof,
        by=by,
        at=at,
        course=proof.course,
        person=proof.user_id,
        reason=reason,
    )
    # The next run after their return assigns inactive members.
    if Membership.objects.filter(agency_id=proof.agency_id, user_id=proof.user_id).active().exists():
        _restore_assignments(proof.agency, [proof.user_id], at)


def _restore_assignments(agency: Agency, user_ids: Collection[int], at: datetime) -> None:
    """
    Restore the assignments of revoked completions for active members, with their old due dates.

    A completion that is valid, or had expired before it was revoked, settled all earlier assignments. Each revoked
    completion restores its assignment once, so that a later withdrawal lasts.
    """
    given = Completion.objects.filter(
        agency=agency, user_id__in=user_ids, ended_at__isnull=False, was_due_on__isnull=False
    )
    for user_id, course in sorted(set(given.values_list("user_id", "course"))):
        proofs = list(Completion.objects.filter(agency=agency, user_id=user_id, course=course))
        if any(row.ended_at is None and row.valid_until >= _day(agency, at) for row in proofs):
            continue
        settled = [
            row for row in proofs if row.ended_at is None or row.valid_until < _day(agency, row.ended_at)
        ]
        since = max((row.noted_at for row in settled), default=None)
        open_again = [
            (row.was_due_on, row.was_asked_by_id)
            for row in proofs
            if row.was_due_on is not None and row not in settled and (since is None or row.noted_at > since)
        ]
        given.filter(user_id=user_id, course=course).update(was_due_on=None, was_asked_by=None)
        if open_again:
            due_on, asked_by = min(open_again, key=lambda one: one[0])
            # No training was missing while another completion was valid.
            due_on = max([due_on, *(row.valid_until for row in settled)])
            _assign_again(agency, user_id=user_id, course=course, due_on=due_on, asked_by=asked_by, at=at)


def _assign_again(
    agency: Agency, *, user_id: int, course: str, due_on: date, asked_by: int | None, at: datetime
) -> None:
    if course not in selectors.catalogue() or (
        asked_by is None and not _is_ruled(agency, user_id=user_id, course=course)
    ):
        return
    again = Assignment(
        agency=agency, user_id=user_id, course=course, due_on=due_on, assigned_at=at, assigned_by_id=asked_by
    )
    # A newer assignment keeps its due date.
    if not Assignment.objects.filter(agency=agency, user_id=user_id, course=course).exists():
        Assignment.objects.bulk_create([again], ignore_conflicts=True)
        _notify(kinds.TRAINING_ASSIGNED, agency.pk, [user_id], course, at)


def _would_be_ruled(agency: Agency, row: Assignment, at: datetime) -> bool:
    """Whether the next run would assign the course again by a role requirement."""
    if row.course not in selectors.catalogue():
        return False
    counts_on = _day(agency, at) + RENEW_BEFORE + timedelta(days=1)
    passed = Completion.objects.filter(agency=agency, user_id=row.user_id, course=row.course)
    return not passed.valid_on(counts_on).exists() and _is_ruled(
        agency, user_id=row.user_id, course=row.course
    )


def _is_ruled(agency: Agency, *, user_id: int, course: str) -> bool:
    roles = Membership.objects.filter(agency=agency, user_id=user_id).active().values("role")
    return TrainingRule.objects.filter(agency=agency, course=course, role__in=roles).exists()


# --- Jobs ---------------------------------------------------------------------------------------------------------


def watch_training(*, agency_id: int, at: datetime) -> None:
    """Called outside any scope, and idempotent."""
    with job_scope(agency_id=agency_id):
        agency = Agency.objects.get(pk=agency_id)
        _reconcile(agency, at)
        _count(agency, _remind(agency, at), at)


def settle_person(*, agency_id: int, user_id: int, at: datetime) -> None:
    """Update the suspension of one person. Called outside any scope, and idempotent."""
    with job_scope(agency_id=agency_id):
        agency = Agency.objects.filter(pk=agency_id).first()
        if agency is not None:
            _settle(agency, user_id, at)


def _reconcile(agency: Agency, at: datetime) -> None:
    today = _day(agency, at)
    rules = {(row.course, row.role): row.within_days for row in TrainingRule.objects.filter(agency=agency)}
    offered = selectors.catalogue()
    members = list(
        # In the lock order of `access.hold_members`, against deadlocks.
        Membership.objects.filter(agency=agency).active().order_by("pk")
    )
    _restore_assignments(agency, [member.user_id for member in members], at)
    passed: dict[tuple[int, str], date] = {}
    for row in Completion.objects.filter(agency=agency).counting().order_by("valid_until"):
        passed[row.user_id, row.course] = row.valid_until
    present = {(row.user_id, row.course): row for row in Assignment.objects.filter(agency=agency)}
    wanted: dict[tuple[int, str], date] = {}
    for member in members:
        for (course, role), days in rules.items():
            if role != member.role or course not in offered:
                continue
            until = passed.get((member.user_id, course))
            if until is None:
                # For members who joined before the requirement, the days also count from today.
                wanted[member.user_id, course] = today + timedelta(days)
            elif until < today and (member.user_id, course) not in present:
                # It expired before the requirement, or while the person was inactive.
                wanted[member.user_id, course] = today + timedelta(days)
            elif until <= today + RENEW_BEFORE:
                wanted[member.user_id, course] = until
    fresh = [key for key in wanted if key not in present]
    rows = [
        Assignment(
            agency=agency, user_id=user_id, course=course, due_on=wanted[user_id, course], assigned_at=at
        )
        for user_id, course in fresh
    ]
    # A concurrent manual assignment wins.
    Assignment.objects.bulk_create(rows, ignore_conflicts=True)
    here = {member.user_id for member in members}
    over = [
        row.pk
        for key, row in present.items()
        if row.user_id not in here
        or row.course not in offered
        or (row.assigned_by_id is None and key not in wanted)
    ]
    Assignment.objects.filter(pk__in=over).delete()
    for user_id, course in fresh:
        _notify(kinds.TRAINING_ASSIGNED, agency.pk, [user_id], course, at)
    for member in members:
        _settle(agency, member.user_id, at)


def _settle(agency: Agency, user_id: int, at: datetime) -> None:
    """Store on a membership when its access to numbers and files is suspended, if ever."""
    first = Assignment.objects.filter(agency=agency, user_id=user_id).order_by("due_on").first()
    from_at = None
    if first is not None:
        from_at = calendars.end_of(first.due_on + GRACE, ZoneInfo(agency.time_zone))
    people.withhold_from(agency_id=agency.pk, user_id=user_id, from_at=from_at, by=JOB, at=at)


def _remind(agency: Agency, at: datetime) -> Counter[str]:
    """Send one reminder a stage. Returns the number of reminders by course."""
    reminded: Counter[str] = Counter()
    today = _day(agency, at)
    for row in Assignment.objects.filter(agency=agency, due_on__lte=today + timedelta(max(REMIND_BEFORE))):
        days_left = (row.due_on - today).days
        stage = next((str(days) for days in sorted(REMIND_BEFORE) if 0 <= days_left <= days), "overdue")
        period = f"{row.due_on.isoformat()} {stage}"
        if work.claim_period(
            agency_id=agency.pk, job=f"training {row.user_id} {row.course}", period=period, at=at
        ):
            kind = kinds.TRAINING_OVERDUE if stage == "overdue" else kinds.TRAINING_SOON
            _notify(kind, agency.pk, [row.user_id], f"{row.course} {stage}", at)
            Assignment.objects.filter(pk=row.pk).update(reminders=F("reminders") + 1, reminded_at=at)
            reminded[row.course] += 1
    return reminded


def _count(agency: Agency, reminded: Counter[str], at: datetime) -> None:
    """Store today's progress, overwritten by each run of the day."""
    today = _day(agency, at)
    for one in selectors.by_course(list(selectors.members()), selectors.titles_offered(), today=today):
        day, _ = TrainingDay.objects.update_or_create(
            agency=agency,
            on=today,
            course=one.name,
            defaults={"done": one.done, "due": one.due, "overdue": one.overdue},
        )
        if reminded[one.name]:
            TrainingDay.objects.filter(pk=day.pk).update(reminders=F("reminders") + reminded[one.name])
    TrainingDay.objects.filter(agency=agency, on__lt=today - KEPT_FOR).delete()


def _day(agency: Agency, at: datetime) -> date:
    return calendars.day_in(agency.time_zone, at)
