"""Who has to know what, who tried, and who passed."""

from __future__ import annotations

import uuid
from typing import Self

from django.db import models

from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import User
from callprivacy.tenancy.models import AgencyOwned, ScopedQuerySet


class TrainingRule(AgencyOwned):
    """That a role takes a course, within so many days of joining, and again when it is not valid any more."""

    id = models.BigAutoField(primary_key=True)
    course = models.CharField(max_length=40)
    role = models.CharField(max_length=20, choices=Role)
    within_days = models.PositiveSmallIntegerField(default=14)

    class Meta:
        base_manager_name = "objects"
        constraints = (
            models.UniqueConstraint(fields=["agency", "course", "role"], name="governance_trainingrule_once"),
            models.CheckConstraint(
                condition=models.Q(within_days__gte=1, within_days__lte=365), name="governance_rule_days"
            ),
        )

    def __str__(self) -> str:
        return f"{self.course} for {self.get_role_display()}"


class Assignment(AgencyOwned):
    """That a person has to pass a course by a day. It goes when the person has passed, or the reason is gone."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    course = models.CharField(max_length=40)
    due_on = models.DateField()
    assigned_at = models.DateTimeField()
    assigned_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")

    class Meta:
        base_manager_name = "objects"
        constraints = (
            models.UniqueConstraint(
                fields=["agency", "user", "course"], name="governance_assignment_once_a_course"
            ),
        )
        indexes = (models.Index(fields=["agency", "due_on"], name="governance_assignment_due"),)

    def __str__(self) -> str:
        return f"{self.course} by {self.due_on:%Y-%m-%d}"


class Attempt(AgencyOwned):
    """One try at the questions of a course. `answers`: place of the chosen answer by number of the question."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    course = models.CharField(max_length=40)
    version = models.CharField(max_length=12)
    seed = models.PositiveIntegerField()
    answers = models.JSONField(default=dict)
    right = models.PositiveSmallIntegerField(null=True)
    asked = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        base_manager_name = "objects"
        indexes = (models.Index(fields=["agency", "user", "-started_at"], name="governance_attempt_newest"),)

    def __str__(self) -> str:
        return f"try at {self.course}"


class CompletionQuerySet(ScopedQuerySet["Completion"]):
    def valid_on(self, day: object) -> Self:
        """What still counts on a day."""
        return self.filter(valid_until__gte=day)


class Completion(AgencyOwned):
    """That a person passed a course here, or showed a certificate from elsewhere (`issuer`)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
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

    objects = models.Manager.from_queryset(CompletionQuerySet)()  # type: ignore[misc]  # a manager with more words

    class Meta:
        base_manager_name = "objects"
        indexes = (
            models.Index(
                fields=["agency", "user", "course", "-valid_until"], name="governance_completion_newest"
            ),
        )

    def __str__(self) -> str:
        return f"{self.course} passed on {self.passed_on:%Y-%m-%d}"
