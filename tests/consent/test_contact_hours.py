"""When somebody may be called: zones of places, spans of the law, states in two zones, days on which clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callprivacy.lib import calendars, phone
from consent.law import Topic, load_pack, places, zones

US = Topic.QUIET_HOURS.read("08:00-21:00")
WEEKDAYS = Topic.QUIET_HOURS.read("mon-fri 09:00-12:00; mon-fri 14:00-18:00")
NEW_YORK = ("America/New_York",)
FLORIDA = ("America/Chicago", "America/New_York")


def local(zone: str, *parts: int) -> datetime:
    return datetime(*parts, tzinfo=ZoneInfo(zone)).astimezone(UTC)  # type: ignore[arg-type,misc]  # facts of a table


def test_every_place_that_an_area_code_names_has_zones() -> None:
    for country in ("US", "CA"):
        for region in phone.regions_of(country):
            assert zones.zones_of(country, region), region


def test_every_zone_of_the_table_exists() -> None:
    for country, region in zones._table():
        for zone in zones.zones_of(country, region):
            ZoneInfo(zone)


def test_a_region_that_two_share_has_the_zones_of_both_and_no_place_has_none() -> None:
    assert zones.zones_of("CA", "NS|PE") == ("America/Halifax",)
    assert zones.zones_of("US", "FL") == FLORIDA
    assert zones.zones_of("", "") == ()
    assert zones.zones_of("ZZ", "") == ()
    assert len(zones.zones_of("US", "")) > 4


@pytest.mark.parametrize(
    ("hour", "minute", "expected"),
    [(7, 59, False), (8, 0, True), (20, 59, True), (21, 0, False)],
)
def test_hours_begin_on_the_minute_and_end_before_it(hour: int, minute: int, expected: bool) -> None:
    assert zones.is_open(US, NEW_YORK, local("America/New_York", 2026, 11, 24, hour, minute)) is expected


def test_a_state_in_two_zones_is_called_when_it_may_be_in_both() -> None:
    assert not zones.is_open(US, FLORIDA, local("America/New_York", 2026, 11, 24, 8, 30))
    assert zones.is_open(US, FLORIDA, local("America/New_York", 2026, 11, 24, 9, 0))
    assert not zones.is_open(US, FLORIDA, local("America/Chicago", 2026, 11, 24, 20, 30))


def test_who_lives_nowhere_known_is_never_called() -> None:
    noon = local("America/New_York", 2026, 11, 24, 12)
    assert not zones.is_open(US, (), noon)
    assert zones.next_open(US, (), noon) is None


def test_the_next_time_is_this_evening_tomorrow_or_after_the_weekend() -> None:
    asked = local("America/New_York", 2026, 11, 24, 12, 30)
    assert zones.next_open(WEEKDAYS, NEW_YORK, asked) == local("America/New_York", 2026, 11, 24, 14)
    friday = local("America/New_York", 2026, 11, 27, 18)
    assert zones.next_open(WEEKDAYS, NEW_YORK, friday) == local("America/New_York", 2026, 11, 30, 9)
    open_now = local("America/New_York", 2026, 11, 24, 9, 30)
    assert zones.next_open(WEEKDAYS, NEW_YORK, open_now) == open_now


@pytest.mark.parametrize(
    ("country", "region", "closed", "opens"),
    [
        ("FR", "", (2026, 7, 14, 11), (2026, 7, 15, 10)),
        ("AU", "NSW", (2026, 12, 25, 11), (2026, 12, 29, 9)),  # Boxing Day is a Saturday, observed on Monday
        ("US", "AL", (2026, 12, 25, 11), (2026, 12, 26, 8)),
        ("US", "LA", (2026, 12, 25, 11), (2026, 12, 26, 8)),
        ("US", "MS", (2026, 12, 25, 11), (2026, 12, 26, 8)),
        ("US", "UT", (2026, 7, 24, 11), (2026, 7, 25, 9)),
        ("US", "NY", (2026, 12, 25, 7), (2026, 12, 25, 8)),  # no ban there
        (
            "JP",
            "",
            (2026, 11, 23, 11),
            (2026, 11, 24, 10),
        ),  # no rule of its own: the strictest, and its holidays
    ],
)
def test_a_rule_that_leaves_out_holidays_leaves_out_those_of_the_place(
    country: str, region: str, closed: tuple[int, ...], opens: tuple[int, ...]
) -> None:
    zone = zones.zones_of(country, region)[0]
    hours = load_pack().for_place(country, region, Topic.QUIET_HOURS, date(*closed[:3])).read()
    asked = local(zone, *closed)
    where = [(country, region)]
    assert not zones.is_open(hours, zones.zones_of(country, region), asked, where)
    assert zones.next_open(hours, zones.zones_of(country, region), asked, where) == local(zone, *opens)


def test_a_part_without_holidays_of_its_own_has_its_countrys() -> None:
    assert calendars.is_holiday(date(2026, 12, 25), country="US", region="no such state")
    assert not zones.is_holiday(date(2026, 12, 25), [("", "")])


def test_hours_are_wall_clock_hours_on_the_day_on_which_clocks_change() -> None:
    night = local("America/New_York", 2026, 11, 1, 0, 30)
    assert zones.next_open(US, NEW_YORK, night) == datetime(2026, 11, 1, 13, tzinfo=UTC)
    spring = local("America/New_York", 2027, 3, 14, 0, 30)
    assert zones.next_open(US, NEW_YORK, spring) == datetime(2027, 3, 14, 12, tzinfo=UTC)


_RULES = [rule for rule in load_pack() if rule.topic is Topic.QUIET_HOURS]
_PLACES = [("US", region) for region in places.REGIONS["US"]] + [
    ("CA", "ON"),
    ("FR", ""),
    ("AU", "WA"),
    ("US", ""),
]


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(lambda at: at.replace(tzinfo=UTC)),
    st.sampled_from(_RULES),
    st.sampled_from(_PLACES),
)
def test_the_next_time_is_an_open_one_and_now_when_it_is_open(
    at: datetime, rule: object, place: tuple[str, str]
) -> None:
    hours = rule.read()  # type: ignore[attr-defined]  # a rule, drawn from the table
    found = zones.next_open(hours, zones.zones_of(*place), at, [place])
    is_open = zones.is_open(hours, zones.zones_of(*place), at, [place])
    assert (found == at) is is_open
    assert found is not None
    assert zones.is_open(hours, zones.zones_of(*place), found, [place])
