"""All clients at once: totals, who gained and who lost, and a line of days for each."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Final

from analytics.channels.paper import SUPPRESSED
from analytics.charts import headline
from analytics.enums import Dimension, Measure, Step
from analytics.selectors import answers, costs, counting, explorer, league, reports, rules, showing
from analytics.selectors.asked import before, end_of, period_of
from analytics.selectors.pictures import twice
from analytics.selectors.reports import Report, Row
from callprivacy.lib import calendars
from callprivacy.lib.charts.figure import Chart, keys_of_fills, keys_of_lines
from callprivacy.lib.charts.shapes import NARROW, WIDE, Drawing, Series, Value, columns, line, spark
from callprivacy.lib.money import Money
from callprivacy.tenancy.models import Client

_LISTED: Final = 100
_WEEKS: Final = 12


@dataclass(slots=True)
class ClientRow:
    """
    One client's figures.

    :ivar ratio: its calls over those of the period before; None where there is nothing to compare.
    :ivar mark: "worst" or "best" of those whose change passes the test, else "".
    """

    client: Client
    calls: Value
    answered: Value
    conversions: Value
    rate: Value
    change: str
    ratio: float | None
    per_conversion: str
    trend: Drawing
    trend_words: str
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Tile:
    """One total, with the client that stands out in it."""

    label: str
    value: str
    note: str = ""
    client: str = ""
    word: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Trend:
    """Figures over time, drawn and as a table."""

    chart: Chart
    table: answers.Table
    counting: str = ""


@dataclass(slots=True)
class Overview:
    """
    What the agency's page shows.

    :ivar counting: says at whom many calls wait to be counted, where they do; no client stands out then.
    """

    rows: list[ClientRow]
    tiles: list[Tile]
    trend: Trend | None = None
    trend_title: str = ""
    trend_note: str = ""
    left_out: int = 0
    notes: list[str] = field(default_factory=list)
    counting: str = ""


def overview(clients: Sequence[Client], period: str, *, at: datetime, sort: str = "") -> Overview:
    """
    The clients that a person may see reports of, those that lost most first; as many queries for two as for fifty.

    :param period: a named one; each client's days are those of its own zone, "today" is that of the first.
    :param sort: another order (`league.sort_of`).
    """
    uncounted = counting.among([client.pk for client in clients])
    zone = clients[0].time_zone if clients else "UTC"
    first, last = period_of(period, calendars.day_in(zone, at))
    asked = reports.Asked(
        client_ids=tuple(client.pk for client in clients),
        measures=(Measure.CALLS, Measure.ANSWERED, Measure.CONVERSIONS),
        first=first,
        last=end_of(period, last),
        dimensions=(Dimension.CLIENT,),
    )
    report = explorer.report_of(asked, first, last)
    by_day = reports.report(
        replace(
            asked,
            measures=(Measure.CALLS,),
            step=Step.DAY if (last - first).days < 62 else Step.WEEK,
        )
    )
    now = {row.keys[0]: row for row in report.rows}
    was = {row.keys[0]: row for row in report.before.rows} if report.before else {}
    days: dict[str | None, dict[str, Row]] = {}
    for row in by_day.rows:
        if isinstance(row.at, date):
            days.setdefault(row.keys[0], {})[row.at.isoformat()] = row
    spent = costs.costs_of_clients([client.pk for client in clients], first, last)
    money = rules.money_of_clients(clients)
    steps = explorer.steps_of(by_day.asked.step.value, first, last)
    rows = [
        _row(
            client,
            now.get(str(client.pk)) or report.empty(None, (str(client.pk),)),
            None
            if report.before is None
            else was.get(str(client.pk)) or report.before.empty(None, (str(client.pk),)),
            trend=[_row_of(by_day, days, str(client.pk), step) for step in steps],
            spent=spent,
            money=money[client.pk],
        )
        for client in clients
    ]
    was_first, was_last = before(first, last)
    length = ((last - first).days + 1) / ((was_last - was_first).days + 1)
    if uncounted:
        rows.sort(key=lambda row: row.client.name)
    else:
        _mark(rows, now, was, length=length)
        rows.sort(key=lambda row: (row.ratio is None, row.ratio or 0, row.client.name))
    rows = league.in_order(rows, sort)
    made = Overview(
        rows[:_LISTED],
        _tiles([] if uncounted else rows, report.total, report.before.total if report.before else None),
    )
    made.left_out = max(0, len(rows) - _LISTED)
    made.counting = counting.said_of([client.name for client in clients if client.pk in uncounted])
    made.trend_title = f"Calls of all clients by {by_day.asked.step.value}"
    together = [
        showing.together([_row_of(by_day, days, str(client.pk), step) for client in clients])
        for step in steps
    ]
    if by_day.rows and len(steps) > 1:
        made.trend = _all_of_them(together, by_day.asked.step.value, steps)
    made.notes.append(
        f"Each number covers at least {report.k} callers. Figures of fewer callers are suppressed, and so are figures"
        " that would reveal them. “Best” and “Worst” are marked only where the change from the previous period"
        " passes an exact test at 1 %, corrected for all clients. Costs are in each client's own currency, and"
        " are neither added up nor compared."
    )
    return made


def _row_of(report: Report, rows: dict[str | None, dict[str, Row]], client: str, step: str) -> Row:
    return rows.get(client, {}).get(step) or report.empty(date.fromisoformat(step), (client,))


def trend(clients: Sequence[Client], *, at: datetime) -> Trend | None:
    """
    Calls and qualified calls of these clients over the last twelve weeks; None where nothing is told of them.

    Weeks begin on Monday in each client's own zone; the one that is running is left out.
    """
    if not clients:
        return None
    uncounted = counting.among([client.pk for client in clients])
    today = calendars.day_in(clients[0].time_zone, at)
    last = today - timedelta(days=today.weekday() + 1)
    first = last - timedelta(days=7 * _WEEKS - 1)
    report = reports.report(
        reports.Asked(
            client_ids=tuple(client.pk for client in clients),
            measures=(Measure.CALLS, Measure.CONVERSIONS),
            first=first,
            last=last + timedelta(days=1),
            step=Step.WEEK,
            dimensions=(Dimension.CLIENT,),
        )
    )
    rows: dict[str | None, dict[str, Row]] = {}
    for row in report.rows:
        if isinstance(row.at, date):
            rows.setdefault(row.keys[0], {})[row.at.isoformat()] = row
    if not rows:
        return None
    weeks = explorer.steps_of("week", first, last)
    labels = [f"{date.fromisoformat(week):%-d %b}" for week in weeks]
    shown = [showing.SHOWN["calls"], showing.SHOWN["conversions"]]
    sums = [showing.together([_row_of(report, rows, str(one.pk), week) for one in clients]) for week in weeks]
    series = [Series(one.words, [showing.value_of(one, row) for row in sums]) for one in shown]
    return Trend(
        Chart(
            line(labels, series, width=WIDE, height=240),
            line(labels, series, width=NARROW, height=240),
            keys_of_lines(series),
        ),
        answers.Table(
            "Calls and qualified calls by week",
            ["Week of", *(one.words for one in shown)],
            [[label, *(one.values[place] for one in series)] for place, label in enumerate(labels)],
        ),
        counting.said_of([client.name for client in clients if client.pk in uncounted]),
    )


def _row(
    client: Client,
    now: Row,
    was: Row | None,
    *,
    trend: Sequence[Row],
    spent: dict[int, int],
    money: Money,
) -> ClientRow:
    shown = showing.SHOWN
    calls, calls_before = showing.value_of(shown["calls"], now), showing.value_of(shown["calls"], was)
    conversions = showing.value_of(shown["conversions"], now)
    values = [showing.value_of(shown["calls"], row) for row in trend]
    return ClientRow(
        client=client,
        calls=calls,
        answered=showing.value_of(shown["answered_share"], now),
        conversions=conversions,
        rate=showing.value_of(shown["conversion_rate"], now),
        change=showing.changed(calls, calls_before),
        ratio=calls.number / calls_before.number
        if calls.number is not None and calls_before.number
        else None,
        per_conversion=_each(spent.get(client.pk), conversions, money),
        trend=spark(values),
        trend_words=f"Calls of {client.name}: {', '.join(one.words for one in values)}",
    )


def _all_of_them(rows: Sequence[Row | None], step: str, steps: Sequence[str]) -> Trend:
    """What was counted of each step, all clients together."""
    labels = [explorer.label_of(step, key) for key in steps]
    values = [showing.value_of(showing.SHOWN["calls"], row) for row in rows]
    series = [Series("Calls", values)]
    return Trend(
        twice(lambda width: columns(labels, series, width=width, height=240), keys_of_fills(series)),
        answers.Table(
            f"Calls of all clients by {step}",
            [step.capitalize(), "Calls"],
            [[label, value] for label, value in zip(labels, values, strict=True)],
        ),
    )


def _each(cents: int | None, conversions: Value, money: Money) -> str:
    """What a qualified call cost, in words."""
    if not cents or conversions.number == 0:
        return "–"
    return SUPPRESSED if conversions.number is None else money.cents(cents / conversions.number)


def _mark(
    rows: Sequence[ClientRow], now: dict[str | None, Row], was: dict[str | None, Row], *, length: float
) -> None:
    """The client that gained most and the one that lost most, of those whose figures are shown, by the test."""
    told = [row for row in rows if row.ratio is not None]
    counts = [
        [kept[str(row.client.pk)].calls if str(row.client.pk) in kept else 0 for row in told]
        for kept in (now, was)
    ]
    findings = headline.all_that_changed(counts[0], counts[1], length=length)
    for finding in findings:
        if finding.ratio == min(one.ratio for one in findings) and finding.ratio < 1:
            told[finding.place].mark = "worst"
        elif finding.ratio == max(one.ratio for one in findings) and finding.ratio > 1:
            told[finding.place].mark = "best"


def _tiles(rows: Sequence[ClientRow], total: Row, before: Row | None) -> list[Tile]:
    shown = showing.SHOWN
    calls = showing.value_of(shown["calls"], total)
    change = showing.changed(calls, showing.value_of(shown["calls"], before)) if before else "–"
    # Who stands out is said where every client's figure is shown.
    has_calls, has_rates, has_answered = (
        not any(value.hidden for value in values)
        for values in (
            [row.calls for row in rows], [row.rate for row in rows], [row.answered for row in rows],
        )
    )  # fmt: skip
    counted = [row for row in rows if row.calls.number and has_calls]
    most = max(counted, key=lambda row: row.calls.number or 0, default=None)
    rated = [row for row in rows if row.rate.number is not None and has_rates]
    best = max(rated, key=lambda row: row.rate.number or 0, default=None)
    answered = [row for row in rows if row.answered.number is not None and has_answered]
    worst = min(answered, key=lambda row: row.answered.number or 0, default=None)
    return [
        Tile(
            "Calls",
            calls.words,
            f"{change} against the period before",
            most.client.name if most else "",
            "Most",
        ),
        Tile(
            "Answered",
            showing.value_of(shown["answered_share"], total).words,
            "of all calls",
            worst.client.name if worst else "",
            "Fewest",
        ),
        Tile(
            "Qualified calls",
            showing.value_of(shown["conversions"], total).words,
            f"{showing.value_of(shown['conversion_rate'], total).words} of all calls",
            best.client.name if best else "",
            "Largest share",
        ),
    ]
