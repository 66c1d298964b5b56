"""
Breaches: every one, also those that nobody has to be told of (GDPR article 33(5)), and drills beside them.

What people write of a breach may name somebody, so it is sealed under a key of that breach alone.
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
        """What is neither closed nor dismissed."""
        return self.filter(state__in=[BreachState.REPORTED, BreachState.OPEN])

    def real(self) -> Self:
        """Without drills."""
        return self.filter(is_drill=False)


class Breach(AgencyOwned, WithId):
    """
    One breach or drill. `aware_at` starts the clocks: when the agency knew with reasonable certainty.

    `words`, `account`, `effects`, `remedy` and `lessons` are sealed. `words` are the report's; `account` is what
    happened as it is told, where somebody wrote it anew. `people` and `records` are about how many; `clients` are
    those concerned, by id.
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

    objects = models.Manager.from_queryset(BreachQuerySet)()  # type: ignore[misc]  # a manager with more words

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
    Whom a breach is to be told to, by when, and what was sent. `rule` names the row of the law behind it.

    Its words are sealed with the breach's key; a notice that was sent keeps them as they were, and beside them the
    `facts` as they stood then, so that a later one can say what is new; none where it was written down later
    (`told_at`). `phase`: 1 is the law's own notice, from 2 on it brings what was not known before (GDPR article 33(4)),
    by the day that was promised, where one was. `settled_at` is when somebody wrote it down, `told_at` when it went
    out, where that was another instant.
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
        """Whether it follows an earlier one."""
        return self.phase > 1

    @property
    def went_out_at(self) -> datetime | None:
        """When it was told, which is when it was kept as sent, where nobody said otherwise."""
        return self.told_at or self.settled_at


class BreachNote(AgencyOwned, WithId):
    """What was done or found, when, by whom; its words are sealed."""

    breach = models.ForeignKey(Breach, models.CASCADE, related_name="notes")
    words = models.BinaryField()
    by = models.ForeignKey(User, models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta(AgencyOwned.Meta):
        indexes = (models.Index(fields=["breach", "-at"], name="governance_note_newest"),)
