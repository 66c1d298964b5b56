"""Backups and drills: how old the newest are, which are gone, and what the drills showed."""

from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from callprivacy.accounts.access import StaffRequest, needs_right
from callprivacy.accounts.enums import AgencyRight
from callprivacy.lib.status import Reader, Thing, words_for
from retention.models import Backup, Drill
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
    page = Paginator(selectors.backups(), _PAGE).get_page(request.GET.get("page"))
    restored = selectors.restored()
    context: dict[str, Any] = {
        "main_at": newest["default"],
        "vault_at": newest["vault"],
        "drill": next((one for one in drills if one.row.finished_at), None),
        "drills": drills,
        "page": page,
        "rows": [(row, _progress(row, restored.get(row.name), request.at)) for row in page],
        "gone_on": backups.no_copy_opens_after(request.at),
        "is_configured": settings.CALLPRIVACY_BACKUP_DIR is not None,
        "is_weekly": settings.CALLPRIVACY_DRILL == "weekly",
    }
    return render(request, "retention/backups.html", context)


def _progress(row: Backup, drill: Drill | None, at: datetime) -> dict[str, Any]:
    found = selectors.progress_of(row, drill, gone_on=backups.no_copy_opens_after(row.made_at), at=at)
    return {"words": words_for(found, Reader.OFFICER, thing=Thing.BACKUP), "tested_at": found.acknowledged_at}
