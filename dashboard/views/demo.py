"""One click that removes the demo, and where it leads."""

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from callprivacy.accounts.access import StaffRequest
from dashboard import selectors, tasks
from dashboard.access import may_remove_demo


@require_http_methods(["POST"])
def remove_demo(request: StaffRequest) -> HttpResponse:
    """Show what goes with the demo, and once confirmed remove it; only ever an agency made as a demo."""
    if not request.agency.is_demo:
        raise Http404
    if not may_remove_demo(request.membership):
        raise PermissionDenied("The demo's admin or compliance officer removes it.")
    if "confirmed" not in request.POST:
        context = {
            "title": f"All data of {request.agency.name} is deleted",
            "extent": selectors.demo_extent(request.agency),
            "stays": [
                "The demo's audit log, which holds no number and no name. Your own agency, if you have one."
            ],
            "hidden": {"confirmed": "1"},
        }
        return render(request, "dashboard/remove_demo.html", context)
    tasks.remove_demo.delay_on_commit(agency_id=request.agency.pk)
    logout(request)
    return redirect("dashboard:demo_removed")


@login_not_required
@require_GET
def show_removed(request: HttpRequest) -> HttpResponse:
    """Where somebody stands who has removed the demo; only where there may be one."""
    if settings.CALLPRIVACY_URL.startswith("https:"):
        raise Http404
    return render(request, "dashboard/demo_removed.html")
