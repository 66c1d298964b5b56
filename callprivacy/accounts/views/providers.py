"""
Signing in through an agency's own provider, and setting that up.

The doors run in no scope and under no agency's clock: what asks the outside is done between two short scopes. Whoever
is not let in reads the same words, whatever the reason; the reason is in the agency's trail.
"""

from dataclasses import asdict, replace
from typing import Any, Final, cast

import structlog
from allauth.account.adapter import get_adapter
from allauth.account.utils import perform_login
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import (
    require_GET,
    require_http_methods,
    require_POST,
    require_safe,
)

from callprivacy.accounts import providers, seconding, selectors
from callprivacy.accounts.access import StaffRequest, Through, confirms, needs_right
from callprivacy.accounts.adapter import note_provider, tried_from
from callprivacy.accounts.enums import AgencyRight, Deed, Refusal
from callprivacy.accounts.forms import BesideForm, ProviderForm
from callprivacy.accounts.middleware import AGENCY_IN_SESSION
from callprivacy.accounts.models import User
from callprivacy.accounts.services import sso
from callprivacy.accounts.views.people import membership_or_404

log = structlog.get_logger(__name__)

INVITED: Final = "invited"
"""Where the session says which invitation its person means to accept through the provider: the digest, in hex."""
_TRIPS: Final = "provider_trips"
_TRIPS_AT_MOST: Final = 5
_TRIP_FOR: Final = 600
_LONGEST_CODE: Final = 4096

# --- The doors -----------------------------------------------------------------------------------------------------


def _door_or_404(key: str) -> sso.Door:
    door = sso.open_door(key)
    if door is None:
        raise Http404
    return door


def _next_of(request: HttpRequest) -> str:
    found = request.GET.get("next", "")
    is_ours = found.startswith("/") and url_has_allowed_host_and_scheme(found, allowed_hosts=None)
    return found if is_ours else "/"


@login_not_required
@never_cache
@require_safe
def show_door(request: HttpRequest, key: str) -> HttpResponse:
    """The agency's sign-in address: one button that leads to its provider."""
    door = _door_or_404(key)
    return render(request, "accounts/provider_door.html", {"door": door, "next": _next_of(request)})


@login_not_required
@never_cache
@require_GET
def go(request: HttpRequest, key: str) -> HttpResponse:
    """Lead to the provider; a link on another site leads to the button, because its reader asked for no sign-in."""
    door = _door_or_404(key)
    if request.headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"}:
        return redirect(reverse("accounts:provider_door", args=[key], query={"next": _next_of(request)}))
    return _set_out(request, door, confirms_for=None)


@login_not_required
@never_cache
@require_GET
def confirm(request: HttpRequest, key: str) -> HttpResponse:
    """Lead to the provider, which asks who is there although it remembers them; for a session that began there."""
    door, through = _door_or_404(key), Through.of(request)
    if (
        through is None
        or not request.user.is_authenticated
        or through.key != key
        or through.agency_id != door.agency_id
    ):
        raise Http404
    return _set_out(request, door, confirms_for=request.user)


def _set_out(request: HttpRequest, door: sso.Door, *, confirms_for: User | None) -> HttpResponse:
    trip = providers.Trip.begin(timezone.now())
    trips = dict(list(request.session.get(_TRIPS, {}).items())[-(_TRIPS_AT_MOST - 1) :])
    trips[trip.state] = {
        "key": door.key,
        "next": _next_of(request),
        "confirms": confirms_for and confirms_for.pk,
        "trip": asdict(trip),
    }
    request.session[_TRIPS] = trips
    return redirect(
        providers.way_to(
            door.endpoint,
            party=door.party,
            trip=trip,
            back_to=door.back_to,
            asks_again=confirms_for is not None,
            hint=confirms_for.email if confirms_for else "",
            classes=door.classes,
        )
    )


