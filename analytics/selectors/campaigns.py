"""
Which campaign to stop: what each brings and costs, and which cost significantly more for a qualified call.

Costs are divided by figures that are true. A campaign whose qualified calls are suppressed is compared with nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final

from analytics.channels.paper import SUPPRESSED, Cell, Paper
from analytics.charts import headline
from analytics.enums import Dimension, Measure, Step
from analytics.selectors import answers, changes, costs, counting, explorer, missed, reports, rules, showing
from analytics.selectors.asked import Asked, before, end_of
from analytics.selectors.reports import Report, Row, Source
from callprivacy.lib.charts.figure import Chart, keys_of_fills
from callprivacy.lib.charts.shapes import NARROW, WIDE, Drawing, Series, Value, bars, spark
from callprivacy.lib.money import DOLLARS, Money
from callprivacy.tenancy.models import Client

_NONE: Final = "–"
_DRAWN: Final = 15


@dataclass(slots=True)
class CampaignRow:
    """
    One campaign.

    :ivar each: cents a qualified call; None where it has none, or where that is suppressed.
    :ivar is_uncounted: whether calls of its client wait to be counted, so that no call is not none.
    :ivar verdict: "worse" or "better" than the others where the test passes, else "". :ivar change: the same against
        the period before.
    """

    name: str
    query: str
    calls: Value
    missed: Value
    conversions: Value
    value: Value
    cents: int | None
    each: float | None
    each_call: float | None
    before: Value
    cents_before: int | None
    trend: Drawing
    trend_words: str
    verdict: str = ""
    verdict_words: str = "no clear difference"
    change: str = ""
    change_words: str = changes.NO_CHANGE
    is_uncounted: bool = False
    money: Money = DOLLARS

    @property
    def cost(self) -> str:
        return _amount(self.cents, self.money)

    @property
    def per_conversion(self) -> str:
        """What a qualified call cost, in words."""
        if self.cents and self.brings_none:
            return "none came"
        return _words_of(self.cents, self.conversions, self.money)

    @property
    def brings_none(self) -> bool:
        """Whether no qualified call came."""
        return self.conversions.number == 0 and not self.is_uncounted

    @property
    def per_call(self) -> str:
        return _words_of(self.cents, self.calls, self.money)

    @property
    def spent_on_missed(self) -> str:
        """What its missed calls cost, in words: an estimate."""
        hidden = self.cents and (self.calls.hidden or self.missed.hidden)
        return SUPPRESSED if hidden else _amount(missed.spent_on_missed(self), self.money)

    @property
    def per_conversion_before(self) -> str:
        """What a qualified call cost in the period before, in words."""
        return _words_of(self.cents_before, self.before, self.money)


@dataclass(slots=True)
class CampaignReport:
    """
    All campaigns of a period.

    :ivar counting: says that many calls wait to be counted, where they do; nothing is judged then.
    """

    rows: list[CampaignRow]
    has_costs: bool
    conversions: Value
    rule: str
    said: str = ""
    found: bool = False
    cost_words: str = _NONE
    cost_note: str = ""
    conversions_note: str = ""
    each_words: str = _NONE
    each_note: str = ""
    chart: Chart | None = None
    chart_title: str = "Cost per qualified call"
    notes: list[str] = field(default_factory=list)
    counting: str = ""
    missed: missed.MissedCalls | None = None
    changed: str = ""
    money: Money = DOLLARS


def _amount(cents: float | None, money: Money) -> str:
    return _NONE if cents is None else money.cents(cents)


def _words_of(cents: int | None, number: Value, money: Money) -> str:
    return SUPPRESSED if cents and number.hidden else _amount(_each(cents, number.number), money)


def _each(cents: int | None, number: float | None) -> float | None:
    return cents / number if cents is not None and number else None


def report(
    client: Client, first: date, last: date, *, period: str, source: Source = reports.report
) -> CampaignReport:
    """
    Every campaign that calls or costs name, those that cost most for a qualified call first.

    :param first: and :param last: days of the client's zone, both included.
    :param period: its name, for the links to the explorer.
    """
    is_uncounted = source is reports.report and bool(counting.among([client.pk]))
    money = rules.money_of_client(client)
    was_first, was_last = before(first, last)
    whole = query_of(client, first, last, period=period)
    now = explorer.report_of(whole, first, last, source=source)
    weekly = source(
        replace(whole, measures=(Measure.CALLS, Measure.CONVERSIONS, Measure.VALUE), step=Step.WEEK)
    )
    spent = costs.costs_by_campaign(client, first, last)
    spent_before = costs.costs_by_campaign(client, was_first, was_last)
    was = {row.keys[0]: row for row in now.before.rows} if now.before else {}
    rows_of: dict[str | None, Row] = {row.keys[0]: row for row in now.rows if row.keys[0]}
    by_key = {str(name).casefold(): str(name) for name in rows_of}
    by_key |= {key: name for key, (name, _) in spent.items() if key not in by_key}
    weeks = explorer.steps_of("week", first, last)
    steps = {
        (explorer.step_of_row(row, client.time_zone), row.keys[0]): row for row in weekly.rows if row.keys[0]
    }
    link = Asked("conversions", (), "day", period, first, last, compare=True, kind="line")
    rows = []
    for key, name in by_key.items():
        row = _row_of(now, rows_of, name)
        trend = [
            _value(
                "conversions",
                steps.get((week, name)) or weekly.empty(date.fromisoformat(week), (name,)),
                money,
            )
            for week in weeks
        ]
        cents = spent[key][1] if key in spent else None
        conversions, calls = _value("conversions", row, money), _value("calls", row, money)
        rows.append(
            CampaignRow(
                name=name,
                query=link.query(campaign=name) if name in rows_of else "",
                calls=calls,
                missed=_value("missed", row, money),
                conversions=conversions,
                value=_value("value", row, money),
                cents=cents,
                each=_each(cents, conversions.number),
                each_call=_each(cents, calls.number),
                before=_value("conversions", _row_of(now.before, was, name), money),
                cents_before=spent_before[key][1] if key in spent_before else None,
                trend=spark(trend),
                trend_words=f"Qualified calls of {name} by week: " + ", ".join(one.words for one in trend),
                money=money,
            )
        )
    made = CampaignReport(
        rows,
        bool(spent),
        _value("conversions", now.total, money),
        rule=rules.rule_of(client).words,
        money=money,
    )
    if is_uncounted:
        made.counting, made.said = counting.WORDS, answers.NOT_YET
        for one in made.rows:
            one.is_uncounted, one.verdict_words, one.change_words = True, *["still being counted"] * 2
    else:
        _judge(made)
        length = ((last - first).days + 1) / ((was_last - was_first).days + 1)
        made.changed = changes.mark(made.rows, length=length)
    made.missed = missed.missed_calls(now, made.rows, made.money)
    _summed(made, now)
    made.rows.sort(key=_worst_first)
    _draw(made)
    return made


def query_of(client: Client, first: date, last: date, *, period: str) -> reports.Asked:
    return reports.Asked(
        client_ids=(client.pk,),
        measures=(
            Measure.CALLS, Measure.CONVERSIONS, Measure.VALUE, Measure.ANSWERED, Measure.MISSED,
        ),
        first=first,
        last=end_of(period, last),
        dimensions=(Dimension.CAMPAIGN,),
    )  # fmt: skip


def _row_of(report: Report | None, rows: Mapping[str | None, Row], name: str) -> Row | None:
    """A campaign's row; an empty one where it has none."""
    return None if report is None else rows.get(name) or report.empty(None, (name,))


