"""Drawings say what the numbers say: scales, labels, gaps, what is hidden, and nothing outside the picture."""

import math
import re
from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.charts import maps
from callprivacy.lib.charts.figure import keys_of_classes, keys_of_fills, keys_of_shades
from callprivacy.lib.charts.scale import Scale, classes, compact, every, ticks
from callprivacy.lib.charts.shapes import (
    NARROW,
    WIDE,
    Drawing,
    Series,
    Value,
    bars,
    columns,
    cut,
    heat,
    level_of,
    line,
    shade,
    spark,
)
from consent.law import places


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
    assert [key.name for key in keys_of_fills([Series("Calls", [few])])] == ["Suppressed: too few people"]


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


def test_the_maps_have_every_state_and_every_country_that_people_call_from() -> None:
    assert maps.codes("states") == set(places.REGIONS["US"]) & maps.codes("states")
    assert len(maps.codes("states")) == 52
    assert {"CA", "NY", "TX", "DC", "PR", "AK", "HI"} <= maps.codes("states")
    assert places.MEMBERS | {"US", "CA", "GB", "CH", "MX", "IN", "BR", "XK", "SG", "GF"} <= maps.codes(
        "countries"
    )
    assert len(maps.codes("countries")) > 230
    assert maps.country("CH") == "Switzerland"
    assert maps.country("ZZ") == "ZZ"
    assert maps._FILE.stat().st_size < 130_000


@pytest.mark.parametrize("place", ["states", "countries"])
def test_every_outline_lies_in_its_picture_and_is_written_as_it_is_kept(place: maps.Place) -> None:
    found = maps.atlas(place)
    for code, region in found.regions.items():
        rings = region.outline.rings
        assert all(
            -2 <= x <= found.width + 2 and -2 <= y <= found.height + 2 for ring in rings for x, y in ring
        ), code
        # The path of SVG, read again, is the same points.
        read = []
        for part in region.outline.d.split("M")[1:]:
            numbers = [int(one) for one in re.findall(r"-?\d+", part)]
            read.append(list(zip(accumulate(numbers[::2]), accumulate(numbers[1::2]), strict=True)))
        assert read == [list(ring) for ring in rings], code
    assert len({region.outline.key for region in found.regions.values()}) == len(found.regions)


def _map(place: maps.Place, values: dict[str, Value], *, width: int, hidden: bool = False) -> Drawing:
    rest = Value(None, "none, or too few to tell", hidden=True) if hidden else Value(0, "none")
    limits = classes((value.number or 0 for value in values.values()), 5)
    return maps.outlines(place, values, {"CA": "California"}, limits=limits, rest=rest, width=width)


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_a_map_shades_its_regions_by_class_and_says_what_has_none(width: int) -> None:
    values = {
        "CA": Value(40, "40 calls"),
        "TX": Value(12, "12 calls"),
        "MA": Value(40, "40 calls"),
        "ON": Value(3, "3 calls"),
    }
    drawing = _map("states", values, width=width)
    said = {area.say: area for area in drawing.areas}
    assert said["California: 40 calls"].look == "plot-shade-5"
    assert said["TX: 12 calls"].look == "plot-shade-4"
    assert said["NY: none"].look == "plot-shade-0"
    assert not any(area.pattern for area in drawing.areas)
    assert [area.say for area in drawing.areas][:3] == [
        "California: 40 calls",
        "MA: 40 calls",
        "TX: 12 calls",
    ]
    assert len(drawing.areas) == 52
    # A state that holds no letters is said again by a box beside it, which the arrow keys pass over.
    boxes = {rect.say: rect for rect in drawing.rects}
    assert boxes["MA: 40 calls"].look == "plot-shade-5"
    assert all(rect.again for rect in drawing.rects)
    assert len(boxes) == 9
    assert maps.elsewhere("states", values) == ["ON"]
    assert _inside(drawing)
    lying = [
        (x * drawing.scale + drawing.left, y * drawing.scale + drawing.above)
        for area in drawing.areas for ring in area.outline.rings for x, y in ring
    ]  # fmt: skip
    assert all(-1 <= x <= drawing.width + 1 and -1 <= y <= drawing.height + 1 for x, y in lying)


