"""Where a client's goals are, as one source of figures shows it: what is suppressed there is never compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.db.models import QuerySet

from analytics.enums import GoalMeasure, GoalSide, GoalState, Measure
from analytics.models import Goal
from analytics.selectors import costs, reports, rules, showing
from analytics.selectors.reports import Report, Source
from callprivacy.lib import calendars
from callprivacy.lib.charts.shapes import Value
from callprivacy.lib.money import Money
from callprivacy.tenancy.models import Client

_DAY: Final = timedelta(days=1)
_NO_COSTS: Final = "No costs imported"
_WORDS: Final = {
    GoalState.MET: "Met",
    GoalState.MISSED: "Missed",
    GoalState.OPEN: "In progress",
    GoalState.UNKNOWN: "Not enough calls",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """
    One goal in one period.

    :ivar first: and :ivar last: its days, both included. :ivar figure: as it may be shown.
    """

    first: date
    last: date
    figure: Value
    state: GoalState

    @property
    def words(self) -> str:
        """The state as a page says it."""
        if self.state is GoalState.UNKNOWN and not self.figure.hidden:
            return "Nothing to compare"
        return _WORDS[self.state]

    @property
    def figure_words(self) -> str:
        return self.figure.words


@dataclass(frozen=True, slots=True)
class GoalRow:
    """A goal with where it is now, and where it was in the period before."""

    goal: Goal
    words: str
    now: Standing
    before: Standing


def goals_of(client: Client) -> QuerySet[Goal]:
    """A client's goals, oldest first."""
    return Goal.objects.for_client(client).select_related("client").order_by("created_at", "pk")


def rows_of(client: Client, *, at: datetime, source: Source = reports.report) -> list[GoalRow]:
    """Every goal of a client; two reports for each kind of period that they name."""
    found: dict[tuple[date, date], Report] = {}
    spent: dict[tuple[date, date], int | None] = {}
    rows = []
    today, money = calendars.day_in(client.time_zone, at), rules.money_of_client(client)
    for goal in goals_of(client):
        now = goal.days_around(today)
        before = goal.days_around(now[0] - _DAY)
        for first, end in (now, before):
            if (first, end) not in found:
                found[first, end] = source(query_of(client, first, end))
                spent[first, end] = costs.costs_of_clients([client.pk], first, end - _DAY).get(client.pk)
        rows.append(
            GoalRow(
                goal,
                in_words(goal, money),
                _standing(goal, now, found[now], spent[now], money, is_over=False),
                _standing(goal, before, found[before], spent[before], money, is_over=True),
            )
        )
    return rows


def in_words(goal: Goal, money: Money) -> str:
    """When a goal is missed: "Share answered below 80 % in a week"."""
    measure = GoalMeasure(goal.measure)
    name = measure.label.removesuffix(" (percent)")
    number = goal.hundredths / 100
    written = money.amount(number) if measure is GoalMeasure.COST_EACH else f"{number:,.10g}"
    percent = "\N{NO-BREAK SPACE}%" if measure.is_share else ""
    return f"{name} {goal.get_missed_display()} {written}{percent} in {goal.get_period_display()}"


def query_of(client: Client, first: date, end: date) -> reports.Asked:
    return reports.Asked(
        client_ids=(client.pk,),
        measures=(Measure.CALLS, Measure.ANSWERED, Measure.MISSED, Measure.CONVERSIONS),
        first=first,
        last=end,
    )


def _standing(
    goal: Goal, days: tuple[date, date], report: Report, cents: int | None, money: Money, *, is_over: bool
) -> Standing:
    figure = _figure(goal, report, cents, money)
    first, last = days[0], days[1] - _DAY
    number = figure.number
    if number is None:
        return Standing(first, last, figure, GoalState.UNKNOWN)
    limit = goal.hundredths / 100
    is_missed = number < limit if goal.missed == GoalSide.BELOW else number > limit
    # A count that is too high stays so; everything else is decided by the whole period.
    is_certain = is_over or (GoalMeasure(goal.measure).is_count and goal.missed == GoalSide.ABOVE)
    if is_missed and is_certain:
        return Standing(first, last, figure, GoalState.MISSED)
    return Standing(first, last, figure, GoalState.MET if is_over else GoalState.OPEN)


def _figure(goal: Goal, report: Report, cents: int | None, money: Money) -> Value:
    """
    A goal's figure. A client that paid and got no qualified call paid infinitely much for each.
    """
    if goal.measure != GoalMeasure.COST_EACH:
        return showing.value_of(showing.SHOWN[goal.measure], report.total)
    conversions = showing.value_of(showing.SHOWN["conversions"], report.total)
    if cents is None:
        return Value(None, _NO_COSTS)
    if conversions.number is None:
        return conversions
    if not conversions.number:
        return Value(float("inf"), "No qualified calls") if cents else Value(None, "–")
    each = cents / conversions.number / 100
    return Value(each, money.amount(each))


def missed_in(rows: Sequence[GoalRow]) -> list[tuple[Goal, date]]:
    """Goals that are missed, and the first day of the period; periods that ended before a goal was set do not count."""
    found = []
    for row in rows:
        zone = row.goal.client.time_zone
        since = calendars.day_in(zone, row.goal.created_at)
        found += [
            (row.goal, one.first)
            for one in (row.before, row.now)
            if one.state is GoalState.MISSED and one.last >= since
        ]
    return found
