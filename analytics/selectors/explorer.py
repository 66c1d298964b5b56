"""
The explorer's answers: cells as they may be told, drawn and tabled, with the sentence that stands over them.

Nothing here reads a call. `reports` tells only what may be told of several callers together; what it does not tell
is shown here as not told, and is never guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from analytics.channels.paper import Paper
from analytics.charts import maps
from analytics.charts.figure import keys_of_fills
from analytics.charts.shapes import COLOURS, Series, Value, bars
from analytics.enums import Dimension, Step
from analytics.selectors import counting, reports
from analytics.selectors.answers import NOT_YET, Answer, Group, Table, by_keys, groups_of, slack_of, untold_of
from analytics.selectors.asked import OVER_TIME, Asked, before, end_of
from analytics.selectors.pictures import heat_of, map_of, over_time, twice
from analytics.selectors.reports import Report, Row, Source
from analytics.selectors.sentences import say_of_groups, say_of_hours, say_of_time
from analytics.selectors.showing import (
    DIMENSIONS,
    SHOWN,
    UNTOLD,
    WEEKDAYS,
    Shown,
    as_untold,
    cell_of,
    changed,
    in_words,
    place_name,
    together,
    value_of,
)
from callprivacy.tenancy.models import Client

_BARS: Final = 20
_LINES: Final = COLOURS - 1
_ROWS: Final = 500


# --- Steps --------------------------------------------------------------------------------------------------------


def steps_of(step: str, first: date, last: date) -> list[str]:
    """The keys of all steps of a period, whether calls came in them or not; a week begins on its Monday."""
    found: list[str] = []
    day = first
    while day <= last:
        keys = [f"{day}T{hour:02d}" for hour in range(24)] if step == "hour" else [_step_of(step, day)]
        found += keys if step == "hour" or not found or found[-1] != keys[0] else []
        day += timedelta(days=1)
    return found


def _step_of(step: str, day: date) -> str:
    if step == "week":
        return (day - timedelta(days=day.weekday())).isoformat()
    return day.replace(day=1).isoformat() if step == "month" else day.isoformat()


def step_of_row(row: Row, zone: str) -> str | None:
    """The key of the step that a row lies in; None where that is not told."""
    if isinstance(row.at, datetime):
        return f"{row.at.astimezone(ZoneInfo(zone)):%Y-%m-%dT%H}"
    return row.at.isoformat() if row.at else None


def label_of(step: str, key: str) -> str:
    """A step's key as it stands on an axis."""
    day = date.fromisoformat(key[:10])
    if step == "hour":
        return f"{day:%-d %b} {key[11:13]}:00"
    return f"{day:%b %Y}" if step == "month" else f"{day:%-d %b}"


# --- Answering ----------------------------------------------------------------------------------------------------


def query_of(client: Client, asked: Asked) -> reports.Asked:
    """The question as `reports` understands it."""
    by = asked.by
    if asked.kind == "heat":
        by = ("weekday", "hour_of_day")
    elif asked.kind in {"states", "countries"}:
        by = ("region",)
    return reports.Asked(
        client_ids=(client.pk,),
        measures=SHOWN[asked.measure].measures,
        first=asked.first_on,
        last=end_of(asked.period, asked.last_on),
        dimensions=tuple(Dimension(name) for name in by),
        filters={Dimension(name): (value,) for name, value in asked.filters.items()},
        step=Step(asked.step) if asked.kind in OVER_TIME else Step.ALL,
    )


def report_of(query: reports.Asked, first: date, last: date, *, source: Source = reports.report) -> Report:
    """
    A report, with that of the period before beside it.

    :param first: and :param last: the period's days, both included.
    """
    was_first, was_last = before(first, last)
    return replace(
        source(query),
        before=source(replace(query, first=was_first, last=was_last + timedelta(days=1))),
    )


