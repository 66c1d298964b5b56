"""How long each category is kept, for the agency and where a client differs, and the changes that led there."""

from datetime import datetime
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models

from callprivacy.accounts.models import User
from callprivacy.tenancy.models import AgencyOwned, Client, ScopedQuerySet, WithId
from retention.enums import GO_LIVE, Category, ChangeState, Then


class Policy(AgencyOwned, WithId):
    """
    How long one category is kept: the agency's own, or with `client` that client's instead of it.

    A category without a row is kept as `retention.law.categories` says. `version` rises with each change and stands on
    the certificates.
    """

    client = models.ForeignKey(
        Client, models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    category = models.CharField(max_length=12, choices=Category)
    keep_for_days = models.PositiveIntegerField()
    then = models.CharField(max_length=10, choices=Then, default=Then.ERASE)
    version = models.PositiveIntegerField(default=1)
    set_at = models.DateTimeField()

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["agency", "client", "category"],
                nulls_distinct=False,
                name="retention_policy_one_a_category",
            ),
            models.CheckConstraint(
                condition=models.Q(keep_for_days__gte=1), name="retention_policy_keeps_a_day"
            ),
        )

    def __str__(self) -> str:
        return f"{self.category} for {self.keep_for_days} days"


class ChangeQuerySet(ScopedQuerySet["PolicyChange"]):
    def open(self) -> Self:
        return self.filter(state__in=[ChangeState.WAITING, ChangeState.DELAYED])

    def due(self, at: datetime) -> Self:
        """Delayed changes whose hour has come."""
        return self.filter(state=ChangeState.DELAYED, takes_effect_at__lte=at)


class PolicyChange(AgencyOwned, WithId):
    """
    One change of one policy, or the proposal that a client goes live, with the effect that was shown.

    `days` None: the client inherits again. `rules` are those of the law that the proposer was shown and gave a
    reason against; the words are the reason of the trail's event `event_id`.
    """

    client = models.ForeignKey(
        Client, models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    category = models.CharField(max_length=12, choices=[*Category.choices, (GO_LIVE, "Going live")])
    state = models.CharField(max_length=10, choices=ChangeState)
    was_days = models.PositiveIntegerField()
    was_then = models.CharField(max_length=10, choices=Then)
    days = models.PositiveIntegerField(null=True)
    then = models.CharField(max_length=10, choices=Then)
    shortens = models.BooleanField()
    due_before = models.PositiveIntegerField()
    due_after = models.PositiveIntegerField()
    rules = ArrayField(models.CharField(max_length=60), default=list)
    event_id = models.BigIntegerField(null=True)
    proposed_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField()
    takes_effect_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    objects = models.Manager.from_queryset(ChangeQuerySet)()  # type: ignore[misc]  # a manager with more words

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["agency", "client", "category"],
                nulls_distinct=False,
                condition=models.Q(state__in=["waiting", "delayed"]),
                name="retention_change_one_open",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="in_force", decided_by=models.F("proposed_by"))
                | models.Q(shortens=False) & ~models.Q(category=GO_LIVE),
                name="retention_change_by_two",
            ),
        )
        indexes = (
            models.Index(
                fields=["agency", "takes_effect_at"],
                condition=models.Q(state="delayed"),
                name="retention_change_due",
            ),
            models.Index(fields=["agency", "-proposed_at"], name="retention_change_newest"),
        )

    def __str__(self) -> str:
        return f"change of {self.category}"

    @property
    def goes_live(self) -> bool:
        """Whether it lets a client go live, and changes no policy."""
        return self.category == GO_LIVE
