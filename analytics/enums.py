"""The words of reports. Their values are what addresses, files and rows hold."""

from enum import IntEnum, StrEnum
from typing import Final

from django.db import models


class Conversion(models.TextChoices):
    ANSWERED = "answered", "Answered, and long enough"
    QUALIFIED = "qualified", "Marked as qualified by the tracker"
    TAGGED = "tagged", "Carries one of these tags"


class Grain(IntEnum):
    """How finely something is told in time; the finer the larger."""

    MONTH = 0
    WEEK = 1
    DAY = 2
    HOUR = 3


class Sheet(IntEnum):
    """
    Which list a cell is in: of those who look alike in everything that is told (GROUPS), or of one fact alone.

    Each list holds every call of its span once. SLOTS is of a month: its weekdays, their parts, and the hours of these.
    """

    GROUPS = 0
    TIME = 1
    DAYS = 2
    SOURCE = 10
    CAMPAIGN = 11
    MEDIUM = 12
    DIRECTION = 13
    OUTCOME = 14
    REGION = 15
    LENGTH = 16
    REPEATED = 17
    CONVERTED = 18
    KEPT = 19
    SLOTS = 20


class Sum(IntEnum):
    """
    What the cells of a list add up besides their calls, each in lists of its own: the number of such a list is that of
    the list of calls (`Sheet`) and this (docs/adr/0152).
    """

    CALLS = 0
    SECONDS = 100
    VALUE = 200


class Dimension(StrEnum):
    """
    By what a report tells calls apart. The client and the time of a row need no column of a cell; landing pages and
    keywords are in exact reports alone.
    """

    SOURCE = "source"
    CAMPAIGN = "campaign"
    MEDIUM = "medium"
    DIRECTION = "direction"
    OUTCOME = "outcome"
    REGION = "region"
    LENGTH = "length"
    REPEATED = "repeated"
    CLIENT = "client"
    WEEKDAY = "weekday"
    PART_OF_DAY = "part_of_day"
    HOUR_OF_DAY = "hour_of_day"
    LANDING_PAGE = "landing_page"
    KEYWORD = "keyword"

    @property
    def label(self) -> str:
        """As pages call it."""
        return {
            "length": "Length",
            "repeated": "First or repeated",
            "part_of_day": "Part of day",
            "hour_of_day": "Hour of day",
            "landing_page": "Landing page",
        }.get(self.value, self.value.capitalize())


class Measure(StrEnum):
    """
    What a report counts. SECONDS and VALUE (cents) are sums; CALLERS is distinct callers per day, summed over days:
    somebody who calls on two days counts twice. RECORDED is by its basis: consent, notice, what the law asks.
    """

    CALLS = "calls"
    ANSWERED = "answered"
    MISSED = "missed"
    VOICEMAIL = "voicemail"
    FIRST = "first"
    REPEATED = "repeated"
    CONVERSIONS = "conversions"
    SECONDS = "seconds"
    VALUE = "value"
    CALLERS = "callers"
    RECORDED = "recorded"
    RECORDED_CONSENT = "recorded_consent"
    RECORDED_NOTICE = "recorded_notice"
    RECORDED_LAW = "recorded_law"
    WITHHELD = "withheld"
    OPTED_OUT = "opted_out"

    @property
    def label(self) -> str:
        """As pages call it."""
        return {
            "seconds": "Time on the phone",
            "callers": "Callers a day",
            "recorded_consent": "Recorded with consent",
            "recorded_notice": "Recorded after notice",
            "recorded_law": "Recorded, neither asked for by the law",
            "withheld": "Recordings withheld",
            "opted_out": "Not measured: opted out",
        }.get(self.value, self.value.capitalize())


class Step(StrEnum):
    """How a report's period is cut, in the client's own days; ALL is not at all. Weeks begin on Monday."""

    ALL = "all"
    MONTH = "month"
    WEEK = "week"
    DAY = "day"
    HOUR = "hour"

    @property
    def grain(self) -> Grain:
        """How finely a cell must tell its time to have a place in this step."""
        return Grain[self.name] if self is not Step.ALL else Grain.MONTH


PARTS: Final = (0, 9, 13, 17)
"""Hours at which the parts of a day begin (`Dimension.PART_OF_DAY`), the last one until midnight."""

LENGTHS: Final = (
    (0, "none"),
    (1, "under_30s"),
    (30, "30s_to_1m"),
    (60, "1_to_3m"),
    (180, "3_to_10m"),
    (600, "over_10m"),
)
"""Seconds from which a band of lengths begins -> the band's value."""

LENGTH_LABELS: Final = {
    "none": "No time",
    "under_30s": "Under 30 s",
    "30s_to_1m": "30 s to 1 min",
    "1_to_3m": "1 to 3 min",
    "3_to_10m": "3 to 10 min",
    "over_10m": "10 min and more",
}
REPEATED_LABELS: Final = {"first": "First call", "repeated": "Repeated caller", "": "Not known"}

RECORDED: Final = {
    "consent": Measure.RECORDED_CONSENT,
    "notice": Measure.RECORDED_NOTICE,
    "law": Measure.RECORDED_LAW,
}
"""What is kept of a call's recording (`Cell.kept`) -> the measure that counts it."""


class CostState(models.TextChoices):
    DRAFT = "draft", "Waiting for you"
    DONE = "done", "Taken in"
    CANCELLED = "cancelled", "Discarded"


class Every(models.TextChoices):
    """How often a saved report is sent."""

    DAY = "day", "Every morning"
    WEEK = "week", "Every Monday"
    MONTH = "month", "On the first of each month"


class GoalMeasure(models.TextChoices):
    """What a goal is about; all but the last are measures of the explorer under the same name."""

    ANSWERED_SHARE = "answered_share", "Share answered (percent)"
    MISSED = "missed", "Calls missed"
    CALLS = "calls", "Calls"
    CONVERSIONS = "conversions", "Qualified calls"
    CONVERSION_RATE = "conversion_rate", "Share qualified (percent)"
    COST_EACH = "cost_each", "Cost per qualified call"

    @property
    def is_count(self) -> bool:
        """Whether it only grows within a period."""
        return self in {GoalMeasure.MISSED, GoalMeasure.CALLS, GoalMeasure.CONVERSIONS}

    @property
    def is_share(self) -> bool:
        """Whether it is a percentage."""
        return self in {GoalMeasure.ANSWERED_SHARE, GoalMeasure.CONVERSION_RATE}


class GoalSide(models.TextChoices):
    BELOW = "below", "below"
    ABOVE = "above", "above"


class GoalPeriod(models.TextChoices):
    """Whose figure a goal is about, by the client's own days."""

    WEEK = "week", "a week"
    MONTH = "month", "a month"


class GoalState(StrEnum):
    """Where a goal is in one period. UNKNOWN: what may be shown does not say it."""

    MET = "met"
    MISSED = "missed"
    OPEN = "open"
    UNKNOWN = "unknown"
