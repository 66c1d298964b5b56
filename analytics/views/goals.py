"""A client's goals: progress, setting one, removing one."""

from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404
from django.urls import reverse

from analytics.enums import GoalMeasure, GoalPeriod, GoalSide, GoalState
from analytics.forms.goals import GoalForm
from analytics.models import Goal
from analytics.selectors import counting, reports, rules
from analytics.selectors import goals as selectors
from analytics.selectors.goals import GoalRow, Standing
from analytics.services import goals
from analytics.views.explorer import source_of
from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.enums import CLIENT_SIDE
from callprivacy.accounts.views.form_pages import FORM, Done, action, form_page
from callprivacy.accounts.views.tables import Column, Empty, Link, Pill, Table
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client


def _status(standing: Standing) -> Pill | str:
    tone = {GoalState.MISSED: "bad", GoalState.MET: "good"}.get(standing.state)
    return Pill(standing.words, tone) if tone else standing.words


_GOALS: Final = Table(
    label="Progress",
    columns=(
        Column("Missed when", "words"),
        Column("Now", "now.figure_words", note=lambda row: f"since {row.now.first:%-d %b}", is_number=True),
        Column("Status", lambda row: _status(row.now)),
        Column(
            "Previous period",
            "before.figure_words",
            note=lambda row: f"{row.before.first:%-d %b} to {row.before.last:%-d %b}",
            is_number=True,
        ),
        Column("Previous status", lambda row: _status(row.before)),
    ),
    empty=Empty(
        "No goals yet",
        "Set a goal, such as a share answered below 80 percent in a week. If the goal is missed, an item appears in"
        " the inbox.",
        "reports",
    ),
)


def _remove_link(row: GoalRow) -> list[Link]:
    url = reverse("analytics:remove_goal", args=[row.goal.client.slug, row.goal.pk])
    return [Link("Remove", url, f"the goal {row.words}", "ghost", posts=True)]


def _may_set(request: StaffRequest) -> bool:
    return request.membership.role not in CLIENT_SIDE


def _load(request: StaffRequest, client: Client) -> Client:
    if request.method == "POST" and not _may_set(request):
        raise PermissionDenied("The agency sets the goals of its clients.")
    return client


def _context(request: StaffRequest, client: Client) -> dict[str, Any]:
    source = source_of(request, client)
    is_exact, may_set = source is not reports.report, _may_set(request)
    rows = selectors.rows_of(client, at=request.at, source=source)
    return {
        "table": replace(_GOALS, links=_remove_link if may_set else None).draw(request, rows),
        "is_exact": is_exact,
        "may_set": may_set,
        "counting": "" if is_exact or not counting.among([client.pk]) else counting.WORDS,
    }


@form_page(
    GoalForm,
    right=Permission.VIEW_ANALYTICS,
    load=_load,
    title="Goals",
    lede=lambda client: f"Weeks begin on Monday; days follow {client.time_zone}.",
    button="Set goal",
    crumbs=lambda client: [("Reports", reverse("analytics:explore", args=[client.slug]))],
    more=_context,
    errors={goals.GoalError: FORM},
    template="analytics/goals.html",
    refused=400,
)
def show(request: StaffRequest, client: Client, form: GoalForm) -> Done:
    goal = goals.set_goal(
        client=client,
        measure=GoalMeasure(form.cleaned_data["measure"]),
        missed=GoalSide(form.cleaned_data["missed"]),
        hundredths=form.hundredths,
        period=GoalPeriod(form.cleaned_data["period"]),
        by=request.actor,
        at=request.at,
    )
    words = selectors.in_words(goal, rules.money_of_client(client))
    return Done(f"Goal set. It is missed when: {words}.", reverse("analytics:goals", args=[client.slug]))


def _goal(request: StaffRequest, client: Client, goal_id: UUID) -> Goal:
    return get_object_or_404(selectors.goals_of(_load(request, client)), pk=goal_id)


@action(
    right=Permission.VIEW_ANALYTICS,
    load=_goal,
    back=lambda goal: reverse("analytics:goals", args=[goal.client.slug]),
)
def remove(request: StaffRequest, goal: Goal, _: Any) -> str:
    goals.remove_goal(goal=goal, by=request.actor, at=request.at)
    return "Goal removed."
