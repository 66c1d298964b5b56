"""What reports show of cells: measures, dimensions and values, in numbers and in words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from analytics.channels.paper import SUPPRESSED, Cell
from analytics.charts import maps
from analytics.enums import LENGTH_LABELS, PARTS, REPEATED_LABELS, Dimension, Measure
from analytics.selectors import exact, reports
from analytics.selectors.reports import NO_FIGURE, Figure, Row
from callprivacy.calls.enums import Direction, Outcome
from callprivacy.lib.charts.scale import compact
from callprivacy.lib.charts.shapes import Value
from callprivacy.lib.money import DOLLARS, Money
from callprivacy.tenancy.models import Client
from consent.law import places

WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
OTHER: Final = "Other"


@dataclass(frozen=True, slots=True)
class Shown:
    """
    What is shown of a cell: one count, or one over another.

    :ivar over: what it is divided by; None for a count.
    :ivar unit: how much of the count makes one of what is shown: 60 for seconds shown as minutes, 100 for cents.
    """

    words: str
    of: Measure
    write: Callable[[Money, float], str]
    over: Measure | None = None
    unit: float = 1
    money: Money = DOLLARS

    def written(self, number: float) -> str:
        """A number as the client's readers write it."""
        return self.write(self.money, number)

    @property
    def is_money(self) -> bool:
        """Whether it is an amount of the client's currency."""
        return self.of is Measure.VALUE

    @property
    def measures(self) -> tuple[Measure, ...]:
        return (self.of,) if self.over is None else (self.of, self.over)

    @property
    def is_count(self) -> bool:
        """Whether it counts calls, so that differences can be tested as those of counts."""
        return self.over is None and self.unit == 1 and self.of is not Measure.CALLERS

    @property
    def is_share(self) -> bool:
        return self.over is Measure.CALLS and self.unit == 1

    @property
    def axis(self) -> Callable[[float], str]:
        """How it is written beside an axis."""
        if self.is_money:
            return lambda number: self.money.short_amount(compact(number))
        return self.written if self.is_share else lambda number: self.money.short(compact(number))

    @property
    def noun(self) -> str:
        """What is counted, within a sentence."""
        return {Measure.CALLS: "calls", Measure.OPTED_OUT: "calls"}.get(
            self.of, self.words[:1].lower() + self.words[1:]
        )


def _count(money: Money, number: float) -> str:
    return money.number(number)


def _percent(_: Money, number: float) -> str:
    return f"{number:.0f}\N{NO-BREAK SPACE}%"


def _minutes(money: Money, number: float) -> str:
    return f"{money.number(number, 1)} min"


SHOWN: Final = {
    "calls": Shown("Calls", Measure.CALLS, _count),
    "answered": Shown("Calls answered", Measure.ANSWERED, _count),
    "answered_share": Shown("Share answered", Measure.ANSWERED, _percent, over=Measure.CALLS),
    "missed": Shown("Calls missed", Measure.MISSED, _count),
    "missed_share": Shown("Share missed", Measure.MISSED, _percent, over=Measure.CALLS),
    "voicemail": Shown("Calls to voicemail", Measure.VOICEMAIL, _count),
    "first": Shown("First calls", Measure.FIRST, _count),
    "repeated": Shown("Calls from repeat callers", Measure.REPEATED, _count),
    "conversions": Shown("Qualified calls", Measure.CONVERSIONS, _count),
    "conversion_rate": Shown("Conversion rate", Measure.CONVERSIONS, _percent, over=Measure.CALLS),
    "value": Shown("Value", Measure.VALUE, Money.amount, unit=100),
    "value_each": Shown(
        "Value per qualified call", Measure.VALUE, Money.amount, over=Measure.CONVERSIONS, unit=100
    ),
    "minutes": Shown("Minutes on the phone", Measure.SECONDS, _minutes, unit=60),
    "length": Shown("Average length", Measure.SECONDS, _minutes, over=Measure.CALLS, unit=60),
    "callers": Shown("Callers a day, added up", Measure.CALLERS, _count),
    "recorded": Shown("Recordings kept", Measure.RECORDED, _count),
    "recorded_consent": Shown("Recordings kept with consent", Measure.RECORDED_CONSENT, _count),
    "recorded_notice": Shown("Recordings kept after notice", Measure.RECORDED_NOTICE, _count),
    "recorded_law": Shown("Recordings kept, neither asked for", Measure.RECORDED_LAW, _count),
    "withheld": Shown("Recordings withheld", Measure.WITHHELD, _count),
    "opted_out": Shown("Not measured: opted out", Measure.OPTED_OUT, _count),
}


def shown_of(measure: str, money: Money) -> Shown:
    """A measure as one client's readers see it."""
    return replace(SHOWN[measure], money=money)


MEASURES: Final = {name: shown.words for name, shown in SHOWN.items()}
DIMENSIONS: Final = {one.value: one.label for one in Dimension if one is not Dimension.CLIENT}
EXACT_ONLY: Final = frozenset(one.value for one in reports.EXACT_ONLY)
FILTERS: Final = {one.value: one.label for one in reports.COLUMNS}


# --- Values -------------------------------------------------------------------------------------------------------