def answer(client: Client, asked: Asked, *, source: Source = reports.report) -> Answer:
    """
    Answer a question: from cells alone, unless another source is named.

    :raises ReportError: nothing answers it; the text says what to ask instead.
    """
    shown = SHOWN[asked.measure]
    # Asked before the figures are read; what is counted from calls waits for nothing.
    is_uncounted = source is reports.report and bool(counting.among([client.pk]))
    query = query_of(client, asked)
    report = (
        report_of(query, asked.first_on, asked.last_on, source=source) if asked.compare else source(query)
    )
    made = Answer(asked, shown, value_of(shown, report.total), report.k)
    if report.before is not None:
        made.total_before = value_of(shown, report.before.total)
    made.is_empty = not report.rows and not report.total.calls and not report.unplaced
    made.chart_title = shown.words
    made.notes = _notes(report, asked)
    if asked.kind == "heat":
        _answer_by_hours(made, report)
    elif asked.kind in {"states", "countries"}:
        _answer_by_place(made, report)
    elif asked.kind == "bars":
        _answer_by_groups(made, report)
    else:
        _answer_over_time(made, report, client)
    if is_uncounted:
        made.counting, made.said, made.found = counting.WORDS, NOT_YET, False
    return made


def _notes(report: Report, asked: Asked) -> list[str]:
    notes = []
    untold = untold_of(report) if report.asked.dimensions else None
    hidden = max(report.hidden, untold.calls if untold is not None else 0)
    if hidden:
        what = (
            "the values or the time"
            if asked.kind in OVER_TIME and asked.by
            else "the time"
            if asked.kind in OVER_TIME
            else "the values"
        )
        notes.append(
            f"Of {hidden:,} of these calls {what} asked for {'is' if what == 'the time' else 'are'} not told:"
            f" fewer than {report.k} people would share them, and who knows one of them could find that person's"
            " calls, or another hidden figure could be worked out from them. They are in the total. Fewer dimensions or"
            " longer steps tell more of them."
        )
    if report.unplaced:
        notes.append(
            f"Of {report.unplaced:,} more calls it is not told whether they lie in this period or fit the filters: too"
            " few people would be left. They are not counted. Whole months are told best."
        )
    return notes


def _shown_of(shown: Shown, group: Group, row: Row | None) -> Value:
    value = value_of(shown, row)
    return value if group.is_whole else as_untold(value)


def _answer_by_groups(made: Answer, report: Report) -> None:
    by = made.asked.by
    groups = groups_of(report, by)
    if by in {("weekday",), ("hour_of_day",)}:
        groups.sort(key=lambda group: (not group.is_whole, int(group.keys[0] or 99)))
    drawn = groups[:_BARS] if len(groups) > _BARS else groups
    series = [
        Series(
            "This period" if report.before else made.shown.words,
            [_shown_of(made.shown, group, group.now) for group in drawn],
        )
    ]
    if report.before is not None:
        series.append(Series("Before", [_shown_of(made.shown, group, group.before) for group in drawn]))
    names = [group.name for group in drawn]
    made.chart = twice(
        lambda width: bars(names, series, width=width, words=made.shown.axis), keys_of_fills(series)
    )
    if by:
        made.chart_title = f"{made.shown.words} by {', '.join(DIMENSIONS[name].lower() for name in by)}"
    if len(groups) > len(drawn):
        made.notes.append(
            f"Drawn are the {len(drawn)} largest of {len(groups):,}; the table has {min(len(groups), _ROWS):,}."
        )
    made.tables.append(_table_of_groups(made, groups, compared=report.before is not None))
    say_of_groups(made, [group for group in groups if group.is_whole], report)


def _table_of_groups(made: Answer, groups: Sequence[Group], *, compared: bool) -> Table:
    shown, by = made.shown, made.asked.by
    has_share = shown.over is None and bool(by) and bool(made.total.number)
    heads = [*(DIMENSIONS[name] for name in by)] or ["All"]
    heads += [shown.words, *(["Share"] if has_share else []), *(["Before", "Change"] if compared else [])]
    rows: list[list[str | Value]] = []
    for group in groups[:_ROWS]:
        now = value_of(shown, group.now)
        row: list[str | Value] = [in_words(name, key) for name, key in zip(by, group.keys, strict=True)]
        row = row or ["All"]
        row.append(now)
        if has_share:
            share = 100 * (now.number or 0) / (made.total.number or 1)
            row.append("–" if now.number is None else f"{share:.0f}\N{NO-BREAK SPACE}%")
        if compared:
            was = value_of(shown, group.before)
            row += [was, changed(now, was)]
        rows.append(row)
    return Table(made.chart_title, heads, rows)


