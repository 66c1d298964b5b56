"""What campaigns cost, as the client's files say it. No fact of a person."""

import uuid

from django.db import models
from django.db.models.functions import Lower

from analytics.enums import CostState
from callprivacy.accounts.models import User
from callprivacy.tenancy.models import ClientOwned


class CampaignCost(ClientOwned):
    """What one campaign of a client cost on one day, in hundredths; a later file replaces it."""

    id = models.BigAutoField(primary_key=True)
    day = models.DateField()
    campaign = models.CharField(max_length=120)
    cents = models.BigIntegerField()

    class Meta:
        base_manager_name = "objects"
        constraints = (
            models.UniqueConstraint(
                "client", "day", Lower("campaign"), name="analytics_campaigncost_once_a_day"
            ),
            models.CheckConstraint(
                condition=models.Q(cents__gte=0), name="analytics_campaigncost_not_negative"
            ),
        )

    def __str__(self) -> str:
        return f"{self.campaign} on {self.day:%Y-%m-%d}"


class CostImport(ClientOwned):
    """
    One file of costs: read, shown, and taken in as a whole or not at all.

    :ivar rows: [day, campaign, cents] of each line, until the person has decided.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    state = models.CharField(max_length=10, choices=CostState, default=CostState.DRAFT)
    rows = models.JSONField(default=list)
    count = models.PositiveIntegerField()
    replaced = models.PositiveIntegerField(default=0)
    cents = models.BigIntegerField()
    first_on = models.DateField()
    last_on = models.DateField()
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)

    class Meta:
        base_manager_name = "objects"
        indexes = (models.Index(fields=["client", "-created_at"], name="analytics_costimport_newest"),)

    def __str__(self) -> str:
        return f"{self.count} costs, {self.state}"
