"""Reports as an analyst meets them, who may see no call: the explorer, campaigns, saved reports, files, mail."""

import csv
import io
import re
import uuid
import zipfile
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from analytics.channels.cost_file import CostRow
from analytics.enums import CostState, Every, Measure
from analytics.forms.explorer import ExploreForm
from analytics.models import CampaignCost, CostImport, ReportMail, SavedReport
from analytics.selectors import counting, showing
from analytics.selectors.asked import KINDS, Asked, before, end_of, period_of
from analytics.selectors.explorer import steps_of
from analytics.services import costs, making, saved
from analytics.tasks import reports as tasks
from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import ClientGrant, Membership
from callprivacy.calls.enums import JobState, Outcome
from callprivacy.calls.models import CallImport
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import client_scope, job_scope, staff_scope
from tests import make
from tests.accounts.browsers import signed_in
from tests.analytics.calls import callers, calls, work
from tests.cast import Cast
from tests.scale import some

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
WEDNESDAY = date(2026, 11, 25)


@pytest.fixture
def nina(cast: Cast) -> Membership:
    """An analyst with the dentist, and without a right to any call."""
    nina = make.person(cast.acme, "nina", Role.ANALYST)
    make.grant(nina, cast.dentist)
    return nina


def _fill(of: Client) -> None:
    """Two weeks of the month before: "Roofs" converts as "Drains" does, and one call of a campaign of its own."""
    people = callers(of, 60)
    for back in range(1, 15):
        at = make.now().replace(day=1) - back * DAY
        calls(of, people[:30], at=at, campaign="Roofs", region="CA", country="US")
        calls(of, people[30:48], at=at, campaign="Drains", region="NY", country="US")
        calls(of, people[48:], at=at, campaign="", outcome=Outcome.MISSED, seconds=9)
    calls(
        of,
        people[:1],
        at=make.now().replace(day=1) - 2 * DAY,
        campaign="=One()",
        outcome=Outcome.MISSED,
        seconds=9,
    )
    work(of, make.now())


def _text_of(body: bytes) -> str:
    """A page, or all parts of a workbook."""
    if not body.startswith(b"PK"):
        return body.decode()
    with zipfile.ZipFile(io.BytesIO(body)) as book:
        return " ".join(book.read(name).decode() for name in book.namelist())


def _bring(browser: Browser, text: str) -> Any:
    file = SimpleUploadedFile("costs.csv", text.encode(), content_type="text/csv")
    return browser.post("/reports/clients/dentist/costs/", {"file": file})


# --- What is asked ---


def test_named_periods_are_whole_days_and_the_one_before_is_as_long() -> None:
    said = {
        name: period_of(name, WEDNESDAY)
        for name in ("today", "7", "28", "week", "this_month", "month", "year")
    }
    assert said == {
        "today": (WEDNESDAY, WEDNESDAY),
        "7": (date(2026, 11, 18), date(2026, 11, 24)),
        "28": (date(2026, 10, 28), date(2026, 11, 24)),
        "week": (date(2026, 11, 16), date(2026, 11, 22)),
        "this_month": (date(2026, 11, 1), WEDNESDAY),
        "month": (date(2026, 10, 1), date(2026, 10, 31)),
        "year": (date(2026, 1, 1), WEDNESDAY),
    }
    assert before(date(2026, 11, 18), date(2026, 11, 24)) == (date(2026, 11, 11), date(2026, 11, 17))
    assert before(date(2026, 10, 1), date(2026, 10, 31)) == (date(2026, 9, 1), date(2026, 9, 30))
    assert before(date(2026, 11, 1), WEDNESDAY) == (date(2026, 10, 1), date(2026, 10, 25))
    assert before(date(2026, 1, 1), date(2026, 3, 31)) == (date(2025, 10, 1), date(2025, 12, 31))
    assert before(date(2026, 3, 1), date(2026, 3, 30)) == (date(2026, 2, 1), date(2026, 2, 28))
    assert (end_of("this_month", WEDNESDAY), end_of("7", WEDNESDAY)) == (
        date(2026, 12, 1),
        date(2026, 11, 26),
    )


