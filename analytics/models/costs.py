"""What campaigns cost, as the client's files say it. No fact of a person."""

from django.db import models
from django.db.models.functions import Lower

from analytics.enums import CostState
from callprivacy.accounts.models import User
from callprivacy.tenancy.models import ClientOwned, WithId


class CampaignCost(ClientOwned):
    """What one campaign of a client cost on one day, in hundredths; a later file replaces it."""

    id = models.BigAutoField(primary_key=True)
    day = models.DateField()
    campaign = models.CharField(max_length=120)
    cents = models.BigIntegerField()

    class Meta(ClientOwned.Meta):
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


class CostImport(ClientOwned, WithId):
    """
    One file of costs: read, shown, and taken in as a whole or not at all.

    :ivar rows: [day, campaign, cents] of each line, until the person has decided.
    """

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

    class Meta(ClientOwned.Meta):
        indexes = (models.Index(fields=["client", "-created_at"], name="analytics_costimport_newest"),)
