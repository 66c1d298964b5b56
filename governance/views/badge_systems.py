"""Keys of a site's badge systems: made, shown once, revoked."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from callprivacy.accounts.access import StaffRequest, confirms, needs_right
from callprivacy.accounts.enums import AgencyRight, Deed
from governance.forms.premises import KeyForm
from governance.selectors import premises as selectors
from governance.services import badge_systems
from governance.views.deeds import show_form
from governance.views.premises import open_site_or_404, site_or_404

_MANAGE: Final = AgencyRight.MANAGE_CLIENTS


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs_right(_MANAGE)
@confirms(Deed.GRANTS)
def make_key(request: StaffRequest, place_id: UUID) -> HttpResponse:
    """Make a key and show its text, once."""
    site = open_site_or_404(place_id)
    form = KeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            made = badge_systems.create_key(
                site=site, name=said["name"], key_id=said["once"], by=request.actor, at=request.at
            )
        except badge_systems.KeyMadeError:
            messages.info(
                request, "The key was made and shown already. Revoke it and make another if it is lost."
            )
            return redirect("governance:site", site.pk)
        context = {
            "section": "premises",
            "site": site,
            "made": made,
            "door": f"{settings.CALLPRIVACY_URL}{reverse('api:take_entries')}",
        }
        return render(request, "governance/site_key.html", context)
    crumbs = [
        ("Premises", reverse("governance:entries")),
        (site.name, reverse("governance:site", args=[site.pk])),
    ]
    lede = "With it the system sends who passed, and does nothing else. It is shown once."
    return show_form(
        request,
        form,
        section="premises",
        title="A key for a badge system",
        lede=lede,
        button="Make it",
        crumbs=crumbs,
    )


@require_POST
@needs_right(_MANAGE)
@confirms(Deed.GRANTS)
def revoke_key(request: StaffRequest, place_id: UUID, site_key_id: UUID) -> HttpResponse:
    """Let a key open nothing any more."""
    site = site_or_404(place_id)
    key = selectors.find_site_key(site, site_key_id)
    if key is None:
        raise Http404
    if badge_systems.revoke_key(key=key, by=request.actor, at=request.at):
        messages.success(request, f"The key of {key.name} opens nothing any more.")
    return redirect("governance:site", site.pk)
