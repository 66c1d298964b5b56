"""
The explorer's answers: cells as they may be told, drawn and tabled, with the sentence that stands over them.

Nothing here reads a call. `reports` tells only what may be told of several callers together; what it does not tell
is shown here as not told, and is never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from analytics.channels.paper import Cell, Paper
from analytics.charts import headline, maps
from analytics.charts.figure import Chart, Key, keys_of_fills, keys_of_lines, keys_of_shades
from analytics.charts.scale import compact
from analytics.charts.shapes import COLOURS, NARROW, WIDE, Drawing, Series, Value, bars, columns, heat, line
from analytics.enums import LENGTH_LABELS, REPEATED_LABELS, Dimension, Measure, Step
from analytics.selectors import reports
from analytics.selectors.asked import OVER_TIME, Asked, before, end_of
from analytics.selectors.reports import Figure, Report, Row
from callprivacy.calls.enums import Direction, Outcome
from callprivacy.tenancy.models import Client
from consent.law import places

WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
UNTOLD: Final = "Not told"
_BARS: Final = 20
_LINES: Final = COLOURS - 1
_ROWS: Final = 500
_NO_PATTERN: Final = "No clear pattern: no difference here passes the test."


@dataclass(frozen=True, slots=True)
class Shown:
    """
    What is shown of a cell: one count, or one over another.

    :ivar over: what it is divided by; None for a count.
    :ivar unit: how much of the count makes one of what is shown: 60 for seconds shown as minutes, 100 for cents.
    """

    words: str
    of: Measure
    written: Callable[[float], str]
    over: Measure | None = None
    unit: float = 1

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What has to be counted for it."""
        return (self.of,) if self.over is None else (self.of, self.over)

    @property
    def is_count(self) -> bool:
        """Whether it counts calls, so that differences can be tested as those of counts."""
        return self.over is None and self.unit == 1 and self.of is not Measure.CALLERS

    @property
    def is_share(self) -> bool:
        """Whether it is the share of calls of which something is so."""
        return self.over is Measure.CALLS and self.unit == 1

    @property
    def axis(self) -> Callable[[float], str]:
        """How it is written beside an axis."""
        return _percent if self.is_share else compact

    @property
    def noun(self) -> str:
        """What is counted, within a sentence."""
        return {Measure.CALLS: "calls", Measure.OPTED_OUT: "calls"}.get(
            self.of, self.words[:1].lower() + self.words[1:]
        )


def _count(number: float) -> str:
    return f"{number:,.0f}"


def _percent(number: float) -> str:
    return f"{number:.0f}\N{NO-BREAK SPACE}%"


def _money(number: float) -> str:
    return f"{number:,.2f}"


def _minutes(number: float) -> str:
    return f"{number:,.1f} min"


SHOWN: Final = {
    "calls": Shown("Calls", Measure.CALLS, _count),
    "answered": Shown("Calls answered", Measure.ANSWERED, _count),
    "answered_share": Shown("Share answered", Measure.ANSWERED, _percent, over=Measure.CALLS),
    "conversions": Shown("Qualified calls", Measure.CONVERSIONS, _count),
    "conversion_rate": Shown("Share qualified", Measure.CONVERSIONS, _percent, over=Measure.CALLS),
    "value": Shown("Value", Measure.VALUE, _money, unit=100),
    "minutes": Shown("Minutes on the phone", Measure.SECONDS, _minutes, unit=60),
    "length": Shown("Average length", Measure.SECONDS, _minutes, over=Measure.CALLS, unit=60),
    "callers": Shown("Callers a day, added up", Measure.CALLERS, _count),
    "recorded": Shown("Recordings kept", Measure.RECORDED, _count),
    "withheld": Shown("Recordings withheld", Measure.WITHHELD, _count),
    "opted_out": Shown("Not measured: opted out", Measure.OPTED_OUT, _count),
}
MEASURES: Final = {name: shown.words for name, shown in SHOWN.items()}
DIMENSIONS: Final = {one.value: one.label for one in Dimension if one is not Dimension.CLIENT}
FILTERS: Final = {one.value: one.label for one in reports.COLUMNS}


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the page: heads, and rows of words and values."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str | Value]]


