"""
What reports are made of: cells, each of which stands for at least k callers.

No row here can be told from the calls of fewer people. What a cell does not tell (NULL) is told by no other cell of
its list, so that nothing which is computed from cells can tell it either; `docs/adr/0152` says why.
"""

from datetime import timedelta

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now

from analytics.enums import Conversion, Grain, Sheet, Sum
from callprivacy.tenancy.models import ClientOwned


class ReportRule(ClientOwned):
    """
    What a client counts as a conversion, how many callers a figure needs, and how money is written; one a client, or
    the defaults.

    :ivar currency: its code in ISO 4217; with `number_format` empty where it is as in the client's country.
    """

    id = models.BigAutoField(primary_key=True)
    conversion = models.CharField(max_length=10, choices=Conversion, default=Conversion.ANSWERED)
    seconds = models.PositiveIntegerField(
        "seconds that an answered call must last",
        default=60,
        validators=[MinValueValidator(0), MaxValueValidator(86_400)],
    )
    tags = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    k = models.PositiveSmallIntegerField(
        "callers that a figure needs", default=5, validators=[MinValueValidator(3), MaxValueValidator(1000)]
    )
    p = models.PositiveSmallIntegerField(
        "percent by which nobody may find out another caller's part of a sum",
        default=15,
        db_default=15,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
    )
    currency = models.CharField(max_length=3, blank=True, default="", db_default="")
    number_format = models.CharField(max_length=5, blank=True, default="", db_default="")
    changed_at = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client"], name="analytics_reportrule_one_a_client"),
            models.CheckConstraint(condition=models.Q(k__gte=3), name="analytics_reportrule_k"),
            models.CheckConstraint(
                condition=models.Q(currency__regex=r"^([A-Z]{3})?$"), name="analytics_reportrule_currency"
            ),
        )


class Span(ClientOwned):
    """
    A stretch of a client's time whose calls are grouped together: a month, a day or an hour by its volume.

    `is_hourly`: its cells still tell hours. `is_slotted`: it has a list of weekdays' hours (`Sheet.SLOTS`). `is_final`:
    some of its calls have expired, so that it is made anew from calls no more. `left_out`: calls of people who opted
    out; empty where they are fewer than k people, or none.
    """

    id = models.BigAutoField(primary_key=True)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    grain = models.PositiveSmallIntegerField(choices=[(one.value, one.name) for one in Grain])
    is_hourly = models.BooleanField(default=True, db_default=True)
    is_slotted = models.BooleanField(default=False, db_default=False)
    is_final = models.BooleanField(default=False, db_default=False)
    left_out = models.PositiveIntegerField(null=True)
    built_at = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "starts_at"], name="analytics_span_once_a_client"),
            models.UniqueConstraint(fields=["client", "id"], name="analytics_span_in_client"),
        )

    def __str__(self) -> str:
        return f"{Grain(self.grain).name.lower()} from {self.starts_at:%Y-%m-%d %H:%M}"


class Cell(ClientOwned):
    """
    At least k callers of one span, what is told of all of them, and what they add up to. NULL: not told.

    `starts_at`, `ends_at` and `grain` say when: an hour, a day, a week's part within the span, or the span itself.
    `kept`: what became of their recordings. `weekday` (1 is Monday), `part` (the hour at which it begins, `PARTS`) and
    `hour`: of a line of `Sheet.SLOTS`. `seconds` and `value_cents`: only in the lists of that sum.
    """

    id = models.BigAutoField(primary_key=True)
    span = models.ForeignKey(Span, models.PROTECT, db_constraint=False, db_index=False, related_name="cells")
    sheet = models.PositiveSmallIntegerField(
        choices=[(one + more, f"{one.name} {more.name}") for more in Sum for one in Sheet]
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    grain = models.PositiveSmallIntegerField(choices=[(one.value, one.name) for one in Grain])
    source = models.CharField(max_length=120, null=True)
    campaign = models.CharField(max_length=120, null=True)
    medium = models.CharField(max_length=60, null=True)
    direction = models.CharField(max_length=10, null=True)
    outcome = models.CharField(max_length=10, null=True)
    region = models.CharField(max_length=11, null=True)
    length = models.CharField(max_length=10, null=True)
    repeated = models.CharField(max_length=8, null=True)
    converted = models.CharField(max_length=3, null=True)
    kept = models.CharField(max_length=10, null=True)
    weekday = models.PositiveSmallIntegerField(null=True)
    part = models.PositiveSmallIntegerField(null=True)
    hour = models.PositiveSmallIntegerField(null=True)
    calls = models.PositiveIntegerField()
    seconds = models.BigIntegerField(null=True)
    value_cents = models.BigIntegerField(null=True)
    callers = models.PositiveIntegerField()

    class Meta(ClientOwned.Meta):
        constraints = (
            models.CheckConstraint(condition=models.Q(callers__gte=3), name="analytics_cell_is_nobody"),
        )
        indexes = (
            models.Index(fields=["client", "sheet", "starts_at"], name="analytics_cell_of_sheet"),
            models.Index(fields=["client", "span", "sheet"], name="analytics_cell_of_list"),
        )


class Touched(ClientOwned):
    """
    An hour in which something changed that cells are made of; triggers on the tables of calls and consent add it.

    Rows are only added and removed by their number, so that what is committed while a span is made stays for the next.
    `hour` is in UTC; empty: all of the client. `due_at` is written by PostgreSQL alone. It is told as late a quarter of
    an hour past it: an hour after the change, which is as long as readers of reports are told to wait.
    """

    id = models.BigAutoField(primary_key=True)
    hour = models.DateTimeField(null=True)
    due_at = models.DateTimeField(db_default=Now() + models.Value(timedelta(minutes=45)))

    class Meta(ClientOwned.Meta):
        indexes = (
            models.Index(fields=["client", "hour"], name="analytics_touched_of_client"),
            models.Index(fields=["agency", "due_at"], name="analytics_touched_by_due"),
        )


class Watch(ClientOwned):
    """
    Until when what the vault holds of people who said no has been looked at: no trigger of ours reaches there.

    `day`: the client's own, up to which refusals that end have been taken back.
    """

    id = models.BigAutoField(primary_key=True)
    looked_at = models.DateTimeField()
    day = models.DateField()

    class Meta(ClientOwned.Meta):
        constraints = (models.UniqueConstraint(fields=["client"], name="analytics_watch_one_a_client"),)