@login_not_required
@never_cache
@require_GET
def back(request: HttpRequest, key: str) -> HttpResponse:
    """Where the provider leads people back to: let in, or not."""
    door, at, address = _door_or_404(key), timezone.now(), tried_from(request)
    if seconds := sso.must_wait(door=door, address=address, at=at):
        return _refuse(request, door, Refusal.TOO_OFTEN, seconds)
    try:
        kept, trip = _trip_of(request, door)
    except providers.RefusedError as error:
        # Nothing was asked and nothing can be guessed: it is not counted, so that nobody sends others away by it.
        log.info("sign_in_provider.no_trip", agency_id=door.agency_id)
        return _refuse(request, door, error.why)
    try:
        person = providers.person_of(
            party=door.party, trip=trip, code=_code_of(request, door), back_to=door.back_to, at=at
        )
        if kept["confirms"] is not None:
            response = _confirmed(request, door, person, trip, kept)
        else:
            response = _sign_in(request, door, person, kept)
    except providers.BusyError as error:
        # It was not asked: others of the same office wait for it. That is no refusal, and sends nobody away.
        log.info("sign_in_provider.busy", agency_id=door.agency_id)
        return _refuse(request, door, error.why)
    except providers.RefusedError as error:
        sso.record_refusal(door=door, address=address, why=error.why, at=at)
        return _refuse(request, door, error.why)
    sso.forget_refusals(door=door, address=address)
    return response


def _sign_in(
    request: HttpRequest, door: sso.Door, person: providers.Person, kept: dict[str, Any]
) -> HttpResponse:
    invited = str(request.session.pop(INVITED, ""))
    user, through = sso.let_in(door=door, person=person, at=timezone.now(), invited=bytes.fromhex(invited))
    if (
        request.user.is_authenticated
    ):  # whoever was in before; signing in over it would forget where this one began
        get_adapter().logout(request)
    note_provider(request, user, through)
    response = perform_login(request, user, redirect_url=kept["next"], email=user.email)
    request.session[AGENCY_IN_SESSION] = door.agency_id
    return cast(HttpResponse, response)


def _trip_of(request: HttpRequest, door: sso.Door) -> tuple[dict[str, Any], providers.Trip]:
    """The way that ends here, taken out of the session before anything else happens: it ends once."""
    trips = request.session.get(_TRIPS, {})
    kept = trips.pop(request.GET.get("state", ""), None)
    if kept is None:
        raise providers.RefusedError(Refusal.NO_TRIP)
    request.session[_TRIPS] = trips
    request.session.save()
    trip = providers.Trip(**kept["trip"])
    if kept["key"] != door.key or timezone.now().timestamp() - trip.began > _TRIP_FOR:
        raise providers.RefusedError(Refusal.NO_TRIP)
    return kept, trip


def _code_of(request: HttpRequest, door: sso.Door) -> str:
    if request.GET.get("iss", door.party.issuer) != door.party.issuer:  # RFC 9207
        raise providers.RefusedError(Refusal.OTHER_ISSUER)
    code = request.GET.get("code", "")
    if request.GET.get("error") or not 0 < len(code) <= _LONGEST_CODE:
        raise providers.RefusedError(Refusal.SAID_NO)
    return code


def _confirmed(
    request: HttpRequest,
    door: sso.Door,
    person: providers.Person,
    trip: providers.Trip,
    kept: dict[str, Any],
) -> HttpResponse:
    through, at = Through.of(request), timezone.now()
    if (
        through is None
        or through.key != door.key
        or not isinstance(request.user, User)
        or request.user.pk != kept["confirms"]
    ):
        raise providers.RefusedError(Refusal.NO_TRIP)
    sso.confirm(door=door, person=person, trip=trip, user_id=request.user.pk, at=at)
    shown_at = min(person.shown_at or 0, at.timestamp())
    replace(through, shown_at=shown_at).keep(request)
    return redirect(kept["next"])


def _refuse(request: HttpRequest, door: sso.Door, why: Refusal, seconds: int = 0) -> HttpResponse:
    context = {
        "door": door,
        "seconds": seconds,
        "is_over": why == Refusal.NO_TRIP,
        "not_asked": why == Refusal.NOT_FRESH,
        "no_answer": why == Refusal.NO_ANSWER,
    }
    return render(
        request, "accounts/provider_refused.html", context, status=429 if why == Refusal.TOO_OFTEN else 403
    )


