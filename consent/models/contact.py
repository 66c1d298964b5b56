"""Before somebody is called or texted: registers of numbers with their dates, and lists that were checked."""

from __future__ import annotations

import uuid

from django.db import models

from callprivacy.calls.enums import JobState
from callprivacy.tenancy.models import AgencyOwned, ClientOwned
from consent.enums import ListKind


class NumberList(AgencyOwned):
    """
    A register an agency uploaded (do-not-call, reassigned numbers), as of which day; its tokens are in the vault.

    The sealed file is read from `line` on, and goes when it has been. Until all of it is in, the list before counts;
    what was replaced or taken out has `ended_at`, and its tokens go until `emptied_at`. Of reassigned numbers a job
    ends the consents that are older, client by client: `invalidated` counts them.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=12, choices=ListKind)
    name = models.CharField(max_length=120)
    as_of = models.DateField()
    state = models.CharField(max_length=10, choices=JobState, default=JobState.QUEUED)
    file_key = models.UUIDField(null=True)
    line = models.PositiveBigIntegerField(default=0)
    size = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    invalidated = models.PositiveIntegerField(default=0)
    failure = models.CharField(max_length=200, blank=True)
    is_active = models.BooleanField(default=False)
    created_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    emptied_at = models.DateTimeField(null=True)

    class Meta:
        base_manager_name = "objects"
        constraints = (
            models.UniqueConstraint(
                fields=["agency", "kind", "name"],
                condition=models.Q(is_active=True),
                name="consent_numberlist_one_active",
            ),
        )
        indexes = (
            models.Index(
                fields=["agency", "due_at"],
                condition=models.Q(due_at__isnull=False),
                name="consent_numberlist_due",
            ),
        )

    def __str__(self) -> str:
        return self.name


class ListCheck(ClientOwned):
    """
    A list of numbers that is checked before it is dialled: the file sealed, how far, and what came out.

    `column` holds the numbers and `region_column` the states, counted from 0. All rows are judged at one instant,
    `checked_at`, against the registers of `looked_at`. The list goes when it is checked, the result at `expires_at`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120)
    purpose = models.CharField(max_length=20)
    column = models.PositiveSmallIntegerField(default=0)
    region_column = models.PositiveSmallIntegerField(null=True)
    state = models.CharField(max_length=10, choices=JobState, default=JobState.QUEUED)
    file_key = models.UUIDField(null=True)
    result_key = models.UUIDField(null=True)
    rows = models.PositiveIntegerField(default=0)
    rows_done = models.PositiveIntegerField(default=0)
    allowed = models.PositiveIntegerField(default=0)
    blocked = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    reasons = models.JSONField(default=dict)
    looked_at = models.JSONField(default=list)
    failure = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        base_manager_name = "objects"
        indexes = (
            models.Index(fields=["client", "-created_at"], name="consent_listcheck_newest"),
            models.Index(
                fields=["agency", "due_at"],
                condition=models.Q(due_at__isnull=False),
                name="consent_listcheck_due",
            ),
        )

    def __str__(self) -> str:
        return self.name


class NumbersOut(ClientOwned):
    """
    Numbers with a standing consent as a sealed file, for a vendor that knows which have been reassigned.

    Asked for with a reason, which the trail keeps; the file goes at `expires_at`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    state = models.CharField(max_length=10, choices=JobState, default=JobState.QUEUED)
    file_key = models.UUIDField(null=True)
    rows = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey("accounts.User", models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        base_manager_name = "objects"
        indexes = (
            models.Index(fields=["client", "-created_at"], name="consent_numbersout_newest"),
            models.Index(
                fields=["agency", "due_at"],
                condition=models.Q(due_at__isnull=False),
                name="consent_numbersout_due",
            ),
        )

    def __str__(self) -> str:
        return f"numbers of {self.created_at:%Y-%m-%d}"


class ConsentAge(ClientOwned):
    """After how many months a standing consent of a client's expires; without one, as long as the law has it proved."""

    id = models.BigAutoField(primary_key=True)
    months = models.PositiveSmallIntegerField()
    chosen_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    chosen_at = models.DateTimeField()

    class Meta:
        base_manager_name = "objects"
        constraints = (
            models.UniqueConstraint(fields=["client"], name="consent_age_one_a_client"),
            models.CheckConstraint(
                condition=models.Q(months__gte=1, months__lte=120), name="consent_age_is_sane"
            ),
        )

    def __str__(self) -> str:
        return f"{self.months} months"


class ApiWrite(ClientOwned):
    """
    That a system wrote to the ledger under a key of its own choosing, and what it was answered.

    The same key with the same body is answered the same; with another body it is refused. Both are kept as digests
    under the client's token key, since the body holds a number.
    """

    id = models.BigAutoField(primary_key=True)
    digest = models.BinaryField(max_length=32)
    body_digest = models.BinaryField(max_length=32)
    answer = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    class Meta:
        base_manager_name = "objects"
        constraints = (models.UniqueConstraint(fields=["client", "digest"], name="consent_apiwrite_once"),)
        indexes = (models.Index(fields=["agency", "created_at"], name="consent_apiwrite_oldest"),)

    def __str__(self) -> str:
        return f"write {self.pk}"