def test_steps_are_all_there_whether_calls_came_or_not() -> None:
    first, last = date(2026, 10, 30), date(2026, 11, 10)
    assert len(steps_of("day", first, last)) == 12
    assert steps_of("week", first, last) == ["2026-10-26", "2026-11-02", "2026-11-09"]
    assert steps_of("month", first, last) == ["2026-10-01", "2026-11-01"]
    assert steps_of("hour", last, last)[-1] == "2026-11-10T23"


def test_a_question_stands_in_its_address() -> None:
    asked = Asked(
        "calls",
        ("source", "campaign"),
        "day",
        "own",
        date(2026, 11, 1),
        WEDNESDAY,
        True,
        "line",
        {"medium": "cpc"},
    )
    assert asked.query(kind="bars") == (
        "measure=calls&by=source&by2=campaign&step=day&period=own&from_on=2026-11-01&until_on=2026-11-25"
        "&compare=on&kind=bars&medium=cpc"
    )


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("by=source&by2=source", "Each dimension once."),
        ("period=own&from_on=2026-11-02&until_on=2026-11-01", "lies before the first"),
        ("period=own", "Write the first day."),
        ("measure=callers&by=source", "counted without dimensions"),
        ("step=hour&kind=line&period=90", "By the hour at most"),
        ("source=+12025550199", "Pick one from the list."),
    ],
)
def test_a_question_that_nothing_answers_says_what_to_change(
    cast: Cast, nina: Membership, query: str, words: str
) -> None:
    page = signed_in(nina).get(f"/reports/clients/dentist/?{query}")
    assert page.status_code == 400
    assert words in page.content.decode()
    assert "2025550199" not in page.content.decode()


@pytest.mark.parametrize(
    ("said", "step"),
    [
        ({"period": "28"}, "day"),
        ({"period": "90"}, "day"),
        ({"period": "28", "by": "source"}, "week"),
        ({"period": "7", "by": "source"}, "day"),
        ({"period": "28", "by": "source", "step": "day"}, "day"),
        ({"period": "today"}, "hour"),
        ({"period": "today", "by": "source"}, "hour"),
    ],
)
def test_days_that_few_people_would_share_are_drawn_by_weeks(
    cast: Cast, said: dict[str, str], step: str
) -> None:
    form = ExploreForm(said, client=cast.dentist, today=WEDNESDAY, values={})
    with job_scope(agency_id=cast.acme.pk):
        assert form.is_valid(), form.errors
        assert form.asked().step == step


# --- The explorer ---


def test_every_picture_is_drawn_with_a_table_beside_it_and_nothing_inline(
    cast: Cast, nina: Membership
) -> None:
    _fill(cast.dentist)
    browser = signed_in(nina)
    for kind in KINDS:
        for query in ("by=campaign", "compare=on", "measure=answered_share&by=campaign", "measure=minutes"):
            page = browser.get(f"/reports/clients/dentist/?kind={kind}&{query}&period=month")
            text = page.content.decode()
            assert page.status_code == 200, (kind, query)
            assert 'class="plot plot-wide' in text, (kind, query)
            assert 'class="plot plot-narrow' in text
            assert "grid-table" in text
            assert not re.search(r"\sstyle=|<script(?![^>]*src=)", text)


@pytest.mark.thorough
def test_everything_that_is_counted_can_be_asked_and_by_three_things_at_once(
    cast: Cast, nina: Membership
) -> None:
    assert {shown.of for shown in showing.SHOWN.values()} == set(Measure)
    _fill(cast.dentist)
    browser = signed_in(nina)
    text = browser.get(
        "/reports/clients/dentist/?by=campaign&by2=outcome&by3=source&kind=bars&period=month"
    ).content.decode()
    assert re.search(r"<thead><tr><th[^>]*>Campaign</th><th[^>]*>Outcome</th><th[^>]*>Source</th>", text)
    assert "Roofs, Answered, Google Ads" in text
    for measure in showing.SHOWN:
        page = browser.get(f"/reports/clients/dentist/?measure={measure}&kind=line&period=month")
        assert page.status_code == 200, measure
        assert showing.SHOWN[measure].words in page.content.decode()


def test_campaigns_are_told_apart_and_one_of_too_few_is_not_named(cast: Cast, nina: Membership) -> None:
    _fill(cast.dentist)
    text = (
        signed_in(nina).get("/reports/clients/dentist/?by=campaign&kind=bars&period=month").content.decode()
    )
    assert "Roofs" in text
    assert "420" in text
    assert "Drains" in text
    assert "=One()" not in text
    assert "Figures that fewer than 5 people would share" in text