@dataclass(slots=True)
class Answer:
    """
    What the explorer found.

    :ivar said: the sentence over it; `found`: whether it says something.
    :ivar least: fewest callers that stand behind each number.
    """

    asked: Asked
    shown: Shown
    total: Value
    least: int
    total_before: Value | None = None
    said: str = _NO_PATTERN
    found: bool = False
    chart: Chart | None = None
    chart_title: str = ""
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_empty: bool = False

    @property
    def total_words(self) -> str:
        """The whole of it in words, under the picture's title."""
        words = f"{self.total.words} in all" if not self.shown.over else f"{self.total.words} overall"
        if self.total_before is not None:
            words += (
                f"; {self.total_before.words} in the period before ({changed(self.total, self.total_before)})"
            )
        return words


# --- Values -------------------------------------------------------------------------------------------------------


def value_of(shown: Shown, row: Row | None) -> Value:
    """
    A row's number in words; a range where it is not told of some calls whether they count.

    No row is no call, for a count; for a share it is nothing.
    """
    if row is None:
        return Value(None, "–") if shown.over else Value(0.0, shown.written(0))
    figure = row.figures.get(shown.of, Figure(0))
    if shown.over is None:
        low, high = figure.value / shown.unit, (figure.value + figure.unknown) / shown.unit
        words = shown.written(low) if figure.is_told else f"{shown.written(low)} to {shown.written(high)}"
        return Value(low, words)
    over = row.figures.get(shown.over, Figure(0)).value
    if not over:
        return Value(None, "–")
    if not shown.is_share:
        number = figure.value / over / shown.unit
        return Value(number, shown.written(number))
    low, high = 100 * figure.value / over, 100 * (figure.value + figure.unknown) / over
    words = (
        shown.written(low)
        if shown.written(low) == shown.written(high)
        else f"{low:.0f} to {high:.0f}\N{NO-BREAK SPACE}%"
    )
    known = over - figure.unknown
    return Value(100 * figure.value / known if known > 0 else None, words, hidden=known <= 0)


def _untold(value: Value) -> Value:
    """The same, as a sum of which it is not told what is behind it."""
    return Value(value.number, value.words, hidden=True)


def _together(rows: Sequence[Row]) -> Row | None:
    """Several rows as one; None of none."""
    if not rows:
        return None
    names = {measure for row in rows for measure in row.figures}
    figures = {}
    for measure in names:
        found = [row.figures.get(measure, Figure(0)) for row in rows]
        figures[measure] = Figure(sum(one.value for one in found), sum(one.unknown for one in found))
    return Row(None, (), sum(row.calls for row in rows), figures)


def changed(now: Value, was: Value) -> str:
    """By how much a number differs from the one before, in words."""
    if now.number is None or not was.number:
        return "–"
    return f"{(now.number / was.number - 1) * 100:+.0f}\N{NO-BREAK SPACE}%".replace("-", "−")


def cell_of(value: Value) -> Cell:
    """A value as a cell of a file: a number where it is one, else its words."""
    if value.number is None or " to " in value.words:
        return value.words
    return int(value.number) if value.number == int(value.number) else round(value.number, 2)


# --- Words --------------------------------------------------------------------------------------------------------


def in_words(dimension: str, value: str | None) -> str:
    """A dimension's value as it is read: a region by its name, a weekday by its own, None as not told."""
    if value is None:
        return UNTOLD
    known: dict[str, Mapping[str, str]] = {
        "length": LENGTH_LABELS,
        "repeated": REPEATED_LABELS,
        "direction": dict(Direction.choices),
        "outcome": dict(Outcome.choices),
        "weekday": {str(place): name for place, name in enumerate(WEEKDAYS, 1)},
    }
    if dimension in known:
        return str(known[dimension].get(value, value or "none"))
    if dimension == "hour_of_day":
        return f"{int(value):02d}:00"
    if dimension == "region" and value:
        return place_name(value)
    return value or "none"


