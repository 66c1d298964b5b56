"""Goals of a client: where they are, who is notified of a missed one, and that nothing suppressed shows in either."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.core import mail

from analytics import kinds
from analytics.enums import GoalMeasure, GoalPeriod, GoalSide, GoalState
from analytics.models import CampaignCost, Goal
from analytics.selectors import exact, reports
from analytics.selectors import goals as selectors
from analytics.services import goals
from analytics.tasks import cells as tasks
from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership
from callprivacy.calls.enums import Outcome
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.work import tasks as work_tasks
from callprivacy.work.models import Item, Notification
from tests import make
from tests.accounts.browsers import signed_in
from tests.analytics.calls import callers, calls, work
from tests.cast import Cast

pytestmark = pytest.mark.django_db

PAGE = "/reports/clients/dentist/goals/"
DAY = timedelta(days=1)
NOT_ENOUGH = "Not enough calls"


@pytest.fixture
def nina(cast: Cast) -> Membership:
    """An analyst with the dentist, and without a right to any call."""
    nina = make.person(cast.acme, "nina", Role.ANALYST)
    make.grant(nina, cast.dentist)
    return nina


def _month_before(at: datetime) -> datetime:
    """The middle of the month before."""
    return (at.replace(day=1) - 10 * DAY).replace(hour=17)


def _set(
    cast: Cast,
    measure: GoalMeasure,
    missed: GoalSide,
    value: float,
    *,
    period: GoalPeriod = GoalPeriod.MONTH,
    at: datetime | None = None,
) -> Goal:
    with job_scope(agency_id=cast.acme.pk):
        return goals.set_goal(
            client=cast.dentist,
            measure=measure,
            missed=missed,
            hundredths=int(value * 100),
            period=period,
            by=make.JOB,
            at=at or make.now() - 60 * DAY,
        )


def _rows(cast: Cast) -> list[selectors.GoalRow]:
    with job_scope(agency_id=cast.acme.pk):
        return selectors.rows_of(cast.dentist, at=make.now())


def _alert(cast: Cast, at: datetime | None = None) -> int:
    with job_scope(agency_id=cast.acme.pk):
        return goals.alert_missed(agency_id=cast.acme.pk, by=Actor.job("test"), at=at or make.now())


def _fill(cast: Cast, *, answered: int, missed: int, at: datetime) -> None:
    people = callers(cast.dentist, answered + missed)
    calls(cast.dentist, people[:answered], at=at)
    calls(cast.dentist, people[answered:], at=at, outcome=Outcome.MISSED, seconds=0)
    work(cast.dentist, make.now())


def test_goal_is_decided_by_the_whole_period(cast: Cast) -> None:
    _fill(cast, answered=30, missed=20, at=_month_before(make.now()))
    _set(cast, GoalMeasure.ANSWERED_SHARE, GoalSide.BELOW, 80)
    _set(cast, GoalMeasure.CONVERSIONS, GoalSide.BELOW, 30)
    _set(cast, GoalMeasure.MISSED, GoalSide.ABOVE, 19.0)

    share, qualified, missed = _rows(cast)

    assert (share.before.figure_words, share.before.state) == ("60\N{NO-BREAK SPACE}%", GoalState.MISSED)
    assert (qualified.before.figure_words, qualified.before.state) == ("30", GoalState.MET)
    assert (missed.before.figure_words, missed.before.state) == ("20", GoalState.MISSED)
    # Nothing has come this month, and a minimum is not missed before it is over.
    assert qualified.now.state is GoalState.OPEN


def test_maximum_is_missed_before_its_period_is_over(cast: Cast) -> None:
    _fill(cast, answered=10, missed=10, at=make.now() - timedelta(hours=2))
    _set(cast, GoalMeasure.MISSED, GoalSide.ABOVE, 9)
    _set(cast, GoalMeasure.ANSWERED_SHARE, GoalSide.BELOW, 80)

    missed, share = _rows(cast)

    assert missed.now.state is GoalState.MISSED
    assert share.now.state is GoalState.OPEN


def test_cost_goal_compares_all_costs_with_all_qualified_calls(cast: Cast) -> None:
    at = _month_before(make.now())
    _fill(cast, answered=20, missed=0, at=at)
    _set(cast, GoalMeasure.COST_EACH, GoalSide.ABOVE, 49.99)
    assert _rows(cast)[0].before.words == "Nothing to compare"
    with job_scope(agency_id=cast.acme.pk):
        CampaignCost.objects.create(
            agency_id=cast.acme.pk, client=cast.dentist, day=at.date(), campaign="Roofs", cents=100_000
        )

    (row,) = _rows(cast)

    assert (row.before.figure_words, row.before.state) == ("$50.00", GoalState.MISSED)


def test_one_alert_goes_out_for_each_period_and_names_no_figure(cast: Cast, nina: Membership) -> None:
    _fill(cast, answered=30, missed=20, at=_month_before(make.now()))
    goal = _set(cast, GoalMeasure.ANSWERED_SHARE, GoalSide.BELOW, 80)

    assert [_alert(cast), _alert(cast)] == [1, 0]

    with job_scope(agency_id=cast.acme.pk):
        item = Item.objects.get(kind=kinds.GOAL_MISSED)
        told = set(Notification.objects.filter(kind=kinds.GOAL_MISSED).values_list("user_id", flat=True))
    assert (item.client_id, item.key) == (cast.dentist.pk, str(goal.pk))
    assert nina.user_id in told
    work_tasks.send_due_mail()
    (letter,) = [one for one in mail.outbox if one.to == [nina.user.email]]
    assert "Goal missed" in f"{letter.subject} {letter.body}"
    assert "60" not in letter.subject
    assert cast.dentist.name not in letter.body
    # In the next month it is the period before that counts, and it had no calls at all.
    assert _alert(cast, make.now() + 31 * DAY) == 0


def test_suppressed_figure_neither_shows_nor_alerts(cast: Cast, nina: Membership) -> None:
    # Three callers are fewer than a figure needs; by the calls, the goal is missed.
    _fill(cast, answered=0, missed=3, at=_month_before(make.now()))
    _set(cast, GoalMeasure.ANSWERED_SHARE, GoalSide.BELOW, 80)
    _set(cast, GoalMeasure.MISSED, GoalSide.ABOVE, 1)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        known = selectors.rows_of(
            cast.dentist, at=make.now(), source=lambda asked: exact.report(asked, at=make.now())
        )
    assert [row.before.state for row in known] == [GoalState.MISSED] * 2

    assert [row.before.words for row in _rows(cast)] == [NOT_ENOUGH] * 2
    assert _alert(cast) == 0
    page = signed_in(nina).get(PAGE).content.decode()
    assert page.count(NOT_ENOUGH) == 2
    assert "Suppressed" in page


def test_goal_is_judged_by_protected_figures_alone(cast: Cast) -> None:
    """Twelve answered and three missed: what the protected report suppresses is not compared."""
    _fill(cast, answered=12, missed=3, at=_month_before(make.now()))
    goal = _set(cast, GoalMeasure.MISSED, GoalSide.ABOVE, 2)
    first, end = goal.days_around(_month_before(make.now()).date())
    with job_scope(agency_id=cast.acme.pk):
        told = reports.report(selectors.query_of(cast.dentist, first, end))
    assert not told.total.is_partial

    (row,) = _rows(cast)

    assert row.before.state is GoalState.UNKNOWN
    assert _alert(cast) == 0


def test_periods_before_a_goal_was_set_do_not_alert(cast: Cast) -> None:
    _fill(cast, answered=30, missed=20, at=_month_before(make.now()))
    _set(cast, GoalMeasure.ANSWERED_SHARE, GoalSide.BELOW, 80, at=make.now())

    assert _alert(cast) == 0


def test_hourly_job_alerts(cast: Cast, nina: Membership) -> None:
    _fill(cast, answered=30, missed=20, at=_month_before(make.now()))
    _set(cast, GoalMeasure.ANSWERED_SHARE, GoalSide.BELOW, 80)

    tasks.roll_cells()

    with job_scope(agency_id=cast.acme.pk):
        assert Item.objects.filter(kind=kinds.GOAL_MISSED).count() == 1


def test_goal_is_set_and_removed_on_its_page(cast: Cast, nina: Membership) -> None:
    browser = signed_in(nina)
    said = {"measure": "answered_share", "missed": "below", "value": "80", "period": "week"}

    assert browser.post(PAGE, said).status_code == 302
    page = browser.get(PAGE).content.decode()
    assert "Share answered below 80\N{NO-BREAK SPACE}% in a week" in page
    assert "Protected figures" in page
    again = browser.post(PAGE, said)
    assert (again.status_code, "already has this goal" in again.content.decode()) == (400, True)
    assert "Enter 100 or less" in browser.post(PAGE, said | {"value": "101"}).content.decode()
    assert "whole number" in browser.post(PAGE, said | {"measure": "calls", "value": "1.5"}).content.decode()

    with job_scope(agency_id=cast.acme.pk):
        goal = Goal.objects.get()
    assert browser.post(f"{PAGE}{goal.pk}/remove/").status_code == 302
    assert browser.post(f"{PAGE}{goal.pk}/remove/").status_code == 404
    with job_scope(agency_id=cast.acme.pk):
        assert not Goal.objects.exists()


def test_person_who_sees_calls_sees_goals_exactly(cast: Cast) -> None:
    _fill(cast, answered=0, missed=3, at=_month_before(make.now()))
    _set(cast, GoalMeasure.MISSED, GoalSide.ABOVE, 1)

    page = signed_in(cast.alice).get(PAGE).content.decode()

    assert "Exact figures, because you may see this client" in page
    assert NOT_ENOUGH not in page


def test_people_of_the_client_read_goals_and_change_none(cast: Cast) -> None:
    paul = make.person(cast.acme, "paul", Role.APPROVER)
    make.grant(paul, cast.dentist)
    browser = signed_in(paul)

    page = browser.get("/reports/clients/dentist/goals/")

    assert page.status_code == 200
    assert "Set goal" not in page.content.decode()
    assert browser.post("/reports/clients/dentist/goals/", {}).status_code == 403
    assert browser.post(f"/reports/clients/dentist/goals/{uuid4()}/remove/").status_code == 403
