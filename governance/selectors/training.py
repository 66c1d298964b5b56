"""What the pages show of training: the shipped courses and the agency's own, who has to take them, and who passed."""

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
    """One person and one course in the matrix: "valid", "due", "overdue", or empty; what was passed, if it counts."""

    state: str
    on: date | None
    proof: Completion | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """
    How many people stand how with a course, or with all courses of a role.

    :ivar done: passed, and it counts, also where nobody asked. :ivar due: asked, and the day has not passed.
    """

    name: str
    title: str
    done: int
    due: int
    overdue: int

    @property
    def of(self) -> int:
        """Of how many."""
        return self.done + self.due + self.overdue

    @property
    def percent(self) -> int:
        """How much of it is done, rounded down; 0 where nobody has to."""
        return 100 * self.done // self.of if self.of else 0


@dataclass(frozen=True, slots=True)
class Open:
    """One person who has still to pass a course."""

    assignment: Assignment
    title: str
    member_id: int
    role: str
    is_overdue: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One person in the matrix."""

    member: Membership
    cells: list[Cell]


# --- Courses ------------------------------------------------------------------------------------------------------


def as_course(row: CourseVersion) -> Course:
    """A version of an own course; one query for its pictures where they were not fetched along."""
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
    """What people can take: the shipped courses, then the agency's own in their newest version; two queries."""
    newest = _published().filter(course__ended_at=None).distinct("course")
    own = sorted((as_course(row) for row in newest), key=lambda course: course.title)
    return {**courses(), **{course.id: course for course in own}}


def find_course(name: str) -> Course | None:
    """What people can take under a name."""
    shipped = courses().get(name)
    if shipped is not None:
        return shipped
    row = _published().filter(course__name=name, course__ended_at=None).first()
    return as_course(row) if row is not None else None


def course_of(attempt: Attempt) -> Course | None:
    """The course as it was when a try began; None where that version is not there any more, as of a shipped one."""
    shipped = courses().get(attempt.course)
    if shipped is not None:
        return shipped if shipped.version == attempt.version else None
    number = attempt.version.removeprefix("v")
    row = (
        _published().filter(course__name=attempt.course, number=number).first() if number.isdigit() else None
    )
    return as_course(row) if row is not None else None


def own_courses() -> list[OwnCourse]:
    """What the agency wrote or writes, those that are offered first; `shown` is each one's versions, newest first."""
    newest = CourseVersion.objects.order_by("-number")
    rows = OwnCourse.objects.prefetch_related(Prefetch("versions", queryset=newest, to_attr="shown"))
    return sorted(rows, key=lambda row: (row.ended_at is not None, row.shown[0].title))  # type: ignore[attr-defined]  # prefetched where it was read


def find_own(course_id: UUID) -> OwnCourse | None:
    return OwnCourse.objects.filter(pk=course_id).first()


def versions(course: OwnCourse) -> QuerySet[CourseVersion]:
    """A course's versions, the newest first; its draft is one of them."""
    rows = CourseVersion.objects.filter(course=course).select_related("course", "edited_by")
    return rows.prefetch_related("course__pictures").order_by("-number")


def pictures(course: OwnCourse) -> QuerySet[CoursePicture]:
    return CoursePicture.objects.filter(course=course).order_by("name")


def find_picture(picture_id: UUID, *, drafts: bool) -> CoursePicture | None:
    """
    One picture of the agency's courses.

    :param drafts: also of what only its writers see; else one that a published screen shows.
    """
    found = CoursePicture.objects.filter(pk=picture_id).first()
    if found is None or drafts:
        return found
    shown = (
        name
        for row in _published().filter(course_id=found.course_id)
        for screen in as_course(row).screens
        for name in markdown.pictures_in(screen.text)
    )
    return found if found.name in shown else None


# --- People -------------------------------------------------------------------------------------------------------


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
        for name, course in catalogue().items()
    ]
    return sorted(found, key=lambda one: (one.due_on is None, one.due_on or today, one.course.title))


def members() -> QuerySet[Membership]:
    """The active people of the scope's agency, by name."""
    return Membership.objects.active().select_related("user").order_by("user__name", "pk")


def people_who_left() -> QuerySet[Membership]:
    """Who was of the scope's agency and is not active there any more, by name."""
    here = Membership.objects.active().values("pk")
    return Membership.objects.exclude(pk__in=here).select_related("user").order_by("user__name", "pk")


