"""Holds: cases for which nothing of a client, a person, a time or single calls may be erased."""

from typing import Self

from django.db import models

from callprivacy.accounts.models import User
from callprivacy.tenancy.models import ClientOwned, ScopedQuerySet, WithId


class HoldQuerySet(ScopedQuerySet["Hold"]):
    def open(self) -> Self:
        return self.filter(lifted_at__isnull=True)


class Hold(ClientOwned, WithId):
    """
    One case. It keeps the calls from `from_at` to before `until_at` (open where empty): those of its numbers where it
    names any, all of them where it names neither numbers nor calls; and the calls that it names, whenever they were.

    With `keeps_house` what the agency has of its staff stays as well: training, entries of premises, reasons in the
    trail that name no client, and its own requests. Events of the trail stay while any hold is open.

    `settled_at`: since when nothing that it covers can leave any more; a batch that was under way when it was placed
    may end before. The reason is the words of the trail's event `event_id`.
    """

    name = models.CharField(max_length=120)
    matter = models.CharField(max_length=120, blank=True)
    from_at = models.DateTimeField(null=True)
    until_at = models.DateTimeField(null=True)
    review_on = models.DateField()
    ends_on = models.DateField(null=True)
    keeps_house = models.BooleanField(default=False, db_default=False)
    event_id = models.BigIntegerField(null=True)
    placed_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    placed_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    lifted_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    lifted_at = models.DateTimeField(null=True)
    lifted_event_id = models.BigIntegerField(null=True)

    objects = models.Manager.from_queryset(HoldQuerySet)()  # type: ignore[misc]  # a manager with more words

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "id"], name="retention_hold_in_client"),
            models.CheckConstraint(
                condition=models.Q(from_at__isnull=True)
                | models.Q(until_at__isnull=True)
                | models.Q(until_at__gt=models.F("from_at")),
                name="retention_hold_ends_after_it_begins",
            ),
        )
        indexes = (
            models.Index(
                fields=["agency", "client"],
                condition=models.Q(lifted_at__isnull=True),
                name="retention_hold_open",
            ),
        )

    def __str__(self) -> str:
        return self.name


class HoldCaller(ClientOwned):
    """A number that a hold names; `caller_id` is the vault's, and outlives the row in `calls`."""

    id = models.BigAutoField(primary_key=True)
    hold = models.ForeignKey(Hold, models.CASCADE, db_constraint=False, related_name="callers")
    caller_id = models.UUIDField()

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "hold", "caller_id"], name="retention_holdcaller_once"),
        )
        indexes = (models.Index(fields=["client", "caller_id"], name="retention_holdcaller_who"),)


class HoldCall(ClientOwned):
    id = models.BigAutoField(primary_key=True)
    hold = models.ForeignKey(Hold, models.CASCADE, db_constraint=False, related_name="calls")
    call_id = models.UUIDField()

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "hold", "call_id"], name="retention_holdcall_once"),
        )


class HoldPerson(ClientOwned):
    """Who is told of a hold when it is placed, comes to its review, and is lifted: a member, by user."""

    id = models.BigAutoField(primary_key=True)
    hold = models.ForeignKey(Hold, models.CASCADE, db_constraint=False, related_name="people")
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    told_at = models.DateTimeField(null=True)

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "hold", "user"], name="retention_holdperson_once"),
        )
