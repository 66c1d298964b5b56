"""What a withdrawal asks of others: tasks at vendors with dates and receipts, and word to the agency's systems."""

from datetime import datetime
from typing import Final, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models

from callprivacy.calls.models import Connection, TrackingNumber
from callprivacy.tenancy.models import ClientOwned, ScopedQuerySet, WithId
from callprivacy.vault.fields import SealedField, StrictEncryptedField
from consent.enums import Channel, Purpose, VendorStep, WaitingState


class AdDestination(ClientOwned, WithId):
    """Where a client's numbers are sent for advertising, so that a withdrawal can be carried there."""

    name = models.CharField(max_length=120)
    contact = models.CharField(max_length=200, blank=True)
    instructions = models.TextField(max_length=1000, blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "name"], name="consent_addestination_name"),
            models.UniqueConstraint(fields=["client", "id"], name="consent_addestination_in_client"),
        )

    def __str__(self) -> str:
        return self.name


class WithdrawalQuerySet(ScopedQuerySet["Withdrawal"]):
    def open(self) -> Self:
        """Withdrawals of which something is still to be done somewhere."""
        return self.filter(closed_at__isnull=True)

    def due(self, at: datetime) -> Self:
        """Those that a job has to look at."""
        return self.filter(due_at__lte=at)


class Withdrawal(ClientOwned, WithId):
    """
    That a person said no: stopped here at once, and carried to whoever else holds the number.

    Written in the transaction of its events. A job plans what vendors have to do (`planned_at`), tells the agency's
    systems, and closes it when every step is done.
    """

    caller_id = models.UUIDField()
    purposes = ArrayField(models.CharField(max_length=10, choices=Purpose))
    event_ids = ArrayField(models.UUIDField())
    channel = models.CharField(max_length=12, choices=Channel)
    happened_at = models.DateTimeField()
    stopped_at = models.DateTimeField()
    target_at = models.DateTimeField(null=True)
    outer_at = models.DateTimeField(null=True)
    law = models.CharField(max_length=200, blank=True)
    due_at = models.DateTimeField(null=True)
    planned_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    objects = models.Manager.from_queryset(WithdrawalQuerySet)()  # type: ignore[misc]  # a manager with more words

    class Meta(ClientOwned.Meta):
        constraints = (models.UniqueConstraint(fields=["client", "id"], name="consent_withdrawal_in_client"),)
        indexes = (
            models.Index(
                fields=["agency", "due_at"],
                condition=models.Q(due_at__isnull=False),
                name="consent_withdrawal_due",
            ),
            models.Index(fields=["client", "-stopped_at"], name="consent_withdrawal_newest"),
            models.Index(fields=["client", "caller_id"], name="consent_withdrawal_of_caller"),
        )


_OPEN: Final = (WaitingState.WAITING, WaitingState.SENT, WaitingState.FAILED)


class VendorTaskQuerySet(ScopedQuerySet["VendorTask"]):
    def open(self) -> Self:
        """Steps that are neither done nor given up."""
        return self.filter(state__in=_OPEN)


class VendorTask(ClientOwned, WithId):
    """
    One step at one vendor that a withdrawal, a quarantine or a tracking number's state asks for: target, outer limit
    and law, receipt.

    `reference` is what the vendor needs to find it, sealed under the client's key for errands.
    """

    step = models.CharField(max_length=20, choices=VendorStep)
    connection = models.ForeignKey(
        Connection, models.PROTECT, null=True, db_constraint=False, related_name="+"
    )
    destination = models.ForeignKey(
        AdDestination, models.PROTECT, null=True, db_constraint=False, related_name="+"
    )
    tracking_number = models.ForeignKey(
        TrackingNumber, models.PROTECT, null=True, db_constraint=False, related_name="+"
    )
    withdrawal = models.ForeignKey(
        Withdrawal, models.CASCADE, null=True, db_constraint=False, related_name="tasks"
    )
    caller_id = models.UUIDField(null=True)
    recording_id = models.UUIDField(null=True)
    event_id = models.UUIDField(null=True)
    by_ticket = models.BooleanField(default=False)
    reference = SealedField(null=True)
    ticket = models.TextField(max_length=4000, blank=True)
    state = models.CharField(max_length=10, choices=WaitingState, default=WaitingState.WAITING)
    law = models.CharField(max_length=120)
    created_at = models.DateTimeField()
    target_at = models.DateTimeField()
    outer_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.CharField(max_length=200, blank=True)
    sent_at = models.DateTimeField(null=True)
    sent_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    chased = models.PositiveSmallIntegerField(default=0)
    reply = models.TextField(max_length=2000, blank=True)
    checked_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    receipt = models.CharField(max_length=300, blank=True)

    objects = models.Manager.from_queryset(VendorTaskQuerySet)()  # type: ignore[misc]  # a manager with more words

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["client", "step", "connection", "tracking_number", "event_id", "recording_id"],
                nulls_distinct=False,
                condition=models.Q(destination__isnull=True),
                name="consent_vendortask_once",
            ),
            models.UniqueConstraint(
                fields=["client", "destination", "event_id"],
                condition=models.Q(destination__isnull=False),
                name="consent_vendortask_once_an_ad",
            ),
        )
        indexes = (
            models.Index(
                fields=["agency", "due_at"],
                condition=models.Q(due_at__isnull=False),
                name="consent_vendortask_due",
            ),
            models.Index(fields=["client", "state", "target_at"], name="consent_vendortask_board"),
            models.Index(fields=["client", "caller_id"], name="consent_vendortask_of_caller"),
        )

    @property
    def is_open(self) -> bool:
        return self.state in _OPEN


class WebhookEndpoint(ClientOwned, WithId):
    """
    An address of the agency's systems that is told of withdrawals, and the secret that signs what it is told.

    It is told who withdrew by the caller's id and a digest of the number; the number itself where an officer said so.
    """

    name = models.CharField(max_length=120)
    url = models.URLField(max_length=500)
    secret = StrictEncryptedField()
    with_number = models.BooleanField(default=False, db_default=False)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (models.UniqueConstraint(fields=["client", "id"], name="consent_endpoint_in_client"),)

    def __str__(self) -> str:
        return self.name


class WebhookDelivery(ClientOwned, WithId):
    """
    One message to one endpoint: tried with growing pauses for three days, then a dead letter to be sent again.

    `retried_at` is when a person last sent it again, from which it is tried and kept as from its beginning.
    """

    endpoint = models.ForeignKey(
        WebhookEndpoint, models.CASCADE, db_constraint=False, related_name="deliveries"
    )
    event_type = models.CharField(max_length=60)
    event_id = models.UUIDField()
    payload = SealedField(null=True)
    state = models.CharField(max_length=10, choices=WaitingState, default=WaitingState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_status = models.CharField(max_length=120, blank=True)
    created_at = models.DateTimeField()
    retried_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["client", "endpoint", "event_type", "event_id"], name="consent_delivery_once"
            ),
        )
        indexes = (
            models.Index(
                fields=["agency", "due_at"],
                condition=models.Q(due_at__isnull=False),
                name="consent_delivery_due",
            ),
        )
