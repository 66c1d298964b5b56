"""What an agency wants a client's calls to reach."""

from datetime import date, timedelta

from django.db import models

from analytics.enums import GoalMeasure, GoalPeriod, GoalSide
from callprivacy.accounts.models import User
from callprivacy.tenancy.models import ClientOwned, WithId


class Goal(ClientOwned, WithId):
    """
    One goal: missed in a period whose figure is below, or above, its value.

    :ivar hundredths: of calls, of percent, or of the client's currency.
    :ivar alerted_on: the first day of the newest period for which an alert went out.
    """

    measure = models.CharField(max_length=20, choices=GoalMeasure)
    missed = models.CharField(max_length=5, choices=GoalSide)
    hundredths = models.BigIntegerField()
    period = models.CharField(max_length=5, choices=GoalPeriod)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField()
    alerted_on = models.DateField(null=True)

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["client", "measure", "missed", "period"], name="analytics_goal_once_a_client"
            ),
            models.CheckConstraint(condition=models.Q(hundredths__gte=0), name="analytics_goal_not_negative"),
        )

    def __str__(self) -> str:
        return f"{self.measure} {self.missed} {self.hundredths / 100:g}"

    def days_around(self, day: date) -> tuple[date, date]:
        """The first day of the period in which a day lies, and the first day after it."""
        if self.period == GoalPeriod.WEEK:
            first = day - timedelta(days=day.weekday())
            return first, first + timedelta(days=7)
        first = day.replace(day=1)
        return first, (first + timedelta(days=32)).replace(day=1)
