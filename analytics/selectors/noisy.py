"""What may be asked for noisy figures, what was answered, and what is left of a recipient's budget of a year."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from analytics import noise
from analytics.anonymise import levels
from analytics.models.releases import NoisyAnswer, Recipient, Spend
from analytics.noise import Bounds
from analytics.selectors import releasable
from callprivacy.calls.enums import Direction, Outcome
from callprivacy.calls.models import Call
from callprivacy.tenancy.models import Client

ALL: Final = "All calls"
PAGE: Final = 20
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_CHANNELS: Final = (
    "paid search", "paid social", "display and video", "organic search", "organic social", "local listings",
    "direct", "referral", "e-mail and text", "offline", "other",
)  # fmt: skip

MEASURES: Final = {
    "calls": "How many calls",
    "seconds": "Seconds on the phone, in all",
    "length": "Seconds a call, on average",
}


def _channel(call: Mapping[str, Any], _at: datetime) -> str:
    return levels.load("source").groups(call["source"] or "unknown")[0]


@dataclass(frozen=True, slots=True)
class By:
    """Groups that are there whatever the calls are: that a group is named tells of nobody."""

    label: str
    groups: tuple[str, ...]
    of: Callable[[Mapping[str, Any], datetime], str]


BY: Final[dict[str, By]] = {
    "all": By("Nothing: one figure", (ALL,), lambda call, at: ALL),
    "weekday": By("Weekday", _DAYS, lambda call, at: _DAYS[at.weekday()]),
    "channel": By("Channel", _CHANNELS, _channel),
    "outcome": By(
        "Outcome",
        tuple(one.label for one in Outcome if one != Outcome.UNDERWAY),
        lambda call, at: Outcome(call["outcome"]).label,
    ),
    "direction": By(
        "Direction",
        tuple(one.label for one in Direction),
        lambda call, at: Direction(call["direction"]).label,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """
    One question, as it stands in the ledger.

    :ivar until_on: the day after the last. :ivar bounds: what is counted of one caller at most.
    """

    measure: str
    by: str
    from_on: date
    until_on: date
    bounds: Bounds

    def as_json(self) -> dict[str, Any]:
        return {
            "measure": self.measure,
            "by": self.by,
            "from_on": self.from_on.isoformat(),
            "until_on": self.until_on.isoformat(),
            "calls": self.bounds.calls,
            "most": self.bounds.most,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        return cls(
            measure=kept["measure"],
            by=kept["by"],
            from_on=date.fromisoformat(kept["from_on"]),
            until_on=date.fromisoformat(kept["until_on"]),
            bounds=Bounds(calls=kept["calls"], most=kept["most"]),
        )

    @property
    def words(self) -> str:
        """What is asked, in a line."""
        last = self.until_on - timedelta(days=1)
        by = "" if self.by == "all" else f", by {BY[self.by].label.lower()}"
        return f"{MEASURES[self.measure]}{by}, {self.from_on:%-d %b %Y} to {last:%-d %b %Y}"

    @property
    def bounded(self) -> str:
        """How much of one caller counts, in a line."""
        counted = f"at most {self.bounds.calls} call{'s' if self.bounds.calls > 1 else ''} of a caller count"
        if self.measure == "calls":
            return counted
        return f"{counted}, each with at most {self.bounds.most:,} seconds"

    def margin(self, epsilon: Fraction) -> int:
        """How far off a count or a sum is with 95 % at most."""
        of = noise.scale_of_counts if self.measure == "calls" else noise.scale_of_sums
        return noise.margin(of(self.bounds, epsilon))


def exact(epsilon: Decimal) -> Fraction:
    """A budget's number without rounding."""
    return Fraction(epsilon)


def clipped(client: Client, question: Question, *, at: datetime) -> noise.Clipped:
    """What bounding leaves of the calls that may be counted. It has no noise: it is never shown. In a job's scope."""
    by = BY[question.by]
    calls = releasable.calls_for_release(client, from_on=question.from_on, until_on=question.until_on, at=at)
    return noise.bound(_rows(client, calls, by), by.groups, question.bounds)