def _value(name: str, row: Row | None, money: Money) -> Value:
    return showing.value_of(showing.shown_of(name, money), row)


def _worst_first(row: CampaignRow) -> tuple[int, float, str]:
    """Those that cost and bring nothing, then by what a qualified call costs; without costs by what they bring."""
    if row.cents and row.brings_none:
        return (0, -float(row.cents), row.name)
    if row.each is not None:
        return (1, -row.each, row.name)
    return (2, -(row.calls.number or 0), row.name)


def _judge(made: CampaignReport) -> None:
    """Mark the campaigns whose qualified calls for their money differ from the others' by the test."""
    judged = [row for row in made.rows if row.cents and row.conversions.number is not None]
    counts = [int(row.conversions.number or 0) for row in judged]
    spent = [float(row.cents or 0) for row in judged]
    worse = headline.all_that_stand_out(counts, spent, fewer=True)
    better = headline.all_that_stand_out(counts, spent)
    others = "other campaigns" if len(judged) == sum(bool(row.cents) for row in made.rows) else "others shown"
    for finding, verdict in [*((one, "worse") for one in worse), *((one, "better") for one in better)]:
        row = judged[finding.place]
        row.verdict, row.verdict_words = verdict, _words(row.name, finding.ratio, others)
    for row in made.rows:
        if row.cents is None:
            row.verdict_words = "no costs known"
        elif row.conversions.hidden:
            row.verdict_words = "suppressed"
    if worse:
        first = judged[worse[0].place]
        made.said, made.found = (
            f"{first.verdict_words} If one campaign is to be stopped, look at this one first.",
            True,
        )
    elif better:
        made.said, made.found = judged[better[0].place].verdict_words, True
    elif not made.has_costs:
        made.said = "Without costs it cannot be said which campaign is dear."
    elif len(judged) < 2:
        made.said = "No clear pattern: it takes two campaigns with costs and enough calls to compare."
    else:
        made.said = (
            "No clear pattern: no campaign's qualified calls cost clearly more or less than the others'."
        )


