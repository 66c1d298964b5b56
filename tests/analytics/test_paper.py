"""A report as a file says what the page says, opens elsewhere, and runs nothing there."""

import csv
import io
import zipfile
from dataclasses import replace
from datetime import date
from xml.etree import ElementTree as ET

from analytics.channels import paper
from analytics.charts import maps
from callprivacy.lib.charts.figure import Key, keys_of_classes
from callprivacy.lib.charts.shapes import Series, Value, columns, heat, line
from callprivacy.lib.money import Money
from tests.make import NOON

EVIL = '=HYPERLINK("http://evil.example")'
MADE = paper.Paper(
    title="Calls by campaign",
    made_at=NOON,
    zone="America/New_York",
    facts=[("Client", "Dentist"), ("Period", "1 to 24 November 2026")],
    headline="No clear pattern.",
    notes=["Fewer than 5 calls are not shown."],
    columns=["Campaign", "Calls", "Cost a call"],
    rows=[[EVIL, 40, 2.5], ["Roofs & <drains>\x0b", "fewer than 5", None], ["中文", 0, 0.25]],
)


def _read(package: zipfile.ZipFile, name: str) -> ET.Element:
    return ET.fromstring(package.read(name))  # noqa: S314  (what we wrote a moment ago)


def test_a_csv_has_numbers_as_numbers_and_no_formula() -> None:
    data = paper.as_csv(MADE)
    assert data.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    assert rows[0] == ["Campaign", "Calls", "Cost a call"]
    assert rows[1] == ["'" + EVIL, "40", "2.5"]
    assert rows[2][1:] == ["fewer than 5", ""]


def test_while_calls_wait_to_be_counted_a_column_of_a_csv_says_so() -> None:
    data = paper.as_csv(replace(MADE, counting="Many calls wait to be counted."))
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    assert [row[3] for row in rows] == ["Calls wait to be counted", "yes", "yes", "yes"]
    assert [row[:3] for row in rows] == list(csv.reader(io.StringIO(paper.as_csv(MADE).decode("utf-8-sig"))))


def test_amounts_and_dates_are_numbers_and_dates_with_their_unit_in_the_head() -> None:
    made = replace(
        MADE,
        columns=["Day", "Value", "Calls"],
        rows=[[NOON.date(), 1234.5, 40], [NOON.date(), paper.SUPPRESSED, 50]],
        money=Money("EUR", "de"),
        amounts={1},
    )
    rows = list(csv.reader(io.StringIO(paper.as_csv(made).decode("utf-8-sig"))))
    assert rows[0] == ["Day", "Value (EUR)", "Value (EUR), suppressed", "Calls"]
    assert rows[1] == [f"{NOON:%Y-%m-%d}", "1234.5", "no", "40"]
    with zipfile.ZipFile(io.BytesIO(paper.as_workbook(made))) as package:
        sheet = package.read("xl/worksheets/sheet1.xml").decode()
        styles = package.read("xl/styles.xml").decode()
    day = (NOON.date() - date(1899, 12, 30)).days
    assert f"<v>{day}</v>" in sheet
    assert 'topLeftCell="B2"' in sheet
    assert '<autoFilter ref="A1:D3"/>' in sheet
    assert 'formatCode="yyyy-mm-dd"' in styles
    assert "#,##0.00\xa0&quot;€&quot;" in styles
    assert paper._written(made, 1, 1234.5) == "1.234,50\xa0€"


def test_a_workbook_has_the_parts_that_its_kind_asks_for_and_texts_are_texts() -> None:
    data = paper.as_workbook(MADE)
    assert data == paper.as_workbook(MADE)
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        assert package.testzip() is None
        parts = {name: _read(package, name) for name in package.namelist()}
    named = {part.get("PartName") for part in parts["[Content_Types].xml"]} - {None}
    assert {f"/{name}" for name in parts if "/" in name and not name.endswith(".rels")} == named
    space = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    cells = {cell.get("r"): cell for cell in parts["xl/worksheets/sheet1.xml"].iterfind(".//m:c", space)}
    assert cells["A2"].findtext(".//m:t", namespaces=space) == EVIL
    assert (cells["A2"].get("t"), cells["B2"].findtext("m:v", namespaces=space)) == ("inlineStr", "40")
    assert cells["A3"].findtext(".//m:t", namespaces=space) == "Roofs & <drains>"
    assert "C3" not in cells
    assert not list(parts["xl/worksheets/sheet1.xml"].iterfind(".//m:f", space))


def test_percentages_are_numbers_in_tables_that_one_counts_with() -> None:
    made = replace(
        MADE,
        columns=["Source", "Share", "Change", "Kept"],
        rows=[
            ["Ads", "35\xa0%", "+16\xa0%", "3\xa0%"],
            ["Yelp", "5\xa0%", "−38\xa0%", "Suppressed"],
            ["Web", "–", "–", "–"],
        ],
    )
    rows = list(csv.reader(io.StringIO(paper.as_csv(made).decode("utf-8-sig"))))
    assert rows[0] == ["Source", "Share (%)", "Change (%)", "Kept (%)", "Kept (%), suppressed"]
    assert rows[1] == ["Ads", "35", "16", "3", "no"]
    assert rows[2][1:] == ["5", "-38", "", "yes"]
    assert rows[3] == ["Web", "", "", "", "no"]
    with zipfile.ZipFile(io.BytesIO(paper.as_workbook(made))) as package:
        assert b'<c r="C3"><v>-38</v></c>' in package.read("xl/worksheets/sheet1.xml")


def test_a_pdf_is_made_of_each_kind_of_picture_and_of_long_tables() -> None:
    few = Value(None, "fewer than 5", hidden=True)
    series = [
        Series("Calls", [Value(3, "3 calls"), few, Value(9, "9 calls")]),
        Series("Before", [Value(1, "1 call")] * 3),
    ]
    labels = ["Mon", "Tue", "Wed"]
    for drawing in (
        line(labels, series, dashed=[1]),
        columns(labels, series, stacked=True),
        heat(labels, ["8", "9", "10"], [series[0].values] * 3),
        maps.outlines("states", {"CA": Value(9, "9")}, {}, limits=[9], rest=few),
        maps.outlines("countries", {"DE": Value(9, "9")}, {}, limits=[9], rest=Value(0, "none")),
    ):
        made = paper.Paper(
            title=MADE.title, made_at=NOON, zone=MADE.zone, facts=MADE.facts, headline=MADE.headline,
            notes=MADE.notes, columns=MADE.columns, rows=list(MADE.rows) * 30, drawing=drawing,
            drawing_title="Calls a day",
            keys=[Key("Calls", index=1, is_line=True), Key("Before", is_line=True, is_before=True)],
        )  # fmt: skip
        data = paper.as_pdf(made)
        assert data.startswith(b"%PDF-")
        assert data.rstrip().endswith(b"%%EOF")


def test_the_legend_of_a_pdf_has_the_colours_of_its_picture() -> None:
    keys = keys_of_classes([5, 40], rest="None", is_rest_told=False, words=str)
    assert [paper._fill(key.look) for key in keys] == [(226, 224, 220), paper._SHADES[4], paper._SHADES[5]]
    assert paper._fill("plot-fill-2") == paper._COLOURS[2]
