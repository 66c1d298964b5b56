"""Cells out of calls: kept current from state, rebuilt the same, and what stays when calls leave."""

import itertools
import random
import uuid
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from analytics import spans
from analytics.enums import Conversion, Dimension, Grain, Measure, Step
from analytics.models import Cell, Span, Touched
from analytics.selectors import reports
from analytics.selectors import rules as rule_selectors
from analytics.selectors.reports import Asked, Report
from analytics.services import making, rebuilding, rules
from callprivacy.accounts.enums import Role
from callprivacy.calls.enums import ConfidentialCause, Direction, Outcome
from callprivacy.calls.models import Call, Caller, ConfidentialCall, first_id_at
from callprivacy.calls.services import confidential, intake
from callprivacy.calls.services.intake import Taken, Way
from callprivacy.lib.money import Money
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.vault import services as vault
from consent.enums import Basis, Purpose, State
from consent.models import ConsentState, Declaration
from retention.enums import Category
from tests import make
from tests.accounts.browsers import signed_in
from tests.analytics.calls import callers, calls
from tests.analytics.calls import work as work_at
from tests.calls.saying import TRACKING, fact, told
from tests.cast import Cast
from tests.retention.test_preview import keep, live, night
from tests.scale import some

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
NOON = next(
    at for at in (make.NOON - back * DAY for back in range(35)) if at.weekday() == 1 and 22 <= at.day <= 28
)
"""Noon of a Tuesday late in a month, so that the weeks before lie in the same one."""
LAST_WEEK = NOON - 7 * DAY
MONTH = NOON.date().replace(day=1)
NEXT_MONTH = (MONTH + 31 * DAY).replace(day=1)
MONTH_BEFORE = (MONTH - DAY).replace(day=1)


def midnight_of(day: date, zone: str) -> datetime:
    """The instant at which a day begins in a zone."""
    return datetime.combine(day, time(), tzinfo=ZoneInfo(zone)).astimezone(UTC)


def work(of: Client, at: datetime = NOON) -> int:
    return work_at(of, at)


def ask(
    of: Client, *measures: Measure, first: date | None = None, last: date | None = None, **said: Any
) -> Report:
    """A report of the current month, of calls if nothing else is named."""
    with job_scope(agency_id=of.agency_id):
        return reports.report(
            Asked(
                client_ids=(of.pk,),
                measures=measures or (Measure.CALLS,),
                first=first or MONTH,
                last=last or NEXT_MONTH,
                **said,
            )
        )


def total(of: Client) -> int:
    return ask(of).total.calls


def touched(of: Client) -> int:
    with job_scope(agency_id=of.agency_id):
        return Touched.objects.for_client(of).count()


# --- Kept current ---


def test_what_comes_changes_and_leaves_is_made_anew_and_nothing_else_is(cast: Cast) -> None:
    people = callers(cast.dentist, 20)
    mine = calls(cast.dentist, people, at=LAST_WEEK)
    assert work(cast.dentist) == 1
    assert work(cast.dentist) == 0
    assert total(cast.dentist) == 20
    calls(cast.dentist, people[:5], at=LAST_WEEK - 4 * DAY)
    work(cast.dentist)
    assert total(cast.dentist) == 25
    with job_scope(agency_id=cast.acme.pk):
        Call.objects.filter(pk__in=mine[:8]).update(outcome=Outcome.MISSED)
    work(cast.dentist)
    assert ask(cast.dentist, Measure.ANSWERED).total.figures[Measure.ANSWERED].value == 17
    with job_scope(agency_id=cast.acme.pk):
        Call.objects.filter(pk__in=mine[:2]).delete()
        Call.objects.filter(pk=mine[5]).update(on_hold=True)
    assert touched(cast.dentist) == 1, "what no cell tells touches none"
    work(cast.dentist)
    assert (total(cast.dentist), touched(cast.dentist)) == (23, 0)


