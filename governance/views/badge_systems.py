"""Keys of a site's badge systems: made, shown once, revoked."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.enums import AgencyRight, Deed
from callprivacy.accounts.views.form_pages import INFO, Done, action
from governance.forms.premises import KeyForm
from governance.models import Site, SiteKey
from governance.selectors import premises as selectors
from governance.services import badge_systems
from governance.views.premises import site_or_404, site_page


@site_page(
    KeyForm,
    title="A key for a badge system",
    lede="With it the system sends who passed, and does nothing else. It is shown once.",
    button="Make it",
    confirms=Deed.GRANTS,
    once=True,
)
def make_key(request: StaffRequest, site: Site, form: Any) -> HttpResponse | Done:
    """Make a key and show its text, once."""
    said = form.cleaned_data
    try:
        made = badge_systems.create_key(
            site=site, name=said["name"], key_id=said["once"], by=request.actor, at=request.at
        )
    except badge_systems.KeyMadeError:
        return Done(
            "The key was made and shown already. Revoke it and make another if it is lost.", level=INFO
        )
    context = {
        "site": site,
        "made": made,
        "door": f"{settings.CALLPRIVACY_URL}{reverse('api:take_entries')}",
    }
    return render(request, "governance/site_key.html", context)


def _load_key(request: StaffRequest, place_id: UUID, site_key_id: UUID) -> SiteKey:
    found = selectors.find_site_key(site_or_404(place_id), site_key_id)
    if found is None:
        raise Http404
    return found


@action(
    right=AgencyRight.MANAGE_CLIENTS,
    load=_load_key,
    back=lambda key: reverse("governance:site", args=[key.site_id]),
    confirms=Deed.GRANTS,
)
def revoke_key(request: StaffRequest, key: SiteKey, _: Any) -> str:
    """Let a key open nothing any more."""
    if badge_systems.revoke_key(key=key, by=request.actor, at=request.at):
        return f"The key of {key.name} opens nothing any more."
    return ""
