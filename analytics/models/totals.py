"""What is left of calls once they are gone: how many there were on a day, and nothing of a person."""

from django.db import models

from callprivacy.tenancy.models import ClientOwned


class DailyTotal(ClientOwned):
    """
    One day of one client in one direction, by the days of the client's zone.

    Only of days on which at least `services.AT_LEAST` known callers called: a total of fewer is a call in disguise.
    Written once, before the day's calls leave, and never again.
    """

    id = models.BigAutoField(primary_key=True)
    day = models.DateField()
    outbound = models.BooleanField()
    calls = models.PositiveIntegerField()
    answered = models.PositiveIntegerField()
    seconds = models.BigIntegerField()

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["client", "day", "outbound"], name="analytics_dailytotal_one_a_day"
            ),
        )


class DayCount(ClientOwned):
    """
    How many calls of one client started on one day of its agency's, as they stand now; the first page adds them up.

    Made from the calls whenever one of that day changes, so it says no more than they do, and to the same people.
    `consent`, `notice` and `law`: recordings that may be kept, by what they rest on.
    """

    id = models.BigAutoField(primary_key=True)
    day = models.DateField()
    calls = models.PositiveIntegerField()
    answered = models.PositiveIntegerField()
    withheld = models.PositiveIntegerField()
    consent = models.PositiveIntegerField()
    notice = models.PositiveIntegerField()
    law = models.PositiveIntegerField()

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "day"], name="analytics_daycount_once_a_day"),
        )
