"""Queries of training."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db.models import Prefetch, QuerySet, Sum
from django.urls import reverse

from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership
from governance.courses import Course, courses, made_of, markdown
from governance.models import (
    Assignment,
    Attempt,
    Completion,
    CoursePicture,
    CourseVersion,
    OwnCourse,
    TrainingDay,
    TrainingRule,
)


@dataclass(frozen=True, slots=True)
class Mine:
    course: Course
    due_on: date | None
    valid_until: date | None
    is_overdue: bool

    @property
    def is_valid(self) -> bool:
        return self.valid_until is not None


@dataclass(frozen=True, slots=True)
class Cell:
    """:ivar state: "valid", "due", "overdue" or "". :ivar proof: the valid completion, if any."""

    state: str
    on: date | None
    proof: Completion | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """
    Numbers of people by status for a course, or for all courses of a role.

    :ivar done: valid completions, also unassigned ones. :ivar due: assigned and not overdue.
    """

    name: str
    title: str
    done: int
    due: int
    overdue: int

    @property
    def of(self) -> int:
        return self.done + self.due + self.overdue

    @property
    def percent(self) -> int:
        """Rounded down; 0 without assignments."""
        return 100 * self.done // self.of if self.of else 0


@dataclass(frozen=True, slots=True)
class Open:
    assignment: Assignment
    title: str
    member_id: int
    role: str
    is_overdue: bool


@dataclass(frozen=True, slots=True)
class Row:
    member: Membership
    cells: list[Cell]


# --- Courses ------------------------------------------------------------------------------------------------------


def as_course(row: CourseVersion) -> Course:
    """Runs one query unless the pictures are prefetched."""
    return made_of(
        {
            "title": row.title,
            "about": row.about,
            "minutes": row.minutes,
            "valid_months": row.valid_months,
            "reviewed_on": row.reviewed_on,
            "sources": tuple(row.sources),
        },
        name=row.course.name,
        version=f"v{row.number}",
        screens=row.screens,
        questions=row.questions,
        pictures={
            one.name: reverse("governance:course_picture", args=[one.pk]) for one in row.course.pictures.all()
        },
    )


def _published() -> QuerySet[CourseVersion]:
    rows = CourseVersion.objects.published().select_related("course").prefetch_related("course__pictures")
    return rows.order_by("course", "-number")


def catalogue() -> Mapping[str, Course]:
    """Shipped courses, then active custom courses in their latest version. Two queries."""
    newest = _published().filter(course__ended_at=None).distinct("course")
    own = sorted((as_course(row) for row in newest), key=lambda course: course.title)
    return {**courses(), **{course.id: course for course in own}}


def find_course(name: str) -> Course | None:
    shipped = courses().get(name)
    if shipped is not None:
        return shipped
    row = _published().filter(course__name=name, course__ended_at=None).first()
    return as_course(row) if row is not None else None


def course_of(attempt: Attempt) -> Course | None:
    """The version of an attempt; None if it no longer exists."""
    shipped = courses().get(attempt.course)
    if shipped is not None:
        return shipped if shipped.version == attempt.version else None
    number = attempt.version.removeprefix("v")
    row = (
        _published().filter(course__name=attempt.course, number=number).first() if number.isdigit() else None
    )
    return as_course(row) if row is not None else None


def own_courses() -> list[OwnCourse]:
    """Active ones first. `shown` is the versions, newest first."""
    newest = CourseVersion.objects.order_by("-number")
    rows = OwnCourse.objects.prefetch_related(Prefetch("versions", queryset=newest, to_attr="shown"))
    return sorted(rows, key=lambda row: (row.ended_at is not None, row.shown[0].title))  # type: ignore[attr-defined]  # prefetched


def find_own(course_id: UUID) -> OwnCourse | None:
    return OwnCourse.objects.filter(pk=course_id).first()


def versions(course: OwnCourse) -> QuerySet[CourseVersion]:
    """Newest first, with the draft."""
    rows = CourseVersion.objects.filter(course=course).select_related("course", "edited_by")
    return rows.prefetch_related("course__pictures").order_by("-number")


def pictures(course: OwnCourse) -> QuerySet[CoursePicture]:
    return CoursePicture.objects.filter(course=course).order_by("name")


def find_picture(picture_id: UUID, *, drafts: bool) -> CoursePicture | None:
    """:param drafts: also pictures that no published screen shows."""
    picture = CoursePicture.objects.filter(pk=picture_id).first()
    if picture is None or drafts:
        return picture
    shown = (
        name
        for row in _published().filter(course_id=picture.course_id)
        for screen in as_course(row).screens
        for name in markdown.pictures_in(screen.text)
    )
    return picture if picture.name in shown else None


# --- People -------------------------------------------------------------------------------------------------------


def mine(user_id: int, *, today: date) -> list[Mine]:
    """What is due first."""
    due = dict(Assignment.objects.filter(user_id=user_id).values_list("course", "due_on"))
    valid = dict(
        Completion.objects.filter(user_id=user_id)
        .valid_on(today)
        .order_by("valid_until")
        .values_list("course", "valid_until")
    )
    rows = [
        Mine(course, due.get(name), valid.get(name), name in due and due[name] < today)
        for name, course in catalogue().items()
    ]
    return sorted(rows, key=lambda one: (one.due_on is None, one.due_on or today, one.course.title))


def members() -> QuerySet[Membership]:
    return Membership.objects.active().select_related("user").order_by("user__name", "pk")


def people_who_left() -> QuerySet[Membership]:
    here = Membership.objects.active().values("pk")
    return Membership.objects.exclude(pk__in=here).select_related("user").order_by("user__name", "pk")


def matrix(rows: Sequence[Membership], names: Sequence[str], *, today: date) -> list[Row]:
    """Two queries. :param names: of the courses, in the order of the columns."""
    ids = [row.user_id for row in rows]
    due = {(row.user_id, row.course): row.due_on for row in Assignment.objects.filter(user_id__in=ids)}
    passed = Completion.objects.filter(user_id__in=ids).valid_on(today).order_by("valid_until")
    valid = {(row.user_id, row.course): row for row in passed}

    def cell(user_id: int, course: str) -> Cell:
        wanted, proof = due.get((user_id, course)), valid.get((user_id, course))
        if wanted is not None:
            return Cell("overdue" if wanted < today else "due", wanted, proof)
        return Cell("valid", proof.valid_until, proof) if proof else Cell("", None)

    return [Row(row, [cell(row.user_id, name) for name in names]) for row in rows]


def titles_offered() -> dict[str, str]:
    """Name -> title."""
    return {name: course.title for name, course in catalogue().items()}


def by_course(rows: Sequence[Membership], offered: Mapping[str, str], *, today: date) -> list[Progress]:
    """Two queries. :param offered: name -> title."""
    counted: dict[str, Counter[str]] = {name: Counter() for name in offered}
    for row in matrix(rows, list(offered), today=today):
        for name, cell in zip(offered, row.cells, strict=True):
            counted[name][cell.state] += 1
    return [_progress(name, title, counted[name]) for name, title in offered.items()]


def by_role(rows: Sequence[Membership], offered: Mapping[str, str], *, today: date) -> list[Progress]:
    """Two queries. A person counts once for each course."""
    counted: dict[str, Counter[str]] = {}
    for row in matrix(rows, list(offered), today=today):
        here = Counter(cell.state for cell in row.cells)
        counted[row.member.role] = counted.get(row.member.role, Counter()) + here
    return [_progress(role.value, role.label, counted[role.value]) for role in Role if role.value in counted]


def _progress(name: str, title: str, states: Counter[str]) -> Progress:
    return Progress(name, title, states["valid"], states["due"], states["overdue"])


def still_open(rows: Sequence[Membership], offered: Mapping[str, str], *, today: date) -> list[Open]:
    """Longest overdue first. One query."""
    people = {row.user_id: row for row in rows}
    rows_open = (
        Assignment.objects.filter(user_id__in=list(people), course__in=list(offered))
        .select_related("user", "assigned_by")
        .order_by("due_on", "user__name", "course")
    )
    return [
        Open(
            row,
            offered[row.course],
            people[row.user_id].pk,
            people[row.user_id].get_role_display(),
            row.due_on < today,
        )
        for row in rows_open
    ]


def training_days(names: Collection[str], *, since: date) -> list[TrainingDay]:
    """Sums over courses by day, oldest first, as unsaved rows."""
    rows = TrainingDay.objects.filter(course__in=list(names), on__gte=since).values("on").order_by("on")
    return [
        TrainingDay(**row)
        for row in rows.annotate(
            done=Sum("done"), due=Sum("due"), overdue=Sum("overdue"), reminders=Sum("reminders")
        )
    ]


def reminded(*, since: date) -> dict[str, int]:
    """Course -> number of reminders."""
    rows = TrainingDay.objects.filter(on__gte=since).values("course").order_by()
    return dict(rows.annotate(number=Sum("reminders")).values_list("course", "number"))


def rules(course: str) -> dict[Role, int]:
    """Role -> days after joining."""
    rows = TrainingRule.objects.filter(course=course).values_list("role", "within_days")
    return {Role(role): days for role, days in rows}


def completions(user_id: int) -> QuerySet[Completion]:
    """Newest first."""
    rows = Completion.objects.filter(user_id=user_id).select_related("noted_by", "ended_by")
    return rows.order_by("-passed_on", "-noted_at")


def titled(rows: Iterable[Completion]) -> list[tuple[Completion, str]]:
    """Completions with the titles of their versions; external certificates with the latest title. One query."""
    own = list(
        CourseVersion.objects.published().order_by("number").values_list("course__name", "number", "title")
    )
    now = {name: course.title for name, course in courses().items()} | {name: title for name, _, title in own}
    then = {(name, f"v{number}"): title for name, number, title in own}
    return [(row, then.get((row.course, row.version)) or now.get(row.course, row.course)) for row in rows]


def find_member(membership_id: int) -> Membership | None:
    """Also a former member."""
    return Membership.objects.select_related("user").filter(pk=membership_id).first()


def asked_of(user_id: int) -> QuerySet[Assignment]:
    rows = Assignment.objects.filter(user_id=user_id).select_related("assigned_by")
    return rows.order_by("due_on", "course")


def find_assignment(assignment_id: int) -> Assignment | None:
    return Assignment.objects.select_related("user").filter(pk=assignment_id).first()


def find_completion(completion_id: UUID) -> Completion | None:
    return Completion.objects.select_related("user", "agency").filter(pk=completion_id).first()


def begun_attempt(user_id: int, course: str) -> Attempt | None:
    """The latest open attempt."""
    return (
        Attempt.objects.filter(user_id=user_id, course=course, finished_at=None)
        .select_related("agency")
        .order_by("-started_at")
        .first()
    )


def last_attempt(user_id: int, course: str) -> Attempt | None:
    """The latest finished attempt."""
    return (
        Attempt.objects.filter(user_id=user_id, course=course)
        .exclude(finished_at=None)
        .order_by("-finished_at")
        .first()
    )


def overdue(*, today: date) -> int:
    return Assignment.objects.filter(due_on__lt=today).count()
