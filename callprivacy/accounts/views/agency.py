"""The agency's own settings: its name, its zone, limits, and whether going live takes two officers."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from callprivacy.accounts import access, selectors
from callprivacy.accounts.access import StaffRequest, confirms, needs_right
from callprivacy.accounts.enums import AgencyRight, Deed
from callprivacy.accounts.forms import AgencyForm
from callprivacy.accounts.services import agencies


@require_http_methods(["GET", "HEAD", "POST"])
@needs_right(AgencyRight.MANAGE_PEOPLE)
@confirms(Deed.POLICY)
def edit_agency(request: StaffRequest) -> HttpResponse:
    """
    Change the agency; the limit of numbers shown is for who signs off. The second officer's signature is turned off by
    the only officer there is.
    """
    signs = access.has_right(request.membership, AgencyRight.SIGN_OFF)
    form = AgencyForm(
        request.POST or None,
        initial=AgencyForm.values_of(request.agency),
        may_limit=signs,
        may_switch=signs
        and not agencies.has_other_officers(request.agency, but=request.user.pk, at=request.at),
    )
    if form.is_valid():
        agencies.update_agency(agency=request.agency, by=request.actor, at=request.at, **form.cleaned_data)
        messages.success(request, "Saved.")
        return redirect("accounts:agency")
    context = {"form": form, "use": selectors.reveal_use(agency_id=request.agency.pk, at=request.at)}
    return render(request, "accounts/agency.html", context)