def test_a_map_does_not_say_that_no_call_came_from_where_it_is_not_told(cast: Cast, nina: Membership) -> None:
    people = callers(cast.dentist, 60)
    at = make.now() - 2 * DAY
    calls(cast.dentist, people[:40], at=at, region="CA", country="US")
    calls(cast.dentist, people[40:52], at=at, region="GA", country="US")
    work(cast.dentist, make.now())
    browser = signed_in(nina)
    asked = "/reports/clients/dentist/?kind=states&period=7"
    text = browser.get(asked).content.decode()
    assert 'data-say="California: 40"' in text
    assert "<title>California: 40</title>" in text
    assert 'data-say="Nevada: none"' in text
    assert re.search(r'<path class="plot-outline" id="states-NV" d="M', text)
    assert text.count('id="states-NV"') == 1
    assert text.count('href="#states-NV"') == 2
    # Two more callers, from Nevada: too few to be told, and so is whether there are any.
    calls(cast.dentist, people[52:54], at=at, region="NV", country="US")
    work(cast.dentist, make.now())
    text = browser.get(asked).content.decode()
    assert "Nevada: none, or suppressed" in text
    assert "Oregon: none, or suppressed" in text
    assert "None, or suppressed</li>" in text
    assert not re.search(r"data-say=\"(Nevada|Oregon): (none\"|\d)", text)


def test_a_country_is_called_by_its_name_and_is_all_of_its_regions(cast: Cast, nina: Membership) -> None:
    people = callers(cast.dentist, 30)
    at = make.now() - 2 * DAY
    calls(cast.dentist, people[:12], at=at, region="BE", country="CH")
    calls(cast.dentist, people[12:20], at=at, region="ZH", country="CH")
    calls(cast.dentist, people[20:], at=at, region="", country="DE")
    work(cast.dentist, make.now())
    text = signed_in(nina).get("/reports/clients/dentist/?kind=countries&period=7").content.decode()
    assert 'data-say="Switzerland: 20"' in text
    # The table is of what the map shows, a country's regions as one.
    assert re.search(r"<th scope=\"col\">Country</th>", text)
    assert re.search(r"<th scope=\"row\"[^>]*>Switzerland</th><td[^>]*>20</td>", text)


def test_what_nobody_said_is_called_so_in_a_sentence_too() -> None:
    said = {
        name: showing.in_words(name, "") for name in ("source", "campaign", "medium", "region", "repeated")
    }
    assert said == {
        "source": "No source", "campaign": "No campaign", "medium": "No medium", "region": "Not known",
        "repeated": "Not known",
    }  # fmt: skip


def test_an_explorer_without_calls_says_so(cast: Cast, nina: Membership) -> None:
    assert "No call in this period" in signed_in(nina).get("/reports/clients/dentist/").content.decode()


_REPORTS = (
    "/reports/",
    *(f"/reports/clients/dentist/{rest}?period=28" for rest in ("", "campaigns/")),
    *(
        f"/reports/clients/dentist/{rest}/{form}/?period=28"
        for rest in ("export", "campaigns")
        for form in ("xlsx", "csv")
    ),
)


def _say(nina: Membership, words: str) -> list[bool]:
    """Whether each report says so."""
    browser = signed_in(nina)
    return [words in _text_of(browser.get(address).content) for address in _REPORTS]


def _are_counted(nina: Membership) -> bool:
    """Whether no report says that calls wait; all say so, or none."""
    (found,) = set(_say(nina, "wait to be counted"))
    return not found


def _hours(of: Client, people: list[uuid.UUID], count: int, *, back: timedelta, **fields: Any) -> None:
    """A call of each in so many hours, the last of them so long ago."""
    for hour in range(count):
        calls(of, people, at=make.now() - back - hour * timedelta(hours=1), **fields)


@pytest.mark.thorough
def test_before_the_first_count_reports_say_so_once_ten_people_called(cast: Cast, nina: Membership) -> None:
    people = callers(cast.dentist, 40)
    _hours(cast.dentist, people[:9], 20, back=2 * DAY)
    assert _are_counted(nina), "nobody may learn of one person's calls"
    calls(cast.dentist, people, at=make.now() - 3 * DAY, campaign="Roofs")
    assert not _are_counted(nina)
    assert not any(_say(nina, "No call in"))
    assert not any(_say(nina, "No clear pattern"))
    # Where there is nothing to show a page says so, and a workbook leaves out what would stand out.
    assert _say(nina, "Nothing that fits is counted yet") == [i == 1 for i in range(7)]
    assert _say(nina, "Nothing is said before the calls are counted") == [i in {3, 5} for i in range(7)]
    work(cast.dentist, make.now())
    assert _are_counted(nina)


