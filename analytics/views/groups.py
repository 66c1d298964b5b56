"""By what a client's anonymised releases are grouped."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from analytics.anonymise.own import as_shipped
from analytics.forms.groups import GroupsForm
from analytics.selectors import releases as selectors
from analytics.selectors.releasable import own_in
from analytics.services import releases
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.RELEASE_DATA)
def change(request: StaffRequest, client: Client) -> HttpResponse:
    newest = selectors.groups_of(client)
    number = 0 if newest is None else newest.number
    form = (
        GroupsForm(request.POST) if request.method == "POST" else GroupsForm.of(own_in(newest), after=number)
    )
    if "shipped" in request.POST:
        form = GroupsForm(
            {**GroupsForm.of(as_shipped(), after=number).initial, "after": request.POST.get("after")}
        )
    if request.method == "POST" and form.is_valid():
        try:
            row = releases.set_groups(
                client=client, own=form.own, after=form.cleaned_data["after"], by=request.actor, at=request.at
            )
        except releases.GroupsChangedError as error:
            form.add_error(None, str(error))
        else:
            messages.success(
                request,
                f"Saved as number {row.number}. Drafts are grouped by it; what was tried before is tried anew.",
            )
            return redirect("analytics:release_groups", client.slug)
    context = {"client": client, "form": form, "newest": newest}
    return render(request, "analytics/release_groups.html", context)
