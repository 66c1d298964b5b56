"""That a figure which a protected report shows is true: every one is compared with a count over the calls."""

import csv
import io
import random
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest

from analytics.enums import Dimension, Measure, Step
from analytics.selectors import agency, campaigns, exact, explorer, reports
from analytics.selectors.answers import Table
from analytics.selectors.asked import KINDS, Asked, period_of
from analytics.selectors.reports import Source
from analytics.selectors.showing import DIMENSIONS, OTHER, SHOWN, Shown
from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership
from callprivacy.calls.enums import Direction, Outcome
from callprivacy.calls.models import Call
from callprivacy.lib.charts.shapes import Value
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope, staff_scope
from tests import make
from tests.accounts.browsers import signed_in
from tests.analytics.calls import callers, calls, work
from tests.analytics.test_exact import by_hand
from tests.cast import Cast
from tests.make import NOON

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
MEASURES = (Measure.CALLS, Measure.ANSWERED, Measure.CONVERSIONS, Measure.SECONDS, Measure.VALUE)
_FACTS = [Dimension.SOURCE, Dimension.CAMPAIGN, Dimension.MEDIUM, Dimension.OUTCOME, Dimension.REGION]
_TIMES = [Dimension.WEEKDAY, Dimension.PART_OF_DAY, Dimension.HOUR_OF_DAY]


