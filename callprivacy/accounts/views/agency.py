"""The agency's own settings: its name, its zone, limits, and whether going live takes two officers."""

from typing import Any

from django.urls import reverse

from callprivacy.accounts import access, selectors
from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.enums import AgencyRight, Deed
from callprivacy.accounts.forms import AgencyForm
from callprivacy.accounts.services import agencies
from callprivacy.accounts.views.form_pages import form_page


def _fill(request: StaffRequest, _: None) -> dict[str, Any]:
    """Only an officer changes the limit of reveals; only the sole officer turns the second signature off."""
    signs = access.has_right(request.membership, AgencyRight.SIGN_OFF)
    has_others = agencies.has_other_officers(request.agency, but=request.user.pk, at=request.at)
    return {
        "initial": AgencyForm.values_of(request.agency),
        "may_limit": signs,
        "may_switch": signs and not has_others,
    }


@form_page(
    AgencyForm,
    right=AgencyRight.MANAGE_PEOPLE,
    confirms=Deed.POLICY,
    title="Agency",
    lede="Settings for the whole agency. The audit log records every change.",
    button="Save",
    crumbs=lambda _: [("Agency", reverse("accounts:agency"))],
    fill=_fill,
    more=lambda request, _: {"use": selectors.reveal_use(agency_id=request.agency.pk, at=request.at)},
    template="accounts/agency.html",
)
def edit_agency(request: StaffRequest, _: None, form: AgencyForm) -> str:
    agencies.update_agency(agency=request.agency, by=request.actor, at=request.at, **form.cleaned_data)
    return "Saved."
