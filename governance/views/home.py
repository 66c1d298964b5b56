"""The governance home page."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.enums import AgencyRight
from callprivacy.lib import calendars
from governance.selectors import programme


@require_GET
def show_programme(request: StaffRequest) -> HttpResponse:
    today = calendars.day_in(request.agency.time_zone, request.at)
    may_manage = access.has_right(request.membership, AgencyRight.MANAGE_CLIENTS)
    context = {
        "may_manage": may_manage,
        "summary": programme.summary(today=today, at=request.at) if may_manage else None,
        "reports": programme.own_reports(request.membership.user_id),
    }
    return render(request, "governance/home.html", context)
