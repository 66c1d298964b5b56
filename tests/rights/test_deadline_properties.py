"""What holds of every deadline, whenever and wherever a request comes in."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from callprivacy.lib import calendars
from rights.deadlines import Deadlines, End, deadlines_of
from rights.law import Unit, load
from tests.rights import counted

BOOK = load()
PAIRS = sorted((law, kind.value) for law, kind, _ in BOOK.periods())
LONGER = sorted(
    {(term.law, kind.value) for term in BOOK.terms if term.extension is not None for kind in term.kinds}
)
ZONES = [
    "Europe/Berlin", "Europe/London", "Europe/Dublin", "Europe/Paris", "America/New_York", "America/Los_Angeles",
    "America/Chicago", "Pacific/Honolulu", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Havana", "UTC",
]  # fmt: skip
# Apart by less than a day, whatever the season.
NEAR = [zone for zone in ZONES if zone != "Australia/Lord_Howe"]

pairs = st.sampled_from(PAIRS)
zones = st.sampled_from(ZONES)
instants = st.datetimes(datetime(2023, 1, 2), datetime(2028, 6, 30), timezones=st.just(UTC))
easily = settings(max_examples=150, deadline=None)


def ends(found: Deadlines) -> list[End]:
    return [end for end in (found.acknowledge_by, found.answer_by, found.extend_before) if end is not None]


@pytest.mark.thorough
@easily
@given(pairs, instants, zones, st.booleans())
def test_two_ways_of_counting_agree(pair: tuple[str, str], at: datetime, zone: str, extended: bool) -> None:
    extended = extended and pair in LONGER and pair[1] != "appeal"
    found = deadlines_of(*pair, at, zone, extended=extended)
    said = tuple("" if end is None else str(end) for end in (found.acknowledge_by, found.answer_by))
    assert said == counted.count(*pair, at.isoformat(), zone, extended=extended)


@easily
@given(pairs, instants, zones, st.integers(0, 40 * 24 * 60))
def test_who_asks_later_is_answered_no_earlier(
    pair: tuple[str, str], at: datetime, zone: str, minutes: int
) -> None:
    sooner, later = (deadlines_of(*pair, at + timedelta(minutes=add), zone) for add in (0, minutes))
    # On the day on which a law changes, who asks after it may be better off.
    assume(sooner.terms == later.terms)
    for one, other in zip(ends(sooner), ends(later), strict=True):
        assert one.day <= other.day
        assert one.at <= other.at


@easily
@given(st.sampled_from(LONGER), instants, zones)
def test_an_extension_never_shortens(pair: tuple[str, str], at: datetime, zone: str) -> None:
    plain, longer = (deadlines_of(*pair, at, zone, extended=extended) for extended in (False, True))
    assert plain.answer_by is not None
    assert longer.answer_by is not None
    assert plain.answer_by.day < longer.answer_by.day
    assert plain.extend_before == longer.extend_before == plain.answer_by
    assert plain.acknowledge_by == longer.acknowledge_by


@pytest.mark.thorough
@easily
@given(pairs, instants, st.sampled_from(NEAR), st.sampled_from(NEAR))
def test_another_zone_shifts_by_a_day_at_most_or_by_what_months_differ(
    pair: tuple[str, str], at: datetime, zone: str, other: str
) -> None:
    place = ("DE", "")
    here, there = (deadlines_of(*pair, at, name, place=place) for name in (zone, other))
    assume(here.terms == there.terms)
    assert abs((here.received_on - there.received_on).days) <= 1
    span = BOOK.term(here.law, here.kind, here.received_on).answer
    for one, two in zip(ends(here), ends(there), strict=True):
        if span is not None and span.unit is not Unit.WORKING_DAYS and one != here.acknowledge_by:
            # A month from 28 February ends on 28 March; from 1 March, on 1 April.
            most = 4 if span.unit is Unit.MONTHS else 1
            assert abs((one.counted - two.counted).days) <= most


@pytest.mark.thorough
@easily
@given(instants, zones, st.integers(0, 27), st.integers(0, 60), st.booleans())
def test_a_pause_shifts_by_exactly_the_paused_days(
    at: datetime, zone: str, after: int, paused: int, extended: bool
) -> None:
    begin = at + timedelta(days=after)
    end = begin + timedelta(days=paused)
    plain = deadlines_of("uk_gdpr", "access", at, zone, extended=extended).answer_by
    stood = deadlines_of("uk_gdpr", "access", at, zone, paused=[(begin, end)], extended=extended).answer_by
    assert plain is not None
    assert stood is not None
    here = ZoneInfo(zone)
    gone = end.astimezone(here).date() - begin.astimezone(here).date()
    assert stood.counted - plain.counted == gone


@easily
@given(pairs, instants, zones)
def test_an_end_is_the_local_midnight_after_its_day(pair: tuple[str, str], at: datetime, zone: str) -> None:
    for end in ends(deadlines_of(*pair, at, zone)):
        assert (end.at - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date() == end.day
        assert end.at.astimezone(ZoneInfo(zone)).date() == end.day + timedelta(days=1)
        assert end.counted <= end.day


@pytest.mark.thorough
@easily
@given(instants, zones, st.sampled_from(["gdpr", "uk_gdpr"]), st.sampled_from(["DE", "FR", "ES", "PL"]))
def test_months_end_on_a_working_day_and_pass_over_none(
    at: datetime, zone: str, law: str, country: str
) -> None:
    end = deadlines_of(law, "access", at, zone, place=(country, "")).answer_by
    assert end is not None
    where = {"country": country} if law == "gdpr" else {"country": "GB", "region": "ENG"}
    assert calendars.is_working_day(end.day, **where)
    between = (end.day - end.counted).days
    assert not any(
        calendars.is_working_day(end.counted + timedelta(days=number), **where) for number in range(between)
    )


@easily
@given(st.dates(date(2023, 1, 1), date(2028, 12, 31)), st.integers(1, 40))
def test_working_days_are_counted_once_each(day: date, count: int) -> None:
    last = calendars.add_working_days(day, count, country="US")
    passed = [day + timedelta(days=number) for number in range(1, (last - day).days + 1)]
    assert sum(calendars.is_working_day(one, country="US") for one in passed) == count
    assert calendars.is_working_day(last, country="US")
