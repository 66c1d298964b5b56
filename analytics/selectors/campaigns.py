"""
Which campaign to stop: what each brings and costs, and which cost significantly more for a qualified call.

Costs are divided by the calls that are told of a campaign. Where the campaign of some calls is not told, a campaign is
called dear only if it would be with all of those calls added to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final

from analytics.channels.paper import Cell, Paper
from analytics.charts import headline
from analytics.charts.figure import Chart, keys_of_fills
from analytics.charts.shapes import NARROW, WIDE, Drawing, Series, Value, bars, spark
from analytics.enums import Dimension, Measure, Step
from analytics.selectors import answers, costs, counting, explorer, reports, rules, showing
from analytics.selectors.asked import Asked, before, end_of
from analytics.selectors.reports import Figure, Report, Row, Source
from callprivacy.tenancy.models import Client

_NONE: Final = "–"
_DRAWN: Final = 15


@dataclass(slots=True)
class CampaignRow:
    """
    One campaign.

    :ivar slack: how many qualified calls more may be its own, of which that is not told.
    :ivar each: cents a qualified call, at least: as if all of its calls counted of which that is not told; None where
        it has none. `at_most`: as if none of them did; None where that is not said.
    :ivar is_uncounted: whether calls of its client wait to be counted, so that no call is not none.
    :ivar verdict: "worse" or "better" than the others where the test passes, else "".
    """

    name: str
    query: str
    calls: Value
    conversions: Value
    value: Value
    cents: int | None
    slack: int
    each: float | None
    at_most: float | None
    each_call: float | None
    each_before: float | None
    trend: Drawing
    trend_words: str
    verdict: str = ""
    verdict_words: str = "no clear difference"
    is_uncounted: bool = False

    @property
    def cost(self) -> str:
        """What it cost, in words."""
        return _NONE if self.cents is None else f"{self.cents / 100:,.2f}"

    @property
    def per_conversion(self) -> str:
        """What a qualified call cost, in words."""
        if self.cents and self.brings_none:
            return "none came"
        if self.each is None or self.each == self.at_most:
            return _amount(self.each)
        return f"{_amount(self.each)} {'or more' if self.at_most is None else f'to {_amount(self.at_most)}'}"

    @property
    def brings_none(self) -> bool:
        """Whether it is told that no qualified call came."""
        is_told = not (self.is_open or self.conversions.hidden or self.is_uncounted)
        return is_told and self.conversions.number == 0

    @property
    def is_open(self) -> bool:
        """Whether it is not told of some of its calls whether they are qualified."""
        return " to " in self.conversions.words

    @property
    def per_call(self) -> str:
        """What a call cost, in words."""
        return _amount(self.each_call)

    @property
    def per_conversion_before(self) -> str:
        """What a qualified call cost in the period before, in words."""
        return _amount(self.each_before)


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
    chart_title: str = "Cost of a qualified call"
    notes: list[str] = field(default_factory=list)
    counting: str = ""


def _amount(cents: float | None) -> str:
    return _NONE if cents is None else f"{cents / 100:,.2f}"


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
    was_first, was_last = before(first, last)
    whole = query_of(client, first, last, period=period)
    now = explorer.report_of(whole, first, last, source=source)
    weekly = source(replace(whole, step=Step.WEEK))
    spent = costs.costs_by_campaign(client, first, last)
    spent_before = costs.costs_by_campaign(client, was_first, was_last)
    was = {row.keys[0]: row for row in now.before.rows} if now.before else {}
    rows_of = {row.keys[0]: row for row in now.rows if row.keys[0]}
    untold = answers.untold_of(now)
    by_key = {str(name).casefold(): str(name) for name in rows_of}
    by_key |= {key: name for key, (name, _) in spent.items() if key not in by_key}
    weeks = explorer.steps_of("week", first, last)
    steps = {
        (explorer.step_of_row(row, client.time_zone), row.keys[0]): row for row in weekly.rows if row.keys[0]
    }
    link = Asked("conversions", (), "day", period, first, last, compare=True, kind="line")
    rows = []
    for key, name in by_key.items():
        row = rows_of.get(name)
        trend = [_value("conversions", steps.get((week, name))) for week in weeks]
        cents = spent[key][1] if key in spent else None
        conversions, calls = (_of(part, row, untold) for part in ("conversions", "calls"))
        rows.append(
            CampaignRow(
                name=name,
                query=link.query(campaign=name) if row else "",
                calls=calls,
                conversions=conversions,
                value=_value("value", row) if row else Value(None, "–"),
                cents=cents,
                slack=_slack(row, untold) + now.unplaced,
                each=_each(cents, _most(row)),
                at_most=_each(cents, conversions.number),
                each_call=_each(cents, calls.number),
                each_before=_each(
                    spent_before[key][1] if key in spent_before else None,
                    _most(was.get(name)),
                ),
                trend=spark(trend),
                trend_words=f"Qualified calls of {name} by week: " + ", ".join(one.words for one in trend),
            )
        )
    made = CampaignReport(
        rows, bool(spent), _value("conversions", now.total), rule=rules.rule_of(client).words
    )
    if is_uncounted:
        made.counting, made.said = counting.WORDS, answers.NOT_YET
        for one in made.rows:
            one.is_uncounted, one.verdict_words = True, "still being counted"
    else:
        _judge(made)
    _summed(made, untold, now)
    made.rows.sort(key=_worst_first)
    _draw(made)
    return made


def query_of(client: Client, first: date, last: date, *, period: str) -> reports.Asked:
    """The question as `reports` understands it."""
    return reports.Asked(
        client_ids=(client.pk,),
        measures=(Measure.CALLS, Measure.CONVERSIONS, Measure.VALUE),
        first=first,
        last=end_of(period, last),
        dimensions=(Dimension.CAMPAIGN,),
    )


def _value(name: str, row: Row | None) -> Value:
    return showing.value_of(showing.SHOWN[name], row)


def _of(name: str, row: Row | None, untold: Row | None) -> Value:
    """A campaign's count; where none is told of it and some calls' campaigns are not told, it is not known to be 0."""
    if row is None and untold is not None and untold.calls:
        return Value(None, "not told", hidden=True)
    return _value(name, row)


def _most(row: Row | None) -> int:
    """How many of a campaign's calls are qualified at most."""
    figure = row.figures.get(Measure.CONVERSIONS, Figure(0)) if row is not None else Figure(0)
    return figure.value + figure.unknown