def test_a_confidential_call_is_in_no_report_until_the_mark_is_lifted(cast: Cast) -> None:
    mine = calls(cast.dentist, callers(cast.dentist, 20), at=LAST_WEEK)
    work(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        confidential.mark_by_rule(
            client=cast.dentist, call_ids=mine[:1], cause=ConfidentialCause.MINOR, by=make.JOB, at=NOON
        )
    work(cast.dentist)
    assert total(cast.dentist) == 19
    with job_scope(agency_id=cast.acme.pk):
        ConfidentialCall.objects.update(lifted_at=NOON)
    work(cast.dentist)
    assert total(cast.dentist) == 20


def refuse(of: Client, caller_id: uuid.UUID, state: State = State.WITHDRAWN) -> None:
    with job_scope(agency_id=of.agency_id):
        ConsentState.objects.update_or_create(
            agency_id=of.agency_id, client=of, caller_id=caller_id, purpose=Purpose.MEASURE,
            defaults={"state": state, "since": NOON},
        )  # fmt: skip


def test_who_opts_out_is_counted_nowhere_and_only_as_one_of_many_who_did(cast: Cast) -> None:
    people = callers(cast.dentist, 30)
    calls(cast.dentist, people, at=LAST_WEEK)
    work(cast.dentist)
    for person in people[:4]:
        refuse(cast.dentist, person)
    work(cast.dentist)
    assert total(cast.dentist) == 26
    assert ask(cast.dentist, Measure.OPTED_OUT).total.figures[Measure.OPTED_OUT].value == 0, (
        "four are too few to tell"
    )
    refuse(cast.dentist, people[4])
    work(cast.dentist)
    assert ask(cast.dentist, Measure.OPTED_OUT).total.figures[Measure.OPTED_OUT].value == 5
    refuse(cast.dentist, people[0], State.GIVEN)
    work(cast.dentist)
    assert total(cast.dentist) == 26
    with job_scope(agency_id=cast.acme.pk):
        Caller.objects.filter(pk__in=people[10:12]).update(restricted_at=NOON)
    work(cast.dentist)
    assert total(cast.dentist) == 24


def test_a_number_that_refused_in_the_vault_alone_is_found_by_looking(cast: Cast) -> None:
    people = callers(cast.dentist, 20)
    calls(cast.dentist, people, at=LAST_WEEK)
    numbers = [f"+1212555{number:04d}" for number in range(2)]
    for number in numbers:
        make.call(cast.dentist, number, at=LAST_WEEK)
    work(cast.dentist)
    assert total(cast.dentist) == 22
    making.watch(agency_id=cast.acme.pk, at=NOON)
    vault.suppress(client_id=cast.dentist.pk, numbers=numbers[:1], purposes=[Purpose.MEASURE], at=NOON)
    making.watch(agency_id=cast.acme.pk, at=NOON + timedelta(minutes=1))
    work(cast.dentist, at=NOON + timedelta(minutes=1))
    assert total(cast.dentist) == 21


def test_the_vault_is_asked_once_for_all_clients_of_an_agency(cast: Cast) -> None:
    both = (cast.dentist, cast.plumber)
    for client in both:
        make.call(client, "+12125550101", at=LAST_WEEK)
        work(client)
    making.watch(agency_id=cast.acme.pk, at=NOON)
    vault.suppress(client_id=cast.plumber.pk, numbers=["+12125550101"], purposes=[Purpose.MEASURE], at=NOON)

    with CaptureQueriesContext(connections["vault"]) as asked:
        making.watch(agency_id=cast.acme.pk, at=NOON + timedelta(minutes=1))

    assert len([one for one in asked if "vault_suppression" in one["sql"]]) == 1
    assert [touched(client) for client in both] == [0, 1]


def test_another_basis_makes_everything_anew(cast: Cast) -> None:
    people = callers(cast.dentist, 20)
    calls(cast.dentist, people, at=LAST_WEEK)
    work(cast.dentist)
    for person in people[:6]:
        refuse(cast.dentist, person, State.GIVEN)
    with job_scope(agency_id=cast.acme.pk):
        Declaration.objects.create(
            agency_id=cast.acme.pk, client=cast.dentist, basis=Basis.CONSENT, declared_at=NOON
        )
    work(cast.dentist)
    assert total(cast.dentist) == 6


def test_two_of_us_do_not_make_the_same_client_at_once(cast: Cast) -> None:
    calls(cast.dentist, callers(cast.dentist, 6), at=LAST_WEEK)
    assert making.work(agency_id=cast.globex.pk, client_id=cast.dentist.pk, at=NOON) == making.Made()
    assert touched(cast.dentist) == 1


# --- The same again ---


@pytest.mark.parametrize("seed", some(range(3), one_in=3))
def test_a_history_in_any_order_ends_in_what_a_rebuild_makes(cast: Cast, seed: int) -> None:
    chance = random.Random(seed)
    people: list[uuid.UUID | None] = [*callers(cast.dentist, 40), None]
    mine: list[uuid.UUID] = []
    for _ in range(14):
        deed = chance.randrange(6)
        if deed < 2 or not mine:
            mine += calls(
                cast.dentist,
                chance.choices(people, k=chance.randrange(3, 25)),
                at=NOON - chance.randrange(70 * 24) * timedelta(hours=1),
                source=chance.choice(["Google Ads", "Bing", "Yelp"]),
                outcome=chance.choice([Outcome.ANSWERED, Outcome.MISSED]),
            )
        some = chance.sample(mine, min(len(mine), 4))
        with job_scope(agency_id=cast.acme.pk):
            if deed == 2:
                Call.objects.filter(pk__in=some).update(
                    campaign=chance.choice(["", "Spring"]), seconds=chance.choice([None, 5])
                )
            elif deed == 3:
                Call.objects.filter(pk__in=some).delete()
            elif deed == 4:
                Call.objects.filter(pk__in=some).update(
                    caller=chance.choice(people[:-1]), caller_withheld=False
                )
        if deed == 5 and (person := chance.choice(people)) is not None:
            refuse(cast.dentist, person, chance.choice([State.GIVEN, State.WITHDRAWN]))
        if chance.random() < 0.4:
            work(cast.dentist)
    work(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        before = rebuilding.digests(cast.dentist)
        assert not Cell.objects.filter(callers__lt=5).exists()
    assert before
    outcome = rebuilding.rebuild(client=cast.dentist, at=NOON, check=False, step=lambda _: None)
    assert (outcome.differing, outcome.spans) == (0, len(before))
    with job_scope(agency_id=cast.acme.pk):
        assert rebuilding.digests(cast.dentist) == before


def test_the_command_puts_right_what_is_wrong_and_says_so(
    cast: Cast, capsys: pytest.CaptureFixture[str]
) -> None:
    calls(cast.dentist, callers(cast.dentist, 20), at=LAST_WEEK)
    work(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        Cell.objects.for_client(cast.dentist).update(calls=99)
    with pytest.raises(SystemExit):
        call_command("rebuild_aggregates", "--check", "--client", cast.dentist.slug)
    assert total(cast.dentist) == 99
    call_command("rebuild_aggregates", "--client", cast.dentist.slug)
    assert "1 were put right" in capsys.readouterr().out
    assert total(cast.dentist) == 20


def test_a_free_text_with_the_sign_between_words_harms_no_other_call(cast: Cast) -> None:
    people = callers(cast.dentist, 20)
    calls(
        cast.dentist,
        people[:8],
        at=LAST_WEEK,
        source="Odd\x1fAds",
        campaign="Spring",
        country="US",
        region="GA",
    )
    calls(cast.dentist, people[8:], at=LAST_WEEK, source="Bing", country="US", region="GA")
    work(cast.dentist)
    rows = ask(cast.dentist, dimensions=(Dimension.SOURCE,)).rows
    assert {row.keys: row.calls for row in rows} == {("Bing",): 12, ("",): 8}
    assert [row.keys for row in ask(cast.dentist, dimensions=(Dimension.REGION,)).rows] == [("US-GA",)]


# --- Cut by volume, and by the clock ---


def test_where_calls_are_many_days_and_hours_are_grouped_apart(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = callers(cast.dentist, 12)
    for hours in (0, 1, 30):
        calls(cast.dentist, people, at=LAST_WEEK + timedelta(hours=hours))
    work(cast.dentist)

    def grains() -> list[int]:
        with job_scope(agency_id=cast.acme.pk):
            return list(
                Span.objects.for_client(cast.dentist).order_by("starts_at").values_list("grain", flat=True)
            )

    assert grains() == [Grain.MONTH]
    monkeypatch.setattr(making, "MOST", 24)
    calls(cast.dentist, people[:1], at=LAST_WEEK + timedelta(hours=31))
    work(cast.dentist)
    assert grains() == [Grain.DAY, Grain.DAY]
    monkeypatch.setattr(making, "MOST", 20)
    calls(cast.dentist, people[:1], at=LAST_WEEK + timedelta(hours=2))
    work(cast.dentist)
    assert grains() == [Grain.HOUR, Grain.HOUR, Grain.HOUR, Grain.DAY]
    # The hour with one caller tells nothing, whoever asks.
    assert total(cast.dentist) == 37
    assert rebuilding.rebuild(client=cast.dentist, at=NOON, check=True, step=lambda _: None).differing == 0
    making.roll(agency_id=cast.acme.pk, at=NOON + 40 * DAY)
    work(cast.dentist, at=NOON + 40 * DAY)
    assert grains() == [Grain.DAY, Grain.DAY]
    assert total(cast.dentist) == 38


def test_a_month_tells_hours_of_weekdays_and_of_no_day(cast: Cast) -> None:
    people = callers(cast.dentist, 12)
    hour = LAST_WEEK.astimezone(ZoneInfo(cast.dentist.time_zone))
    # The same hour of the client's clock, also where it is set in between.
    weeks = LAST_WEEK, (hour - 7 * DAY).astimezone(UTC)
    for week in weeks:
        calls(cast.dentist, people[:4], at=week)
        calls(cast.dentist, people[4:6], at=week + timedelta(hours=3))
    calls(cast.dentist, people[:3], at=weeks[1])
    work(cast.dentist)
    by = (Dimension.WEEKDAY, Dimension.HOUR_OF_DAY)
    found = ask(cast.dentist, dimensions=by)
    # Four callers an hour are too few for an hour of a day; the same hour of two weeks has them still: too few.
    assert [row.keys for row in found.rows if row.is_whole] == []
    calls(cast.dentist, people[6:8], at=LAST_WEEK)
    calls(cast.dentist, people[8:], at=LAST_WEEK + timedelta(hours=3))
    work(cast.dentist)
    found = ask(cast.dentist, dimensions=by)
    told = {row.keys: row.calls for row in found.rows if row.is_whole}
    assert told == {
        (str(hour.isoweekday()), str(hour.hour)): 13,
        (str(hour.isoweekday()), str(hour.hour + 3)): 8,
    }
    assert found.total.calls == 21
    assert ask(cast.dentist, dimensions=by, first=LAST_WEEK.date(), last=LAST_WEEK.date() + DAY).hidden > 0
    assert [row.at for row in ask(cast.dentist, step=Step.HOUR).rows] == [None]
    assert rebuilding.rebuild(client=cast.dentist, at=NOON, check=True, step=lambda _: None).differing == 0
    with job_scope(agency_id=cast.acme.pk):
        assert Cell.objects.for_client(cast.dentist).filter(hour__isnull=False).update(hour=0)
    assert rebuilding.rebuild(client=cast.dentist, at=NOON, check=True, step=lambda _: None).differing == 1


@pytest.mark.thorough
def test_after_35_days_hours_are_told_no_more(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "MOST", 24)
    people = callers(cast.dentist, 12)
    calls(cast.dentist, people, at=LAST_WEEK - 7 * DAY)
    calls(cast.dentist, people, at=LAST_WEEK)
    calls(cast.dentist, people, at=LAST_WEEK + timedelta(hours=2))
    work(cast.dentist)
    by_hour = ask(cast.dentist, step=Step.HOUR)
    assert [(row.at, row.calls) for row in by_hour.rows] == [
        (LAST_WEEK - 7 * DAY, 12),
        (LAST_WEEK, 12),
        (LAST_WEEK + timedelta(hours=2), 12),
    ]
    later = datetime.combine(NEXT_MONTH + 35 * DAY, time(6), tzinfo=UTC)
    assert making.roll(agency_id=cast.acme.pk, at=later) == 2
    work(cast.dentist, at=later)
    assert [(row.at, row.calls) for row in ask(cast.dentist, step=Step.HOUR).rows] == [(None, 36)]
    assert [(row.at, row.calls) for row in ask(cast.dentist, step=Step.DAY).rows] == [
        (LAST_WEEK.date() - 7 * DAY, 12),
        (LAST_WEEK.date(), 24),
    ]
    assert rebuilding.rebuild(client=cast.dentist, at=later, check=True, step=lambda _: None).differing == 0


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("America/New_York", date(2026, 3, 8), 23),
        ("America/New_York", date(2026, 11, 1), 25),
        ("Asia/Kolkata", date(2026, 11, 1), 24),
        ("Australia/Lord_Howe", date(2026, 4, 4), 25),
        ("Asia/Kathmandu", date(2026, 4, 5), 24),
    ],
)
def test_a_day_has_the_hours_that_its_clock_shows(zone: str, day: date, hours: int) -> None:
    start, end = spans.bounds(datetime(day.year, day.month, day.day, 18, tzinfo=UTC), zone, Grain.DAY)
    ticks = spans.ticks(start, end, zone)
    assert len(ticks.days) == hours
    assert (ticks.instant(0), ticks.instant(len(ticks.days))) == (start, end)
    for place in range(len(ticks.days)):
        assert spans.bounds(ticks.instant(place), zone, Grain.HOUR) == (
            ticks.instant(place),
            ticks.instant(place + 1),
        )


def test_the_hour_that_comes_twice_is_two(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "MOST", 20)
    people = callers(cast.dentist, 10)
    first = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    calls(cast.dentist, people, at=first)
    calls(cast.dentist, people, at=first + timedelta(hours=1))
    calls(cast.dentist, people, at=first + 7 * DAY)
    work(cast.dentist, at=first + 23 * DAY)
    month = {"first": date(2026, 11, 1), "last": date(2026, 12, 1)}
    rows = ask(cast.dentist, step=Step.HOUR, **month).rows[:2]
    assert [(row.at, row.calls) for row in rows] == [
        (first - timedelta(minutes=30), 10),
        (first + timedelta(minutes=30), 10),
    ]
    day = ask(cast.dentist, Measure.CALLS, Measure.CALLERS, step=Step.DAY, **month).rows[0]
    assert (day.at, day.calls, day.figures[Measure.CALLERS].value) == (date(2026, 11, 1), 20, 10)


def test_in_a_zone_half_an_hour_away_an_hour_of_ours_touches_two_days(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(time_zone="Asia/Kolkata")
        client = Client.objects.get(pk=cast.dentist.pk)
    people = callers(client, 10)
    # 23:45 on the last day of a month and 0:15 on the first of the next, in one hour of UTC.
    midnight = midnight_of(MONTH, "Asia/Kolkata")
    calls(client, people, at=midnight - timedelta(minutes=15))
    calls(client, people[:6], at=midnight + timedelta(minutes=15))
    assert work(client) == 2
    assert total(client) == 6
    assert ask(client, first=MONTH_BEFORE, last=MONTH).total.calls == 10


# --- When calls leave ---


def test_cells_outlive_their_calls_and_are_of_enough_people(cast: Cast) -> None:
    people = callers(cast.dentist, 30)
    old = NOON - 100 * DAY
    calls(cast.dentist, people, at=old)
    calls(cast.dentist, people[:2], at=old, source="Yelp", outcome=Outcome.MISSED)
    calls(cast.dentist, people, at=NOON - 60 * DAY)
    calls(cast.dentist, people, at=NOON - 2 * DAY)
    keep(cast.dentist, Category.CALL, 20)
    client = live(cast.dentist)
    span = {"first": old.date().replace(day=1), "last": NEXT_MONTH}
    night(client, at=NOON)
    with job_scope(agency_id=cast.acme.pk):
        assert Call.objects.for_client(client).count() == 30
        assert not Cell.objects.filter(callers__lt=5).exists()
        assert not Cell.objects.filter(source="Yelp").exists()
    work(client)
    assert ask(client, **span).total.calls == 92
    # The month in which some have left goes on.
    calls(client, people[:8], at=NOON - DAY)
    work(client)
    assert ask(client, **span).total.calls == 100
    rebuilding.rebuild(client=client, at=NOON, check=False, step=lambda _: None)
    assert ask(client, **span).total.calls == 100
    making.roll(agency_id=cast.acme.pk, at=NOON)
    by_day = ask(client, step=Step.DAY, **span)
    assert {row.at: row.calls for row in by_day.rows}[old.date()] == 32


def hours_touched(of: Client) -> set[datetime | None]:
    with job_scope(agency_id=of.agency_id):
        return set(Touched.objects.for_client(of).values_list("hour", flat=True))


def test_what_leaves_touches_what_is_not_final_alone(cast: Cast) -> None:
    people = callers(cast.dentist, 12)
    old, late = calls(cast.dentist, people, at=NOON - 100 * DAY), calls(cast.dentist, people, at=LAST_WEEK)
    work(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        making.settle(client=cast.dentist, before=NOON - 50 * DAY, at=NOON)
        Call.objects.for_client(cast.dentist).filter(pk__in=[old[0], late[0]]).remove()
    assert hours_touched(cast.dentist) == {LAST_WEEK.replace(minute=0, second=0)}


def test_an_hour_of_which_only_a_part_is_final_is_touched(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(time_zone="Asia/Kolkata")
        client = Client.objects.get(pk=cast.dentist.pk)
    people = callers(client, 12)
    midnight = midnight_of(MONTH, "Asia/Kolkata")
    (before, *_), (after, *_) = (
        calls(client, people, at=midnight + minutes * timedelta(minutes=1)) for minutes in (-15, 15)
    )
    work(client)
    with job_scope(agency_id=cast.acme.pk):
        making.settle(client=client, before=midnight, at=NOON)
        Call.objects.for_client(client).filter(pk__in=[before, after]).remove()
    assert hours_touched(client) == {midnight.replace(minute=0)}


def test_of_several_clients_a_number_stands_for_the_fewest_callers_that_one_of_them_asks_for(
    cast: Cast,
) -> None:
    clients = [cast.dentist, cast.plumber]
    found = []
    with job_scope(agency_id=cast.acme.pk):
        for dentists, plumbers in ((50, None), (50, 3), (50, 20)):
            for client, k in ((cast.dentist, dentists), (cast.plumber, plumbers)):
                if k is not None:
                    rules.set_rule(
                        client=client, conversion=Conversion.ANSWERED, seconds=60, tags=[], k=k, by=make.JOB, at=NOON
                    )  # fmt: skip
            found.append(reports.least_callers(clients))
        assert (found, reports.least_callers(clients[:1])) == ([5, 3, 20], 50)


def moved(of: Client, zone: str) -> Client:
    """The client with its clocks in another zone, and its cells made anew."""
    with job_scope(agency_id=of.agency_id):
        Client.objects.filter(pk=of.pk).update(time_zone=zone)
        client = Client.objects.select_related("agency").get(pk=of.pk)
    work(client)
    return client


def are_apart(of: Client) -> bool:
    """Whether no span of a client reaches into the next."""
    with job_scope(agency_id=of.agency_id):
        found = Span.objects.for_client(of).order_by("starts_at").values_list("starts_at", "ends_at")
        return all(ends <= after for (_, ends), (after, _) in itertools.pairwise(found))


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Europe/Berlin"])
def test_a_final_month_is_counted_once_when_the_clients_clocks_are_set(cast: Cast, zone: str) -> None:
    people = callers(cast.dentist, 12)
    begins = midnight_of(MONTH, cast.dentist.time_zone)
    before = midnight_of(MONTH_BEFORE, cast.dentist.time_zone)
    for at in (before, begins - 20 * DAY, begins - timedelta(minutes=30)):
        calls(cast.dentist, people, at=at)
    work(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        making.settle(client=cast.dentist, before=begins, at=NOON)
    calls(cast.dentist, people, at=begins + timedelta(minutes=30))
    calls(cast.dentist, people, at=begins + 10 * DAY)
    client = moved(cast.dentist, zone)
    assert are_apart(client)
    year = {"first": MONTH.replace(year=MONTH.year - 1), "last": NEXT_MONTH}
    at_once = 12 if zone == "America/Los_Angeles" else 0
    for dimensions in ((), (Dimension.SOURCE,)):
        months = ask(client, step=Step.MONTH, dimensions=dimensions, **year)
        assert {row.at: row.calls for row in months.rows} == {
            MONTH_BEFORE: 36 + at_once,
            MONTH: 24 - at_once,
        }
    with job_scope(agency_id=cast.acme.pk):
        assert Span.objects.for_client(client).filter(is_final=True).count() == 1
        assert all(row.unplaced == 0 for row in (ask(client, **year), ask(client, step=Step.MONTH, **year)))


def test_days_go_on_becoming_final_one_by_one_when_the_clients_clocks_were_set(cast: Cast) -> None:
    people = callers(cast.dentist, 12)
    for day in (2, 5, 12, 20):
        calls(cast.dentist, people, at=NOON.replace(day=day, hour=15))
    work(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        making.settle(
            client=cast.dentist, before=midnight_of(MONTH.replace(day=6), cast.dentist.time_zone), at=NOON
        )
    client = moved(cast.dentist, "America/Los_Angeles")
    assert ask(client).total.calls == 48
    with job_scope(agency_id=cast.acme.pk):
        making.settle(client=client, before=midnight_of(MONTH.replace(day=13), client.time_zone), at=NOON)
    calls(client, people, at=NOON.replace(hour=15))
    work(client)
    assert are_apart(client)
    days = {row.at: row.calls for row in ask(client, step=Step.DAY).rows}
    assert days == {MONTH.replace(day=day): 12 for day in (2, 5, 12, 20, NOON.day)}


def test_a_recording_that_comes_later_touches_its_hour_and_one_that_comes_along_once(cast: Cast) -> None:
    client, yesterday = make.client(make.agency("Initech"), "Roofer"), make.NOON - DAY
    make.tracking_number(client, TRACKING)
    work(client)
    link = "https://app.example.com/calls/1/recording/redirect?access_key=c4n4ry5ecret"
    batch = intake.prepare(
        client=client, provider="callrail", connection_id=None,
        facts=[fact(started_at=yesterday, recording_reference=link)], way=Way.IMPORT, at=make.NOON, look_first=False,
    )  # fmt: skip
    assert batch.store() == [Taken.ADDED]
    with job_scope(agency_id=client.agency_id):
        assert Touched.objects.for_client(client).count() == 1
    told(client, fact(references=(("id", "2"),), started_at=yesterday + timedelta(hours=2)))
    work(client)
    told(
        client,
        fact(references=(("id", "2"),), started_at=yesterday + timedelta(hours=2), recording_reference=link),
    )
    assert hours_touched(client) == {(yesterday + timedelta(hours=2)).replace(minute=0, second=0)}


# --- Reports ---


@pytest.fixture
def shop(cast: Cast) -> Client:
    """80 calls of two sources, of which the small one has two that were missed."""
    people = callers(cast.dentist, 80)
    calls(cast.dentist, people[:50], at=LAST_WEEK, value_cents=100, campaign="Spring")
    calls(
        cast.dentist,
        people[50:68],
        at=LAST_WEEK + timedelta(hours=3),
        source="Yelp",
        first_call=True,
        seconds=30,
    )
    calls(
        cast.dentist, people[68:70], at=LAST_WEEK + timedelta(hours=3), source="Yelp", outcome=Outcome.MISSED
    )
    calls(
        cast.dentist,
        people[70:],
        at=LAST_WEEK - 6 * DAY,
        outcome=Outcome.MISSED,
        direction=Direction.OUTBOUND,
    )
    work(cast.dentist)
    return cast.dentist


def test_what_two_people_did_is_told_of_nobody(shop: Client) -> None:
    found = ask(shop, Measure.CALLS, Measure.ANSWERED, dimensions=(Dimension.SOURCE,))
    rows = {row.keys[0]: row for row in found.rows}
    assert rows["Yelp"].calls == 20
    answered = rows["Yelp"].figures[Measure.ANSWERED]
    assert answered.unknown >= 5
    assert answered.value <= 18 <= answered.value + answered.unknown
    crossed = ask(shop, dimensions=(Dimension.SOURCE, Dimension.OUTCOME))
    assert all(row.calls >= 5 for row in crossed.rows)
    assert ("Yelp", "missed") not in [row.keys for row in crossed.rows]
    assert sum(row.calls for row in crossed.rows) == found.total.calls == 80
    assert crossed.hidden == sum(row.calls for row in crossed.rows if not row.is_whole)


def test_sums_conversions_filters_and_the_period_before(shop: Client) -> None:
    month = ask(shop, Measure.SECONDS, Measure.VALUE, Measure.CONVERSIONS, Measure.CALLERS)
    figures = {measure: figure.value for measure, figure in month.total.figures.items()}
    assert figures == {
        Measure.SECONDS: 62 * 95 + 18 * 30,
        Measure.VALUE: 5000,
        Measure.CONVERSIONS: 50,
        Measure.CALLERS: 80,
    }
    only = ask(shop, filters={Dimension.SOURCE: ("Yelp",)})
    assert (only.total.calls, only.unplaced) == (20, 0)
    monday = LAST_WEEK.date() - LAST_WEEK.weekday() * DAY
    compared = ask(shop, step=Step.WEEK, first=monday, last=monday + 7 * DAY, compare=True)
    assert compared.before is not None
    assert (compared.total.calls, compared.before.total.calls) == (70, 10)
    assert [(row.at, row.calls) for row in compared.rows] == [(monday, 70)]
    heat = ask(shop, dimensions=(Dimension.WEEKDAY, Dimension.HOUR_OF_DAY))
    zone = ZoneInfo(shop.time_zone)
    hours = [(LAST_WEEK + timedelta(hours=more)).astimezone(zone) for more in (0, 3, -6 * 24)]
    told = [(str(hour.isoweekday()), str(hour.hour)) for hour in hours]
    assert {row.keys: row.calls for row in heat.rows} == dict(zip(told, (50, 20, 10), strict=True))
    with job_scope(agency_id=shop.agency_id):
        assert reports.values_of([shop.pk], Dimension.SOURCE) == ["Google Ads", "Yelp"]


@pytest.mark.parametrize(
    "said",
    some(
        [
            {},
            {"step": Step.DAY},
            {"first": MONTH.replace(day=16), "last": MONTH.replace(day=23)},
            {"first": MONTH.replace(day=18), "last": MONTH.replace(day=20)},
            {"first": MONTH.replace(day=12), "last": MONTH.replace(day=13), "step": Step.DAY},
            {"filters": {Dimension.OUTCOME: ("answered",)}},
        ],
        one_in=3,
    ),
)
@pytest.mark.parametrize(
    "dimensions",
    [
        (Dimension.SOURCE,),
        pytest.param((Dimension.SOURCE, Dimension.OUTCOME), marks=pytest.mark.thorough),
        (Dimension.CLIENT,),
    ],
)
def test_a_total_is_the_same_whatever_calls_are_told_apart_by(
    shop: Client, dimensions: tuple[Dimension, ...], said: dict[str, Any]
) -> None:
    wanted = (Measure.CALLS, Measure.SECONDS, Measure.VALUE, Measure.ANSWERED)
    apart = ask(shop, *wanted, dimensions=dimensions, **said)
    plain = ask(shop, *wanted, **{name: value for name, value in said.items() if name != "step"})
    assert apart.total.calls == plain.total.calls
    assert apart.total.figures == plain.total.figures
    assert apart.unplaced == plain.unplaced


@pytest.mark.thorough
def test_where_every_cell_lies_in_the_period_the_total_is_not_asked_again(shop: Client) -> None:
    asked = Asked(
        client_ids=(shop.pk,), measures=(Measure.CALLS,), dimensions=(Dimension.SOURCE,),
        first=MONTH, last=NEXT_MONTH,
    )  # fmt: skip
    with job_scope(agency_id=shop.agency_id), CaptureQueriesContext(connection) as captured:
        assert reports.report(asked).total.calls == 80
    assert len([one for one in captured.captured_queries if "sum(c.calls)" in one["sql"]]) == 1


@pytest.mark.parametrize(
    "said",
    [
        pytest.param({"first": NEXT_MONTH}, marks=pytest.mark.thorough),
        pytest.param({"dimensions": (Dimension.SOURCE, Dimension.SOURCE)}, marks=pytest.mark.thorough),
        {"dimensions": (Dimension.SOURCE, Dimension.MEDIUM, Dimension.REGION, Dimension.LENGTH)},
        {"filters": {Dimension.CLIENT: ("1",)}},
    ],
)
def test_what_no_report_answers_is_refused_in_words(shop: Client, said: dict[str, Any]) -> None:
    with pytest.raises(reports.ReportError, match=r"\.$"):
        ask(shop, **said)


def test_reports_read_cells_and_only_those_of_clients_one_may_see(cast: Cast, shop: Client) -> None:
    asked = Asked(
        client_ids=(shop.pk, cast.plumber.pk, cast.florist.pk), measures=tuple(Measure)[:5],
        first=MONTH, last=NEXT_MONTH, dimensions=(Dimension.SOURCE, Dimension.CAMPAIGN),
    )  # fmt: skip
    analyst = make.person(cast.acme, "ann", Role.ANALYST)
    make.grant(analyst, shop)
    with staff_scope(agency_id=cast.acme.pk, user_id=analyst.user_id):
        with CaptureQueriesContext(connection) as captured:
            assert reports.report(asked).total.calls == 80
        assert not Call.objects.exists()
    assert len(captured) <= 10
    assert not [query for query in captured.captured_queries if "calls_call" in query["sql"]]
    for who, agency in ((cast.carol, cast.acme), (cast.mallory, cast.globex)):
        with staff_scope(agency_id=agency.pk, user_id=who.user_id):
            assert reports.report(asked).total.calls == 0


def test_a_client_says_what_converts_and_how_many_a_figure_needs(cast: Cast, shop: Client) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Call.objects.filter(pk__gte=first_id_at(LAST_WEEK), source="Google Ads").update(tags=["booked"])
        rules.set_rule(
            client=shop, conversion=Conversion.TAGGED, seconds=0, tags=["booked"], k=15, by=make.JOB, at=NOON
        )
        with pytest.raises(rules.RuleError, match="tag"):
            rules.set_rule(
                client=shop, conversion=Conversion.TAGGED, seconds=0, tags=[], k=5, by=make.JOB, at=NOON
            )
    work(shop)
    assert ask(shop, Measure.CONVERSIONS).total.figures[Measure.CONVERSIONS].value == 50
    with job_scope(agency_id=cast.acme.pk):
        assert not Cell.objects.filter(callers__lt=15).exists()


def test_an_officer_says_so_on_a_page_and_a_reviewer_does_not(cast: Cast, shop: Client) -> None:
    page = "/reports/clients/dentist/rule/"
    make.grant(cast.alice, shop)
    officer = signed_in(cast.alice)
    assert "Answered, and long enough" in officer.get(page).content.decode()
    said = {"conversion": "tagged", "seconds": "60", "tags": "", "k": "2"}
    refused = officer.post(page, said)
    assert refused.status_code == 400
    assert "greater than or equal to 3" in refused.content.decode()
    said |= {"p": "20"}
    assert "Name at least one tag." in officer.post(page, said | {"k": "7"}).content.decode()
    assert "less than or equal to 100" in officer.post(page, said | {"p": "101"}).content.decode()
    assert officer.post(page, said | {"k": "7", "tags": "booked, quote , booked"}).status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        rule = rule_selectors.rule_of(shop)
    assert (rule.k, rule.p) == (7, 20)
    assert (rule.tags, rule.words) == (frozenset({"booked", "quote"}), "Tagged booked, quote")
    shown = " ".join(officer.get(page).content.decode().split())
    assert "booked, quote" in shown
    assert "if at least 7 callers contribute to it" in shown
    assert "at least 20 percent of what the largest brings" in shown
    assert signed_in(cast.bob).post(page, said).status_code == 403


def test_an_account_manager_sets_the_currency_and_the_number_format(cast: Cast, shop: Client) -> None:
    make.grant(cast.alice, shop, bundle=Role.ACCOUNT_MANAGER)
    said = {"conversion": "answered", "seconds": "60", "tags": "", "k": "5", "p": "15"}
    page = "/reports/clients/dentist/rule/"
    assert signed_in(cast.alice).post(page, said | {"currency": "euro"}).status_code == 400
    chosen = said | {"currency": "CHF", "number_format": "de-ch"}
    assert signed_in(cast.alice).post(page, chosen).status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        assert rule_selectors.money_of_client(shop) == Money("CHF", "de-ch")
    assert signed_in(cast.alice).post(page, said).status_code == 302
    shop.home_country = "FR"
    with job_scope(agency_id=cast.acme.pk):
        assert rule_selectors.money_of_client(shop) == Money("EUR", "fr"), "as in its country"