# --- Setting it up -------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@needs_right(AgencyRight.MANAGE_PEOPLE)
@confirms(Deed.POLICY)
def edit_provider(request: StaffRequest) -> HttpResponse:
    """Name the agency's provider; what was found there, who uses it, and who agreed to it."""
    row = selectors.provider()
    form = ProviderForm(request.POST or None, initial=ProviderForm.values_of(row), has_secret=row is not None)
    if request.method == "POST" and form.is_valid():
        changed = sso.set_up(agency=request.agency, by=request.actor, at=request.at, **form.cleaned_data)
        messages.success(
            request, "Saved, and looked at: see what was found." if changed else "Nothing was changed."
        )
        return redirect("accounts:provider")
    context: dict[str, Any] = {"form": form, "provider": row}
    if row is not None:
        linked, people = selectors.count_links()
        context |= {
            "address": sso.address_of(row.key),
            "back_to": sso.back_to(row.key),
            "signed_out": sso.signed_out_at(row.key),
            "named": sso.named(row),
            "why_not": sso.why_not_agree(row, user_id=request.membership.user_id, at=request.at),
            "beside": BesideForm(
                initial={"beside": row.beside}, people=list(selectors.managers_with_factor())
            ),
            "linked": linked,
            "extent": [{"label": "People linked to it", "value": f"{linked:,}"}],
            "with_factor": selectors.count_links_with_factor(),
            "people": people,
        }
    return render(request, "accounts/provider.html", context)


@require_POST
@needs_right(AgencyRight.MANAGE_PEOPLE)
@confirms(Deed.POLICY)
def test_provider(request: StaffRequest) -> HttpResponse:
    """Look at the provider once more."""
    sso.check_on_commit(agency_id=request.agency.pk, by=request.actor, at=request.at)
    return redirect("accounts:provider")


@require_POST
@needs_right(AgencyRight.MANAGE_PEOPLE)
@confirms(Deed.POLICY)
def switch_provider(request: StaffRequest) -> HttpResponse:
    """Switch it on, which the first time needs a second person, or off."""
    if request.POST.get("to") != "on":
        sso.switch_off(by=request.actor, at=request.at)
        messages.success(request, "It is off. Everybody signs in with a password or a passkey again.")
        return redirect("accounts:provider")
    try:
        sso.switch_on(seen=request.POST.get("seen", ""), by=request.actor, at=request.at)
    except (sso.NotYoursError, sso.NotReadyError, seconding.NotCountedError) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "It is on. Give your people the sign-in address below.")
    return redirect("accounts:provider")


@require_POST
@needs_right(AgencyRight.MANAGE_PEOPLE)
@confirms(Deed.POLICY)
def delete_provider(request: StaffRequest) -> HttpResponse:
    """Delete it once it is off."""
    row = selectors.provider()
    if row is None or request.POST.get("phrase", "") != row.name:
        messages.error(request, "Type the provider's name to delete it.")
        return redirect("accounts:provider")
    try:
        sso.delete_provider(by=request.actor, at=request.at)
    except sso.NotReadyError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "Provider deleted. Everyone signs in with a password or a passkey.")
    return redirect("accounts:provider")


@require_POST
@needs_right(AgencyRight.MANAGE_PEOPLE)
@confirms(Deed.POLICY)
def require_provider(request: StaffRequest) -> HttpResponse:
    """Let people in through the provider alone, but for those named; or let passwords count again."""
    form = BesideForm(request.POST, people=list(selectors.managers_with_factor()))
    wants = request.POST.get("to") == "on"
    if wants and not (form.is_valid() and form.cleaned_data["beside"]):
        messages.error(
            request,
            "Name one person at least who gets in by password and second factor when the provider does not answer.",
        )
        return redirect("accounts:provider")
    try:
        sso.require(
            beside=[int(one) for one in form.cleaned_data["beside"]] if wants else [],
            by=request.actor,
            at=request.at,
        )
    except sso.NotReadyError as error:
        messages.error(request, str(error))
    else:
        messages.success(
            request,
            "From now on people get in through the provider alone, but for those you named."
            if wants
            else "Passwords and passkeys count beside the provider again.",
        )
    return redirect("accounts:provider")


@require_POST
@needs_right(AgencyRight.MANAGE_PEOPLE)
@confirms(Deed.GRANTS)
def unlink(request: StaffRequest, pk: int) -> HttpResponse:
    """Forget who a person is at the provider."""
    membership = membership_or_404(request, pk)
    try:
        gone = sso.unlink(membership=membership, by=request.actor, at=request.at)
    except sso.NotYoursError as error:
        messages.error(request, str(error))
    else:
        messages.success(
            request,
            f"The next account at the provider with the address of {membership.user} becomes theirs."
            if gone
            else f"{membership.user} was linked to no account at the provider.",
        )
    return redirect("accounts:person", pk=pk)