def _rows(client: Client, calls: QuerySet[Call], by: By) -> Iterator[tuple[object, str, int]]:
    zone = ZoneInfo(client.time_zone)
    rows = calls.order_by("pk").values("pk", "caller_id", "seconds", "source", "outcome", "direction")
    for call in rows.iterator(chunk_size=5_000):
        at = Call(pk=call["pk"]).started_at.astimezone(zone)
        yield call["caller_id"], by.of(call, at), call["seconds"] or 0


# --- The ledger -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Budget:
    """What a recipient may still be told in a calendar year, in the client's zone."""

    year: int
    epsilon: Decimal
    spent: Decimal
    questions: int

    @property
    def left(self) -> Decimal:
        return max(self.epsilon - self.spent, Decimal(0))


def year_of(client: Client, at: datetime) -> int:
    """The calendar year on the client's clock."""
    return at.astimezone(ZoneInfo(client.time_zone)).year


def budget_of(recipient: Recipient, *, year: int) -> Budget:
    """What was spent of a year; one query."""
    last = last_spend(recipient, year=year)
    if last is None:
        return Budget(year, recipient.epsilon, Decimal(0), 0)
    return Budget(year, recipient.epsilon, last.after, last.number)


def last_spend(recipient: Recipient, *, year: int) -> Spend | None:
    """The newest row of a year."""
    rows = Spend.objects.for_client(recipient.client_id).filter(recipient=recipient, year=year)
    return rows.order_by("-number").first()


@dataclass(frozen=True, slots=True)
class Bar:
    """
    One figure of a chart with its margin, in hundredths of the width.

    :ivar low: and :ivar high: where the margin begins and ends; :ivar value: where the figure is.
    """

    group: str
    text: str
    between: str
    value: float
    low: float
    high: float

    @property
    def wide(self) -> float:
        return self.high - self.low


@dataclass(frozen=True, slots=True)
class Asked:
    """One row of the ledger with its answer, if it is there."""

    spend: Spend
    question: Question
    bars: list[Bar]
    is_answered: bool

    @property
    def margin(self) -> str:
        """How far off a figure may be."""
        if self.question.measure == "length":
            return "each with an interval of its own"
        return f"within {self.question.margin(exact(self.spend.epsilon)):,} of the true figure, 19 times out of 20"


def asked(recipient: Recipient, *, before: int | None = None) -> tuple[list[Asked], int | None]:
    """A page of a recipient's questions of all years, newest first, and the cursor of the older ones; two queries."""
    rows = (
        Spend.objects.for_client(recipient.client_id).filter(recipient=recipient).select_related("spent_by")
    )
    if before is not None:
        year, number = divmod(before, 1_000_000)
        rows = rows.filter(year__lte=year).exclude(year=year, number__gte=number)
    found = list(rows.order_by("-year", "-number")[: PAGE + 1])
    answers = {
        one.spend_id: one
        for one in NoisyAnswer.objects.for_client(recipient.client_id).filter(
            spend_id__in=[row.pk for row in found]
        )
    }
    listed = [_asked(row, answers.get(row.pk)) for row in found[:PAGE]]
    last = found[PAGE - 1] if len(found) > PAGE else None
    return listed, None if last is None else last.year * 1_000_000 + last.number


def _asked(spend: Spend, answer: NoisyAnswer | None) -> Asked:
    return Asked(
        spend,
        Question.from_json(spend.question),
        [] if answer is None else _bars(answer.figures),
        answer is not None,
    )


def _bars(figures: Sequence[Mapping[str, Any]]) -> list[Bar]:
    most = max((one["high"] for one in figures), default=0) or 1
    return [
        Bar(
            one["group"],
            _number(one["value"]),
            f"{_number(one['low'])} to {_number(one['high'])}",
            round(100 * one["value"] / most, 2),
            round(100 * one["low"] / most, 2),
            round(100 * one["high"] / most, 2),
        )
        for one in figures
    ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"
