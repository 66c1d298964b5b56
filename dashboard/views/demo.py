"""One click that removes the demo."""

from __future__ import annotations

from django.contrib.auth import logout
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.enums import AgencyRight
from dashboard import selectors, tasks


@require_http_methods(["POST"])
def remove_demo(request: StaffRequest) -> HttpResponse:
    """Show what goes with the demo, and once confirmed remove it; only ever an agency made as a demo."""
    if not request.agency.is_demo:
        raise Http404
    rights = {AgencyRight.MANAGE_PEOPLE, AgencyRight.SIGN_OFF}
    if not any(access.has_right(request.membership, right) for right in rights):
        raise PermissionDenied("The demo's admin or compliance officer removes it.")
    if "confirmed" not in request.POST:
        return render(
            request, "dashboard/remove_demo.html", {"extent": selectors.demo_extent(request.agency)}
        )
    tasks.remove_demo.delay_on_commit(agency_id=request.agency.pk)
    logout(request)
    return redirect("account_login")