def place_name(value: str) -> str:
    """A region's or country's name, such as of "US-CA", "DE", or "CA-NS|PE" where two share an area code."""
    country, _, regions = value.partition("-")
    if not regions:
        return _upper(places.name(country))
    return _upper(" or ".join(places.name(country, region) for region in regions.split("|")))


def _upper(name: str) -> str:
    return name[:1].upper() + name[1:]


def name_of(by: Sequence[str], keys: Sequence[str | None]) -> str:
    """The values of several dimensions as one name."""
    if keys and all(key is None for key in keys):
        return UNTOLD
    return ", ".join(in_words(dimension, key) for dimension, key in zip(by, keys, strict=True)) or "All"


def choices_of(client: Client) -> dict[str, list[tuple[str, str]]]:
    """Dimension -> (value, words) of what may be filtered by: values that reports tell; one query each."""
    found: dict[str, list[tuple[str, str]]] = {}
    for dimension in reports.COLUMNS:
        values = [value for value in reports.values_of([client.pk], dimension) if value]
        found[dimension.value] = [(value, in_words(dimension.value, value)) for value in values]
    return found


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


def _label(step: str, key: str) -> str:
    day = date.fromisoformat(key[:10])
    if step == "hour":
        return f"{day:%-d %b} {key[11:13]}:00"
    return f"{day:%b %Y}" if step == "month" else f"{day:%-d %b}"


# --- Pictures -----------------------------------------------------------------------------------------------------


def _twice(draw: Callable[[int], Drawing], keys: list[Key]) -> Chart:
    return Chart(draw(WIDE), draw(NARROW), keys)


def _over_time(
    kind: str, labels: Sequence[str], series: Sequence[Series], shown: Shown, dashed: Sequence[int]
) -> Chart:
    if kind == "line":
        return _twice(
            lambda width: line(labels, series, width=width, words=shown.axis, dashed=dashed),
            keys_of_lines(series, dashed=dashed),
        )
    stacked = kind == "stacked" and not shown.over and not dashed
    return _twice(
        lambda width: columns(labels, series, width=width, words=shown.axis, stacked=stacked),
        keys_of_fills(series),
    )


def _heat(values: Sequence[Sequence[Value]], shown: Shown) -> Chart:
    hours = [f"{hour:02d}" for hour in range(24)]
    top = max((value.number or 0 for row in values for value in row), default=0)
    is_hidden = any(value.hidden for row in values for value in row)
    return _twice(
        lambda width: heat(WEEKDAYS, hours, values, width=width, words=shown.axis),
        keys_of_shades(top, has_hidden=is_hidden, words=shown.axis),
    )


def _map(kind: str, values: Mapping[str, Value], shown: Shown) -> Chart:
    squares = maps.STATES if kind == "states" else maps.COUNTRIES
    names = {code: place_name(f"US-{code}" if kind == "states" else code) for code in squares}
    here = {code: value for code, value in values.items() if code in squares}
    top = max((value.number or 0 for value in here.values()), default=0)
    wide, narrow = (
        maps.tiles(squares, here, names, width=width, words=shown.axis) for width in (WIDE, NARROW)
    )
    has_hidden = any(value.hidden for value in here.values())
    keys = keys_of_shades(top, has_hidden=has_hidden, words=shown.axis)
    return Chart(wide, narrow, keys, is_small=kind == "states")


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


def report_of(query: reports.Asked, first: date, last: date) -> Report:
    """
    A report, with that of the period before beside it.

    :param first: and :param last: the period's days, both included.
    """
    was_first, was_last = before(first, last)
    return replace(
        reports.report(query),
        before=reports.report(replace(query, first=was_first, last=was_last + timedelta(days=1))),
    )


