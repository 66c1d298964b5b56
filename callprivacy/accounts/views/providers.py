"""
Signing in through an agency's own provider, and setting that up.

The sign-in pages run in no scope and under no agency's clock: what asks the outside is done between two short scopes. A
person who is refused reads the same text, whatever the reason; the reason is in the agency's audit log.
"""

from dataclasses import asdict, replace
from functools import partial
from typing import Any, Final, cast

import structlog
from allauth.account.adapter import get_adapter
from allauth.account.utils import perform_login
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_safe

from callprivacy.accounts import providers, seconding, selectors
from callprivacy.accounts.access import StaffRequest, Through
from callprivacy.accounts.adapter import note_provider, tried_from
from callprivacy.accounts.enums import AgencyRight, Deed, Refusal
from callprivacy.accounts.forms import BesideForm, ProviderForm
from callprivacy.accounts.middleware import AGENCY_IN_SESSION
from callprivacy.accounts.models import Membership, SignInProvider, User
from callprivacy.accounts.services import sso
from callprivacy.accounts.views.form_pages import ERROR, Done, action, form_page
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
    url = request.GET.get("next", "")
    is_ours = url.startswith("/") and url_has_allowed_host_and_scheme(url, allowed_hosts=None)
    return url if is_ours else "/"


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


def _page(_: object) -> str:
    return reverse("accounts:provider")


def _setup(_: StaffRequest) -> SignInProvider | None:
    return selectors.provider()


def _about(request: StaffRequest, row: SignInProvider | None) -> dict[str, Any]:
    if row is None:
        return {}
    linked, people = selectors.count_links()
    return {
        "provider": row,
        "address": sso.address_of(row.key),
        "back_to": sso.back_to(row.key),
        "signed_out": sso.signed_out_at(row.key),
        "named": sso.named(row),
        "why_not": sso.why_not_agree(row, user_id=request.membership.user_id, at=request.at),
        "beside": BesideForm(initial={"beside": row.beside}, people=list(selectors.managers_with_factor())),
        "linked": linked,
        "extent": [{"label": "People linked to it", "value": f"{linked:,}"}],
        "with_factor": selectors.count_links_with_factor(),
        "people": people,
    }


@form_page(
    ProviderForm,
    right=AgencyRight.MANAGE_PEOPLE,
    confirms=Deed.POLICY,
    load=_setup,
    title="Single sign-on",
    button="Save and test",
    crumbs=lambda row: [("Single sign-on", _page(row))],
    fill=lambda _, row: {"initial": ProviderForm.values_of(row), "has_secret": row is not None},
    more=_about,
    template="accounts/provider.html",
)
def edit_provider(request: StaffRequest, _: SignInProvider | None, form: ProviderForm) -> str:
    """Name the agency's provider; what the test found, who uses it, and who agreed to it."""
    changed = sso.set_up(agency=request.agency, by=request.actor, at=request.at, **form.cleaned_data)
    return "Saved. See below what the test found." if changed else "Nothing was changed."


_action = partial(
    action,
    right=AgencyRight.MANAGE_PEOPLE,
    confirms=Deed.POLICY,
    back=_page,
    errors={sso.NotReadyError: ERROR, sso.NotYoursError: ERROR, seconding.NotCountedError: ERROR},
)


@_action()
def test_provider(request: StaffRequest, *_: Any) -> None:
    sso.check_on_commit(agency_id=request.agency.pk, by=request.actor, at=request.at)


@_action(second=sso.switch_on)
def switch_provider(request: StaffRequest, *_: Any) -> str:
    """Switch it on, which the first time needs a second person, or off."""
    if request.POST.get("to") != "on":
        sso.switch_off(by=request.actor, at=request.at)
        return "It is off. Everyone signs in with a password or a passkey again."
    sso.switch_on(seen=request.POST.get("seen", ""), by=request.actor, at=request.at)
    return "It is on. Give your people the sign-in address below."


@_action(load=_setup)
def delete_provider(request: StaffRequest, row: SignInProvider | None, _: Any) -> Done:
    if row is None or request.POST.get("phrase", "") != row.name:
        return Done("Type the provider's name to delete it.", level=ERROR)
    sso.delete_provider(by=request.actor, at=request.at)
    return Done("Provider deleted. Everyone signs in with a password or a passkey.")


@_action()
def require_provider(request: StaffRequest, *_: Any) -> Done:
    """Let people in through the provider alone, but for those named; or let passwords count again."""
    form = BesideForm(request.POST, people=list(selectors.managers_with_factor()))
    wants = request.POST.get("to") == "on"
    if wants and not (form.is_valid() and form.cleaned_data["beside"]):
        return Done(
            "Name at least one person who gets in by password and second factor when the provider does not answer.",
            level=ERROR,
        )
    beside = [int(one) for one in form.cleaned_data["beside"]] if wants else []
    sso.require(beside=beside, by=request.actor, at=request.at)
    if wants:
        return Done("From now on people get in through the provider alone, but for those you named.")
    return Done("Passwords and passkeys count beside the provider again.")


@action(
    right=AgencyRight.MANAGE_PEOPLE,
    confirms=Deed.GRANTS,
    load=membership_or_404,
    back=lambda membership: reverse("accounts:person", args=[membership.pk]),
    errors={sso.NotYoursError: ERROR},
)
def unlink(request: StaffRequest, membership: Membership, _: Any) -> str:
    if sso.unlink(membership=membership, by=request.actor, at=request.at):
        return f"The next account at the provider with the address of {membership.user} becomes theirs."
    return f"{membership.user} was linked to no account at the provider."
