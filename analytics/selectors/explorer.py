"""
The explorer's answers: cells as they may be told, drawn and tabled, with the sentence that stands over them.

Nothing here reads a call. A number that is shown is true: what the source of the rows hides is suppressed, or stands in
the sum of all others.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from analytics.channels.paper import Cell, Paper
from analytics.charts import maps
from analytics.enums import PARTS, Dimension, Step
from analytics.selectors import counting, reports
from analytics.selectors.answers import NOT_YET, Answer, Group, Table, groups_of, is_hidden, other_of
from analytics.selectors.asked import OVER_TIME, STEPS_BY_LENGTH, Asked, before, end_of
from analytics.selectors.hidden import At
from analytics.selectors.pictures import heat_of, map_of, over_time, twice
from analytics.selectors.reports import Report, Row, Source
from analytics.selectors.rules import money_of_client
from analytics.selectors.sentences import say_of_groups, say_of_hours, say_of_time
from analytics.selectors.showing import (
    DIMENSIONS,
    OTHER,
    SHOWN,
    WEEKDAYS,
    Shown,
    cell_of,
    changed,
    in_words,
    place_name,
    shown_of,
    suppressed,
    together,
    value_of,
    without,
)
from callprivacy.lib.charts.figure import keys_of_fills
from callprivacy.lib.charts.shapes import COLOURS, Series, Value, bars
from callprivacy.tenancy.models import Client

_BARS: Final = 20
_LINES: Final = COLOURS - 1
_ROWS: Final = 500
_ENOUGH: Final = 0.9
"""Share of all calls that a protected report shows with figures, from which on it shows no longer steps."""


# --- Steps --------------------------------------------------------------------------------------------------------


def steps_of(step: str, first: date, last: date) -> list[str]:
    """The keys of all steps of a period, whether calls came in them or not; a week begins on its Monday."""
    firsts: list[str] = []
    day = first
    while day <= last:
        keys = [f"{day}T{hour:02d}" for hour in range(24)] if step == "hour" else [_step_of(step, day)]
        firsts += keys if step == "hour" or not firsts or firsts[-1] != keys[0] else []
        day += timedelta(days=1)
    return firsts


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


def _steps_from(asked: Asked, query: reports.Asked) -> list[tuple[Asked, reports.Asked]]:
    """A question over time or by hours, and the same by each longer step; the question alone if it is neither."""
    if asked.kind == "heat":
        parts = (Dimension.WEEKDAY, Dimension.PART_OF_DAY)
        return [(asked, query), (asked, replace(query, dimensions=parts))]
    if asked.kind not in OVER_TIME:
        return [(asked, query)]
    longer = list(STEPS_BY_LENGTH[STEPS_BY_LENGTH.index(asked.step) :])
    return [(replace(asked, step=step), replace(query, step=Step(step))) for step in longer]


def share_shown(report: Report, shown: Shown) -> float:
    """The share of a report's calls that are in rows with a figure; 1 where there are none."""
    visible = sum(
        row.calls
        for row in report.rows
        if row.is_whole
        and (row.at is not None or report.asked.step is Step.ALL)
        and not value_of(shown, row).hidden
    )
    return visible / report.total.calls if report.total.calls else 1.0


def best_step(
    asked: Asked, query: reports.Asked, shown: Shown, source: Source = reports.report
) -> tuple[Asked, Report]:
    """The report by the first step that shows enough; where none does, by the one that shows most."""
    tried: list[tuple[float, Asked, Report]] = []
    for longer, its_query in _steps_from(asked, query):
        report = source(its_query)
        tried.append((share_shown(report, shown), longer, report))
        if tried[-1][0] >= _ENOUGH:
            break
    _, chosen, report = tried[-1] if tried[-1][0] >= _ENOUGH else max(tried, key=lambda one: one[0])
    return chosen, report


def _coarsened(asked: Asked, query: reports.Asked) -> list[str]:
    """A note where a report is by a longer step than it was asked for."""
    if asked.kind == "heat" and Dimension.PART_OF_DAY in query.dimensions:
        return [
            "Shown by part of the day: by hour, too many figures would be suppressed. By weekday alone shows most."
        ]
    if asked.kind in OVER_TIME and asked.step != query.step:
        return [f"Shown by {query.step.value}: by {asked.step}, too many figures would be suppressed."]
    return []


