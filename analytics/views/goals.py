"""A client's goals: where they are, setting one, removing one."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from analytics.enums import GoalMeasure, GoalPeriod, GoalSide
from analytics.forms.goals import GoalForm
from analytics.selectors import counting, reports, rules
from analytics.selectors import goals as selectors
from analytics.services import goals
from analytics.views.explorer import source_of
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.accounts.enums import CLIENT_SIDE
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client


def _require_agency(request: StaffRequest) -> None:
    if request.membership.role in CLIENT_SIDE:
        raise PermissionDenied("The agency sets the goals of its clients.")


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.VIEW_ANALYTICS)
def show(request: StaffRequest, client: Client) -> HttpResponse:
    """The goals, as the person's own reports show them, and a form for another."""
    form = GoalForm(request.POST or None)
    if request.method == "POST":
        _require_agency(request)
    if request.method == "POST" and form.is_valid():
        try:
            goal = goals.set_goal(
                client=client,
                measure=GoalMeasure(form.cleaned_data["measure"]),
                missed=GoalSide(form.cleaned_data["missed"]),
                hundredths=form.hundredths,
                period=GoalPeriod(form.cleaned_data["period"]),
                by=request.actor,
                at=request.at,
            )
        except goals.GoalError as error:
            form.add_error(None, str(error))
        else:
            words = selectors.in_words(goal, rules.money_of_client(client))
            messages.success(request, f"Goal set. It is missed when: {words}.")
            return redirect("analytics:goals", client.slug)
    source = source_of(request, client)
    is_exact = source is not reports.report
    context = {
        "client": client,
        "form": form,
        "rows": selectors.rows_of(client, at=request.at, source=source),
        "is_exact": is_exact,
        "may_set": request.membership.role not in CLIENT_SIDE,
        "counting": "" if is_exact or not counting.among([client.pk]) else counting.WORDS,
    }
    return render(request, "analytics/goals.html", context, status=400 if form.errors else 200)


@require_POST
@needs(Permission.VIEW_ANALYTICS)
def remove(request: StaffRequest, client: Client, goal_id: UUID) -> HttpResponse:
    _require_agency(request)
    goal = selectors.goals_of(client).filter(pk=goal_id).first()
    if goal is None:
        raise Http404
    goals.remove_goal(goal=goal, by=request.actor, at=request.at)
    messages.success(request, "Goal removed.")
    return redirect("analytics:goals", client.slug)
