"""What is watched: vendors whose copy outlives ours, ages of secrets, backups and drills, and alerts."""

import uuid
from datetime import datetime
from typing import Self

from django.db import models

from callprivacy.accounts.models import User
from callprivacy.calls.models import Connection
from callprivacy.tenancy.models import AgencyOwned, Client, ClientOwned, ScopedQuerySet, WithId
from callprivacy.vault.fields import SealedField, StrictEncryptedField
from retention.enums import LeftoverState, RotationState, SecretKind


class VendorCheck(ClientOwned, WithId):
    """
    When a vendor was last asked what it still has of a client, and what came of it.

    A pass over the vendor's list began at `started_at` and goes on at `page`; while one runs `due_at` is its lease.
    `account`, `company` and `secret` open the list where the connection itself does not.
    """

    connection = models.ForeignKey(Connection, models.PROTECT, db_constraint=False, related_name="+")
    checked_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    account = models.CharField(max_length=64, blank=True)
    company = models.CharField(max_length=64, blank=True)
    secret = SealedField(null=True)
    secret_set_at = models.DateTimeField(null=True)
    page = models.CharField(max_length=500, blank=True)
    seen = models.PositiveIntegerField(default=0)
    outliving = models.PositiveIntegerField(default=0)
    failures = models.PositiveSmallIntegerField(default=0)
    last_error = models.CharField(max_length=200, blank=True)

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "connection"], name="retention_vendorcheck_one"),
        )
        indexes = (
            models.Index(
                fields=["agency", "due_at"],
                condition=models.Q(due_at__isnull=False),
                name="retention_vendorcheck_due",
            ),
        )


class Leftover(ClientOwned, WithId):
    """
    A recording that a vendor still has although ours is past its date or erased; where, is sealed.

    Of what we erased ourselves the id is the recording's. Without a connection where an import alone brought the call.
    """

    connection = models.ForeignKey(
        Connection, models.PROTECT, null=True, db_constraint=False, related_name="+"
    )
    provider = models.CharField(max_length=20, default="", db_default="")
    digest = models.BinaryField(max_length=32)
    reference = SealedField()
    call_started_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=10, choices=LeftoverState, default=LeftoverState.OPEN)
    found_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    gone_at = models.DateTimeField(null=True)

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["client", "connection", "digest"],
                nulls_distinct=False,
                name="retention_leftover_once",
            ),
        )
        indexes = (models.Index(fields=["client", "state", "found_at"], name="retention_leftover_board"),)


class SecretLimit(AgencyOwned, WithId):
    """After how many days a kind of secret should be changed, where an agency differs from our own limit."""

    kind = models.CharField(max_length=12, choices=SecretKind)
    days = models.PositiveIntegerField()
    rotates_itself = models.BooleanField(default=True)
    set_at = models.DateTimeField()

    class Meta(AgencyOwned.Meta):
        constraints = (models.UniqueConstraint(fields=["agency", "kind"], name="retention_secretlimit_one"),)

    def __str__(self) -> str:
        return f"{self.kind} for {self.days} days"


class Rotation(AgencyOwned, WithId):
    """One key being changed, online: how many rows rest on it, and how many are done."""

    kind = models.CharField(max_length=12, choices=SecretKind)
    client = models.ForeignKey(
        Client, models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    state = models.CharField(max_length=10, choices=RotationState, default=RotationState.RUNNING)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    failures = models.PositiveSmallIntegerField(default=0)
    started_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    started_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["agency", "kind", "client"],
                nulls_distinct=False,
                condition=models.Q(state="running"),
                name="retention_rotation_one_at_a_time",
            ),
        )
        indexes = (models.Index(fields=["agency", "-started_at"], name="retention_rotation_newest"),)

    def __str__(self) -> str:
        return f"rotation of {self.kind}"


class AlertQuerySet(ScopedQuerySet["Alert"]):
    def open(self) -> Self:
        """Alerts whose cause still stands."""
        return self.filter(ended_at__isnull=True)

    def untold(self, at: datetime) -> Self:
        """Alerts that an endpoint has not taken yet, and whose next try is due."""
        return self.filter(due_at__lte=at)


class Alert(AgencyOwned, WithId):
    """Something that needs a person before it becomes a breach, from when to when, and who was told."""

    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=80, blank=True)
    client = models.ForeignKey(
        Client, models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    count = models.PositiveIntegerField(default=0)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    mailed_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_status = models.CharField(max_length=120, blank=True)

    objects = models.Manager.from_queryset(AlertQuerySet)()  # type: ignore[misc]  # a manager with more words

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["agency", "kind", "key"],
                condition=models.Q(ended_at__isnull=True),
                name="retention_alert_one_open",
            ),
        )
        indexes = (
            models.Index(
                fields=["agency", "due_at"],
                condition=models.Q(due_at__isnull=False),
                name="retention_alert_due",
            ),
            models.Index(fields=["agency", "-began_at"], name="retention_alert_newest"),
        )

    def __str__(self) -> str:
        return self.kind


class AlertEndpoint(AgencyOwned, WithId):
    """
    An address of the agency's systems that alerts are sent to, and the secret that signs them.

    `news_from`: from when on it is told what waits for people as well; none: it is not.
    """

    url = models.URLField(max_length=500)
    secret = StrictEncryptedField()
    is_active = models.BooleanField(default=True)
    news_from = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta(AgencyOwned.Meta):
        constraints = (models.UniqueConstraint(fields=["agency"], name="retention_alertendpoint_one"),)


class News(AgencyOwned, WithId):
    """That people were told of something, for the agency's system: what kind, when, and whether the system took it."""

    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=80, blank=True)
    at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_status = models.CharField(max_length=120, blank=True)

    class Meta(AgencyOwned.Meta):
        verbose_name_plural = "news"
        constraints = (
            models.UniqueConstraint(fields=["agency", "kind", "key", "at"], name="retention_news_once"),
        )
        indexes = (
            models.Index(
                fields=["agency", "due_at"],
                condition=models.Q(due_at__isnull=False),
                name="retention_news_due",
            ),
            models.Index(fields=["agency", "-at"], name="retention_news_newest"),
        )

    def __str__(self) -> str:
        return self.kind


class Backup(models.Model):
    """A dump that was made: of which database, when, sealed to which key. The operator's, of no agency."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    database = models.CharField(max_length=10)
    made_at = models.DateTimeField()
    name = models.CharField(max_length=120)
    size = models.BigIntegerField()
    digest = models.CharField(max_length=64)
    recipient = models.CharField(max_length=64)
    removed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (models.Index(fields=["database", "-made_at"], name="retention_backup_newest"),)

    def __str__(self) -> str:
        return self.name


class Drill(models.Model):
    """A restore that was tried beside the live system, and what it showed. The operator's, of no agency."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    passed = models.BooleanField(null=True)
    report = models.JSONField(default=dict)

    class Meta:
        indexes = (models.Index(fields=["-started_at"], name="retention_drill_newest"),)

    def __str__(self) -> str:
        return f"drill of {self.started_at:%Y-%m-%d}"
