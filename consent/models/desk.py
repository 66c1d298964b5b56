"""What the desk of people on the phone remembers: calls back, for a day."""

from django.db import models

from callprivacy.calls.models import Connection, TrackingNumber
from callprivacy.tenancy.models import ClientOwned, WithId
from callprivacy.vault.fields import SealedField
from consent.enums import WaitingState


class CallBack(ClientOwned, WithId):
    """
    One call from an agent to a caller that a vendor connects, so that the agent sees no number.

    The agent's own number is sealed. `rang_at`: the vendor took the order and rings the agent; `connected_at`: the
    agent pressed a key, and the caller was rung.
    """

    caller_id = models.UUIDField()
    user = models.ForeignKey("accounts.User", models.PROTECT, related_name="+")
    connection = models.ForeignKey(Connection, models.PROTECT, db_constraint=False, related_name="+")
    tracking_number = models.ForeignKey(TrackingNumber, models.PROTECT, db_constraint=False, related_name="+")
    agent_number = SealedField(null=True)
    state = models.CharField(max_length=10, choices=WaitingState, default=WaitingState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    rang_at = models.DateTimeField(null=True)
    connected_at = models.DateTimeField(null=True)

    class Meta(ClientOwned.Meta):
        indexes = (
            models.Index(
                fields=["agency", "due_at"],
                condition=models.Q(due_at__isnull=False),
                name="consent_callback_due",
            ),
            models.Index(fields=["client", "caller_id", "-created_at"], name="consent_callback_of_caller"),
            models.Index(fields=["agency", "created_at"], name="consent_callback_oldest"),
        )
