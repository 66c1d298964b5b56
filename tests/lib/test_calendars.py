"""Working days and months, by the calendars of places."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from callprivacy.lib import calendars


@pytest.mark.parametrize(
    ("country", "region", "day", "works"),
    [
        ("US", "", date(2026, 11, 26), False),
        ("US", "", date(2026, 11, 27), True),
        ("US", "CA", date(2026, 11, 27), False),
        ("US", "", date(2026, 3, 31), True),
        ("US", "CA", date(2026, 3, 31), False),
        ("US", "", date(2026, 7, 3), False),
        # New Year's Day of 2022 was a Saturday.
        ("US", "", date(2021, 12, 31), False),
        ("GB", "ENG", date(2026, 4, 6), False),
        ("GB", "SCT", date(2026, 4, 6), True),
        ("GB", "", date(2026, 4, 6), True),
        ("GB", "NIR", date(2026, 7, 13), False),
        ("DE", "", date(2026, 1, 6), True),
        ("DE", "BY", date(2026, 1, 6), False),
        # A working day that a government exchanged for a Saturday is no public holiday.
        ("HU", "", date(2026, 8, 20), False),
        ("HU", "", date(2026, 8, 21), True),
        ("LV", "", date(2026, 1, 2), True),
        ("LV", "", date(2026, 6, 22), True),
        ("LV", "", date(2026, 6, 23), False),
        # 1 May 2027 is Holy Saturday in Greece; no decree moves it.
        ("GR", "", date(2027, 5, 3), False),
        ("GR", "", date(2027, 5, 4), True),
        ("", "", date(2026, 12, 25), True),
        ("", "", date(2026, 12, 26), False),
        ("XX", "", date(2026, 12, 25), True),
    ],
)
def test_a_day_is_worked_by_the_calendar_of_its_place(
    country: str, region: str, day: date, works: bool
) -> None:
    assert calendars.is_working_day(day, country=country, region=region) is works


def test_nobody_is_called_on_a_working_day_that_was_exchanged() -> None:
    assert calendars.is_holiday(date(2026, 8, 21), country="HU")


def test_a_place_without_a_calendar_is_not_known() -> None:
    assert calendars.is_known("US", "CA")
    assert not calendars.is_known("US", "XX")
    assert not calendars.is_known("XX")
    assert not calendars.is_known("")


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2028, 1, 31), 1, date(2028, 2, 29)),
        (date(2026, 2, 28), 1, date(2026, 3, 28)),
        (date(2026, 11, 30), 3, date(2027, 2, 28)),
        (date(2026, 12, 31), 1, date(2027, 1, 31)),
        (date(2026, 12, 31), 12, date(2027, 12, 31)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2026, 5, 5), 0, date(2026, 5, 5)),
    ],
)
def test_months_end_on_the_same_date_or_the_last(day: date, months: int, later: date) -> None:
    assert calendars.add_months(day, months) == later


def test_no_working_days_are_the_day_itself() -> None:
    assert calendars.add_working_days(date(2026, 12, 26), 0, country="US") == date(2026, 12, 26)


@pytest.mark.parametrize(
    ("zone", "day", "end"),
    [
        ("UTC", date(2026, 1, 31), datetime(2026, 2, 1, tzinfo=UTC)),
        ("Europe/Berlin", date(2026, 3, 28), datetime(2026, 3, 28, 23, tzinfo=UTC)),
        ("Europe/Berlin", date(2026, 3, 29), datetime(2026, 3, 29, 22, tzinfo=UTC)),
        ("Europe/Berlin", date(2026, 10, 25), datetime(2026, 10, 25, 23, tzinfo=UTC)),
        ("America/New_York", date(2026, 11, 1), datetime(2026, 11, 2, 5, tzinfo=UTC)),
        # Midnight is skipped in Beirut on 29 March, and comes twice in Havana on 1 November: at one, back to midnight.
        ("Asia/Beirut", date(2026, 3, 28), datetime(2026, 3, 28, 22, tzinfo=UTC)),
        ("America/Havana", date(2026, 10, 31), datetime(2026, 11, 1, 4, tzinfo=UTC)),
        # Apia had no 30 December in 2011.
        ("Pacific/Apia", date(2011, 12, 29), datetime(2011, 12, 30, 10, tzinfo=UTC)),
    ],
)
def test_a_day_ends_when_the_next_begins_there(zone: str, day: date, end: datetime) -> None:
    assert calendars.end_of(day, ZoneInfo(zone)) == end


def test_the_day_of_an_instant_is_that_of_the_zone() -> None:
    at = datetime(2026, 11, 24, 4, 30, tzinfo=UTC)
    assert calendars.day_in("America/New_York", at) == date(2026, 11, 23)
    assert calendars.day_in("Europe/Berlin", at) == date(2026, 11, 24)
