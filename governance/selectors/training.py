"""What the pages show of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db.models import QuerySet

from callprivacy.accounts.enums import MembershipState, Role
from callprivacy.accounts.models import Membership
from governance.courses import Course, courses
from governance.models import Assignment, Attempt, Completion, TrainingRule


@dataclass(frozen=True, slots=True)
class Mine:
    """A course as one person stands with it."""

    course: Course
    due_on: date | None
    valid_until: date | None
    is_overdue: bool

    @property
    def is_valid(self) -> bool:
        """Whether what was passed still counts."""
        return self.valid_until is not None


@dataclass(frozen=True, slots=True)
class Cell:
    """One person and one course in the matrix: "valid", "due", "overdue", or empty."""

    state: str
    on: date | None


@dataclass(frozen=True, slots=True)
class Row:
    """One person in the matrix."""

    member: Membership
    cells: list[Cell]


def mine(user_id: int, *, today: date) -> list[Mine]:
    """Every course as a person stands with it: what is due first."""
    due = dict(Assignment.objects.filter(user_id=user_id).values_list("course", "due_on"))
    valid = dict(
        Completion.objects.filter(user_id=user_id)
        .valid_on(today)
        .order_by("valid_until")
        .values_list("course", "valid_until")
    )
    found = [
        Mine(course, due.get(name), valid.get(name), name in due and due[name] < today)
        for name, course in courses().items()
    ]
    return sorted(found, key=lambda one: (one.due_on is None, one.due_on or today, one.course.title))


def members() -> QuerySet[Membership]:
    """The active people of the scope's agency, by name."""
    return (
        Membership.objects.filter(state=MembershipState.ACTIVE, user__is_active=True)
        .select_related("user")
        .order_by("user__name", "pk")
    )


def matrix(rows: Sequence[Membership], *, today: date) -> list[Row]:
    """People by courses, two queries."""
    ids = [row.user_id for row in rows]
    due = {(row.user_id, row.course): row.due_on for row in Assignment.objects.filter(user_id__in=ids)}
    passed = Completion.objects.filter(user_id__in=ids).valid_on(today).order_by("valid_until")
    valid = {(row.user_id, row.course): row.valid_until for row in passed}

    def cell(user_id: int, course: str) -> Cell:
        wanted, until = due.get((user_id, course)), valid.get((user_id, course))
        if wanted is not None:
            return Cell("overdue" if wanted < today else "due", wanted)
        return Cell("valid", until) if until else Cell("", None)

    return [Row(row, [cell(row.user_id, name) for name in courses()]) for row in rows]


def rules(course: str) -> dict[Role, int]:
    """Role -> within how many days it takes a course."""
    rows = TrainingRule.objects.filter(course=course).values_list("role", "within_days")
    return {Role(role): days for role, days in rows}


def completions(user_id: int) -> QuerySet[Completion]:
    """What a person passed, newest first."""
    return Completion.objects.filter(user_id=user_id).order_by("-passed_on", "-noted_at")


def find_completion(completion_id: UUID) -> Completion | None:
    """One thing that was passed, which the scope may see."""
    return Completion.objects.select_related("user", "agency").filter(pk=completion_id).first()


def last_attempt(user_id: int, course: str) -> Attempt | None:
    """A person's newest finished try at a course."""
    return (
        Attempt.objects.filter(user_id=user_id, course=course)
        .exclude(finished_at=None)
        .order_by("-finished_at")
        .first()
    )


def overdue(*, today: date) -> int:
    """How many assignments are past their day."""
    return Assignment.objects.filter(due_on__lt=today).count()
