"""What docs/scaling.md reckons follows from its own table, and the table's bytes from what docs/benchmarks.md has."""

import math
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = " ".join((DOCS / "scaling.md").read_text(encoding="utf-8").split())
STORAGE = (
    (DOCS / "benchmarks.md").read_text(encoding="utf-8").partition("## storage\n")[2].partition("\n## ")[0]
)
DAY, YEAR, QUARTER = 86_400, 365, 90
MILLION, TERA, GIGA = 10**6, 1e12, 1e9


def figure(pattern: str) -> float:
    """A figure of the table of what was measured."""
    found = re.search(pattern, PAGE)
    assert found, pattern
    return float(found[1].replace(",", ""))


def measured(database: str) -> int:
    """Bytes of rows and indexes a call, over the tables of a database."""
    lines = re.findall(rf"^{database} +\w+ +(\d+) bytes of rows and +(\d+) of indexes", STORAGE, re.MULTILINE)
    return sum(int(rows) + int(indexes) for rows, indexes in lines)


def half_up(number: float) -> int:
    """52.5 is 53, as people round."""
    return math.floor(number + 0.5)


BYTES = figure(r"with a recording's reference \| ([\d,]+) bytes")
WAL = figure(r"write-ahead log for it \| ([\d,]+) bytes")
EVENTS = figure(r"worker beside \| (\d+) a second")
IMPORTED = figure(r"taken in \| ([\d,]+) calls a second")
ERASED = figure(r"certificates \| [\d,]+ calls in \d+ s: ([\d,]+) a second")
DEFAULT, VAULT = measured("default"), measured("vault")
BUSIEST = 105
"""Events a second of a million calls a day, as the page says them: three times half a day's in four hours."""


def test_the_table_has_what_was_measured() -> None:
    assert DEFAULT + VAULT == BYTES == int(STORAGE.partition("both databases:")[2].split()[0])
    assert int(STORAGE.partition("write-ahead log:")[2].split()[0]) == WAL
    assert round(MILLION / 2 / (4 * 3600)) * 3 == BUSIEST


@pytest.mark.parametrize(
    ("words", "reckoned"),
    [
        ("| 105 a second | {:.0f} % |", half_up(BUSIEST / EVENTS * 100)),
        ("{:.1f} % of an hour", MILLION / ERASED / 3600 * 100),
        ("| {:.0f} GB, ", BYTES * QUARTER * MILLION / GIGA),
        (" GB, {:.0f} GB | a disk of 1 TB", BYTES * YEAR * MILLION / GIGA),
        ("| write-ahead log | {:.1f} GB a day", WAL * MILLION / GIGA),
        ("WAL of {:.2f} Mbit/s", WAL * MILLION * 8 / DAY / 1e6),
        ("a small one for the vault ({:,.0f} of the ", VAULT),
        (" of the {:,.0f} bytes). ", BYTES),
        (" {:.0f} TB for a year, 1.5 TB", BYTES * YEAR * 10 * MILLION / TERA),
        (" {:.1f} TB for 90 days. ", BYTES * QUARTER * 10 * MILLION / TERA),
        (". {:.0f} GB of WAL a day. The night", WAL * 10 * MILLION / GIGA),
        ("erasing takes {:.0f} minutes at the measured pace", 10 * MILLION / ERASED / 60),
        ("; {:.0f} GB of new rows a day, ", BYTES * 100 * MILLION / GIGA),
        ("a day, {:.0f} TB for 90 days, ", BYTES * QUARTER * 100 * MILLION / TERA),
        ("for 90 days, {:.0f} TB for a year; ", BYTES * YEAR * 100 * MILLION / TERA),
        ("; {:.0f} GB of WAL a day. At", WAL * 100 * MILLION / GIGA),
        ("erasing is {:.1f} hours of one such machine", 100 * MILLION / ERASED / 3600),
        ("the busiest quarter of an hour {:.0f} of them", half_up(100 * BUSIEST / EVENTS)),
        ("together | {:.0f}, with half again", 100 * BUSIEST / EVENTS * 2),
        ("8 cores and {:.0f} TB for a year", DEFAULT * YEAR * 100 * MILLION / 16 / TERA),
        (" for a year ({:.1f} TB for 90 days) |", DEFAULT * QUARTER * 100 * MILLION / 16 / TERA),
        (" TB for 90 days) | {:,.0f} bytes a call", DEFAULT),
        ("its own part | {:.0f} minutes a night", 100 * MILLION / 16 / ERASED / 60),
        ("| 4, each {:.0f} TB for a year", VAULT * YEAR * 100 * MILLION / 4 / TERA),
        ("TB for a year | {:,.0f} bytes a call", VAULT),
    ],
)
def test_a_sum_is_what_the_page_says(words: str, reckoned: float) -> None:
    assert words.format(reckoned) in PAGE


def test_a_day_that_is_imported_takes_as_long_as_the_page_says() -> None:
    said = figure(r"import of a day, were it all files \| (\d+) s")
    assert abs(said - MILLION / IMPORTED) < 1
