"""Backups and drills: how old the newest are, which are gone, and what the drills showed."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from callprivacy.accounts.access import StaffRequest, needs_right
from callprivacy.accounts.enums import AgencyRight
from retention.selectors import backups as selectors
from retention.services import backups

_PAGE: Final = 25
_DRILLS: Final = 5


@require_GET
@needs_right(AgencyRight.MANAGE_CLIENTS)
def show_backups(request: StaffRequest) -> HttpResponse:
    """The newest backup of each database, the drills, and the list of backups."""
    drills = [selectors.shown(drill) for drill in selectors.drills()[:_DRILLS]]
    newest = selectors.newest_at()
    context: dict[str, Any] = {
        "main_at": newest["default"],
        "vault_at": newest["vault"],
        "drill": next((one for one in drills if one.row.finished_at), None),
        "drills": drills,
        "page": Paginator(selectors.backups(), _PAGE).get_page(request.GET.get("page")),
        "gone_on": backups.no_copy_opens_after(request.at),
        "is_configured": settings.CALLPRIVACY_BACKUP_DIR is not None,
        "is_weekly": settings.CALLPRIVACY_DRILL == "weekly",
    }
    return render(request, "retention/backups.html", context)
