"""The words of the posture."""

from django.db import models


class DutyState(models.TextChoices):
    """How a duty stands, best first."""

    GOOD = "good", "Good"
    DUE = "due", "Due"
    OVERDUE = "overdue", "Overdue"
    FAILING = "failing", "Failing"
