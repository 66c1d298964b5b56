"""How an agency's duties stand, as the job found them; nobody sets them by hand."""

from __future__ import annotations

from django.db import models

from callprivacy.tenancy.models import AgencyOwned
from dashboard.enums import DutyState


class Standing(AgencyOwned):
    """One duty of an agency at the last look. `count`: how many things make it so. `since`: when it came to that."""

    id = models.BigAutoField(primary_key=True)
    duty = models.CharField(max_length=40)
    state = models.CharField(max_length=10, choices=DutyState)
    count = models.PositiveIntegerField(default=0)
    since = models.DateTimeField()

    class Meta:
        base_manager_name = "objects"
        constraints = (
            models.UniqueConstraint(fields=["agency", "duty"], name="dashboard_standing_once_a_duty"),
        )

    def __str__(self) -> str:
        return f"{self.duty}: {self.state}"


class StandingDay(AgencyOwned):
    """How many duties were in each state at the last look of a day of the agency's."""

    id = models.BigAutoField(primary_key=True)
    on = models.DateField()
    good = models.PositiveSmallIntegerField()
    due = models.PositiveSmallIntegerField()
    overdue = models.PositiveSmallIntegerField()
    failing = models.PositiveSmallIntegerField()

    class Meta:
        base_manager_name = "objects"
        constraints = (models.UniqueConstraint(fields=["agency", "on"], name="dashboard_standingday_once"),)

    def __str__(self) -> str:
        return f"duties on {self.on:%Y-%m-%d}"
