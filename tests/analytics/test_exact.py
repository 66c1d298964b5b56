"""Exact reports: who sees them, that they are what the calls say, and that no one else ever gets one."""

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext

from analytics.enums import LENGTHS, PARTS, Dimension, Every, Measure, Step
from analytics.selectors import exact, reports
from analytics.selectors.reports import Asked, Report
from analytics.services import saved
from analytics.tasks import reports as tasks
from callprivacy.accounts.enums import BUNDLES, Role
from callprivacy.accounts.models import Membership
from callprivacy.calls.enums import Direction, Outcome
from callprivacy.calls.models import Call
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope, staff_scope
from tests import make
from tests.accounts.browsers import signed_in
from tests.analytics.calls import callers, calls, work
from tests.analytics.test_cells import refuse
from tests.calls.test_confidential import mark
from tests.cast import Cast
from tests.make import NOON
from tests.samples import night_of_25_hours

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
PAGE = "/reports/clients/dentist/"
EXACT = "Exact: for people who may see this client"
_DIMENSIONS = [one for one in Dimension if one is not Dimension.CLIENT]


@pytest.fixture
def manager(cast: Cast) -> Membership:
    """An account manager, who lists the dentist's calls."""
    manager = make.person(cast.acme, "mona", Role.ACCOUNT_MANAGER)
    make.grant(manager, cast.dentist)
    return manager


@pytest.fixture
def nina(cast: Cast) -> Membership:
    """An analyst with the dentist, and without a right to any call."""
    nina = make.person(cast.acme, "nina", Role.ANALYST)
    make.grant(nina, cast.dentist)
    return nina


def _scatter(of: Client, around: date, chance: random.Random) -> None:
    """Calls at any second of nineteen days, many of them in the night of the middle one."""
    people = [*callers(of, 12), None]
    start = datetime(around.year, around.month, around.day, tzinfo=UTC) - 9 * DAY
    for number in range(220):
        second = chance.randrange(19 * 86_400) if number % 3 else 9 * 86_400 + chance.randrange(12 * 3600)
        calls(
            of,
            [chance.choice(people)],
            at=start + timedelta(seconds=second),
            source=chance.choice(["Google Ads", "Bing", ""]),
            campaign=chance.choice(["Roofs", "Drains"]),
            medium=chance.choice(["cpc", ""]),
            direction=chance.choice(Direction.values),
            outcome=chance.choice(Outcome.values),
            country=chance.choice(["US", ""]),
            region=chance.choice(["CA", ""]),
            seconds=chance.choice([None, 0, 12, 59, 60, 800]),
            first_call=chance.choice([True, False, None]),
            landing_page=chance.choice(["/", "/roofs", ""]),
            keyword=chance.choice(["roof repair", ""]),
            value_cents=chance.choice([None, 0, 12_345]),
        )


def _fact(call: Call, dimension: Dimension, local: datetime) -> str:
    if dimension is Dimension.WEEKDAY:
        return str(local.isoweekday())
    if dimension in {Dimension.HOUR_OF_DAY, Dimension.PART_OF_DAY}:
        hours = PARTS if dimension is Dimension.PART_OF_DAY else range(24)
        return str(max(begins for begins in hours if begins <= local.hour))
    if dimension is Dimension.REGION:
        return f"{call.country}-{call.region}" if call.region else call.country
    if dimension is Dimension.REPEATED:
        return {True: "first", False: "repeated", None: ""}[call.first_call]
    if dimension is Dimension.LENGTH:
        bands = [name for start, name in LENGTHS if call.seconds is not None and start <= call.seconds]
        return bands[-1] if bands else ""
    return str(getattr(call, dimension.value))


def _step(step: Step, local: datetime) -> str:
    day = local.date()
    return {
        Step.ALL: "",
        Step.MONTH: str(day.replace(day=1)),
        Step.WEEK: str(day - local.weekday() * DAY),
        Step.DAY: str(day),
        Step.HOUR: f"{local:%Y-%m-%dT%H %z}",
    }[step]


