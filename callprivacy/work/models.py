"""What waits for a person, of every kind, and what they were told. No number, no name of a caller."""

from datetime import datetime
from typing import Final, Self

from django.db import models

from callprivacy.accounts.models import User
from callprivacy.tenancy.models import AgencyOwned, Client, ScopedQuerySet, WithId
from callprivacy.work.enums import ItemState, Told
from callprivacy.work.kinds import Kind, get

HANDED: Final = "handed:"
"""How the key of a notification begins that tells a person of an item handed to them; the item's id follows."""


class ItemQuerySet(ScopedQuerySet["Item"]):
    def open(self) -> Self:
        return self.filter(state=ItemState.OPEN)

    def awake(self, at: datetime) -> Self:
        """Open items that nobody has put off beyond `at`."""
        return self.open().filter(models.Q(snoozed_until__isnull=True) | models.Q(snoozed_until__lte=at))


class Item(AgencyOwned, WithId):
    """One thing that waits for a person; at most one is open for the same kind and key."""

    client = models.ForeignKey(Client, models.CASCADE, null=True, related_name="+", db_constraint=False)
    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=80)
    count = models.PositiveIntegerField(null=True)
    state = models.CharField(max_length=6, choices=ItemState, default=ItemState.OPEN)
    owner = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    opened_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    snoozed_until = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")

    objects = models.Manager.from_queryset(ItemQuerySet)()  # type: ignore[misc]  # a manager with more words

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["agency", "kind", "key"],
                condition=models.Q(state=ItemState.OPEN),
                name="work_item_open_once",
            ),
        )
        indexes = (
            models.Index(fields=["agency", "state", "due_at"], name="work_item_due"),
            models.Index(
                fields=["agency", "closed_at"],
                condition=models.Q(closed_at__isnull=False),
                name="work_item_closed",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"

    @property
    def about(self) -> Kind:
        return get(self.kind)


class Notification(AgencyOwned, WithId):
    """
    What one person was told, in the app and by mail.

    `mail_due_at` is moved on by each try of the mail; `mail_due_since` is when the first of them was due.
    """

    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    client = models.ForeignKey(Client, models.CASCADE, null=True, related_name="+", db_constraint=False)
    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=80)
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)
    mail_due_at = models.DateTimeField(null=True)
    mail_due_since = models.DateTimeField(null=True)
    mailed_at = models.DateTimeField(null=True)

    class Meta(AgencyOwned.Meta):
        indexes = (
            models.Index(fields=["agency", "user", "-at"], name="work_notification_of_user"),
            models.Index(
                fields=["agency", "mail_due_at"],
                condition=models.Q(mail_due_at__isnull=False),
                name="work_notification_mail_due",
            ),
            models.Index(
                fields=["agency", "user"],
                condition=models.Q(read_at__isnull=True),
                name="work_notification_unread",
            ),
            models.Index(fields=["agency", "at"], name="work_notification_told"),
        )

    @property
    def about(self) -> Kind:
        return get(self.kind)

    @property
    def words(self) -> str:
        """What the person is told: the kind's title, and whether it was handed to them by name."""
        title = self.about.title
        return f"Assigned to you: {title}" if self.key.startswith(HANDED) else title


class MailChoice(AgencyOwned):
    """How one person is told of one kind of thing; the empty kind is everything that has no line of its own."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=40, blank=True)
    told = models.CharField(max_length=8, choices=Told)

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["agency", "user", "kind"], name="work_mailchoice_once_a_kind"),
        )

    def __str__(self) -> str:
        return f"{self.kind or 'everything'} {self.told}"


class Period(AgencyOwned):
    """That a periodic job has claimed a period: the row is the claim, until nobody asks for that period any more."""

    id = models.BigAutoField(primary_key=True)
    job = models.CharField(max_length=60)
    period = models.CharField(max_length=30)
    claimed_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["agency", "job", "period"], name="work_period_claimed_once"),
        )
        indexes = (
            models.Index(
                fields=["agency", "ends_at"],
                condition=models.Q(ends_at__isnull=False),
                name="work_period_ends",
            ),
        )

    def __str__(self) -> str:
        return f"{self.job} {self.period}"
