"""What stands in every row says what its component says."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product

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


@pytest.mark.parametrize("tone", ["", "good", "warn", "bad", "info", "sealed", "neutral"])
@pytest.mark.parametrize("text", ["Open", 'A "word" <b>&', "", 3])
def test_a_pill_is_written_as_its_component_writes_it(text: object, tone: str) -> None:
    written = loader.render_to_string("components/pill.html", {"text": text, "tone": tone})
    assert rows.pill(text, tone) == written
    assert rows.pill(text, tone) == written