def by_hand(rows: list[Call], asked: Asked, zone: str) -> dict[tuple[str, ...], Counter[Measure]]:
    """Every call looked at by itself."""
    found: dict[tuple[str, ...], Counter[Measure]] = {}
    for call in rows:
        local = call.started_at.astimezone(ZoneInfo(zone))
        if not asked.first <= local.date() < asked.last:
            continue
        if any(_fact(call, one, local) not in wanted for one, wanted in asked.filters.items()):
            continue
        key = (_step(asked.step, local), *(_fact(call, one, local) for one in asked.dimensions))
        is_answered = call.outcome == Outcome.ANSWERED
        found.setdefault(key, Counter()).update(
            {
                Measure.CALLS: 1,
                Measure.ANSWERED: int(is_answered),
                Measure.CONVERSIONS: int(is_answered and (call.seconds or 0) >= 60),
                Measure.SECONDS: call.seconds or 0,
                Measure.VALUE: call.value_cents or 0,
            }
        )
    return found


def _said(report: Report, zone: str) -> dict[tuple[str, ...], Counter[Measure]]:
    found: dict[tuple[str, ...], Counter[Measure]] = {}
    for row in report.rows:
        at = row.at
        step = (
            f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%dT%H %z}" if isinstance(at, datetime) else str(at or "")
        )
        numbers = Counter({measure: figure.value for measure, figure in row.figures.items()})
        assert (step, *map(str, row.keys)) not in found
        found[(step, *map(str, row.keys))] = numbers
    return found


@pytest.mark.parametrize(
    "zone", ["America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/Santiago"]
)
def test_exact_report_agrees_with_a_count_over_the_calls(cast: Cast, manager: Membership, zone: str) -> None:
    chance = random.Random(zone)
    middle = night_of_25_hours()
    _scatter(cast.dentist, middle, chance)
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(time_zone=zone)
        every = list(Call.objects.for_client(cast.dentist))
    with staff_scope(agency_id=cast.acme.pk, user_id=manager.user_id):
        for _ in range(40):
            first = middle + chance.randrange(-10, 3) * DAY
            last = first + chance.randrange(1, 17) * DAY
            filters: dict[Dimension, tuple[str, ...]] = {}
            if chance.random() < 0.4:
                filters = {Dimension.CAMPAIGN: ("Roofs",), Dimension.REPEATED: ("first", "")}
            asked = Asked(
                client_ids=(cast.dentist.pk,),
                measures=(
                    Measure.CALLS, Measure.ANSWERED, Measure.CONVERSIONS, Measure.SECONDS, Measure.VALUE,
                ),
                first=first,
                last=last,
                dimensions=tuple(chance.sample(_DIMENSIONS, chance.randrange(3))),
                filters=filters,
                step=chance.choice(list(Step)),
            )  # fmt: skip

            report = exact.report(asked, at=NOON)

            wanted = by_hand(every, asked, zone)
            assert _said(report, zone) == wanted, asked
            assert report.total.calls == sum(one[Measure.CALLS] for one in wanted.values())


# --- Who sees it ---


def _fill(of: Client) -> None:
    """Twelve callers from one campaign and one caller from another, an hour apart, the day before yesterday."""
    at = make.now() - 2 * DAY
    people = callers(of, 12)
    calls(of, people, at=at, campaign="Roofs")
    calls(of, people[:1], at=at + timedelta(hours=1), campaign="Lonely")
    work(of, make.now())


def test_bundles_that_see_calls_see_exact_reports_and_no_others() -> None:
    for role, bundle in BUNDLES.items():
        assert (Permission.VIEW_EXACT_REPORTS in bundle) == (Permission.VIEW_CALLS in bundle), role