def test_a_campaign_whose_calls_wait_is_not_said_to_bring_none(cast: Cast, nina: Membership) -> None:
    browser = signed_in(nina)
    browser.get(_bring(browser, _costs_text(100, 100))["Location"])
    with job_scope(agency_id=cast.acme.pk):
        costs.take_costs(brought=CostImport.objects.get(), by=make.JOB, at=make.NOON)
    address = "/reports/clients/dentist/campaigns/?period=month"
    assert "none came" in browser.get(address).text
    at = make.now().replace(day=1) - 3 * DAY
    calls(cast.dentist, callers(cast.dentist, 12), at=at, campaign="Roofs")
    page = browser.get(address).text
    assert "none came" not in page
    assert page.count("still being counted") == 4


@pytest.mark.thorough
def test_once_counted_it_takes_a_hundred_hours_of_the_last_month(cast: Cast, nina: Membership) -> None:
    people = callers(cast.dentist, 12)
    calls(cast.dentist, people, at=make.now() - DAY)
    work(cast.dentist, make.now())
    _hours(cast.dentist, people, 120, back=40 * DAY)
    _hours(cast.dentist, people, 99, back=2 * DAY)
    assert _are_counted(nina)
    calls(cast.dentist, people, at=make.now() - 12 * DAY)
    assert not _are_counted(nina)


@pytest.mark.parametrize(
    ("fields", "is_counted"),
    some(
        [
            ({"state": JobState.RUNNING, "due_at": timedelta(minutes=3)}, False),
            ({"state": JobState.RUNNING, "due_at": timedelta(minutes=20)}, True),
            ({"state": JobState.DONE, "finished_at": timedelta(minutes=3)}, False),
            ({"state": JobState.DONE, "finished_at": timedelta(minutes=20)}, True),
            ({"state": JobState.DRAFT, "added": 0}, True),
        ],
        one_in=5,
    ),
)
def test_a_file_on_its_way_in_is_said_however_few_its_hours(
    cast: Cast, nina: Membership, fields: dict[str, Any], is_counted: bool
) -> None:
    people = callers(cast.dentist, 12)
    calls(cast.dentist, people, at=make.now() - DAY)
    work(cast.dentist, make.now())
    ago = {name: make.now() - value for name, value in fields.items() if name.endswith("_at")}
    with job_scope(agency_id=cast.acme.pk):
        CallImport.objects.create(
            agency_id=cast.acme.pk, client=cast.dentist, format="generic", time_zone="UTC",
            created_at=make.now(), **({"added": 12} | fields | ago),
        )  # fmt: skip
    assert _are_counted(nina), "all that it brought is counted"
    calls(cast.dentist, people, at=make.now() - DAY)
    assert _are_counted(nina) is is_counted


def test_whose_calls_are_counted_is_told_within_ones_scope_alone(cast: Cast, nina: Membership) -> None:
    every = [cast.dentist, cast.plumber, cast.florist]
    for of in every:
        with job_scope(agency_id=of.agency_id):
            making.touch(client=of, hours=[None])
    ids = [of.pk for of in every]

    def told(membership: Membership) -> frozenset[int]:
        with staff_scope(agency_id=membership.agency_id, user_id=membership.user_id):
            return counting.among(ids)

    assert told(nina) == {cast.dentist.pk}
    assert told(cast.mallory) == {cast.florist.pk}
    assert told(cast.carol) == frozenset()
    with job_scope(agency_id=cast.acme.pk):
        assert counting.among(ids) == {cast.dentist.pk, cast.plumber.pk}
    with client_scope(agency_id=cast.acme.pk, client_id=cast.plumber.pk):
        assert counting.among(ids) == {cast.plumber.pk}
    assert counting.among(ids) == frozenset(), "without a scope"