def _words(name: str, ratio: float, others: str) -> str:
    if not ratio:
        return f"“{name}” cost money and brought no qualified call, where the {others} did."
    if ratio == float("inf"):
        return f"“{name}” brought qualified calls, and the {others} brought none."
    if ratio < 1:
        times = headline.times(1 / ratio)
        return f"A qualified call from “{name}” costs {times} as much as one from the {others} together."
    times = headline.times(ratio)
    return f"For the same money “{name}” brings {times} as many qualified calls as the {others} together."


def _summed(made: CampaignReport, now: Report) -> None:
    cents = sum(row.cents or 0 for row in made.rows)
    counted = [row for row in made.rows if row.cents and row.each is not None]
    if made.has_costs:
        made.cost_words, made.cost_note = made.money.cents(cents), "as the files say"
        spent = sum(row.cents or 0 for row in counted)
        number = sum((row.cents or 0) / row.each for row in counted if row.each)
        made.each_words = _amount(_each(spent, number), made.money)
        made.each_note = "of campaigns with costs whose figures are shown"
    made.conversions_note = "of all calls, with a campaign and without"
    made.notes.append(
        f"A qualified call is one that counts as a conversion here: {made.rule[:1].lower()}{made.rule[1:]}. Costs are"
        f" as the files say, in {made.money.currency}, by the day that they name."
    )
    if any(one.hidden for row in made.rows for one in (row.calls, row.conversions, row.value, row.before)):
        made.notes.append(
            f"Suppressed are figures that fewer than {now.k} people would share, or from which such a figure could be"
            " worked out. Whole months show more."
        )


def _draw(made: CampaignReport) -> None:
    drawn = [row for row in made.rows if row.each is not None][:_DRAWN]
    if len(drawn) < 2:
        return
    series = [
        Series("Cost per qualified call", [Value((row.each or 0) / 100, row.per_conversion) for row in drawn])
    ]
    names = [row.name for row in drawn]
    made.chart = Chart(
        bars(names, series, width=WIDE, words=made.money.amount),
        bars(names, series, width=NARROW, words=made.money.amount),
        keys_of_fills(series),
    )


def paper_of(made: CampaignReport, *, client: Client, days: str, at: datetime) -> Paper:
    rows: list[list[Cell]] = [
        [
            row.name, row.verdict_words, _paid(row.cents, row.conversions), _paid(row.cents_before, row.before),
            _paid(row.cents, row.calls),
            None if row.cents is None else row.cents / 100, _cell(row.calls), _cell(row.missed), _spent_on_missed(row),
            _cell(row.conversions), row.change_words, _cell(row.value),
        ]
        for row in made.rows
    ]  # fmt: skip
    return Paper(
        title=f"Campaigns of {client.name}",
        made_at=at,
        zone=client.time_zone,
        facts=[("Client", client.name), ("Period", days), ("Time zone", client.time_zone)],
        headline=made.said,
        notes=made.notes,
        counting=made.counting,
        columns=[
            "Campaign", "Compared with the others", "Cost per qualified call", "Cost per qualified call before",
            "Cost per call", "Cost", "Calls", "Missed calls", "Estimated cost of missed calls", "Qualified calls",
            "Change from the previous period", "Value",
        ],
        rows=rows,
        money=made.money,
        amounts={2, 3, 4, 5, 8, 11},
        drawing=made.chart.wide if made.chart else None,
        drawing_title=made.chart_title,
    )  # fmt: skip


def _paid(cents: int | None, number: Value) -> Cell:
    each = _each(cents, number.number)
    if each is None:
        return SUPPRESSED if cents and number.hidden else None
    return round(each / 100, 2)


def _spent_on_missed(row: CampaignRow) -> Cell:
    cents = missed.spent_on_missed(row)
    hidden = row.cents and (row.calls.hidden or row.missed.hidden)
    return SUPPRESSED if hidden else None if cents is None else round(cents / 100, 2)


def _cell(value: Value) -> Cell:
    return showing.cell_of(value)
