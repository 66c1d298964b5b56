"""The posture: each duty, how it stands, and the next step."""

from collections.abc import Collection
from typing import Final

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs_right
from callprivacy.accounts.enums import AgencyRight
from callprivacy.tenancy.enums import Permission
from dashboard import selectors
from dashboard.duties import Duty

DAYS: Final = 60


@require_GET
@needs_right(AgencyRight.MANAGE_CLIENTS)
def show_posture(request: StaffRequest) -> HttpResponse:
    lines = selectors.duties()
    wanted = request.GET.get("state", "")
    held = access.held_by(request.membership, at=request.at)
    context = {
        "lines": [
            {
                "duty": line.duty,
                "row": line.row,
                "url": reverse(line.duty.url_name) if _opens(line.duty, held) else "",
            }
            for line in lines
            if not wanted or line.row.state == wanted
        ],
        "figures": selectors.duty_figures(lines),
        "wanted": wanted,
        "chart": selectors.duty_chart(DAYS),
        "clients": selectors.client_postures(),
    }
    return render(request, "dashboard/posture.html", context)


def _opens(duty: Duty, held: Collection[Permission | AgencyRight]) -> bool:
    """Whether who holds these opens the page of the duty's next step."""
    return not duty.opened_with or not duty.opened_with.isdisjoint(held)
