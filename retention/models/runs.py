"""Runs that erase what is past its date, their certificates, and who signed that erasing may begin."""

import uuid
from datetime import datetime, timedelta
from typing import Final, Self

from django.db import models

from callprivacy.accounts.models import User
from callprivacy.tenancy.models import AgencyOwned, ClientOwned, ScopedQuerySet, WithId
from callprivacy.vault.fields import SealedField
from retention.enums import Category, PartState, RunCause, RunState, Then

LEASE_AHEAD: Final = timedelta(minutes=10)
"""
A lease that ends later than in so many minutes was taken before the clock went back: none lasts so long. Clocks of two
machines are less apart.
"""


class RunQuerySet(ScopedQuerySet["Run"]):
    def running(self) -> Self:
        return self.filter(state=RunState.RUNNING)


class Run(AgencyOwned, WithId):
    """One pass over an agency's clients: planned, then worked off in bounded batches."""

    cause = models.CharField(max_length=10, choices=RunCause)
    state = models.CharField(max_length=10, choices=RunState, default=RunState.RUNNING)
    planned_on = models.DateField()
    started_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    planned_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = models.Manager.from_queryset(RunQuerySet)()  # type: ignore[misc]  # a manager with more words

    class Meta(AgencyOwned.Meta):
        indexes = (models.Index(fields=["agency", "-created_at"], name="retention_run_newest"),)


class PartQuerySet[M: models.Model](ScopedQuerySet[M]):
    def unfinished(self) -> Self:
        """Parts that still have something to erase, or have not looked yet."""
        return self.filter(state__in=[PartState.WAITING, PartState.RUNNING])

    def free(self, at: datetime) -> Self:
        """Unfinished parts that no worker holds; a worker that still holds one loses it, and then removes nothing."""
        ended = models.Q(leased_until__lte=at) | models.Q(leased_until__gt=at + LEASE_AHEAD)
        return self.unfinished().filter(models.Q(leased_until__isnull=True) | ended)


class Portion(models.Model):
    """
    One category's portion of a run: the cut-off, what was due, what has left, how far it is, and who works on it.

    `digest` is SHA-256 over the digest so far and the ids of each batch, sorted; the certificate tells it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    state = models.CharField(max_length=10, choices=PartState, default=PartState.WAITING)
    cutoff = models.DateTimeField()
    keep_for_days = models.PositiveIntegerField()
    rows_due = models.PositiveIntegerField()
    rows_erased = models.PositiveIntegerField(default=0)
    digest = models.BinaryField(max_length=32, default=bytes(32), db_default=bytes(32))
    failures = models.PositiveSmallIntegerField(default=0)
    started_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True


class Statement(models.Model):
    """
    What a run destroyed, signed: the JSON that was signed, byte for byte, and its signature.

    `copies_gone_on`: the day from which no copy of a vault that opens any of it is left.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.PositiveIntegerField()
    statement = models.TextField()
    signature = models.CharField(max_length=128)
    key_id = models.CharField(max_length=64)
    issued_at = models.DateTimeField()
    copies_gone_on = models.DateField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"certificate {self.number}"


class RunPart(Portion, ClientOwned):
    """
    What one run does for one client and one category.

    `cursor` is the last row that was looked at, so that a batch begins where the one before ended.
    """

    run = models.ForeignKey(Run, models.CASCADE, related_name="parts")
    category = models.CharField(
        max_length=12, choices=Category, default=Category.CALL, db_default=Category.CALL
    )
    then = models.CharField(max_length=10, choices=Then, default=Then.ERASE, db_default=Then.ERASE)
    policy_version = models.PositiveIntegerField(default=0, db_default=0)
    recordings_due = models.PositiveIntegerField(default=0, db_default=0)
    callers_due = models.PositiveIntegerField(default=0, db_default=0)
    bytes_due = models.BigIntegerField(default=0, db_default=0)
    rows_held = models.PositiveIntegerField(default=0, db_default=0)
    recordings_erased = models.PositiveIntegerField(default=0)
    callers_erased = models.PositiveIntegerField(default=0)
    bytes_erased = models.BigIntegerField(default=0, db_default=0)
    vendor_steps = models.PositiveIntegerField(default=0, db_default=0)
    cursor = models.UUIDField(null=True)

    objects = models.Manager.from_queryset(PartQuerySet)()  # type: ignore[misc]  # a manager with more words

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["run", "client", "category"], name="retention_runpart_once_a_category"
            ),
        )


class Errand(ClientOwned, WithId):
    """A recording that the vendor still holds; its reference is sealed under the client's key."""

    recording_id = models.UUIDField()
    provider = models.CharField(max_length=20)
    call_started_at = models.DateTimeField()
    reference = SealedField(null=True)
    opened_at = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["client", "recording_id"], name="retention_errand_once_a_recording"
            ),
        )

    def __str__(self) -> str:
        return f"errand at {self.provider}"


class GoLive(ClientOwned, WithId):
    """An officer's signature that expired calls and withheld recordings may leave, with the counts that were shown."""

    signed_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    signed_at = models.DateTimeField()
    keep_for_days = models.PositiveIntegerField()
    cutoff = models.DateTimeField()
    calls_due = models.PositiveIntegerField()
    recordings_due = models.PositiveIntegerField()
    callers_due = models.PositiveIntegerField()
    recordings_allowed = models.PositiveIntegerField(default=0, db_default=0)
    recordings_withheld = models.PositiveIntegerField(default=0, db_default=0)
    recordings_leaving = models.PositiveIntegerField(default=0, db_default=0)
    quarantine_hours = models.PositiveSmallIntegerField(null=True)

    def __str__(self) -> str:
        return f"signed {self.signed_at:%Y-%m-%d}"


class Certificate(Statement, ClientOwned):
    """What one run destroyed at one client, as a signed statement."""

    run = models.ForeignKey(Run, models.PROTECT, related_name="certificates")

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "number"], name="retention_certificate_number"),
            models.UniqueConstraint(fields=["client", "run"], name="retention_certificate_one_a_run"),
        )


class HousePart(Portion, AgencyOwned):
    """What one run does with one category of the agency's own rows, as `RunPart` does with a client's."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="house_parts")
    category = models.CharField(max_length=12, choices=Category)
    policy_version = models.PositiveIntegerField(default=0)
    rows_held = models.PositiveIntegerField(default=0)

    objects = models.Manager.from_queryset(PartQuerySet)()  # type: ignore[misc]  # a manager with more words

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["agency", "run", "category"], name="retention_housepart_once_a_category"
            ),
        )


class HouseCertificate(Statement, AgencyOwned):
    """What one run destroyed of the agency's own rows, as `Certificate` says it of a client's."""

    run = models.ForeignKey(Run, models.PROTECT, related_name="house_certificates")

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["agency", "number"], name="retention_housecertificate_number"),
            models.UniqueConstraint(fields=["agency", "run"], name="retention_housecertificate_one_a_run"),
        )

    def __str__(self) -> str:
        return f"certificate {self.number} of the agency"
