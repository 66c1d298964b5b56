"""Keys of a site's badge systems."""

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
    title="Create a badge system key",
    lede="The key can only send badge reads of this site.",
    button="Create key",
    confirms=Deed.GRANTS,
    once=True,
)
def make_key(request: StaffRequest, site: Site, form: Any) -> HttpResponse | Done:
    data = form.cleaned_data
    try:
        made = badge_systems.create_key(
            site=site, name=data["name"], key_id=data["once"], by=request.actor, at=request.at
        )
    except badge_systems.KeyMadeError:
        return Done("This key was already shown. If you lost it, revoke it and create another.", level=INFO)
    context = {
        "site": site,
        "made": made,
        "endpoint": f"{settings.CALLPRIVACY_URL}{reverse('api:take_entries')}",
    }
    return render(request, "governance/site_key.html", context)


def _load_key(request: StaffRequest, place_id: UUID, site_key_id: UUID) -> SiteKey:
    key = selectors.find_site_key(site_or_404(place_id), site_key_id)
    if key is None:
        raise Http404
    return key


@action(
    right=AgencyRight.MANAGE_CLIENTS,
    load=_load_key,
    back=lambda key: reverse("governance:site", args=[key.site_id]),
    confirms=Deed.GRANTS,
)
def revoke_key(request: StaffRequest, key: SiteKey, _: Any) -> str:
    if badge_systems.revoke_key(key=key, by=request.actor, at=request.at):
        return f"The key for {key.name} is revoked."
    return ""