def value_of(shown: Shown, row: Row | None) -> Value:
    """
    A row's number in words: the true one, or that it is suppressed.

    No row is no call, for a count; for a share it is nothing.
    """
    if row is None:
        return Value(None, "–") if shown.over else Value(0.0, shown.written(0))
    figure = row.figures.get(shown.of, Figure(0))
    if row.is_partial or not figure.is_told:
        return suppressed()
    if shown.over is None:
        return Value(figure.value / shown.unit, shown.written(figure.value / shown.unit))
    over = row.figures.get(shown.over, Figure(0))
    if not over.is_told:
        return suppressed()
    if not over.value:
        return Value(None, "–")
    number = figure.value / over.value * (100 if shown.is_share else 1) / shown.unit
    return Value(number, shown.written(number))


def suppressed() -> Value:
    """What stands for a number that may not be shown."""
    return Value(None, SUPPRESSED, hidden=True)


def together(rows: Sequence[Row]) -> Row | None:
    if not rows:
        return None
    names = {measure for row in rows for measure in row.figures}
    figures = {}
    for measure in names:
        found = [row.figures.get(measure, Figure(0)) for row in rows]
        is_told = not any(one.is_suppressed for one in found)
        figures[measure] = (
            Figure(sum(one.value for one in found), sum(one.unknown for one in found))
            if is_told
            else NO_FIGURE
        )
    return Row(None, (), sum(row.calls for row in rows), figures, any(row.is_partial for row in rows))


def without(whole: Row, parts: Sequence[Row]) -> Row:
    """What is left of a row without parts of it whose numbers are true; it is as true as the whole."""
    figures = {}
    for measure, figure in whole.figures.items():
        found = [part.figures.get(measure, Figure(0)) for part in parts]
        is_told = not any(one.is_suppressed for one in (figure, *found))
        figures[measure] = (
            Figure(figure.value - sum(one.value for one in found), figure.unknown) if is_told else NO_FIGURE
        )
    return Row(
        whole.at, whole.keys, whole.calls - sum(part.calls for part in parts), figures, whole.is_partial
    )


def changed(now: Value, was: Value) -> str:
    """By how much a number differs from the one before, in words."""
    if now.number is None or not was.number:
        return "–"
    return f"{(now.number / was.number - 1) * 100:+.0f}\N{NO-BREAK SPACE}%".replace("-", "−")


def cell_of(value: Value) -> Cell:
    """A value as a cell of a file: a number where it is one, else its words."""
    if value.number is None:
        return value.words
    return int(value.number) if value.number == int(value.number) else round(value.number, 2)


# --- Words --------------------------------------------------------------------------------------------------------


def in_words(dimension: str, value: str | None) -> str:
    """A dimension's value as it is read: a region by its name, a weekday by its own, None as all others."""
    if value is None:
        return OTHER
    known: dict[str, Mapping[str, str]] = {
        "length": LENGTH_LABELS,
        "repeated": REPEATED_LABELS,
        "direction": dict(Direction.choices),
        "outcome": dict(Outcome.choices),
        "weekday": {str(place): name for place, name in enumerate(WEEKDAYS, 1)},
    }
    if dimension in known:
        return str(known[dimension].get(value, value or "Not known"))
    if dimension == "hour_of_day":
        return f"{int(value):02d}:00"
    if dimension == "part_of_day":
        return part_name(int(value))
    if dimension == "region" and value:
        return place_name(value)
    return value or ("Not known" if dimension == "region" else f"No {DIMENSIONS[dimension].lower()}")


def part_name(begins: int) -> str:
    """A part of the day by the hour at which it begins, such as "09:00–13:00"."""
    ends = [*PARTS, 24][PARTS.index(begins) + 1]
    return f"{begins:02d}:00\N{EN DASH}{ends:02d}:00"


def place_name(value: str) -> str:
    """A region's or country's name, such as of "US-CA", "DE", or "CA-NS|PE" where two share an area code."""
    country, _, regions = value.partition("-")
    if not regions:
        known = places.name(country)
        return upper(maps.country(country) if known == country else known)
    return upper(" or ".join(places.name(country, region) for region in regions.split("|")))


def upper(name: str) -> str:
    return name[:1].upper() + name[1:]


def name_of(by: Sequence[str], keys: Sequence[str | None]) -> str:
    """The values of several dimensions as one name."""
    if keys and all(key is None for key in keys):
        return OTHER
    return ", ".join(in_words(dimension, key) for dimension, key in zip(by, keys, strict=True)) or "All"


_KNOWN: Final = {
    "direction": Direction.values,
    "outcome": Outcome.values,
    "length": list(LENGTH_LABELS),
    "repeated": [value for value in REPEATED_LABELS if value],
}
"""Dimensions whose values are known without a look at calls."""


def dimensions_of(client: Client, *, is_exact: bool) -> dict[str, str]:
    left_out = frozenset() if is_exact and client.keeps_attribution else EXACT_ONLY
    return {name: words for name, words in DIMENSIONS.items() if name not in left_out}


def choices_of(client: Client, *, is_exact: bool = False) -> dict[str, list[tuple[str, str]]]:
    """
    Dimension -> (value, words) of what may be filtered by: values that reports tell, one query each; or, for an exact
    report, those of the calls.
    """
    known: Mapping[str, Sequence[str]] = {}
    if is_exact:
        known = _KNOWN | exact.values_of(client)
    found: dict[str, list[tuple[str, str]]] = {}
    for dimension in reports.COLUMNS:
        values = known.get(dimension.value) or reports.values_of([client.pk], dimension)
        found[dimension.value] = [(value, in_words(dimension.value, value)) for value in values if value]
    return found