@pytest.mark.parametrize("role", [Role.OFFICER, Role.ACCOUNT_MANAGER, Role.REVIEWER, Role.AGENT])
def test_people_who_see_calls_see_exact_figures_and_that_they_are(cast: Cast, role: Role) -> None:
    _fill(cast.dentist)
    person = make.person(cast.acme, "paul", role)
    make.grant(person, cast.dentist)

    page = signed_in(person).get(f"{PAGE}?period=7&by=campaign&kind=bars").content.decode()

    assert EXACT in page
    assert "Lonely" in page
    assert "Suppressed" not in page


@pytest.mark.parametrize("path", ["?period=7&by=campaign&kind=bars", "campaigns/?period=7"])
def test_analysts_get_protected_figures_on_each_page(cast: Cast, nina: Membership, path: str) -> None:
    _fill(cast.dentist)
    with CaptureQueriesContext(connection) as queries:
        page = signed_in(nina).get(f"{PAGE}{path}").content.decode()
    assert EXACT not in page
    assert "Lonely" not in page
    assert not [one for one in queries.captured_queries if "calls_call" in one["sql"]]


@pytest.mark.parametrize("without", [Permission.VIEW_CALLS, Permission.VIEW_EXACT_REPORTS])
def test_each_permission_alone_gives_no_exact_figures(cast: Cast, without: Permission) -> None:
    _fill(cast.dentist)
    person = make.person(cast.acme, "paul", Role.ACCOUNT_MANAGER)
    make.grant(person, cast.dentist, without=without)
    page = signed_in(person).get(f"{PAGE}?period=7&by=campaign&kind=bars").content.decode()
    assert EXACT not in page
    assert "Lonely" not in page


def test_rows_are_not_read_for_people_who_see_no_calls(cast: Cast, nina: Membership) -> None:
    _fill(cast.dentist)
    today = make.now().date()
    asked = Asked((cast.dentist.pk,), (Measure.CALLS,), first=today - 7 * DAY, last=today + DAY)
    with staff_scope(agency_id=cast.acme.pk, user_id=nina.user_id):
        assert exact.report(asked, at=make.now()).total.calls == 0


@pytest.mark.parametrize("form", ["csv", "xlsx", "pdf"])
@pytest.mark.parametrize("path", ["export", "campaigns"])
def test_files_are_protected_for_people_who_see_calls_too(
    cast: Cast, manager: Membership, path: str, form: str
) -> None:
    _fill(cast.dentist)
    with CaptureQueriesContext(connection) as queries:
        file = signed_in(manager).get(f"{PAGE}{path}/{form}/?period=7&by=campaign&kind=bars")
    assert file.status_code == 200
    assert b"Lonely" not in file.content
    assert not [one for one in queries.captured_queries if "FROM calls_call" in one["sql"]]


def test_mails_and_saved_reports_are_protected_for_people_who_see_calls_too(
    cast: Cast, manager: Membership
) -> None:
    _fill(cast.dentist)
    query = "measure=calls&by=campaign&period=7&kind=bars"
    with staff_scope(agency_id=cast.acme.pk, user_id=manager.user_id):
        by, at = Actor.staff(user_id=manager.user_id), make.now() - 2 * DAY
        report = saved.save_report(
            client=cast.dentist, name="Mine", query=query, is_shared=True, by=by, at=at
        )
        saved.mail_report(report=report, every=Every.DAY, by=by, at=at)
    browser = signed_in(manager)

    page = browser.get(browser.get(f"{PAGE}saved/{report.pk}/")["Location"]).content.decode()
    with CaptureQueriesContext(connection) as queries:
        tasks.mail_reports()

    assert "Mine" in page
    assert EXACT not in page
    assert "Lonely" not in page
    assert len(mail.outbox) == 1
    assert not [one for one in queries.captured_queries if "FROM calls_call" in one["sql"]]


def test_the_page_of_all_clients_is_protected(cast: Cast, manager: Membership) -> None:
    _fill(cast.dentist)
    with CaptureQueriesContext(connection) as queries:
        page = signed_in(manager).get("/reports/?period=7").content.decode()
    assert EXACT not in page
    assert not [one for one in queries.captured_queries if "FROM calls_call" in one["sql"]]