@pytest.mark.thorough
def test_a_changed_rule_is_said_before_anybody_counts_by_it(cast: Cast, nina: Membership) -> None:
    calls(cast.dentist, callers(cast.dentist, 12), at=make.now() - DAY)
    work(cast.dentist, make.now())
    with job_scope(agency_id=cast.acme.pk):
        making.touch(client=cast.dentist, hours=[None])
    assert not _are_counted(nina)
    work(cast.dentist, make.now())
    assert _are_counted(nina)


@pytest.mark.thorough
def test_a_change_that_passes_the_test_is_said(cast: Cast, nina: Membership) -> None:
    _fill(cast.dentist)
    text = signed_in(nina).get("/reports/clients/dentist/?period=month&compare=on").content.decode()
    assert "Some calls, where there were none in the period before." in text
    end = make.now().replace(day=1).date()
    week = f"period=own&from_on={end - 7 * DAY}&until_on={end - DAY}"
    flat = signed_in(nina).get(f"/reports/clients/dentist/?{week}&compare=on&by=campaign&kind=bars").text
    assert "No clear pattern" in flat


@pytest.mark.thorough
def test_the_explorer_asks_as_much_of_the_database_for_a_year_as_for_a_week(
    cast: Cast, nina: Membership
) -> None:
    _fill(cast.dentist)
    browser = signed_in(nina)
    counts = []
    for period in ("7", "90"):
        with CaptureQueriesContext(connection) as queries:
            browser.get(f"/reports/clients/dentist/?period={period}&by=campaign&compare=on")
        counts.append(len(queries))
        assert not [one for one in queries.captured_queries if "calls_call" in one["sql"]]
    assert counts[1] <= counts[0] <= 60


def test_a_report_leaves_as_a_file_with_what_the_page_says(cast: Cast, nina: Membership) -> None:
    _fill(cast.dentist)
    browser = signed_in(nina)
    answer = browser.get("/reports/clients/dentist/export/csv/?by=campaign&kind=bars&period=month")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[0] == ["Campaign", "Calls", "Share (%)"]
    assert rows[-1][:2] == ["Other", "169"]
    assert rows[1][:2] == ["Roofs", "420"]
    assert "attachment" in answer["Content-Disposition"]
    assert browser.get("/reports/clients/dentist/export/xlsx/?by=campaign").content.startswith(b"PK")
    assert browser.get("/reports/clients/dentist/export/pdf/?kind=heat").content.startswith(b"%PDF")
    assert browser.get("/reports/clients/dentist/export/doc/?kind=heat").status_code == 404


# --- Costs ---


def _costs_text(roofs: int, drains: int) -> str:
    days = [(make.now().replace(day=1) - back * DAY).date() for back in range(2, 12)]
    lines = [f"{day},roofs,{roofs}\n{day},Drains,{drains}\n" for day in days]
    return "date,campaign,cost\n" + "".join(lines)


def test_money_is_written_in_the_clients_currency_and_format_wherever_it_stands(
    cast: Cast, nina: Membership
) -> None:
    _fill(cast.dentist)
    day = (make.now().replace(day=1) - 2 * DAY).date()
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(home_country="DE")
        costs.take_costs(
            brought=costs.bring_costs(
                client=cast.dentist,
                rows=[CostRow(day, name, 1_234_550) for name in ("Roofs", "Drains")],
                by=make.JOB,
                at=make.NOON,
            ),
            by=make.JOB,
            at=make.NOON,
        )
    browser = signed_in(nina)
    where = "/reports/clients/dentist/"
    assert "12.345,50\xa0€" in browser.get(f"{where}campaigns/?period=month").content.decode()
    assert "\xa0€" in browser.get(f"{where}?measure=value&period=month").content.decode()
    assert "in EUR" in browser.get(f"{where}costs/").content.decode()
    assert re.search(r"\d,\d\d\xa0€", browser.get("/reports/?period=month").content.decode())
    heads = browser.get(f"{where}campaigns/csv/?period=month").content.decode("utf-8-sig").splitlines()[0]
    assert '"Cost (EUR)"' in heads
    assert '"Value (EUR)"' in heads
    assert "&quot;€&quot;" in _text_of(browser.get(f"{where}campaigns/xlsx/?period=month").content)