def answer(client: Client, asked: Asked) -> Answer:
    """
    Answer a question from cells alone.

    :raises ReportError: nothing answers it; the text says what to ask instead.
    """
    shown = SHOWN[asked.measure]
    query = query_of(client, asked)
    report = report_of(query, asked.first_on, asked.last_on) if asked.compare else reports.report(query)
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
            " calls. They are in the total. Fewer dimensions or longer steps tell more of them."
        )
    if report.unplaced:
        notes.append(
            f"Of {report.unplaced:,} more calls it is not told whether they lie in this period or fit the filters: too"
            " few people would be left. They are not counted. Whole months are told best."
        )
    return notes


# --- ... by dimensions --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Group:
    """The rows of one set of values as one, now and in the period before."""

    keys: tuple[str | None, ...]
    name: str
    now: Row | None
    before: Row | None

    @property
    def is_whole(self) -> bool:
        return None not in self.keys


def untold_of(report: Report) -> Row | None:
    """
    What is in a report's total and in none of its rows, or in rows of which no value is told: of some group, not told
    which.
    """
    told = _together([row for row in report.rows if any(key is not None for key in row.keys)])
    calls = report.total.calls - (told.calls if told else 0)
    if calls <= 0:
        return None
    figures = {}
    for measure, figure in report.total.figures.items():
        known = told.figures.get(measure, Figure(0)).value if told else 0
        value = max(0, figure.value - known)
        is_sum = measure in {Measure.CALLS, Measure.SECONDS, Measure.VALUE}
        figures[measure] = Figure(value, 0 if is_sum else max(0, calls - value))
    return Row(None, tuple(None for _ in report.asked.dimensions), calls, figures)


def slack_of(report: Report, measure: Measure) -> int:
    """How much more of a measure any one group may have: what is not told of calls, and calls that may not belong."""
    row = untold_of(report)
    figure = row.figures.get(measure, Figure(0)) if row is not None else Figure(0)
    parts = sum(
        row.figures.get(measure, Figure(0)).value + row.figures.get(measure, Figure(0)).unknown
        for row in report.rows
        if None in row.keys and any(key is not None for key in row.keys)
    )
    return figure.value + figure.unknown + parts + report.unplaced


def _groups(report: Report, by: Sequence[str]) -> list[_Group]:
    """A group for each set of values, most calls first, those that are not told last."""
    now, was = _by_keys(report.rows), _by_keys(report.before.rows if report.before else ())
    if by:
        for rows, one in ((now, report), (was, report.before)):
            rows.pop(tuple(None for _ in by), None)
            untold = untold_of(one) if one is not None else None
            if untold is not None:
                rows[untold.keys] = untold
    found = [_Group(keys, name_of(by, keys), now.get(keys), was.get(keys)) for keys in {**now, **was}]
    return sorted(
        found, key=lambda group: (not group.is_whole, -(group.now.calls if group.now else 0), group.name)
    )