def matrix(rows: Sequence[Membership], names: Sequence[str], *, today: date) -> list[Row]:
    """
    People by courses, two queries.

    :param names: of the courses, in the order of the columns.
    """
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
    """Title of every course that people can take, by name."""
    return {name: course.title for name, course in catalogue().items()}


def by_course(rows: Sequence[Membership], offered: Mapping[str, str], *, today: date) -> list[Standing]:
    """How these people stand with each course, two queries. :param offered: title of each course by name."""
    counted: dict[str, Counter[str]] = {name: Counter() for name in offered}
    for row in matrix(rows, list(offered), today=today):
        for name, cell in zip(offered, row.cells, strict=True):
            counted[name][cell.state] += 1
    return [_standing(name, title, counted[name]) for name, title in offered.items()]


def by_role(rows: Sequence[Membership], offered: Mapping[str, str], *, today: date) -> list[Standing]:
    """How the people of each role stand with these courses, two queries; a person counts once a course."""
    counted: dict[str, Counter[str]] = {}
    for row in matrix(rows, list(offered), today=today):
        here = Counter(cell.state for cell in row.cells)
        counted[row.member.role] = counted.get(row.member.role, Counter()) + here
    return [_standing(role.value, role.label, counted[role.value]) for role in Role if role.value in counted]


def _standing(name: str, title: str, states: Counter[str]) -> Standing:
    return Standing(name, title, states["valid"], states["due"], states["overdue"])


def still_open(rows: Sequence[Membership], offered: Mapping[str, str], *, today: date) -> list[Open]:
    """Who of these people has still to pass which of these courses, the longest overdue first; one query."""
    people = {row.user_id: row for row in rows}
    found = (
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
        for row in found
    ]


def training_days(names: Collection[str], *, since: date) -> list[TrainingDay]:
    """How many stood how on each day from one on, over these courses, the oldest first; rows that are not saved."""
    rows = TrainingDay.objects.filter(course__in=list(names), on__gte=since).values("on").order_by("on")
    return [
        TrainingDay(**row)
        for row in rows.annotate(
            done=Sum("done"), due=Sum("due"), overdue=Sum("overdue"), reminders=Sum("reminders")
        )
    ]


def reminded(*, since: date) -> dict[str, int]:
    """How many reminders of each course went out from a day on."""
    rows = TrainingDay.objects.filter(on__gte=since).values("course").order_by()
    return dict(rows.annotate(number=Sum("reminders")).values_list("course", "number"))


def rules(course: str) -> dict[Role, int]:
    """Role -> within how many days it takes a course."""
    rows = TrainingRule.objects.filter(course=course).values_list("role", "within_days")
    return {Role(role): days for role, days in rows}


def completions(user_id: int) -> QuerySet[Completion]:
    """What a person passed, newest first."""
    rows = Completion.objects.filter(user_id=user_id).select_related("noted_by", "ended_by")
    return rows.order_by("-passed_on", "-noted_at")


def titled(rows: Iterable[Completion]) -> list[tuple[Completion, str]]:
    """
    What was passed, with the title of the course as it was then; one query.

    An own course has the title of the version that was taken, and a certificate from elsewhere that of the newest.
    """
    own = list(
        CourseVersion.objects.published().order_by("number").values_list("course__name", "number", "title")
    )
    now = {name: course.title for name, course in courses().items()} | {name: title for name, _, title in own}
    then = {(name, f"v{number}"): title for name, number, title in own}
    return [(row, then.get((row.course, row.version)) or now.get(row.course, row.course)) for row in rows]


def find_member(membership_id: int) -> Membership | None:
    """One person of the scope's agency, also one who has left."""
    return Membership.objects.select_related("user").filter(pk=membership_id).first()


def asked_of(user_id: int) -> QuerySet[Assignment]:
    """What a person has to pass, what is due first."""
    rows = Assignment.objects.filter(user_id=user_id).select_related("assigned_by")
    return rows.order_by("due_on", "course")


def find_assignment(assignment_id: int) -> Assignment | None:
    """One thing that is asked of somebody, which the scope may see."""
    return Assignment.objects.select_related("user").filter(pk=assignment_id).first()


def find_completion(completion_id: UUID) -> Completion | None:
    """One thing that was passed, which the scope may see."""
    return Completion.objects.select_related("user", "agency").filter(pk=completion_id).first()


def begun_attempt(user_id: int, course: str) -> Attempt | None:
    """A person's newest try at a course that is not handed in."""
    return (
        Attempt.objects.filter(user_id=user_id, course=course, finished_at=None)
        .select_related("agency")
        .order_by("-started_at")
        .first()
    )


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
