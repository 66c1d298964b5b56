"""Custom courses, requirements, assignments, attempts and completions."""

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models

from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import User
from callprivacy.tenancy.models import AgencyOwned, ScopedQuerySet, WithId


class TrainingRule(AgencyOwned):
    """A course required of a role, within some days of joining and again when a completion expires."""

    id = models.BigAutoField(primary_key=True)
    course = models.CharField(max_length=40)
    role = models.CharField(max_length=20, choices=Role)
    within_days = models.PositiveSmallIntegerField(default=14)

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["agency", "course", "role"], name="governance_trainingrule_once"),
            models.CheckConstraint(
                condition=models.Q(within_days__gte=1, within_days__lte=365), name="governance_rule_days"
            ),
        )

    def __str__(self) -> str:
        return f"{self.course} for {self.get_role_display()}"


class Assignment(AgencyOwned):
    """A course that a person must pass by a date. Deleted on completion."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    course = models.CharField(max_length=40)
    due_on = models.DateField()
    assigned_at = models.DateTimeField()
    assigned_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    reminders = models.PositiveSmallIntegerField(default=0, db_default=0)
    reminded_at = models.DateTimeField(null=True)

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["agency", "user", "course"], name="governance_assignment_once_a_course"
            ),
        )
        indexes = (models.Index(fields=["agency", "due_on"], name="governance_assignment_due"),)

    def __str__(self) -> str:
        return f"{self.course} by {self.due_on:%Y-%m-%d}"


class TrainingDay(AgencyOwned):
    """The progress of a course on a day, kept because assignments are deleted on completion."""

    id = models.BigAutoField(primary_key=True)
    on = models.DateField()
    course = models.CharField(max_length=40)
    done = models.PositiveIntegerField(default=0)
    due = models.PositiveIntegerField(default=0)
    overdue = models.PositiveIntegerField(default=0)
    reminders = models.PositiveIntegerField(default=0)

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["agency", "on", "course"], name="governance_trainingday_once"),
        )

    def __str__(self) -> str:
        return f"{self.course} on {self.on:%Y-%m-%d}"


class Attempt(AgencyOwned, WithId):
    """An attempt. `answers`: number of the question -> position of the chosen answer."""

    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    course = models.CharField(max_length=40)
    version = models.CharField(max_length=12)
    seed = models.PositiveIntegerField()
    answers = models.JSONField(default=dict)
    right = models.PositiveSmallIntegerField(null=True)
    asked = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta(AgencyOwned.Meta):
        indexes = (models.Index(fields=["agency", "user", "-started_at"], name="governance_attempt_newest"),)

    def __str__(self) -> str:
        return f"attempt at {self.course}"


class CompletionQuerySet(ScopedQuerySet["Completion"]):
    def counting(self) -> Self:
        return self.filter(ended_at__isnull=True)

    def valid_on(self, day: object) -> Self:
        return self.counting().filter(valid_until__gte=day)


class Completion(AgencyOwned, WithId):
    """
    A passed course, or an external certificate (`issuer`).

    Its file (`file_key`), if any, is encrypted with the agency's keys and deleted with the row. `was_due_on` and
    `was_asked_by` are of the completed assignment, until it is restored. `ended_at` is when a person revoked it.
    """

    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    course = models.CharField(max_length=40)
    version = models.CharField(max_length=12, blank=True)
    issuer = models.CharField(max_length=120, blank=True)
    passed_on = models.DateField()
    valid_until = models.DateField()
    right = models.PositiveSmallIntegerField(null=True)
    asked = models.PositiveSmallIntegerField(null=True)
    noted_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    noted_at = models.DateTimeField()
    file_key = models.UUIDField(null=True)
    file_digest = models.BinaryField(max_length=32, null=True)
    file_type = models.CharField(max_length=20, blank=True, db_default="")
    was_due_on = models.DateField(null=True)
    was_asked_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")

    objects = models.Manager.from_queryset(CompletionQuerySet)()  # type: ignore[misc]  # a manager with queryset methods

    class Meta(AgencyOwned.Meta):
        indexes = (
            models.Index(
                fields=["agency", "user", "course", "-valid_until"], name="governance_completion_newest"
            ),
        )

    def __str__(self) -> str:
        return f"{self.course} passed on {self.passed_on:%Y-%m-%d}"


class OwnCourse(AgencyOwned, WithId):
    """A custom course. Requirements, attempts and completions refer to `name`, which never changes."""

    name = models.CharField(max_length=40)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    ended_at = models.DateTimeField(null=True)

    class Meta(AgencyOwned.Meta):
        constraints = (models.UniqueConstraint(fields=["agency", "name"], name="governance_owncourse_name"),)

    def __str__(self) -> str:
        return self.name


class VersionQuerySet(ScopedQuerySet["CourseVersion"]):
    def published(self) -> Self:
        return self.filter(published_at__isnull=False)

    def drafts(self) -> Self:
        return self.filter(published_at__isnull=True)


class CourseVersion(AgencyOwned, WithId):
    """
    A version of a custom course: the one draft, or a published version, which never changes.

    `screens`: title and Markdown. `questions`: words, answers with the correct one first, and why.
    """

    course = models.ForeignKey(OwnCourse, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    title = models.CharField(max_length=120)
    about = models.CharField(max_length=300)
    minutes = models.PositiveSmallIntegerField(default=15)
    valid_months = models.PositiveSmallIntegerField(default=12)
    reviewed_on = models.DateField()
    sources = ArrayField(models.CharField(max_length=300), default=list)
    screens = models.JSONField(default=list)
    questions = models.JSONField(default=list)
    edited_at = models.DateTimeField()
    edited_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    published_at = models.DateTimeField(null=True)

    objects = models.Manager.from_queryset(VersionQuerySet)()  # type: ignore[misc]  # a manager with queryset methods

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["agency", "course", "number"], name="governance_courseversion_number"
            ),
            models.UniqueConstraint(
                fields=["agency", "course"],
                condition=models.Q(published_at__isnull=True),
                name="governance_courseversion_one_draft",
            ),
            models.CheckConstraint(
                condition=models.Q(valid_months__gte=1, valid_months__lte=36),
                name="governance_courseversion_months",
            ),
        )

    def __str__(self) -> str:
        return f"{self.title}, version {self.number}"


class CoursePicture(AgencyOwned, WithId):
    """A picture of a custom course. Its file is in the state folder, named by the row's id, and never changes."""

    course = models.ForeignKey(OwnCourse, models.CASCADE, related_name="pictures")
    name = models.CharField(max_length=60)
    kind = models.CharField(max_length=20)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    size = models.PositiveIntegerField()
    added_at = models.DateTimeField()

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["agency", "course", "name"], name="governance_coursepicture_name"
            ),
        )

    def __str__(self) -> str:
        return self.name
