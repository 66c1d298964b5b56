"""Anonymized rows for the person who asks: client, days and columns on one page, then the pages of any release."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.urls import reverse

from analytics.forms.releases import ExportForm
from analytics.selectors import releases as selectors
from analytics.services import in_house, releases
from analytics.tasks import releases as tasks
from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.enums import Deed
from callprivacy.accounts.views.form_pages import FORM, Done, form_page
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.jobs import wake
from callprivacy.tenancy.models import Client


def _clients(request: StaffRequest) -> list[Client]:
    clients = access.clients_with(request.membership, Permission.RELEASE_DATA, at=request.at)
    rows = list(clients.select_related("agency").filter(archived_at__isnull=True))
    if not rows:
        raise PermissionDenied("Releasing data is not granted to you for any client.")
    return rows


def _form(*data: Any, clients: list[Client], **kwargs: Any) -> ExportForm:
    return ExportForm(
        *data, clients=[one for one in clients if not selectors.why_no_row_leaves(one)], **kwargs
    )


@form_page(
    _form,
    right=None,
    confirms=Deed.RELEASE,
    load=_clients,
    title="Anonymized export",
    lede=f"{selectors.CAVEAT} Next you see what a setting costs and risks.",
    button="Show the plan",
    crumbs=lambda _: [("Releases", reverse("analytics:releases"))],
    fill=lambda request, clients: {
        "clients": clients,
        "at": request.at,
        "time_zone": request.agency.time_zone,
        "initial": {"client": request.GET.get("client", "")},
    },
    more=lambda _, clients: {"closed": [one for one in clients if selectors.why_no_row_leaves(one)]},
    errors={releases.NotReleasableError: FORM},
    template="analytics/anonymized_export.html",
)
def begin(request: StaffRequest, _: list[Client], form: ExportForm) -> Done:
    trial = in_house.draft_export(
        client=form.chosen_client, to=request.membership, wish=form.wish, by=request.actor, at=request.at
    )
    wake(tasks.try_setting, agency_id=trial.agency_id, trial_id=str(trial.pk))
    return Done(to=reverse("analytics:tried", args=[form.chosen_client.slug, trial.release_id, trial.pk]))
