"""Drawings say what the numbers say: scales, labels, gaps, what is hidden, and nothing outside the picture."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.charts import maps
from analytics.charts.figure import keys_of_fills, keys_of_shades
from analytics.charts.scale import Scale, compact, every, ticks
from analytics.charts.shapes import (
    NARROW,
    WIDE,
    Drawing,
    Series,
    Value,
    bars,
    columns,
    cut,
    heat,
    line,
    shade,
    spark,
)


def _series(name: str, *numbers: float | None) -> Series:
    return Series(
        name, [Value(number, "none" if number is None else f"{number:g} calls") for number in numbers]
    )


def _inside(drawing: Drawing) -> bool:
    boxes = [*drawing.rules, *drawing.rects]
    points = [point for path in drawing.paths for point in path.points]
    points += [(dot.x, dot.y) for dot in drawing.dots] + [(text.x, text.y) for text in drawing.texts]
    in_boxes = all(
        box.x >= -0.1 and box.y >= -0.1 and box.width > 0 and box.height > 0
        and box.x + box.width <= drawing.width + 0.2 and box.y + box.height <= drawing.height + 0.2
        for box in boxes
    )  # fmt: skip
    return in_boxes and all(
        -0.1 <= x <= drawing.width + 0.1 and 0 <= y <= drawing.height + 0.1 for x, y in points
    )


@settings(max_examples=60)
@given(st.floats(0, 1e15), st.booleans())
def test_ticks_begin_at_nothing_are_few_and_even_and_reach_the_greatest(top: float, whole: bool) -> None:
    marks = ticks(top, whole=whole)
    assert marks[0] == 0
    assert 2 <= len(marks) <= 6
    assert marks[-1] >= top * (1 - 1e-6)
    steps = [after - before for before, after in pairwise(marks)]
    assert max(steps) - min(steps) <= marks[-1] * 1e-9
    assert not whole or all(mark == int(mark) for mark in marks)


@pytest.mark.parametrize("top", [-1, math.nan, math.inf])
def test_an_axis_of_what_is_no_amount_is_refused(top: float) -> None:
    with pytest.raises(ValueError, match="begins at 0"):
        ticks(top)


def test_numbers_are_written_in_few_signs() -> None:
    written = {
        0: "0",
        7: "7",
        950: "950",
        999.7: "1k",
        1204: "1.2k",
        9960: "10k",
        34_000: "34k",
        5e6: "5M",
        0.25: "0.25",
        2.5: "2.5",
    }
    assert {number: compact(number) for number in written} == written
    assert compact(1.25e9) == "1.2B"


def test_a_scale_puts_what_is_beyond_its_end_to_its_end() -> None:
    scale = Scale(200, 100, 0)
    assert [scale(number) for number in (0, 50, 200, 900)] == [100, 75, 0, 0]


def test_names_that_do_not_fit_are_left_out_evenly() -> None:
    assert every(7, room=700, each=90) == 1
    assert every(90, room=700, each=70) == 9
    assert every(90, room=10, each=70) == 90
    assert cut("A very long name of a campaign", 60) == "A very l…"


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("count", [0, 1, 2, 24, 400])
def test_every_kind_stays_inside_its_picture_at_any_length(width: int, count: int) -> None:
    labels = [f"{place} Nov" for place in range(count)]
    one = _series("Calls", *(float(place * 1e6) for place in range(count)))
    other = _series("Before", *(None if place % 3 else float(place) for place in range(count)))
    drawings = [
        line(labels, [one, other], width=width),
        columns(labels, [one, other], width=width, stacked=True),
    ]
    drawings += [
        columns(labels, [one], width=width),
        bars(labels[:40], [Series("C", one.values[:40])], width=width),
    ]
    assert all(_inside(drawing) for drawing in drawings)


def test_a_missing_number_breaks_the_line_and_a_lonely_one_is_still_a_point() -> None:
    drawing = line(["Mon", "Tue", "Wed", "Thu", "Fri"], [_series("Calls", 3, 4, None, 7, None)])
    assert [len(path.points) for path in drawing.paths] == [2, 1]
    assert [dot.say for dot in drawing.dots] == [
        "Mon, Calls: 3 calls",
        "Tue, Calls: 4 calls",
        "Thu, Calls: 7 calls",
    ]


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_what_is_hidden_looks_the_same_whatever_it_was(width: int) -> None:
    few = Value(None, "fewer than 5", hidden=True)
    labels = ["Mon", "Tue"]
    for make in (columns, bars, line):
        drawing = make(labels, [Series("Calls", [Value(40, "40 calls"), few])], width=width)
        said = [rect.say for rect in drawing.rects] + [dot.say for dot in drawing.dots]
        assert any(say.endswith("fewer than 5") for say in said)
    drawing = heat(["Mon"], ["8", "9"], [[Value(40, "40 calls"), few]], width=width)
    assert [rect.look for rect in drawing.rects] == ["plot-shade-5", "plot-untold"]
    assert [key.name for key in keys_of_fills([Series("Calls", [few])])] == ["Not told: too few people"]


def test_series_differ_by_more_than_their_colour() -> None:
    series = [_series(name, 1, 2) for name in "ABCDEF"]
    stacked = columns(["Mon", "Tue"], series, stacked=True)
    assert len({rect.pattern for rect in stacked.rects}) == 6
    lines = line(["Mon", "Tue"], series)
    assert len({dot.form.replace(f"{dot.x:g}", "").split(" ", 2)[-1] for dot in lines.dots}) >= 6
    assert [text.text for text in lines.texts if "plot-name" in text.look].count("A") == 1


def test_stacked_columns_stand_on_each_other() -> None:
    drawing = columns(["Mon"], [_series("A", 30), _series("B", 10)], stacked=True)
    low, high = drawing.rects
    assert high.y + high.height == pytest.approx(low.y, abs=0.2)
    assert low.height == pytest.approx(3 * high.height, rel=0.02)


def test_the_upright_heat_map_says_the_same_as_the_wide_one() -> None:
    values = [
        [Value(float(day * 24 + hour), f"{day * 24 + hour} calls") for hour in range(24)] for day in range(7)
    ]
    days, hours = [f"Day {day}" for day in range(7)], [f"{hour:02}" for hour in range(24)]
    wide, narrow = (heat(days, hours, values, width=width) for width in (WIDE, NARROW))
    assert {rect.say for rect in wide.rects} == {rect.say for rect in narrow.rects}
    assert len(wide.rects) == 168
    assert _inside(wide)
    assert _inside(narrow)


def test_shades_are_none_for_nothing_and_the_darkest_for_the_most() -> None:
    assert [shade(number, 100) for number in (0, 1, 20, 21, 99, 100)] == [0, 1, 1, 2, 5, 5]
    assert shade(3, 0) == 0
    assert len(keys_of_shades(100, has_hidden=True, words=compact)) == 7


def test_a_sparkline_of_nothing_is_empty_and_of_one_a_point() -> None:
    assert not spark([]).paths
    assert not spark([Value(None)]).dots
    assert len(spark([Value(3, "3 calls")]).dots) == 1
    assert _inside(spark([Value(float(number)) for number in (0, 9, 4)]))


def test_the_maps_have_every_state_once_and_no_country_twice() -> None:
    assert len(maps.STATES) == 52
    assert {"CA", "NY", "TX", "DC", "PR", "AK", "HI"} <= maps.STATES.keys()
    for places, text in ((maps.STATES, maps._STATES), (maps.COUNTRIES, maps._COUNTRIES)):
        codes = [code for code in text.split() if code != ".."]
        assert len(codes) == len(set(codes)) == len(places)
        assert len({len(row.split()) for row in text.strip().splitlines()}) == 1
    assert len(maps.COUNTRIES) > 120


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_a_map_shades_its_squares_and_says_what_has_none(width: int) -> None:
    values = {
        "CA": Value(40, "40 calls"),
        "NY": Value(None, "fewer than 5", hidden=True),
        "ON": Value(3, "3 calls"),
    }
    drawing = maps.tiles(maps.STATES, values, {"CA": "California"}, width=width)
    said = {rect.say: rect.look for rect in drawing.rects}
    assert said["California: 40 calls"] == "plot-shade-5"
    assert said["NY: fewer than 5"] == "plot-untold"
    assert said["TX: none"] == "plot-shade-0"
    assert maps.elsewhere(maps.STATES, values) == ["ON"]
    assert _inside(drawing)