def test_costs_are_shown_first_and_count_once_they_are_taken_in(cast: Cast, nina: Membership) -> None:
    _fill(cast.dentist)
    browser = signed_in(nina)
    shown = browser.get(_bring(browser, _costs_text(10, 95) + f"{date(2026, 1, 5)},Nobody,4\n")["Location"])
    text = shown.content.decode()
    assert "Import these costs?" in text
    assert "Nobody" in text
    assert "No call names these campaigns" in text
    with job_scope(agency_id=cast.acme.pk):
        brought = CostImport.objects.get()
        assert not CampaignCost.objects.exists()
    url = f"/reports/clients/dentist/costs/{brought.pk}/"
    assert browser.post(f"{url}take/").status_code == 302
    browser.post(f"{url}take/")
    browser.post(f"{url}discard/")
    with job_scope(agency_id=cast.acme.pk):
        assert CampaignCost.objects.count() == 21
        assert CostImport.objects.get().rows == []
    # Drains brings fewer qualified calls for more money.
    page = browser.get("/reports/clients/dentist/campaigns/?period=month").content.decode()
    assert re.search(r"A qualified call from “Drains” costs [\d.]+ times as much as one", page)
    assert "look at this one first" in page
    assert page.index(">Drains<") < page.index(">Roofs<")
    assert (
        browser.get("/reports/clients/dentist/campaigns/csv/?period=month")
        .content.decode("utf-8-sig")
        .startswith('"Campaign"')
    )
    assert browser.get("/reports/clients/dentist/campaigns/pdf/").content.startswith(b"%PDF")


def test_a_later_file_replaces_the_same_day_and_campaign_alone(cast: Cast) -> None:
    def take(*rows: CostRow) -> CostImport:
        with job_scope(agency_id=cast.acme.pk):
            brought = costs.bring_costs(client=cast.dentist, rows=list(rows), by=make.JOB, at=make.NOON)
            return costs.take_costs(brought=brought, by=make.JOB, at=make.NOON)

    take(
        CostRow(WEDNESDAY, "Roofs", 100),
        CostRow(WEDNESDAY, "Drains", 200),
        CostRow(WEDNESDAY - DAY, "Roofs", 300),
    )
    assert take(CostRow(WEDNESDAY, "ROOFS", 150)).replaced == 1
    with job_scope(agency_id=cast.acme.pk):
        rows = CampaignCost.objects.order_by("cents").values_list("campaign", "cents")
        assert list(rows) == [("ROOFS", 150), ("Drains", 200), ("Roofs", 300)]
        with pytest.raises(IntegrityError), transaction.atomic():
            CampaignCost.objects.create(
                agency=cast.acme, client=cast.dentist, day=WEDNESDAY, campaign="roofs", cents=1
            )


def test_a_file_with_a_fault_leaves_nothing_behind_and_an_old_draft_goes(
    cast: Cast, nina: Membership
) -> None:
    answer = _bring(signed_in(nina), "date,campaign,cost\n2026-11-01,Roofs,5\n2026-11-02,Roofs,five\n")
    assert answer.status_code == 400
    assert "Line 3" in answer.content.decode()
    with job_scope(agency_id=cast.acme.pk):
        assert not CostImport.objects.exists()
    _bring(signed_in(nina), "date,campaign,cost\n2026-11-01,Roofs,5\n")
    with job_scope(agency_id=cast.acme.pk):
        CostImport.objects.update(created_at=make.now() - 2 * DAY)
    tasks.discard_costs()
    with job_scope(agency_id=cast.acme.pk):
        assert CostImport.objects.get().state == CostState.CANCELLED


def test_campaign_is_called_dear_by_true_figures_where_others_are_suppressed(
    cast: Cast, nina: Membership
) -> None:
    people = callers(cast.dentist, 200)
    at = make.now().replace(day=1) - 3 * DAY
    calls(cast.dentist, people[:40], at=at, campaign="Roofs")
    calls(cast.dentist, people[40:48], at=at, campaign="Drains")
    for number, person in enumerate(people[48:120]):
        calls(cast.dentist, [person], at=at, campaign=f"Lonely {number}")
    work(cast.dentist, make.now())
    browser = signed_in(nina)
    browser.get(_bring(browser, _costs_text(100, 100))["Location"])
    with job_scope(agency_id=cast.acme.pk):
        costs.take_costs(brought=CostImport.objects.get(), by=make.JOB, at=make.NOON)
    page = browser.get("/reports/clients/dentist/campaigns/?period=month").content.decode()
    assert "Lonely" not in page
    assert "look at this one first" in page


# --- Saved, shared, sent ---