def answer(client: Client, asked: Asked, *, source: Source = reports.report) -> Answer:
    """
    Answer a question: from cells alone, unless another source is named.

    :raises ReportError: nothing answers it; the text says what to ask instead.
    """
    shown = shown_of(asked.measure, money_of_client(client))
    # Asked before the figures are read; what is counted from calls waits for nothing.
    is_uncounted = source is reports.report and bool(counting.among([client.pk]))
    wanted, (asked, report) = asked, best_step(asked, query_of(client, asked), shown, source)
    query = report.asked
    if asked.compare:
        report = report_of(query, asked.first_on, asked.last_on, source=source)
    made = Answer(asked, shown, value_of(shown, report.total), report.k)
    made.notes += _coarsened(wanted, query)
    if report.before is not None:
        made.total_before = value_of(shown, report.before.total)
    made.is_empty = not (report.rows or report.total.calls or any(one.calls for one in report.rest.hidden))
    made.chart_title = shown.words
    if asked.kind == "heat":
        _answer_by_hours(made, report)
    elif asked.kind in {"states", "countries"}:
        _answer_by_place(made, report)
    elif asked.kind == "bars":
        _answer_by_groups(made, report)
    else:
        whole = report
        if asked.by:
            query = replace(query, step=Step.ALL)
            whole = (
                report_of(query, asked.first_on, asked.last_on, source=source)
                if asked.compare
                else source(query)
            )
        _answer_over_time(made, report, client, whole)
    _notes(made, report)
    if is_uncounted:
        made.counting, made.said, made.found = counting.WORDS, NOT_YET, False
    return made


def _notes(made: Answer, report: Report) -> None:
    """What is suppressed and why, where something is."""
    cells = [cell for table in made.tables for row in table.rows for cell in row]
    has_other = OTHER in cells
    if not has_other and not any(isinstance(one, Value) and one.hidden for one in [made.total, *cells]):
        return
    made.notes.append(
        f"Figures that fewer than {report.k} people would share, or from which such a figure could be worked out, are"
        " suppressed. Whole months, fewer dimensions and longer steps show more."
    )
    if has_other:
        made.notes.append(f"“{OTHER}” is the sum of all that has no figure of its own here.")
    if made.total.hidden:
        made.notes.append(
            "The total is suppressed, since the period or the filters cut through what may be shown as a whole only."
        )


def _answer_by_groups(made: Answer, report: Report) -> None:
    by, shown = made.asked.by, made.shown
    groups = groups_of(report, by, shown)
    drawn = [group for group in groups if not is_hidden(shown, group.now)] or groups
    if by in {("weekday",), ("part_of_day",), ("hour_of_day",)}:
        groups.sort(key=lambda group: (group.is_other, int(group.keys[0] or 99)))
        drawn = groups
    drawn = [*drawn[: _BARS - 1], drawn[-1]] if len(drawn) > _BARS else drawn
    name = "This period" if report.before else shown.words
    series = [Series(name, [value_of(shown, group.now) for group in drawn])]
    if report.before is not None:
        series.append(Series("Before", [value_of(shown, group.before) for group in drawn]))
    names = [group.name for group in drawn]
    if drawn:
        made.chart = twice(
            lambda width: bars(names, series, width=width, words=shown.axis), keys_of_fills(series)
        )
    if by:
        made.chart_title = f"{shown.words} by {', '.join(DIMENSIONS[name].lower() for name in by)}"
    if len(groups) > _BARS:
        made.notes.append(
            f"Drawn are {len(drawn)} of {len(groups):,}; the table has {min(len(groups), _ROWS):,}."
        )
    made.tables.append(_table_of_groups(made, groups, compared=report.before is not None))
    say_of_groups(made, groups, report)


def _table_of_groups(made: Answer, groups: Sequence[Group], *, compared: bool) -> Table:
    shown, by = made.shown, made.asked.by
    has_share = shown.over is None and bool(by) and bool(made.total.number)
    heads = [*(DIMENSIONS[name] for name in by)] or ["All"]
    heads += [shown.words, *(["Share"] if has_share else []), *(["Before", "Change"] if compared else [])]
    rows: list[list[str | Value]] = []
    # What "Other" is the sum of may differ between the periods.
    is_alike = not any(is_hidden(shown, group.now) or is_hidden(shown, group.before) for group in groups)
    listed = groups if len(groups) <= _ROWS else [*groups[: _ROWS - 1], groups[-1]]
    for group in listed:
        now = value_of(shown, group.now)
        row: list[str | Value] = [in_words(name, key) for name, key in zip(by, group.keys, strict=True)]
        row = row or ["All"]
        row.append(now)
        if has_share:
            share = None if now.number is None else 100 * now.number / (made.total.number or 1)
            row.append("–" if share is None else f"{share:.0f}\N{NO-BREAK SPACE}%")
        if compared:
            was = value_of(shown, group.before)
            row += [was, changed(now, was) if is_alike or not group.is_other else "–"]
        rows.append(row)
    return Table(made.chart_title, heads, rows)


