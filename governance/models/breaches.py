"""
Breaches and drills, also those without notifications (GDPR article 33(5)).

Texts may name people, so they are encrypted with a key of that breach.
"""

from datetime import datetime
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models

from callprivacy.accounts.models import User
from callprivacy.tenancy.models import AgencyOwned, ScopedQuerySet, WithId
from governance.enums import BreachKind, BreachRisk, BreachState, NoticeState, NoticeTo


class BreachQuerySet(ScopedQuerySet["Breach"]):
    def open(self) -> Self:
        return self.filter(state__in=[BreachState.REPORTED, BreachState.OPEN])

    def real(self) -> Self:
        return self.filter(is_drill=False)


class Breach(AgencyOwned, WithId):
    """
    A breach or drill. Deadlines run from `aware_at`, when the agency was reasonably certain.

    `words`, `account`, `effects`, `remedy` and `lessons` are encrypted. `words` is the report; `account` is the
    description for notifications, if any. `people` and `records` are estimates.
    """

    number = models.PositiveIntegerField()
    title = models.CharField(max_length=120)
    is_drill = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=BreachState, default=BreachState.REPORTED)
    kind = models.CharField(max_length=16, choices=BreachKind, blank=True)
    words = models.BinaryField()
    account = models.BinaryField(null=True)
    reported_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    reported_at = models.DateTimeField()
    aware_at = models.DateTimeField(null=True)
    began_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    contained_at = models.DateTimeField(null=True)
    risk = models.CharField(max_length=10, choices=BreachRisk, blank=True)
    categories = ArrayField(models.CharField(max_length=16), default=list)
    places = ArrayField(models.CharField(max_length=6), default=list)
    clients = ArrayField(models.BigIntegerField(), default=list)
    people = models.PositiveIntegerField(null=True)
    records = models.PositiveIntegerField(null=True)
    effects = models.BinaryField(null=True)
    remedy = models.BinaryField(null=True)
    lessons = models.BinaryField(null=True)
    closed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    closed_at = models.DateTimeField(null=True)

    objects = models.Manager.from_queryset(BreachQuerySet)()  # type: ignore[misc]  # a manager with queryset methods

    class Meta(AgencyOwned.Meta):
        verbose_name_plural = "breaches"
        constraints = (
            models.UniqueConstraint(fields=["agency", "number"], name="governance_breach_number"),
            models.CheckConstraint(
                condition=~models.Q(state=BreachState.OPEN) | models.Q(aware_at__isnull=False),
                name="governance_breach_open_has_a_clock",
            ),
            models.CheckConstraint(
                condition=models.Q(began_at__isnull=True)
                | models.Q(ended_at__isnull=True)
                | models.Q(ended_at__gte=models.F("began_at")),
                name="governance_breach_ends_after_it_begins",
            ),
        )

    def __str__(self) -> str:
        return f"{'Drill' if self.is_drill else 'Breach'} {self.number}"


class BreachNotice(AgencyOwned, WithId):
    """
    A notification of a breach. `rule` is the id of the legal rule behind it.

    `words` (the sent text), `facts` and `why` are encrypted. `facts` are those at the time of sending, to compare an
    update with them; none if it was recorded later. `phase` is 1, or more for updates (GDPR article 33(4)).
    `settled_at` is when it was recorded, `told_at` when it was sent, if that differs.
    """

    breach = models.ForeignKey(Breach, models.CASCADE, related_name="notices")
    to = models.CharField(max_length=10, choices=NoticeTo)
    rule = models.CharField(max_length=40)
    client = models.ForeignKey(
        "tenancy.Client", models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    phase = models.PositiveSmallIntegerField(default=1, db_default=1)
    due_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=10, choices=NoticeState, default=NoticeState.DUE)
    words = models.BinaryField(null=True)
    facts = models.BinaryField(null=True)
    why = models.BinaryField(null=True)
    settled_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    settled_at = models.DateTimeField(null=True)
    told_at = models.DateTimeField(null=True)

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["agency", "breach", "rule", "client", "phase"],
                nulls_distinct=False,
                name="governance_breachnotice_once",
            ),
        )
        indexes = (
            models.Index(
                fields=["agency", "due_at"],
                condition=models.Q(state=NoticeState.DUE),
                name="governance_notice_due",
            ),
        )

    @property
    def is_further(self) -> bool:
        return self.phase > 1

    @property
    def went_out_at(self) -> datetime | None:
        return self.told_at or self.settled_at


class BreachNote(AgencyOwned, WithId):
    """A note; `words` is encrypted."""

    breach = models.ForeignKey(Breach, models.CASCADE, related_name="notes")
    words = models.BinaryField()
    by = models.ForeignKey(User, models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta(AgencyOwned.Meta):
        indexes = (models.Index(fields=["breach", "-at"], name="governance_note_newest"),)