# --- ... over time ------------------------------------------------------------------------------------------------


def _answer_over_time(made: Answer, report: Report, client: Client) -> None:
    asked, shown, zone = made.asked, made.shown, client.time_zone
    keys = steps_of(asked.step, asked.first_on, asked.last_on)
    labels = [label_of(asked.step, key) for key in keys]
    names, found = _lines(report, asked.by, keys, shown, zone)
    dashed: list[int] = []
    series = [Series(name, values) for name, values in zip(names, found, strict=True)]
    if report.before is not None and not asked.by:
        first, last = before(asked.first_on, asked.last_on)
        _, was = _lines(report.before, (), steps_of(asked.step, first, last), shown, zone)
        values = [*was[0], *[Value(None, "–")] * len(keys)][: len(keys)]
        series = [Series("This period", found[0]), Series("Before", values)]
        dashed = [1]
    made.chart = over_time(asked.kind, labels, series, shown, dashed)
    made.chart_title = f"{shown.words} by {asked.step}" + (
        f" and {', '.join(DIMENSIONS[name].lower() for name in asked.by)}" if asked.by else ""
    )
    rows: list[list[str | Value]] = [
        [label, *(one.values[place] for one in series)] for place, label in enumerate(labels)
    ]
    heads = (
        [asked.step.capitalize(), *(one.name for one in series)]
        if len(series) > 1
        else [asked.step.capitalize(), shown.words]
    )
    if asked.by:
        groups = groups_of(report, asked.by)
        made.tables.append(_table_of_groups(made, groups, compared=report.before is not None))
        made.tables[0] = Table(
            f"{shown.words} of the whole period", made.tables[0].heads, made.tables[0].rows
        )
        say_of_groups(made, [group for group in groups if group.is_whole], report)
    else:
        say_of_time(made, report, dict(zip(keys, found[0], strict=True)))
    made.tables.insert(0, Table(made.chart_title, heads, rows))


def _lines(
    report: Report, by: Sequence[str], keys: Sequence[str], shown: Shown, zone: str
) -> tuple[list[str], list[list[Value]]]:
    """Names and values of the lines to draw: the largest groups, and the others as one where they can be added."""
    placed: dict[tuple[str | None, tuple[str | None, ...]], list[Row]] = {}
    for row in report.rows:
        placed.setdefault((step_of_row(row, zone), row.keys), []).append(row)
    is_partly_told = report.unplaced > 0 or any(step is None for step, _ in placed)
    groups = groups_of(report, by) if by else [Group((), shown.words, None, None)]
    drawn = [group for group in groups if group.is_whole][:_LINES]
    others = [group for group in groups if group not in drawn]

    def values(several: Sequence[Group]) -> list[Value]:
        found = []
        for key in keys:
            row = together([row for group in several for row in placed.get((key, group.keys), [])])
            is_untold = row is None and is_partly_told
            found.append(Value(None, UNTOLD.lower(), hidden=True) if is_untold else value_of(shown, row))
        return found

    names = [group.name for group in drawn]
    lines = [values([group]) for group in drawn]
    if others and shown.over is None:
        names.append(others[0].name if len(others) == 1 else f"{len(others)} others together")
        lines.append(values(others))
    return (names, lines) if lines else ([shown.words], [values([])])


# --- ... by hours and by place --------------------------------------------------------------------------------------