def fill(of: Client, *, seed: str, count: int) -> None:
    """
    Calls of the three months before, most from a few sources, each with campaigns of its own; of a month long before
    one caller called.
    """
    chance = random.Random(seed)
    people = [*callers(of, max(12, count // 4)), None]
    sources = ["Google Ads"] * 5 + ["Bing"] * 3 + ["Yelp", ""]
    for _ in range(count):
        source = chance.choice(sources)
        calls(
            of,
            [chance.choice(people)],
            at=NOON - timedelta(seconds=chance.randrange(1, 95 * 86_400)),
            source=source,
            campaign=chance.choice(["Roofs", "Roofs", f"{source} drains", ""]),
            medium="cpc" if source == "Google Ads" else chance.choice(["", "organic"]),
            direction=chance.choices(Direction.values, [9, 1])[0],
            outcome=chance.choice(Outcome.values),
            country="US",
            region=chance.choice(["CA", "CA", "NY", "WY"]),
            seconds=chance.choice([0, 12, 60, 800]),
            first_call=chance.choice([True, False]),
            value_cents=chance.choice([None, 0, 12_345]),
        )
    calls(of, people[:1], at=NOON - 140 * DAY, campaign="Long ago")
    work(of)


@pytest.fixture
def cast(cast: Cast) -> Cast:
    fill(cast.dentist, seed="dentist", count=700)
    return cast


def _windows(chance: random.Random) -> tuple[date, date]:
    """Whole months, whole weeks, or any days."""
    today = NOON.date()
    first = today - chance.randrange(3, 150) * DAY
    last = first + chance.randrange(1, 90) * DAY
    kind = chance.randrange(3)
    if kind == 0:
        first, last = first.replace(day=1), (last.replace(day=1) + 32 * DAY).replace(day=1)
    elif kind == 1:
        first, last = first - first.weekday() * DAY, last + (7 - last.weekday()) * DAY
    return first, last


def _asked(of: Client, chance: random.Random) -> reports.Asked:
    first, last = _windows(chance)
    filters: dict[Dimension, tuple[str, ...]] = {}
    if chance.random() < 0.3:
        filters = chance.choice(
            [
                {Dimension.SOURCE: ("Google Ads",)},
                {Dimension.OUTCOME: ("answered", "missed")},
                {Dimension.CAMPAIGN: ("Roofs",), Dimension.REGION: ("US-CA",)},
            ]
        )
    dimensions = chance.sample(_FACTS, chance.choice([0, 0, 1, 1, 1, 2]))
    if chance.random() < 0.15:
        dimensions = chance.sample(_TIMES, chance.choice([1, 2]))
    return reports.Asked(
        (of.pk,), MEASURES, first, last, tuple(dimensions), filters, chance.choice(list(Step))
    )


def test_every_figure_of_a_protected_report_is_true(cast: Cast) -> None:
    chance, shown = random.Random("windows"), Counter[str]()
    zone = cast.dentist.time_zone
    with job_scope(agency_id=cast.acme.pk):
        every = list(Call.objects.for_client(cast.dentist))
        for _ in range(250):
            asked = _asked(cast.dentist, chance)

            report = reports.report(asked)

            truth = by_hand(every, asked, zone)
            values = [
                sorted({key[1 + place] for key in truth} | {"X"}) for place in range(len(asked.dimensions))
            ]
            names = {row.at for row in report.rows} if asked.step is not Step.ALL else {None}
            for at, keys in product(
                names - {None} if asked.step is not Step.ALL else names, product(*values)
            ):
                row = next((row for row in report.rows if (row.at, row.keys) == (at, keys)), None)
                row = row or report.empty(at, keys)
                name = (
                    at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H %z")
                    if isinstance(at, datetime)
                    else str(at or "")
                )
                wanted = truth.get((name, *keys), Counter())
                _compare(row, wanted, asked, shown)
            total = Counter[Measure]()
            for one in truth.values():
                total.update(one)
            _compare(report.total, total, asked, shown)
    assert shown["shown"] > 1000, shown
    assert shown["suppressed"] > 1000, shown


def _compare(row: reports.Row, wanted: Counter[Measure], asked: reports.Asked, shown: Counter[str]) -> None:
    if row.is_partial:
        shown["suppressed"] += 1
        return
    assert row.calls == wanted[Measure.CALLS], (asked, row)
    for measure, figure in row.figures.items():
        if figure.is_told:
            shown["shown"] += 1
            assert figure.value == wanted[measure], (asked, row, measure)


def test_value_of_which_one_month_is_hidden_is_suppressed_over_both(cast: Cast) -> None:
    """It is told of the month before, and of the month before that too few people share it."""
    first = (NOON.date().replace(day=1) - DAY).replace(day=1)
    before = (first - DAY).replace(day=1)
    people = callers(cast.plumber, 20)
    for month, count in ((first, 6), (before, 2)):
        at = datetime(month.year, month.month, 10, 12, tzinfo=ZoneInfo("UTC"))
        calls(cast.plumber, people[:count], at=at, campaign="Roofs")
        calls(cast.plumber, people[count:], at=at, campaign="Drains")
    work(cast.plumber)
    of_both = {}
    for start in (first, before):
        asked = reports.Asked(
            (cast.plumber.pk,),
            (Measure.CALLS,),
            start,
            (first + 32 * DAY).replace(day=1),
            (Dimension.CAMPAIGN,),
        )
        with job_scope(agency_id=cast.acme.pk):
            report = reports.report(asked)
        of_both[start] = {row.keys[0]: (row.calls, row.is_partial) for row in report.rows if row.is_whole}
    assert of_both[first]["Roofs"] == (6, False)
    assert of_both[before]["Roofs"] == (6, True)


# --- Pages, files and mails show what these reports say ---


def _tables(of: Client, asked: Asked, source: Source) -> tuple[list[Table], Value]:
    made = explorer.answer(of, asked, source=source)
    return made.tables, made.total


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What a protected page finds of each step; an exact one finds the same, as long as any is here."""
    found: list[float] = []
    share = explorer.share_shown

    def share_shown(report: reports.Report, shown: Shown) -> float:
        if report.is_exact:
            return found.pop(0)
        found.append(share(report, shown))
        return found[-1]

    monkeypatch.setattr(explorer, "share_shown", share_shown)
    return found


def _numbers(table: Table, labels: int) -> dict[tuple[str, ...], dict[str, Value]]:
    """The words before the numbers -> head -> number."""
    return {
        tuple(str(cell) for cell in row[:labels]): {
            head: cell for head, cell in zip(table.heads, row, strict=True) if isinstance(cell, Value)
        }
        for row in table.rows
    }


def _questions() -> list[Asked]:
    today, chance = NOON.date(), random.Random("pages")
    month = (today.replace(day=1) - DAY).replace(day=1)
    found = []
    for measure, kind, _ in product(SHOWN, KINDS, range(2)):
        by = tuple(chance.sample([one.value for one in _FACTS], chance.randrange(3)))
        if measure in {"callers", "opted_out"}:
            by = ()
            if kind in {"heat", "states", "countries"}:
                continue
        first, last = chance.choice(
            [
                (month, today.replace(day=1) - DAY),
                (month, today.replace(day=1) - DAY),
                (month, today.replace(day=1) - DAY),
                (today - 28 * DAY, today - DAY),
                (month, today),
                (today - 120 * DAY, today),
            ]
        )
        step = chance.choice(["day", "week", "month"])
        filters = {"source": "Google Ads"} if by and chance.random() < 0.3 else {}
        found.append(Asked(measure, by, step, "own", first, last, chance.random() < 0.5, kind, filters))
    return found


def test_every_number_of_a_protected_page_is_that_of_the_exact_one(cast: Cast, steps: list[float]) -> None:
    shown = hidden = 0

    def truth(asked: reports.Asked) -> reports.Report:
        return exact.report(asked, at=NOON)

    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        for asked in _questions():
            steps.clear()
            tables, total = _tables(cast.dentist, asked, reports.report)
            exact_tables, exact_total = _tables(cast.dentist, asked, truth)
            assert total.hidden or total.words == exact_total.words, asked
            for table, whole in zip(tables, exact_tables, strict=True):
                labels = sum(head in {*DIMENSIONS.values(), "Country"} for head in table.heads) or 1
                wanted = _numbers(whole, labels)
                for label, numbers in _numbers(table, labels).items():
                    for head, value in numbers.items():
                        hidden += value.hidden
                        # Of many lines an exact page draws the largest, which may be others.
                        if value.hidden or OTHER in (head, *label) or head not in whole.heads:
                            continue
                        shown += 1
                        default = SHOWN[asked.measure].written(0)
                        found = wanted.get(label, {}).get(head)
                        assert value.words == (found.words if found else default), (asked, label, head)
    assert shown > 150, shown
    assert hidden > 500, hidden


def test_a_protected_page_chooses_a_step_that_shows_most_calls(cast: Cast) -> None:
    first = _month_before()
    last = NOON.date().replace(day=1) - DAY
    asked = Asked("calls", (), "day", "month", first, last, compare=False, kind="line")
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        by_time = explorer.answer(cast.dentist, asked)
        by_hour = explorer.answer(cast.dentist, replace(asked, kind="heat"))
        exactly = explorer.answer(cast.dentist, asked, source=lambda one: exact.report(one, at=NOON))

    assert by_time.tables[0].heads == ["Week", "Calls"]
    assert by_time.notes[0] == "Shown by week: by day, too many figures would be suppressed."
    assert by_hour.tables[0].heads[0] == "Part of day"
    assert [row[0] for row in by_hour.tables[0].rows] == [
        "00:00–09:00", "09:00–13:00", "13:00–17:00", "17:00–24:00",
    ]  # fmt: skip
    assert by_hour.notes[0].startswith("Shown by part of the day")
    assert exactly.tables[0].heads == ["Day", "Calls"]
    assert exactly.notes == []


def _month_before() -> date:
    return (NOON.date().replace(day=1) - DAY).replace(day=1)


def _in_month_before(of: Client, people: Sequence[uuid.UUID], **fields: str) -> None:
    """A call of each of these people in the middle of the month before."""
    day = _month_before() + 14 * DAY
    calls(of, people, at=datetime(day.year, day.month, day.day, 16, tzinfo=UTC), **fields)


def test_other_is_the_sum_of_all_that_has_no_figure(cast: Cast) -> None:
    _in_month_before(cast.plumber, callers(cast.plumber, 20), campaign="Roofs")
    for rare in ("Gutters", "Drains", "Boilers"):
        _in_month_before(cast.plumber, callers(cast.plumber, 2), campaign=rare)
    work(cast.plumber)
    last = NOON.date().replace(day=1) - DAY
    asked = Asked("calls", ("campaign",), "day", "own", _month_before(), last, False, "bars")
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        (table,), total = _tables(cast.plumber, asked, reports.report)
    numbers = {
        str(row[0]): row[1].number for row in table.rows if isinstance(row[1], Value) and not row[1].hidden
    }
    assert total.number == 26
    assert numbers == {"Roofs": 20, OTHER: 6}


def test_total_under_a_filter_of_two_values_is_suppressed_where_one_is_hidden(cast: Cast) -> None:
    _in_month_before(cast.plumber, callers(cast.plumber, 20), outcome="answered")
    for rare in ("missed", "voicemail", "abandoned"):
        _in_month_before(cast.plumber, callers(cast.plumber, 2), outcome=rare)
    work(cast.plumber)
    asked = reports.Asked(
        (cast.plumber.pk,), (Measure.CALLS,), _month_before(), NOON.date().replace(day=1),
        filters={Dimension.OUTCOME: ("answered", "missed")},
    )  # fmt: skip
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        assert reports.report(asked).total.is_partial


def _filled_pages(cast: Cast) -> Membership:
    nina = make.person(cast.acme, "nina", Role.ANALYST)
    make.grant(nina, cast.dentist)
    return nina


def test_file_has_numbers_and_a_column_that_says_which_are_suppressed(cast: Cast) -> None:
    today = NOON.date()
    last = today.replace(day=1) - DAY
    query = (
        f"period=own&from_on={last.replace(day=1)}&until_on={last}&by=campaign&kind=bars&measure=conversions"
    )
    file = signed_in(_filled_pages(cast)).get(f"/reports/clients/dentist/export/csv/?{query}")
    rows = list(csv.DictReader(io.StringIO(file.content.decode("utf-8-sig"))))
    assert {row["Qualified calls, suppressed"] for row in rows} == {"yes", "no"}
    for row in rows:
        assert (
            row["Qualified calls"] == ""
            if row["Qualified calls, suppressed"] == "yes"
            else int(row["Qualified calls"]) >= 0
        )


def test_page_of_all_clients_and_of_campaigns_show_true_figures(cast: Cast) -> None:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        for period in ("month", "28", "90", "this_month"):
            (row,) = agency.overview([cast.dentist], period, at=NOON).rows
            first, last = _days(period)
            asked = campaigns.query_of(cast.dentist, first, last, period=period)
            truth = exact.report(asked, at=NOON)
            assert row.calls.hidden or row.calls.number == truth.total.calls
            assert row.conversions.hidden or row.conversions.number == _conversions(truth.total)
            by_name = {one.keys[0]: one for one in truth.rows}
            for one in campaigns.report(cast.dentist, first, last, period=period).rows:
                wanted = by_name[one.name]
                assert one.calls.hidden or one.calls.number == wanted.calls
                assert one.conversions.hidden or one.conversions.number == _conversions(wanted)


def _days(period: str) -> tuple[date, date]:
    return period_of(period, NOON.date())


def _conversions(row: reports.Row) -> int:
    return row.figures[Measure.CONVERSIONS].value