def _by_keys(rows: Sequence[Row]) -> dict[tuple[str | None, ...], Row]:
    found: dict[tuple[str | None, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(row.keys, []).append(row)
    return {keys: together for keys, several in found.items() if (together := _together(several)) is not None}


def _shown_of(shown: Shown, group: _Group, row: Row | None) -> Value:
    value = value_of(shown, row)
    return value if group.is_whole else _untold(value)


def _answer_by_groups(made: Answer, report: Report) -> None:
    by = made.asked.by
    groups = _groups(report, by)
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
    made.chart = _twice(
        lambda width: bars(names, series, width=width, words=made.shown.axis), keys_of_fills(series)
    )
    if by:
        made.chart_title = f"{made.shown.words} by {', '.join(DIMENSIONS[name].lower() for name in by)}"
    if len(groups) > len(drawn):
        made.notes.append(
            f"Drawn are the {len(drawn)} largest of {len(groups):,}; the table has {min(len(groups), _ROWS):,}."
        )
    made.tables.append(_table_of_groups(made, groups, compared=report.before is not None))
    _say_of_groups(made, [group for group in groups if group.is_whole], report)


def _table_of_groups(made: Answer, groups: Sequence[_Group], *, compared: bool) -> Table:
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
            row.append(f"{100 * (now.number or 0) / (made.total.number or 1):.0f}\N{NO-BREAK SPACE}%")
        if compared:
            was = value_of(shown, group.before)
            row += [was, changed(now, was)]
        rows.append(row)
    return Table(made.chart_title, heads, rows)


# --- ... over time ------------------------------------------------------------------------------------------------


def _answer_over_time(made: Answer, report: Report, client: Client) -> None:
    asked, shown, zone = made.asked, made.shown, client.time_zone
    keys = steps_of(asked.step, asked.first_on, asked.last_on)
    labels = [_label(asked.step, key) for key in keys]
    names, found = _lines(report, asked.by, keys, shown, zone)
    dashed: list[int] = []
    series = [Series(name, values) for name, values in zip(names, found, strict=True)]
    if report.before is not None and not asked.by:
        first, last = before(asked.first_on, asked.last_on)
        _, was = _lines(report.before, (), steps_of(asked.step, first, last), shown, zone)
        values = [*was[0], *[Value(None, "–")] * len(keys)][: len(keys)]
        series = [Series("This period", found[0]), Series("Before", values)]
        dashed = [1]
    made.chart = _over_time(asked.kind, labels, series, shown, dashed)
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
        groups = _groups(report, asked.by)
        made.tables.append(_table_of_groups(made, groups, compared=report.before is not None))
        made.tables[0] = Table(
            f"{shown.words} of the whole period", made.tables[0].heads, made.tables[0].rows
        )
        _say_of_groups(made, [group for group in groups if group.is_whole], report)
    else:
        _say_of_time(made, report, dict(zip(keys, found[0], strict=True)))
    made.tables.insert(0, Table(made.chart_title, heads, rows))


def _lines(
    report: Report, by: Sequence[str], keys: Sequence[str], shown: Shown, zone: str
) -> tuple[list[str], list[list[Value]]]:
    """Names and values of the lines to draw: the largest groups, and the others as one where they can be added."""
    placed: dict[tuple[str | None, tuple[str | None, ...]], list[Row]] = {}
    for row in report.rows:
        placed.setdefault((step_of_row(row, zone), row.keys), []).append(row)
    is_partly_told = report.unplaced > 0 or any(step is None for step, _ in placed)
    groups = _groups(report, by) if by else [_Group((), shown.words, None, None)]
    drawn = [group for group in groups if group.is_whole][:_LINES]
    others = [group for group in groups if group not in drawn]

    def values(several: Sequence[_Group]) -> list[Value]:
        found = []
        for key in keys:
            row = _together([row for group in several for row in placed.get((key, group.keys), [])])
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
    found = _by_keys(report.rows)
    is_partly_told = report.unplaced > 0 or any(None in keys for keys in found)

    def value(weekday: int, hour: int) -> Value:
        row = found.get((str(weekday), str(hour)))
        if row is None and is_partly_told:
            return Value(None, UNTOLD.lower(), hidden=True)
        return value_of(made.shown, row)

    values = [[value(weekday, hour) for hour in range(24)] for weekday in range(1, 8)]
    made.chart = _heat(values, made.shown)
    made.chart_title = f"{made.shown.words} by weekday and hour"
    heads = ["Hour", *WEEKDAYS]
    made.tables.append(
        Table(
            made.chart_title,
            heads,
            [[f"{hour:02d}:00", *(row[hour] for row in values)] for hour in range(24)],
        )
    )
    _say_of_hours(made, values, slack_of(report, made.shown.of))


def _answer_by_place(made: Answer, report: Report) -> None:
    kind, shown = made.asked.kind, made.shown
    several: dict[str, list[Row]] = {}
    for row in report.rows:
        code = _square_of(kind, row.keys[0])
        if code is not None:
            several.setdefault(code, []).append(row)
    values = {code: value_of(shown, _together(rows)) for code, rows in several.items()}
    made.chart = _map(kind, values, shown)
    made.chart_title = f"{shown.words} by {'state' if kind == 'states' else 'country'}"
    groups = _groups(report, ("region",))
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
    made.tables.append(_table_of_groups(made, groups, compared=report.before is not None))
    left = maps.elsewhere(maps.STATES if kind == "states" else maps.COUNTRIES, values)
    if left:
        made.notes.append(
            "Not on this map, but in the table: " + ", ".join(place_name(code) for code in left[:12]) + "."
        )
    _say_of_groups(made, [group for group in groups if group.is_whole], report)


def _square_of(kind: str, value: str | None) -> str | None:
    """The square of a region: a state's own code, or a country's; None for what is none of them."""
    if not value:
        return None
    country, _, region = value.partition("-")
    if kind == "countries":
        return country
    return region if country == "US" and "|" not in region and region else None


# --- Sentences ----------------------------------------------------------------------------------------------------


def _say(made: Answer, words: str) -> None:
    made.said, made.found = words, True


def _counts(shown: Shown, rows: Sequence[Row | None]) -> list[int]:
    return [row.figures.get(shown.of, Figure(0)).value if row else 0 for row in rows]


def _say_of_groups(made: Answer, groups: Sequence[_Group], report: Report) -> None:
    """Of shares: a group whose share differs from all others'. Of counts: a group that changed, where it is asked."""
    shown = made.shown
    now = [group.now for group in groups]
    if shown.is_share:
        counts = _counts(shown, now)
        known = [
            (row.calls - row.figures.get(shown.of, Figure(0)).unknown) if row is not None else 0
            for row in now
        ]
        best = headline.stands_out(counts, known) or headline.stands_out(counts, known, fewer=True)
        if best is not None:
            _say(
                made,
                f"{groups[best.place].name}: the {shown.words.lower()} is {headline.times(best.ratio)}"
                " that of all others together, among the calls of which it is told.",
            )
        return
    if not shown.is_count:
        made.said = "No sentence is said about sums and averages: the test is one of counts."
        return
    if made.asked.by in {("weekday",), ("hour_of_day",)} and report.before is None:
        _say_of_cycle(made, groups, slack_of(report, shown.of))
        return
    if report.before is None:
        made.said = "Compare with the period before, and what changed is tested."
        return
    was = _counts(shown, [group.before for group in groups])
    slack = (slack_of(report, shown.of), slack_of(report.before, shown.of))
    best = headline.changed(_counts(shown, now), was, length=_length(made.asked), slack=slack)
    if best is not None:
        least = "at least " if any(slack) and best.ratio > 1 else ""
        _say(made, f"{groups[best.place].name}: {least}{_change_in_words(best.ratio, shown.noun)}")


def _length(asked: Asked) -> float:
    """How long the period is in lengths of the one before."""
    first, last = before(asked.first_on, asked.last_on)
    return asked.days / ((last - first).days + 1)


def _change_in_words(ratio: float, noun: str) -> str:
    if ratio == float("inf"):
        return f"some {noun}, where there were none in the period before."
    if not ratio:
        return f"no {noun} any more, where there were some in the period before."
    if ratio >= 1:
        return f"{headline.times(ratio)} as many {noun} as in the period before."
    return f"{ratio * 100:.0f} % or less of the {noun} of the period before."


def _say_of_cycle(made: Answer, groups: Sequence[_Group], slack: int) -> None:
    """A weekday, or an hour of the day, that has more than the others."""
    asked, is_day = made.asked, made.asked.by == ("weekday",)
    days = [asked.first_on + timedelta(days=back) for back in range(asked.days)]
    lengths = [float(sum(day.isoweekday() == weekday for day in days)) for weekday in range(1, 8)]
    exposures = [lengths[int(group.keys[0] or 1) - 1] if is_day else float(asked.days) for group in groups]
    counts = _counts(made.shown, [group.now for group in groups])
    best = headline.stands_out(counts, exposures, slack=[slack] * len(counts))
    if best is not None:
        name = groups[best.place].name
        each = f"{name}s bring" if is_day else f"The hour from {name} brings"
        others = "other days" if is_day else "other hours"
        _say(
            made, f"{each} {headline.times(best.ratio)} as many {made.shown.noun} as the average of {others}."
        )


def _say_of_hours(made: Answer, values: Sequence[Sequence[Value]], slack: int) -> None:
    """An hour of a weekday that has more than the same hour of the other days."""
    if not made.shown.is_count:
        made.said = "No sentence is said about shares, sums and averages by the hour."
        return
    asked = made.asked
    days = [asked.first_on + timedelta(days=back) for back in range(asked.days)]
    lengths = [float(sum(day.weekday() == weekday for day in days)) for weekday in range(7)]
    groups = [
        (
            [int(values[weekday][hour].number or 0) for weekday in range(7)],
            lengths,
        )
        for hour in range(24)
    ]
    best = headline.stands_out_within(groups, slack=slack)
    if best is not None:
        hour, finding = best
        _say(
            made,
            f"{WEEKDAYS[finding.place]}s at {hour:02d}:00 bring {headline.times(finding.ratio)} as many"
            f" {made.shown.noun} as {hour:02d}:00 on the other days.",
        )


def _say_of_time(made: Answer, report: Report, found: Mapping[str, Value]) -> None:
    """Against the period before where it is asked, else a weekday that has more than the others."""
    shown, asked = made.shown, made.asked
    if not shown.is_count:
        made.said = "No sentence is said about shares, sums and averages over time."
        return
    days: dict[int, list[int]] = {weekday: [] for weekday in range(7)}
    if asked.step == "day":
        for key, value in found.items():
            days[date.fromisoformat(key).weekday()].append(int(value.number or 0))
    spread = headline.dispersion(list(days.values()))
    if report.before is not None:
        both = (report, report.before)
        counts = [one.total.figures.get(shown.of, Figure(0)) for one in both]
        slack = [figure.unknown + one.unplaced for figure, one in zip(counts, both, strict=True)]
        best = headline.changed(
            [counts[0].value],
            [counts[1].value],
            length=_length(asked),
            dispersion=spread,
            slack=(slack[0], slack[1]),
            at_least=1.2,
        )
        if best is not None:
            _say(
                made,
                _upper(
                    ("at least " if any(slack) and best.ratio > 1 else "")
                    + _change_in_words(best.ratio, shown.noun)
                ),
            )
        return
    total = report.total.figures.get(shown.of, Figure(0))
    untold = max(0, total.value + total.unknown - sum(map(sum, days.values()))) + report.unplaced
    best = headline.stands_out(
        [sum(days[weekday]) for weekday in range(7)],
        [float(len(days[weekday])) for weekday in range(7)],
        dispersion=spread,
        slack=[untold] * 7,
    )
    if best is not None:
        _say(
            made,
            f"{WEEKDAYS[best.place]}s bring {headline.times(best.ratio)} as many {shown.noun} as the average of other"
            " days.",
        )


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
        columns=list(table.heads),
        rows=[[cell if isinstance(cell, str) else cell_of(cell) for cell in row] for row in table.rows],
        drawing=made.chart.wide if made.chart else None,
        drawing_title=made.chart_title,
        keys=[key.name for key in made.chart.keys] if made.chart else [],
    )