@pytest.fixture
def report(cast: Cast, nina: Membership) -> SavedReport:
    """Nina's private report."""
    browser = signed_in(nina)
    form = {"name": "My campaigns"}
    browser.post("/reports/clients/dentist/save/?measure=calls&by=campaign&kind=bars", form)
    with job_scope(agency_id=cast.acme.pk):
        return SavedReport.objects.select_related("client").get()


def test_a_private_report_is_its_owners_and_a_shared_one_the_agencys(
    cast: Cast, nina: Membership, report: SavedReport
) -> None:
    url = f"/reports/clients/dentist/saved/{report.pk}/"
    mine, hers, strange = signed_in(nina), signed_in(cast.alice), signed_in(cast.mallory)
    assert mine.get(url)["Location"].startswith("/reports/clients/dentist/?measure=calls&by=campaign")
    assert "My campaigns" in mine.get(mine.get(url)["Location"]).content.decode()
    assert hers.get(url).status_code == 404
    assert hers.post(f"{url}share/", {"shared": "yes"}).status_code == 404
    mine.post(f"{url}share/", {"shared": "yes"})
    assert hers.get(url).status_code == 302
    assert hers.post(f"{url}remove/").status_code == 404
    assert strange.get(url).status_code == 404
    assert mine.post("/reports/clients/dentist/save/", {"name": "My campaigns"}).status_code == 200
    mine.post(f"{url}remove/")
    assert mine.get(url).status_code == 404


def test_a_name_that_could_be_a_number_is_refused(cast: Cast, nina: Membership) -> None:
    page = signed_in(nina).post("/reports/clients/dentist/save/", {"name": "Calls of 202 555 0199"})
    assert "could be a phone number" in page.content.decode()


@pytest.mark.parametrize(
    ("every", "after", "due"),
    [
        (Every.DAY, datetime(2026, 11, 25, 11, 59, tzinfo=UTC), datetime(2026, 11, 25, 12, 0, tzinfo=UTC)),
        (Every.DAY, datetime(2026, 11, 25, 12, 0, tzinfo=UTC), datetime(2026, 11, 26, 12, 0, tzinfo=UTC)),
        (Every.WEEK, datetime(2026, 11, 25, 12, 0, tzinfo=UTC), datetime(2026, 11, 30, 12, 0, tzinfo=UTC)),
        (Every.MONTH, datetime(2026, 12, 31, 23, 0, tzinfo=UTC), datetime(2027, 1, 1, 12, 0, tzinfo=UTC)),
        (Every.DAY, datetime(2026, 3, 7, 12, 0, tzinfo=UTC), datetime(2026, 3, 8, 11, 0, tzinfo=UTC)),
    ],
)
def test_mails_are_due_at_seven_of_the_clients_zone(every: Every, after: datetime, due: datetime) -> None:
    assert saved.next_due(every, after, "America/New_York") == due


def test_a_report_is_sent_once_for_its_date_to_who_asked(
    cast: Cast, nina: Membership, report: SavedReport
) -> None:
    _fill(cast.dentist)
    signed_in(nina).post(f"/reports/clients/dentist/saved/{report.pk}/mail/", {"every": "day"})
    tasks.mail_reports()
    assert not mail.outbox
    with job_scope(agency_id=cast.acme.pk):
        ReportMail.objects.update(due_at=make.now() - timedelta(hours=30))
    tasks.mail_reports()
    tasks.mail_reports()
    (letter,) = mail.outbox
    assert letter.to == [nina.user.email]
    name, data, kind = letter.attachments[0]
    assert (name[:7], data[:5], kind) == ("report-", b"%PDF-", "application/pdf")
    text = f"{letter.subject}\n{letter.body}"
    assert "Dentist" not in text
    assert "My campaigns" not in text
    link = re.search(r"https?://[^/]+(/\S+)", text)
    assert link is not None
    assert Browser().get(link[1])["Location"].startswith("/accounts/login/")
    with job_scope(agency_id=cast.acme.pk):
        row = ReportMail.objects.get()
        assert row.due_at > make.now()
        assert row.claimed_until is None


