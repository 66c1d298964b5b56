"""Calls counted by day: as they stand, by the days of the agency, and for who may see the calls."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from analytics.models import DayCount, Span
from analytics.selectors import days as selectors
from analytics.selectors.days import Counted
from analytics.services import days, making
from callprivacy.calls.enums import Outcome, RecordingState
from callprivacy.calls.models import Call, Recording
from callprivacy.tenancy.models import Agency, Client
from callprivacy.tenancy.scope import job_scope, staff_scope
from tests import make
from tests.analytics.calls import callers, calls, work
from tests.cast import Cast
from tests.make import NOON

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
FIRST = (NOON - 27 * DAY).date()


def counted(of: Client) -> Counted | None:
    with job_scope(agency_id=of.agency_id):
        return selectors.of_clients([of.pk], first=FIRST).get(of.pk)


def test_a_day_is_counted_again_when_a_call_of_it_comes_changes_or_leaves(cast: Cast) -> None:
    mine = calls(cast.dentist, callers(cast.dentist, 3), at=NOON - 7 * DAY)
    work(cast.dentist)
    assert counted(cast.dentist) == Counted(calls=3, answered=3)

    with job_scope(agency_id=cast.acme.pk):
        Call.objects.filter(pk=mine[0]).update(outcome=Outcome.MISSED)
        make.bare_recording(Call.objects.get(pk=mine[1]))
    work(cast.dentist)
    assert counted(cast.dentist) == Counted(calls=3, answered=2, withheld=1)

    with job_scope(agency_id=cast.acme.pk):
        Recording.objects.update(state=RecordingState.GONE, gone_at=NOON, reference=None)
        Call.objects.filter(pk=mine[0]).delete()
    work(cast.dentist)
    assert counted(cast.dentist) == Counted(calls=2, answered=2)


def test_what_leaves_a_span_that_is_final_leaves_the_count_of_its_day(cast: Cast) -> None:
    mine = calls(cast.dentist, callers(cast.dentist, 3), at=NOON - 7 * DAY)
    with job_scope(agency_id=cast.acme.pk):
        make.bare_recording(Call.objects.get(pk=mine[1]))
    work(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        assert Span.objects.for_client(cast.dentist).update(is_final=True)
        Recording.objects.for_client(cast.dentist).remove()
    work(cast.dentist)
    assert counted(cast.dentist) == Counted(calls=3, answered=3)

    with job_scope(agency_id=cast.acme.pk):
        Call.objects.filter(pk=mine[0]).delete()
    work(cast.dentist)
    assert counted(cast.dentist) == Counted(calls=2, answered=2)


def test_days_follow_the_agencys_zone(cast: Cast) -> None:
    late = datetime.combine(NOON - 4 * DAY, time(23), tzinfo=ZoneInfo(cast.acme.time_zone))
    calls(cast.dentist, callers(cast.dentist, 1), at=late)
    work(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        assert list(selectors.of_days([cast.dentist.pk], first=FIRST)) == [late.date()]
        Agency.objects.filter(pk=cast.acme.pk).update(time_zone="Asia/Tokyo")

    work(cast.dentist)

    with job_scope(agency_id=cast.acme.pk):
        assert list(selectors.of_days([cast.dentist.pk], first=FIRST)) == [late.date() + DAY]


@pytest.mark.parametrize("is_anew", [False, True], ids=["touched", "made anew"])
def test_a_day_without_calls_has_no_count(cast: Cast, *, is_anew: bool) -> None:
    (only,) = calls(cast.dentist, callers(cast.dentist, 1), at=NOON - 7 * DAY)
    work(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        Call.objects.filter(pk=only).delete()
        if is_anew:
            making.touch(client=cast.dentist, hours=[None])

    work(cast.dentist)

    assert counted(cast.dentist) is None


def test_days_are_the_agencys_also_where_its_clock_is_half_an_hour_off(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Agency.objects.filter(pk=cast.acme.pk).update(time_zone="Asia/Kolkata")
    today = (NOON - 4 * DAY).date()
    midnight = datetime.combine(today, time(), tzinfo=ZoneInfo("Asia/Kolkata"))
    for minutes in (-5, 5):
        calls(cast.dentist, callers(cast.dentist, 1), at=midnight + timedelta(minutes=minutes))

    work(cast.dentist)

    with job_scope(agency_id=cast.acme.pk):
        found = selectors.of_days([cast.dentist.pk], first=FIRST)
    assert found == {today - DAY: (1, 1), today: (1, 1)}


def test_who_may_not_see_the_calls_sees_no_count(cast: Cast) -> None:
    for client in (cast.dentist, cast.plumber):
        calls(client, callers(client, 1), at=NOON - 2 * DAY)
        work(client)

    with staff_scope(agency_id=cast.acme.pk, user_id=cast.bob.user_id):
        found = selectors.of_clients([cast.dentist.pk, cast.plumber.pk], first=FIRST)

    assert list(found) == [cast.dentist.pk]


def test_counts_stay_five_weeks_and_older_calls_are_not_counted(cast: Cast) -> None:
    for age in (34, 40):
        calls(cast.dentist, callers(cast.dentist, 1), at=NOON - age * DAY)
    work(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        assert [row.day for row in DayCount.objects.all()] == [(NOON - 34 * DAY).date()]

        assert days.let_go(agency_id=cast.acme.pk, at=NOON + 2 * DAY) == 1