# --- What it counts ---


def test_confidential_calls_count_for_people_whom_they_name(
    cast: Cast, manager: Membership, settings: Any, tmp_path: Any
) -> None:
    settings.MEDIA_ROOT = tmp_path
    for number in range(3):
        make.call(cast.dentist, f"+1404555468{number}", at=make.now() - 2 * DAY)
    with job_scope(agency_id=cast.acme.pk):
        call = Call.objects.for_client(cast.dentist).first()
    assert call is not None
    mark(cast, call)
    totals = {}
    for person in (manager, cast.alice):
        page = signed_in(person).get(f"{PAGE}?period=7").content.decode()
        assert "1 call of this client is confidential" in page
        totals[person.user.name] = [total for total in ("2 in all", "3 in all") if total in page]
    assert totals == {"Mona": ["2 in all"], "Alice": ["3 in all"]}


def test_calls_that_may_not_be_measured_are_left_out_and_said(cast: Cast, manager: Membership) -> None:
    people = callers(cast.dentist, 4)
    calls(cast.dentist, people, at=make.now() - 2 * DAY)
    refuse(cast.dentist, people[0])
    page = signed_in(manager).get(f"{PAGE}?period=7").content.decode()
    assert "3 in all" in page
    assert "1 call of this period may not be measured" in page


def test_a_night_of_25_hours_can_be_asked_by_the_hour(cast: Cast, manager: Membership) -> None:
    night = night_of_25_hours()
    query = f"period=own&from_on={night - 30 * DAY}&until_on={night + 30 * DAY}&step=hour&kind=line"
    calls(
        cast.dentist, callers(cast.dentist, 1), at=datetime(night.year, night.month, night.day, 5, tzinfo=UTC)
    )
    page = signed_in(manager).get(f"{PAGE}?{query}")
    assert page.status_code == 200
    assert f"{night:%-d %b} 01:00: Calls 1" in page.content.decode()


def test_an_exact_report_asks_as_much_of_the_database_for_a_year_as_for_a_week(
    cast: Cast, manager: Membership
) -> None:
    _fill(cast.dentist)
    browser = signed_in(manager)
    counts = []
    for period in ("7", "90"):
        with CaptureQueriesContext(connection) as queries:
            browser.get(f"{PAGE}?period={period}&by=campaign&compare=on")
        counts.append(len(queries))
    assert counts[1] <= counts[0] <= 75, counts


# --- Landing pages and keywords ---


def test_landing_pages_are_offered_where_they_are_kept_and_figures_are_exact(
    cast: Cast, manager: Membership, nina: Membership
) -> None:
    calls(cast.dentist, callers(cast.dentist, 3), at=make.now() - 2 * DAY, landing_page="/roofs")
    work(cast.dentist, make.now())
    asked = f"{PAGE}?by=landing_page&kind=bars&period=7"
    assert signed_in(manager).get(asked).status_code == 400
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(keeps_attribution=True)

    page = signed_in(manager).get(asked)

    assert page.status_code == 200
    assert "/roofs" in page.text
    # Files and saved reports are protected, and there is none of these.
    assert f"{PAGE}export/" not in page.text
    assert signed_in(manager).get(f"{PAGE}export/csv/?by=landing_page").status_code == 404
    refused = signed_in(nina).get(asked)
    assert (refused.status_code, "/roofs" in refused.text) == (400, False)


def test_protected_report_refuses_landing_pages(cast: Cast) -> None:
    asked = Asked(
        client_ids=(cast.dentist.pk,),
        measures=(Measure.CALLS,),
        first=NOON.date(),
        last=NOON.date() + DAY,
        dimensions=(Dimension.LANDING_PAGE,),
    )
    with job_scope(agency_id=cast.acme.pk), pytest.raises(reports.ReportError, match="exact reports only"):
        reports.report(asked)