def test_a_report_of_fixed_dates_is_not_sent_again_and_again(cast: Cast, nina: Membership) -> None:
    browser = signed_in(nina)
    query = "measure=calls&period=own&from_on=2026-11-01&until_on=2026-11-02"
    browser.post(f"/reports/clients/dentist/save/?{query}", {"name": "Two days"})
    with job_scope(agency_id=cast.acme.pk):
        report = SavedReport.objects.get()
    page = browser.post(f"/reports/clients/dentist/saved/{report.pk}/mail/", {"every": "day"}, follow=True)
    assert "dates of its own" in page.content.decode()
    with job_scope(agency_id=cast.acme.pk):
        assert not ReportMail.objects.exists()


def test_a_mail_waits_until_calls_are_counted_and_no_longer_than_three_hours(
    cast: Cast, nina: Membership, report: SavedReport
) -> None:
    signed_in(nina).post(f"/reports/clients/dentist/saved/{report.pk}/mail/", {"every": "day"})
    calls(cast.dentist, callers(cast.dentist, 12), at=make.now() - 3 * DAY)

    def sent(*, due: timedelta) -> int:
        with job_scope(agency_id=cast.acme.pk):
            ReportMail.objects.update(due_at=make.now() - due, claimed_until=None)
        tasks.mail_reports()
        return len(mail.outbox)

    assert sent(due=timedelta(hours=2)) == 0
    assert sent(due=timedelta(hours=4)) == 1
    work(cast.dentist, make.now())
    assert sent(due=timedelta(hours=2)) == 2


def test_who_may_no_longer_see_a_report_is_sent_it_no_more(
    cast: Cast, nina: Membership, report: SavedReport
) -> None:
    signed_in(nina).post(f"/reports/clients/dentist/saved/{report.pk}/mail/", {"every": "week"})
    with job_scope(agency_id=cast.acme.pk):
        ReportMail.objects.update(due_at=make.now() - DAY)
        ClientGrant.objects.filter(user=nina.user).delete()
    tasks.mail_reports()
    assert not mail.outbox
    with job_scope(agency_id=cast.acme.pk):
        assert not ReportMail.objects.exists()


def test_a_report_made_private_again_ends_the_mails_of_others(
    cast: Cast, nina: Membership, report: SavedReport
) -> None:
    mine, hers = signed_in(nina), signed_in(cast.alice)
    url = f"/reports/clients/dentist/saved/{report.pk}/"
    mine.post(f"{url}share/", {"shared": "yes"})
    hers.post(f"{url}mail/", {"every": "week"})
    mine.post(f"{url}mail/", {"every": "month"})
    mine.post(f"{url}share/", {"shared": "no"})
    with job_scope(agency_id=cast.acme.pk):
        assert [row.user_id for row in ReportMail.objects.all()] == [nina.user_id]
    mine.post(f"{url}mail/", {"every": ""})
    with job_scope(agency_id=cast.acme.pk):
        assert not ReportMail.objects.exists()


# --- All clients ---


@pytest.mark.parametrize(("qualified", "each"), [(3, "Suppressed"), (12, "$0.83")])
def test_cost_of_a_qualified_call_is_suppressed_where_the_calls_are(
    cast: Cast, nina: Membership, qualified: int, each: str
) -> None:
    people, at = callers(cast.dentist, 20), make.now() - timedelta(minutes=1)
    calls(cast.dentist, people[:qualified], at=at)
    calls(cast.dentist, people[qualified:], at=at, outcome=Outcome.MISSED, seconds=0)
    work(cast.dentist, make.now())
    with job_scope(agency_id=cast.acme.pk):
        by = Actor.staff(user_id=nina.user_id)
        day = at.astimezone(ZoneInfo(cast.dentist.time_zone)).date()
        brought = costs.bring_costs(
            client=cast.dentist, rows=[CostRow(day, "Roofs", 1000)], by=by, at=make.now()
        )
        costs.take_costs(brought=brought, by=by, at=make.now())
    page = signed_in(nina).get("/reports/?period=this_month").content.decode()
    assert f'class="num">{each}</td>' in page


def test_the_agencys_view_has_the_granted_clients_and_no_other(cast: Cast, nina: Membership) -> None:
    _fill(cast.dentist)
    _fill(cast.plumber)
    hers = signed_in(nina).get("/reports/").content.decode()
    assert "Dentist" in hers
    assert "Plumber" not in hers
    both = signed_in(cast.alice).get("/reports/").content.decode()
    assert "Plumber" in both
    assert "Best" in both
    assert signed_in(cast.bob).get("/reports/").status_code == 403