def _slack(row: Row | None, untold: Row | None) -> int:
    """How many qualified calls more may be a campaign's: of its own calls, and of those whose campaign is not told."""
    found = [one.figures.get(Measure.CONVERSIONS, Figure(0)) for one in (row, untold) if one is not None]
    own = found[0].unknown if row is not None else 0
    rest = found[-1] if untold is not None else Figure(0)
    return own + rest.value + rest.unknown


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
    slack = [row.slack for row in judged]
    worse = headline.all_that_stand_out(counts, spent, fewer=True, slack=slack)
    better = headline.all_that_stand_out(counts, spent, slack=slack)
    for finding, verdict in [*((one, "worse") for one in worse), *((one, "better") for one in better)]:
        row = judged[finding.place]
        row.verdict, row.verdict_words = verdict, _words(row.name, finding.ratio, is_least=row.slack > 0)
    for row in made.rows:
        if row.cents is None:
            row.verdict_words = "no costs known"
        elif row.conversions.hidden:
            row.verdict_words = "too few to say"
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


def _words(name: str, ratio: float, *, is_least: bool) -> str:
    least = "at least " if is_least else ""
    if not ratio:
        return f"“{name}” cost money and brought no qualified call, where the others did."
    if ratio == float("inf"):
        return f"“{name}” alone brought qualified calls."
    if ratio < 1:
        times = headline.times(1 / ratio)
        return f"A qualified call from “{name}” costs {least}{times} as much as one from the other campaigns together."
    times = headline.times(ratio)
    return f"For the same money “{name}” brings {least}{times} as many qualified calls as the other campaigns together."


def _summed(made: CampaignReport, untold: Row | None, now: Report) -> None:
    cents = sum(row.cents or 0 for row in made.rows)
    counted = [row for row in made.rows if row.cents and row.each is not None]
    if made.has_costs:
        made.cost_words, made.cost_note = f"{cents / 100:,.2f}", "in the client's currency"
        spent = sum(row.cents or 0 for row in counted)
        number = sum((row.cents or 0) / row.each for row in counted if row.each)
        made.each_words = _amount(_each(spent, number))
        made.each_note = (
            "at least; " if any(row.is_open for row in counted) else ""
        ) + "of campaigns with costs"
    made.conversions_note = "of all calls, with a campaign and without"
    made.notes.append(
        f"A qualified call is one that counts as a conversion here: {made.rule[:1].lower()}{made.rule[1:]}. Costs are"
        " as the files say, in the client's currency, by the day that they name."
    )
    if untold is not None and untold.calls:
        made.notes.append(
            f"Of {untold.calls:,} calls the campaign is not told: fewer than {now.k} people would share it, and who"
            " knows one of them could find that person's calls. They are in no row. A campaign may have more calls than"
            " is told, and cost less for each; it is called dear only if it would be with all of them added."
        )
    if now.unplaced:
        made.notes.append(f"Of {now.unplaced:,} more calls it is not told whether they lie in this period.")


def _draw(made: CampaignReport) -> None:
    drawn = [row for row in made.rows if row.each is not None][:_DRAWN]
    if len(drawn) < 2:
        return
    series = [
        Series(
            "Cost of a qualified call", [Value((row.each or 0) / 100, row.per_conversion) for row in drawn]
        )
    ]
    names = [row.name for row in drawn]
    made.chart = Chart(
        bars(names, series, width=WIDE), bars(names, series, width=NARROW), keys_of_fills(series)
    )


def paper_of(made: CampaignReport, *, client: Client, days: str, at: datetime) -> Paper:
    """The campaigns as a file."""
    rows: list[list[Cell]] = [
        [
            row.name, row.verdict_words, row.per_conversion if row.is_open else _cents(row.each),
            _cents(row.each_before), _cents(row.each_call),
            None if row.cents is None else row.cents / 100, _cell(row.calls), _cell(row.conversions), _cell(row.value),
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
            "Campaign", "Compared with the others", "Cost of a qualified call", "Cost of one before", "Cost of a call",
            "Cost", "Calls", "Qualified calls", "Value",
        ],
        rows=rows,
        drawing=made.chart.wide if made.chart else None,
        drawing_title=made.chart_title,
    )  # fmt: skip


def _cents(cents: float | None) -> float | None:
    return None if cents is None else round(cents / 100, 2)


def _cell(value: Value) -> Cell:
    return showing.cell_of(value)