def test_where_some_calls_have_no_told_place_a_region_without_any_is_hatched() -> None:
    drawing = _map("states", {"CA": Value(40, "40 calls")}, width=WIDE, hidden=True)
    said = {area.say: (area.look, area.pattern) for area in drawing.areas}
    assert said["NY: none, or too few to tell"] == ("plot-unknown", 1)
    assert said["California: 40 calls"] == ("plot-shade-5", 0)


def test_a_map_of_countries_shows_the_part_of_the_world_from_which_calls_come() -> None:
    near = _map("countries", {"DE": Value(9, "9"), "AT": Value(5, "5"), "LU": Value(5, "5")}, width=WIDE)
    far = _map("countries", {"DE": Value(9, "9"), "AU": Value(5, "5"), "US": Value(5, "5")}, width=WIDE)
    assert near.scale > 2 * far.scale
    assert (near.width, near.height) == (far.width, far.height)
    said = {area.say.split(":")[0] for area in near.areas}
    assert {"DE", "AT", "LU", "FR"} <= said
    assert not {"US", "AU", "BR"} & said
    assert [area.say for area in far.areas][:3] == ["DE: 9", "AU: 5", "US: 5"]
    nothing = _map("countries", {}, width=NARROW)
    assert nothing.scale == pytest.approx(NARROW / maps.atlas("countries").width, rel=0.01)


def test_a_country_too_small_to_be_seen_is_a_point_and_only_where_calls_are() -> None:
    calls = {"SG": Value(9, "9"), "US": Value(9, "9"), "AU": Value(9, "9")}
    drawing = _map("countries", calls, width=NARROW)
    said = {area.say.split(":")[0]: area for area in drawing.areas}
    assert len(said["SG"].outline.rings[0]) == 8
    assert not {"MC", "MT"} & said.keys()
    # Both sizes stand in one page, so that their points are called otherwise, and all other outlines the same.
    wide = _map("countries", calls, width=WIDE)
    keys = [{area.outline.key: area.outline for area in one.areas} for one in (wide, drawing)]
    assert all(keys[1][key] is keys[0][key] for key in keys[0].keys() & keys[1].keys())
    assert not (keys[1].keys() - keys[0].keys()) & {"countries-SG"}


@pytest.mark.thorough
@settings(max_examples=200)
@given(st.lists(st.floats(0.01, 1e9), max_size=60))
def test_classes_rise_reach_the_greatest_and_put_each_number_into_one(numbers: list[float]) -> None:
    limits = classes(numbers, 5)
    assert limits == sorted(set(limits))
    assert len(limits) <= 5
    assert not numbers or limits[-1] == max(numbers)
    for number in numbers:
        level = level_of(number, limits)
        assert 1 <= level <= 5
        assert number <= limits[level - 1 - (5 - len(limits))]
    assert not numbers or level_of(max(numbers), limits) == 5
    assert level_of(0, limits) == level_of(None, limits) == 0


def test_one_state_with_most_of_the_calls_leaves_the_others_their_own_classes() -> None:
    assert classes([2000, 40, 12, 9, 7, 5], 5) == [17.0, 55.0, 180.0, 600.0, 2000]
    assert classes([100, 80, 70, 50, 40, 30], 5) == [20.0, 40.0, 60.0, 80.0, 100]
    assert classes([100, 30, 30], 5) == [30, 100]
    names = [key.name for key in keys_of_classes([10, 20], rest="None", is_rest_told=True, words=compact)]
    assert names == ["None", "up to 10", "over 10 up to 20"]
    assert keys_of_classes([10], rest="Not told", is_rest_told=False, words=compact)[0].pattern == 1