def _answer_by_hours(made: Answer, report: Report) -> None:
    found = by_keys(report.rows)
    is_partly_told = report.unplaced > 0 or any(None in keys for keys in found)

    def value(weekday: int, hour: int) -> Value:
        row = found.get((str(weekday), str(hour)))
        if row is None and is_partly_told:
            return Value(None, UNTOLD.lower(), hidden=True)
        return value_of(made.shown, row)

    values = [[value(weekday, hour) for hour in range(24)] for weekday in range(1, 8)]
    made.chart = heat_of(values, made.shown)
    made.chart_title = f"{made.shown.words} by weekday and hour"
    heads = ["Hour", *WEEKDAYS]
    made.tables.append(
        Table(
            made.chart_title,
            heads,
            [[f"{hour:02d}:00", *(row[hour] for row in values)] for hour in range(24)],
        )
    )
    say_of_hours(made, values, slack_of(report, made.shown.of))


def _answer_by_place(made: Answer, report: Report) -> None:
    kind, shown = made.asked.kind, made.shown
    several: dict[str, list[Row]] = {}
    for row in report.rows:
        code = _code_of(kind, row.keys[0])
        if code is not None:
            several.setdefault(code, []).append(row)
    values = {code: value_of(shown, together(rows)) for code, rows in several.items()}
    # A region of which nothing is told may have calls of a few people, as long as it is not told where some came from.
    untold = untold_of(report)
    is_partly_told = report.unplaced > 0 or (untold is not None and untold.calls > 0)
    rest = Value(None, "none, or too few to tell", hidden=True) if is_partly_told else Value(0, "none")
    place: maps.Place = "states" if kind == "states" else "countries"
    made.chart = map_of(place, values, shown, rest=rest)
    made.chart_title = f"{shown.words} by {'state' if kind == 'states' else 'country'}"
    groups = groups_of(report, ("region",))
    if kind == "countries":
        groups = _by_country(groups)
    asked = made.asked
    made.asked = Asked(
        asked.measure,
        ("region",),
        asked.step,
        asked.period,
        asked.first_on,
        asked.last_on,
        asked.compare,
        kind,
        asked.filters,
    )
    table = _table_of_groups(made, groups, compared=report.before is not None)
    made.tables.append(
        replace(table, heads=["Country" if kind == "countries" else "Region", *table.heads[1:]])
    )
    left = maps.elsewhere(place, values)
    if left:
        made.notes.append(
            "Not on this map, but in the table: " + ", ".join(place_name(code) for code in left[:12]) + "."
        )
    say_of_groups(made, [group for group in groups if group.is_whole], report)


def _by_country(groups: Sequence[Group]) -> list[Group]:
    """The regions of each country as one."""
    several: dict[str | None, list[Group]] = {}
    for group in groups:
        key = group.keys[0]
        several.setdefault(key and key.partition("-")[0], []).append(group)
    found = [
        Group(
            (key,),
            in_words("region", key),
            together([one.now for one in some if one.now is not None]),
            together([one.before for one in some if one.before is not None]),
        )
        for key, some in several.items()
    ]
    return sorted(
        found, key=lambda group: (not group.is_whole, -(group.now.calls if group.now else 0), group.name)
    )


def _code_of(kind: str, value: str | None) -> str | None:
    """The code of a region on the map: a state's own, or a country's; None for what is none of them."""
    if not value:
        return None
    country, _, region = value.partition("-")
    if kind == "countries":
        return country
    return region if country == "US" and "|" not in region and region else None


# --- Papers -------------------------------------------------------------------------------------------------------


def paper_of(made: Answer, *, title: str, facts: Sequence[tuple[str, str]], zone: str, at: datetime) -> Paper:
    """An answer as a file: its first table, and its picture."""
    table = made.tables[0] if made.tables else Table(made.chart_title, [made.shown.words], [])
    return Paper(
        title=title,
        made_at=at,
        zone=zone,
        facts=[*facts, ("In all", made.total_words), ("Least callers behind a number", str(made.least))],
        headline=made.said,
        notes=made.notes,
        counting=made.counting,
        columns=list(table.heads),
        rows=[[cell if isinstance(cell, str) else cell_of(cell) for cell in row] for row in table.rows],
        drawing=made.chart.wide if made.chart else None,
        drawing_title=made.chart_title,
        keys=made.chart.keys if made.chart else [],
    )