# --- ... over time ------------------------------------------------------------------------------------------------


def _answer_over_time(made: Answer, report: Report, client: Client, whole: Report) -> None:
    """:param whole: the same of the period as one step, for what the lines are told apart by."""
    asked, shown, zone = made.asked, made.shown, client.time_zone
    keys = steps_of(asked.step, asked.first_on, asked.last_on)
    labels = [label_of(asked.step, key) for key in keys]
    groups = groups_of(whole, asked.by, shown) if asked.by else []
    names, values_of_lines = _lines(report, groups, keys, shown, zone)
    dashed: list[int] = []
    series = [Series(name, values) for name, values in zip(names, values_of_lines, strict=True)]
    if report.before is not None and not asked.by:
        first, last = before(asked.first_on, asked.last_on)
        _, was = _lines(report.before, (), steps_of(asked.step, first, last), shown, zone)
        values = [*was[0], *[Value(None, "–")] * len(keys)][: len(keys)]
        series = [Series("This period", values_of_lines[0]), Series("Before", values)]
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
        if len(series) > 1 or asked.by
        else [asked.step.capitalize(), shown.words]
    )
    if asked.by:
        table = _table_of_groups(made, groups, compared=whole.before is not None)
        made.tables.append(replace(table, title=f"{shown.words} of the whole period"))
        say_of_groups(made, groups, whole)
    else:
        say_of_time(made, report, dict(zip(keys, values_of_lines[0], strict=True)))
    made.tables.insert(0, Table(made.chart_title, heads, rows, [_began(key) for key in keys]))


def _began(key: str) -> date:
    """When a step began: its day, or its hour as the client's clock shows it."""
    return date.fromisoformat(key) if len(key) == len("2026-11-24") else datetime.fromisoformat(f"{key}:00")


def _instants(key: str, zone: str) -> list[At]:
    """What rows of a step are called: its day, or the instants at which the clock shows its hour."""
    if len(key) == len("2026-11-24"):
        return [date.fromisoformat(key)]
    hour = datetime.fromisoformat(f"{key}:00").replace(tzinfo=ZoneInfo(zone))
    return list({hour.replace(fold=fold).astimezone(UTC): None for fold in (0, 1)})


def _lines(
    report: Report, groups: Sequence[Group], keys: Sequence[str], shown: Shown, zone: str
) -> tuple[list[str], list[list[Value]]]:
    """Names and values of the lines to draw: the largest groups, and all others as one where they can be added."""
    placed: dict[str | None, list[Row]] = {}
    for row in report.rows:
        placed.setdefault(step_of_row(row, zone), []).append(row)

    def of_step(key: str, wanted: tuple[str | None, ...]) -> Row | None:
        rows = [row for row in placed.get(key, []) if row.keys == wanted]
        there = {row.at for row in rows}
        rows += [report.empty(at, wanted) for at in _instants(key, zone) if at not in there]
        return together(rows)

    drawn = [group for group in groups if not (group.is_other or is_hidden(shown, group.now))][:_LINES]
    names = [group.name for group in drawn] if groups else [shown.words]
    wanted = [group.keys for group in drawn] if groups else [()]
    rows = [[of_step(key, one) for key in keys] for one in wanted]
    lines = [[value_of(shown, row) for row in line] for line in rows]
    others = [group for group in groups if group not in drawn]
    if groups and (not drawn or (others and shown.over is None)):
        names.append(others[0].name if len(others) == 1 else OTHER)
        lines.append(
            [
                _of_others(
                    shown, report, placed.get(key, []), [line[place] for line in rows], _instants(key, zone)
                )
                for place, key in enumerate(keys)
            ]
        )
    return names, lines


def _of_others(
    shown: Shown, report: Report, every: Sequence[Row], drawn: Sequence[Row | None], instants: Sequence[At]
) -> Value:
    """What a step has besides its drawn rows; suppressed where one of these is, so that it is no part of them."""
    parts = [row for row in drawn if row is not None]
    if any(value_of(shown, row).hidden for row in parts) or any(map(report.rest.may_add_to_step, instants)):
        return suppressed()
    whole = together([replace(row, is_partial=False) for row in every])
    return value_of(shown, without(whole, parts) if whole else None)


