"""Anonymized rows for the person who asks: client, days and columns on one page, then the pages of any release."""

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from analytics.forms.releases import ExportForm
from analytics.selectors import releases as selectors
from analytics.services import in_house, releases
from analytics.tasks import releases as tasks
from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, confirms
from callprivacy.accounts.enums import Deed
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.jobs import wake


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@confirms(Deed.RELEASE)
def begin(request: StaffRequest) -> HttpResponse:
    """Choose client, days and columns; the plan and what it risks come next."""
    clients = list(
        access.clients_with(request.membership, Permission.RELEASE_DATA, at=request.at)
        .select_related("agency")
        .filter(archived_at__isnull=True)
    )
    if not clients:
        raise PermissionDenied("Releasing data is not granted to you for any client.")
    open_clients = [client for client in clients if not selectors.why_no_row_leaves(client)]
    form = ExportForm(
        request.POST or None,
        clients=open_clients,
        at=request.at,
        time_zone=request.agency.time_zone,
        initial={"client": request.GET.get("client", "")},
    )
    if request.method == "POST" and form.is_valid():
        try:
            trial = in_house.draft_export(
                client=form.chosen_client,
                to=request.membership,
                wish=form.wish,
                by=request.actor,
                at=request.at,
            )
        except releases.NotReleasableError as error:
            form.add_error(None, str(error))
        else:
            wake(tasks.try_setting, agency_id=trial.agency_id, trial_id=str(trial.pk))
            return redirect("analytics:tried", form.chosen_client.slug, trial.release_id, trial.pk)
    context = {
        "form": form,
        "clients": open_clients,
        "closed": [client for client in clients if client not in open_clients],
        "caveat": selectors.CAVEAT,
        "may_see_reports": bool(
            access.client_ids_with(request.membership, Permission.VIEW_ANALYTICS, at=request.at)
        ),
    }
    return render(request, "analytics/anonymized_export.html", context)
