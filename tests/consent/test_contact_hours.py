"""When somebody may be called: zones of places, spans of the law, states in two zones, days on which clocks change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callprivacy.calls.services import people
from callprivacy.lib import calendars, phone
from callprivacy.tenancy.scope import job_scope
from consent.decide import Place
from consent.enums import Channel, EventKind, Purpose, Strength
from consent.law import Topic, load_pack, places, zones
from consent.services import contact, ledger
from consent.services.contact import Aim, Code
from consent.services.ledger import Said
from tests import make
from tests.cast import Cast

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
    if found is None:  # the strictest hours leave a country of many zones no hour that is one in all of them
        halves = (at + timedelta(minutes=30 * number) for number in range(zones.LOOKED_AHEAD * 48))
        assert not any(zones.is_open(hours, zones.zones_of(*place), half, [place]) for half in halves)
    else:
        assert zones.is_open(hours, zones.zones_of(*place), found, [place])


def test_the_strictest_hours_leave_a_country_of_many_zones_none() -> None:
    (strictest,) = [rule for rule in _RULES if rule.id == "unlisted-quiet-hours"]
    at = datetime(2026, 1, 1, tzinfo=UTC)
    assert zones.next_open(strictest.read(), zones.zones_of("US", ""), at, [("US", "")]) is None
    assert zones.next_open(strictest.read(), zones.zones_of("US", "NY"), at, [("US", "NY")]) is not None


# --- A number and what is said of its place ---

HAWAII, BERLIN, NEW_ORLEANS, TOLL_FREE = "+18085550123", "+493012345678", "+15045550123", "+18005550123"


def answer(cast: Cast, at: datetime, number: str, *place: str) -> contact.Contact:
    with job_scope(agency_id=cast.acme.pk):
        asked = [contact.Asked(number, Place(*place) if place else None)]
        (found,) = contact.check(client=cast.dentist, asked=asked, aim=Aim.SERVICE, at=at).answers
    return found


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]  # facts of a table


@pytest.mark.django_db
@pytest.mark.parametrize("evidence", ["", "carrier", "tracker"])
def test_without_an_address_the_phone_rings_when_it_may_at_each_place(cast: Cast, evidence: str) -> None:
    early, late = utc(2026, 11, 24, 16, 30), utc(2026, 11, 25, 4, 0)
    (alone,) = answer(cast, early, HAWAII).obstacles
    found = answer(cast, early, HAWAII, "US", "TX", evidence)
    assert found.obstacles == (alone,)
    assert found.next_at == alone.until == utc(2026, 11, 24, 18)
    assert answer(cast, utc(2026, 11, 24, 18), HAWAII, "US", "TX", evidence).allowed
    # Six in the evening in Hawaii, ten in Texas: both are open again in the Hawaiian morning.
    found = answer(cast, late, HAWAII, "US", "TX", evidence)
    assert [one.code for one in found.obstacles] == [Code.QUIET_HOURS]
    assert "Texas" in found.obstacles[0].text
    assert "Hawaii" not in found.obstacles[0].text
    assert found.next_at == utc(2026, 11, 25, 18)
    night = answer(cast, utc(2026, 11, 24, 8), HAWAII, "US", "TX", evidence).obstacles
    assert [one.code for one in night] == [Code.QUIET_HOURS]
    assert "Texas" in night[0].text
    assert "Hawaii" in night[0].text


@pytest.mark.django_db
def test_obstacle_of_an_hour_says_the_whole_rule_with_its_citation(cast: Cast) -> None:
    (obstacle,) = answer(cast, utc(2026, 11, 24, 8), "+15035550123").obstacles
    assert obstacle.text == (
        "Outside permitted hours in Oregon: calls are allowed every day 08:00-20:00"
        " (Or. HB 3865 (2025), amending ORS 646A.370 ff.)."
    )


@pytest.mark.django_db
@pytest.mark.parametrize("evidence", ["address", "billing"])
def test_an_address_has_its_own_hours_alone(cast: Cast, evidence: str) -> None:
    assert answer(cast, utc(2026, 11, 24, 16, 30), HAWAII, "US", "TX", evidence).allowed


@pytest.mark.django_db
def test_holidays_of_each_place_count_where_its_own_rule_leaves_them_out(cast: Cast) -> None:
    christmas = utc(2026, 12, 25, 18)  # nobody in Louisiana is called; Texas has no such rule
    assert answer(cast, christmas, HAWAII, "US", "TX", "tracker").allowed
    for number, place in ((NEW_ORLEANS, "TX"), (HAWAII, "LA")):
        found = answer(cast, christmas, number, "US", place, "tracker")
        (obstacle,) = found.obstacles
        assert "Public holiday in Louisiana" in obstacle.text
        assert "Texas" not in obstacle.text
        assert found.next_at is not None
        assert found.next_at.date() == date(2026, 12, 26)


@pytest.mark.django_db
def test_places_that_are_never_open_at_once_have_no_next_hour(cast: Cast) -> None:
    found = answer(cast, utc(2026, 11, 24, 1), BERLIN, "NZ", "", "tracker")
    assert not found.allowed
    assert found.next_at is found.obstacles[0].until is None
    assert "No hour of the next two weeks is permitted everywhere" in found.obstacles[0].text


@pytest.mark.django_db
def test_in_summer_no_hour_is_one_everywhere_that_a_toll_free_number_may_be(cast: Cast) -> None:
    """Ten in Hawaii is half past five in Newfoundland, where five is too late; in winter it is half past four."""
    winter = answer(cast, utc(2026, 11, 24, 16), TOLL_FREE)
    assert winter.next_at == utc(2026, 11, 24, 20)
    assert "No hour" not in winter.obstacles[0].text
    summer = answer(cast, utc(2026, 7, 7, 20), TOLL_FREE)
    assert (summer.allowed, summer.next_at) == (False, None)
    assert "only its location counts" in summer.obstacles[0].text
    assert answer(cast, utc(2026, 7, 7, 20), TOLL_FREE, "US", "TX", "address").allowed


@pytest.mark.django_db
def test_a_number_of_no_place_is_anywhere_unless_somebody_knows_better(cast: Cast) -> None:
    early = utc(2026, 11, 24, 16)  # nine in the west of Texas, six in Hawaii
    alone = answer(cast, early, TOLL_FREE)
    assert not alone.allowed
    assert answer(cast, early, TOLL_FREE, "US", "TX", "").next_at == alone.next_at
    assert answer(cast, early, TOLL_FREE, "US", "TX", "tracker").allowed
    nowhere = answer(cast, early, "+88310012345678", "US", "TX", "")
    assert [one.code for one in nowhere.obstacles] == [Code.NO_PLACE]


@pytest.mark.django_db
def test_a_request_not_to_call_is_kept_by_the_strictest_of_the_places(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        caller_id = people.add_callers(client=cast.dentist, numbers=[BERLIN], at=make.NOON)[BERLIN]
        said = Said(
            purpose=Purpose.CONTACT, kind=EventKind.WITHDRAWN, caller_id=caller_id, channel=Channel.WEB,
            strength=Strength.C, happened_at=make.NOON, source="one",
        )  # fmt: skip
        ledger.record_events(client=cast.dentist, said=[said], by=make.JOB, at=make.NOON)
    at = make.NOON + timedelta(hours=6)
    (alone, unproven, tracked, lives_there) = (
        answer(cast, at, BERLIN, *place).obstacles[0]
        for place in ((), ("US", "TX", ""), ("US", "TX", "tracker"), ("US", "TX", "address"))
    )
    assert alone == unproven == tracked
    assert "indefinitely" in alone.text
    assert f"at least until {make.NOON:%-d %b} {make.NOON.year + 5}" in lives_there.text


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(lambda at: at.replace(tzinfo=UTC)),
    st.lists(st.sampled_from(_PLACES), min_size=2, max_size=3, unique=True),
)
def test_several_places_are_open_together_when_each_is(at: datetime, where: list[tuple[str, str]]) -> None:
    there = [
        (load_pack().for_place(*one, Topic.QUIET_HOURS, at.date()).read(), zones.zones_of(*one), [one])
        for one in where
    ]
    found = zones.next_open_everywhere(there, at)
    assert (found == at) is all(zones.is_open(hours, zoned, at, one) for hours, zoned, one in there)
    if found is not None:
        assert all(zones.is_open(hours, zoned, found, one) for hours, zoned, one in there)
    assert zones.next_open_everywhere([], at) is None
    assert zones.next_open_everywhere([*there, (US, (), [("", "")])], at) is None


def test_a_request_of_a_leap_day_is_kept_for_whole_years() -> None:
    asked_at = utc(2028, 2, 29, 15)
    until, rule = contact.kept_until(load_pack(), asked_at, [("US", "NY")])
    assert until == utc(2028 + rule.read(), 3, 1, 15)