# --- ... by hours and by place --------------------------------------------------------------------------------------


def _answer_by_hours(made: Answer, report: Report) -> None:
    rows = {row.keys: row for row in report.rows}
    of_day = report.asked.dimensions[1]
    hours: Sequence[int] = PARTS if of_day is Dimension.PART_OF_DAY else range(24)

    def value(weekday: int, hour: int) -> Value:
        keys = (str(weekday), str(hour))
        return value_of(made.shown, rows.get(keys) or report.empty(None, keys))

    values = [[value(weekday, hour) for hour in hours] for weekday in range(1, 8)]
    names = [in_words(of_day, str(hour)) for hour in hours]
    made.chart = heat_of(values, names, made.shown)
    made.chart_title = f"{made.shown.words} by weekday and {of_day.label.lower()}"
    heads = [of_day.label, *WEEKDAYS]
    lines: list[list[str | Value]] = [
        [name, *(row[place] for row in values)] for place, name in enumerate(names)
    ]
    made.tables.append(Table(made.chart_title, heads, lines))
    say_of_hours(made, values, names)


def _answer_by_place(made: Answer, report: Report) -> None:
    kind, shown = made.asked.kind, made.shown
    groups = groups_of(report, ("region",), shown)
    if kind == "countries":
        groups = _by_country(groups, report, shown)
    values: dict[str, Value] = {}
    for group in groups:
        code = _code_of(kind, group.keys[0])
        if code is not None:
            values[code] = value_of(shown, group.now)
    # A region without a value may have calls of a few people, as long as some calls' region is hidden.
    rest = Value(None, "none, or suppressed", hidden=True) if report.rest.hidden else Value(0, "none")
    place: maps.Place = "states" if kind == "states" else "countries"
    made.chart = map_of(place, values, shown, rest=rest)
    made.chart_title = f"{shown.words} by {'state' if kind == 'states' else 'country'}"
    made.asked = replace(made.asked, by=("region",))
    table = _table_of_groups(made, groups, compared=report.before is not None)
    made.tables.append(
        replace(table, heads=["Country" if kind == "countries" else "Region", *table.heads[1:]])
    )
    left = maps.elsewhere(place, values)
    if left:
        made.notes.append(
            "Not on this map, but in the table: " + ", ".join(place_name(code) for code in left[:12]) + "."
        )
    say_of_groups(made, groups, report)


def _by_country(groups: Sequence[Group], report: Report, shown: Shown) -> list[Group]:
    """The regions of each country as one; true where no region is hidden, which may be of any country."""
    several: dict[str, list[Group]] = {}
    for group in groups:
        if not group.is_other:
            several.setdefault((group.keys[0] or "").partition("-")[0], []).append(group)

    def whole(rows: Sequence[Row | None], of: Report | None) -> Row | None:
        row = together([row for row in rows if row is not None])
        return None if row is None or of is None else replace(row, is_partial=bool(of.rest.hidden))

    regions = [
        Group((key,), in_words("region", key), now, whole([one.before for one in some], report.before))
        for key, some in several.items()
        if (now := whole([one.now for one in some], report)) is not None
    ]
    regions.sort(key=lambda group: (is_hidden(shown, group.now), -group.now.calls, group.name))
    other = other_of(report, ("region",), shown, regions)
    return [*regions, other] if other is not None else regions


def _code_of(kind: str, value: str | None) -> str | None:
    """The code of a region on the map: a state's own, or a country's; None for what is none of them."""
    if not value:
        return None
    country, _, region = value.partition("-")
    if kind == "countries":
        return country
    return region if country == "US" and "|" not in region and region else None


# --- Papers -------------------------------------------------------------------------------------------------------


def _cell_of(cell: str | Value) -> Cell:
    return cell if isinstance(cell, str) else cell_of(cell)


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
        rows=[
            [*table.steps[place : place + 1], *map(_cell_of, row[len(table.steps[:1]) :])]
            for place, row in enumerate(table.rows)
        ],
        money=made.shown.money,
        amounts={place for row in table.rows for place, cell in enumerate(row) if isinstance(cell, Value)}
        if made.shown.is_money
        else frozenset(),
        drawing=made.chart.wide if made.chart else None,
        drawing_title=made.chart_title,
        keys=made.chart.keys if made.chart else [],
    )
