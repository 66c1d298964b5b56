"""Campaigns and shares against the period before, and what missed calls may have cost."""

import csv
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from analytics.enums import Measure
from analytics.models import CampaignCost
from analytics.selectors import changes, missed, showing
from analytics.selectors.reports import Figure, Row
from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership
from callprivacy.calls.enums import Outcome
from callprivacy.lib.charts.shapes import Value
from callprivacy.tenancy.scope import job_scope
from tests import make
from tests.accounts.browsers import signed_in
from tests.analytics.calls import callers, calls, work
from tests.cast import Cast

DAY = timedelta(days=1)
NOTHING = Value(0, "0")
SUPPRESSED = Value(None, "Suppressed", hidden=True)


@pytest.fixture
def nina(cast: Cast) -> Membership:
    """An analyst with the dentist, and without a right to any call."""
    nina = make.person(cast.acme, "nina", Role.ANALYST)
    make.grant(nina, cast.dentist)
    return nina


@dataclass
class Campaign:
    """A campaign as the page has it."""

    name: str
    conversions: Value
    before: Value
    cents: int | None = None
    cents_before: int | None = None
    calls: Value = NOTHING
    missed: Value = NOTHING
    change: str = ""
    change_words: str = ""


def _number(count: int) -> Value:
    return Value(count, str(count))


# --- Against the period before ---


def test_campaign_that_changed_beyond_chance_is_marked_and_others_are_not() -> None:
    rows = [
        Campaign("Roofs", _number(20), _number(80)),
        Campaign("Drains", _number(41), _number(50)),
        Campaign("Gutters", SUPPRESSED, _number(90)),
    ]

    said = changes.mark(rows, length=1.0)

    assert [row.change for row in rows] == ["worse", "", ""]
    assert [row.change_words for row in rows[1:]] == [changes.NO_CHANGE, "suppressed"]
    assert said == "“Roofs”: 25 % of the qualified calls of the previous period."


def test_campaign_with_costs_is_compared_by_its_money() -> None:
    same = Campaign("Roofs", _number(160), _number(80), cents=2_000, cents_before=1_000)
    dearer = Campaign("Drains", _number(80), _number(80), cents=3_000, cents_before=1_000)
    unlike = Campaign("Gutters", _number(900), _number(80), cents=3_000)

    said = changes.mark([same, dearer, unlike], length=1.0)

    assert (same.change, dearer.change, unlike.change) == ("", "worse", "")
    assert said == "“Drains”: a qualified call costs 3 times as much as in the previous period."


def test_each_further_campaign_makes_the_test_stricter() -> None:
    alone = Campaign("Roofs", _number(30), _number(58))
    changes.mark([alone], length=1.0)
    among = Campaign("Roofs", _number(30), _number(58))
    changes.mark([among, *(Campaign(str(one), _number(50), _number(50)) for one in range(30))], length=1.0)

    assert (alone.change, among.change) == ("worse", "")


@pytest.mark.django_db
def test_explorer_compares_a_share_where_the_test_passes(cast: Cast, nina: Membership) -> None:
    first = make.now().replace(day=1)
    people = callers(cast.dentist, 100)
    for at, answered in ((first - 10 * DAY, 40), (first - 45 * DAY, 90)):
        calls(cast.dentist, people[:answered], at=at)
        calls(cast.dentist, people[answered:], at=at, outcome=Outcome.MISSED, seconds=0)
    work(cast.dentist, make.now())
    asked = "/reports/clients/dentist/?period=month&kind=line&step=week&measure="
    browser = signed_in(nina)

    found = browser.get(f"{asked}answered_share&compare=on").content.decode()

    assert "The share answered was 2.2 times as high in the previous period." in found
    assert "in the previous period." not in browser.get(f"{asked}answered_share").content.decode()


# --- Missed calls ---


def test_missed_calls_cost_their_share_of_the_costs_of_their_campaign() -> None:
    roofs = Campaign("Roofs", _number(0), _number(0), cents=50_000, calls=_number(100), missed=_number(20))
    hidden = Campaign("Drains", _number(0), _number(0), cents=50_000, calls=_number(100), missed=SUPPRESSED)
    free = Campaign("Organic", _number(0), _number(0), calls=_number(100), missed=_number(50))

    assert missed.spent_on_missed(roofs) == 10_000
    assert [missed.spent_on_missed(one) for one in (hidden, free)] == [None, None]


def _fill(cast: Cast, at: datetime) -> None:
    people = callers(cast.dentist, 100)
    calls(cast.dentist, people[:60], at=at, campaign="Roofs", value_cents=1_000)
    calls(cast.dentist, people[60:80], at=at, campaign="Roofs", outcome=Outcome.MISSED, seconds=0)
    calls(cast.dentist, people[80:], at=at, campaign="Drains")
    work(cast.dentist, make.now())
    with job_scope(agency_id=cast.acme.pk):
        CampaignCost.objects.create(
            agency_id=cast.acme.pk, client=cast.dentist, day=at.date(), campaign="Roofs", cents=40_000
        )


@pytest.mark.django_db
def test_page_states_estimates_with_their_formulas(cast: Cast) -> None:
    _fill(cast, make.now().replace(day=1) - 10 * DAY)
    browser = signed_in(cast.alice)

    page = browser.get("/reports/clients/dentist/campaigns/?period=month").content.decode()

    # 20 of 80 calls for $400.00; $600.00 of 80 answered calls.
    assert "about $100.00" in page
    assert "Missed calls × cost per call, campaign by campaign" in page
    assert "about $150.00" in page
    assert "Missed calls × $7.50, the value per answered call" in page


@pytest.mark.django_db
def test_file_of_campaigns_has_missed_calls_and_their_cost(cast: Cast, nina: Membership) -> None:
    _fill(cast, make.now().replace(day=1) - 10 * DAY)

    text = signed_in(nina).get("/reports/clients/dentist/campaigns/csv/?period=month").content

    (row,) = [
        one for one in csv.DictReader(text.decode("utf-8-sig").splitlines()) if one["Campaign"] == "Roofs"
    ]
    assert (row["Missed calls"], row["Estimated cost of missed calls (USD)"]) == ("20", "100.0")


@pytest.mark.django_db
def test_explorer_divides_value_by_qualified_calls(cast: Cast) -> None:
    _fill(cast, make.now().replace(day=1) - 10 * DAY)
    asked = "/reports/clients/dentist/?period=month&kind=bars&by=campaign&measure="

    page = signed_in(cast.alice).get(f"{asked}value_each").content.decode()

    # 600.00 of 80 qualified calls.
    assert "7.50 overall" in page
    assert "20 in all" in signed_in(cast.alice).get(f"{asked}missed").content.decode()


def test_quotient_is_suppressed_where_its_divisor_is() -> None:
    figures = {Measure.VALUE: Figure(60_000), Measure.CONVERSIONS: Figure(3, unknown=4)}

    value = showing.value_of(showing.SHOWN["value_each"], Row(None, (), 20, figures))

    assert (value.number, value.hidden) == (None, True)
