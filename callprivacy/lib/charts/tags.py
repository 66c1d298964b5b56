"""The chart of every page that is no report: drawn on the server as a report's are, with its table behind it."""

from collections.abc import Sequence
from typing import Final, TypedDict

from django import template

from callprivacy.lib.charts.figure import Chart, keys_of_fills, keys_of_lines
from callprivacy.lib.charts.shapes import NARROW, WIDE, Series, Value, columns, line

register = template.Library()
_HEIGHTS: Final = {"sm": 190, "md": 260, "lg": 330}


class Data(TypedDict, total=False):
    """
    What is drawn.

    `rows`: a label and a number for each of `series`, None where there is none, then for each of `more`, which stand in
    the table alone. `looks`: classes of the style sheet for series that have colors of their own.
    """

    series: Sequence[str]
    rows: Sequence[Sequence[str | int | None]]
    more: Sequence[str]
    looks: Sequence[str]


@register.inclusion_tag("components/chart.html")
def chart(
    key: str,
    title: str,
    data: Data,
    *,
    kind: str = "line",
    summary: str = "",
    size: str = "md",
    patterns: bool = True,
) -> dict[str, object]:
    """
    Draw numbers as lines or as stacked columns.

    :param patterns: whether the page's patterns come with it; once a page.
    """
    labels = [str(row[0]) for row in data["rows"]]
    looks = data.get("looks", [""] * len(data["series"]))
    series = [
        Series(name, [_value(row[place]) for row in data["rows"]], look)
        for place, (name, look) in enumerate(zip(data["series"], looks, strict=True), 1)
    ]
    height = _HEIGHTS[size]
    if kind == "line":
        wide, narrow = (line(labels, series, width=width, height=height) for width in (WIDE, NARROW))
        keys = keys_of_lines(series)
    else:
        wide, narrow = (
            columns(labels, series, width=width, height=height, stacked=True) for width in (WIDE, NARROW)
        )
        keys = keys_of_fills(series)
    return {
        "id": key, "title": title, "summary": summary, "chart": Chart(wide, narrow, keys), "patterns": patterns,
        "heads": [*data["series"], *data.get("more", ())], "rows": data["rows"],
    }  # fmt: skip


def _value(number: object) -> Value:
    return Value(float(number), f"{number:,}") if isinstance(number, int) else Value(None, "–")
