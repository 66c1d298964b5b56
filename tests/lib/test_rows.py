"""What stands in every row says what its component says."""

import re
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import pytest
from django.template import loader

from callprivacy.lib import rows

INSTANTS = [
    datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    datetime(2026, 3, 8, 6, 59, 59, 999_999, tzinfo=UTC),
    datetime(2026, 3, 8, 7, 0, tzinfo=UTC),
    datetime(2026, 11, 1, 5, 30, tzinfo=UTC),
    datetime(2026, 11, 1, 6, 30, tzinfo=UTC),
    datetime(2026, 12, 31, 23, 59, tzinfo=UTC),
]
ZONES = ["UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Pacific/Chatham"]


@pytest.mark.parametrize(("at", "zone"), list(product(INSTANTS, ZONES)))
def test_an_instant_is_written_as_its_component_writes_it(at: datetime, zone: str) -> None:
    assert rows.when(at, zone) == loader.render_to_string("components/when.html", {"at": at, "zone": zone})


@pytest.mark.parametrize(("hour", "name"), [(5, "EDT"), (6, "EST")])
def test_the_hour_that_comes_twice_names_its_zone(hour: int, name: str) -> None:
    at = datetime(2026, 11, 1, hour, 30, tzinfo=UTC)
    assert f'01:30 <span class="text-muted">{name}' in rows.when(at, "America/New_York")


def test_deadline_at_midnight_is_the_end_of_the_day_before() -> None:
    midnight = datetime(2026, 12, 18, 6, 0, tzinfo=UTC)
    assert re.sub("<.*?>", "", rows.due(midnight, "America/Chicago")) == "end of 17 Dec 2026"
    assert rows.due(midnight, "UTC") == rows.when(midnight, "UTC")


def test_no_template_writes_a_zone_by_a_format_that_can_be_empty() -> None:
    wrong = [
        file.name
        for file in Path("templates").rglob("*.html")
        if re.search(r"""date:["'][^"']*[TOZe]["']""", file.read_text())
    ]
    assert wrong == []


@pytest.mark.parametrize("tone", ["", "good", "warn", "bad", "info", "sealed", "neutral"])
@pytest.mark.parametrize("text", ["Open", 'A "word" <b>&', "", 3])
def test_a_pill_is_written_as_its_component_writes_it(text: object, tone: str) -> None:
    written = loader.render_to_string("components/pill.html", {"text": text, "tone": tone})
    assert rows.pill(text, tone) == written
    assert rows.pill(text, tone) == written
