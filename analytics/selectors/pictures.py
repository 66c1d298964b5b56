"""Pictures of what was found, each drawn for a wide page and for a narrow one."""

from collections.abc import Callable, Mapping, Sequence

from analytics.charts import maps
from analytics.selectors.showing import WEEKDAYS, Shown, place_name, upper
from callprivacy.lib.charts.figure import (
    Chart,
    Key,
    keys_of_classes,
    keys_of_fills,
    keys_of_lines,
    keys_of_shades,
)
from callprivacy.lib.charts.scale import classes
from callprivacy.lib.charts.shapes import NARROW, SHADES, WIDE, Drawing, Series, Value, columns, heat, line


def twice(draw: Callable[[int], Drawing], keys: list[Key]) -> Chart:
    """A picture drawn for both widths."""
    return Chart(draw(WIDE), draw(NARROW), keys)


def over_time(
    kind: str, labels: Sequence[str], series: Sequence[Series], shown: Shown, dashed: Sequence[int]
) -> Chart:
    """Lines, columns or stacked columns, a place for each step."""
    if kind == "line":
        return twice(
            lambda width: line(labels, series, width=width, words=shown.axis, dashed=dashed),
            keys_of_lines(series, dashed=dashed),
        )
    stacked = kind == "stacked" and not shown.over and not dashed
    return twice(
        lambda width: columns(labels, series, width=width, words=shown.axis, stacked=stacked),
        keys_of_fills(series),
    )


def heat_of(values: Sequence[Sequence[Value]], hours: Sequence[str], shown: Shown) -> Chart:
    """Weekdays by hours or parts of the day, in shades: 7 times as many values as there are `hours`."""
    top = max((value.number or 0 for row in values for value in row), default=0)
    is_hidden = any(value.hidden for row in values for value in row)
    return twice(
        lambda width: heat(WEEKDAYS, hours, values, width=width, words=shown.axis),
        keys_of_shades(top, has_hidden=is_hidden, words=shown.axis),
    )


def map_of(kind: maps.Place, values: Mapping[str, Value], shown: Shown, *, rest: Value) -> Chart:
    """
    A map of states or of countries.

    :param rest: what is said of a region without a value: that there is no call, or that it is suppressed.
    """
    names = {code: place_name(f"US-{code}" if kind == "states" else code) for code in maps.codes(kind)}
    here = {code: value for code, value in values.items() if code in names}
    limits = classes((value.number or 0 for value in here.values()), SHADES)
    keys = keys_of_classes(limits, rest=upper(rest.words), is_rest_told=not rest.hidden, words=shown.axis)
    if any(value.hidden for value in here.values()) and not rest.hidden:
        keys.append(Key("Suppressed: too few people", look="plot-unknown", pattern=1))
    return twice(
        lambda width: maps.outlines(
            kind, here, names, limits=limits, rest=rest, width=width, words=shown.axis
        ),
        keys,
    )
