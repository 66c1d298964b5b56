"""
The public sign-in page of a site and the management of its link.

The page has no session, no cookie and no links to the app. Forms carry a signed token. Every POST redirects, so that
going back shows an empty form, and every page but the first returns to it after a while.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from callprivacy.accounts.access import StaffRequest, confirms, needs_right
from callprivacy.accounts.adapter import client_address
from callprivacy.accounts.enums import AgencyRight, Deed
from callprivacy.accounts.views.form_pages import INFO, Done, action
from consent.services.limits import Verdict, knock
from consent.views import doors
from consent.views.doors import AN_HOUR, SeeOther
from governance.forms.premises import ComeForm, LeaveForm, VisitorForm
from governance.models import Site
from governance.selectors import premises as selectors
from governance.services import kiosks
from governance.services.kiosks import Kiosk
from governance.views.premises import load_site, open_site_or_404

_MANAGE: Final = AgencyRight.MANAGE_CLIENTS
LOOKS: Final = 1200
"""Page views per hour and address; an office's screens share one address."""
ENTRIES: Final = 300
"""Forms per hour and kiosk."""
WRONG: Final = 60
"""Wrong numbers per hour and kiosk before signing out by number is blocked."""
_BACK_AFTER: Final = 180
"""Seconds after which an unsent form returns to the first page."""


# --- The link -------------------------------------------------------------------------------------------------------


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@needs_right(_MANAGE)
@confirms(Deed.GRANTS)
def make_link(request: StaffRequest, place_id: UUID) -> HttpResponse:
    """A POST creates the link, shown once. It names the link that it replaces, so that a reload creates no other."""
    site = open_site_or_404(place_id)
    address = ""
    if request.method == "POST":
        try:
            token = kiosks.make_link(
                site=site, instead_of=_uuid(request.POST.get("was", "")), by=request.actor, at=request.at
            )
        except kiosks.LinkMadeError:
            messages.info(request, "The address was already created and shown. A new one replaces it.")
            return redirect("governance:kiosk", site.pk)
        address = kiosks.url_of(token)
    kiosk = selectors.kiosk_of(site)
    context = {
        "site": site,
        "kiosk": kiosk,
        "is_alive": kiosk is not None and kiosk.ends_at > request.at,
        "address": address,
    }
    return render(request, "governance/kiosk_link.html", context)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@action(
    right=_MANAGE,
    load=load_site,
    back=lambda site: reverse("governance:site", args=[site.pk]),
    confirms=Deed.GRANTS,
)
def end_link(request: StaffRequest, site: Site, _: Any) -> Done:
    if kiosks.end_link(site=site, by=request.actor, at=request.at):
        return Done("The address of the sign-in page is revoked.")
    return Done("The address was already revoked.", level=INFO)


# --- The page -------------------------------------------------------------------------------------------------------


@doors.readable
@require_safe
def show_door(request: HttpRequest, kiosk: str) -> HttpResponse:
    """The first page; for one minute with the receipt of the last form."""
    at = timezone.now()
    opened, refusal = _open(request, kiosk, at)
    if opened is None:
        return refusal
    receipt = kiosks.read_answer(request.GET.get("said", ""), opened, at=at)
    seconds = int(kiosks.SAID_FOR.total_seconds()) if receipt else None
    return _draw(request, "home", opened, kiosk, back_after=seconds, receipt=receipt)


@doors.public
@sensitive_post_parameters("name", "company", "host", "purpose")
@require_http_methods(["GET", "HEAD", "POST"])
def visit(request: HttpRequest, kiosk: str) -> HttpResponse:
    def save(opened: Kiosk, note: str, data: dict[str, Any], at: datetime) -> str:
        return kiosks.visit(kiosk=opened, form=note, **data, at=at)

    return _form(request, kiosk, VisitorForm, save, title="Visitor sign-in", button="Sign in")


@doors.public
@sensitive_post_parameters("code", "name")
@require_http_methods(["GET", "HEAD", "POST"])
def come(request: HttpRequest, kiosk: str) -> HttpResponse:
    def save(opened: Kiosk, note: str, data: dict[str, Any], at: datetime) -> str:
        if data["code"]:
            return kiosks.pass_with_badge(kiosk=opened, form=note, code=data["code"], is_in=True, at=at)
        return kiosks.come_without_badge(kiosk=opened, form=note, name=data["name"], at=at)

    return _form(request, kiosk, ComeForm, save, title="Employee sign-in", button="Sign in")


@doors.public
@sensitive_post_parameters("code", "number")
@require_http_methods(["GET", "HEAD", "POST"])
def leave(request: HttpRequest, kiosk: str) -> HttpResponse:
    def save(opened: Kiosk, note: str, data: dict[str, Any], at: datetime) -> str:
        if data["code"]:
            return kiosks.pass_with_badge(kiosk=opened, form=note, code=data["code"], is_in=False, at=at)
        return kiosks.leave(kiosk=opened, form=note, number=data["number"], at=at)

    return _form(request, kiosk, LeaveForm, save, title="Sign out", button="Sign out")


type _Save = Callable[[Kiosk, str, dict[str, Any], datetime], str]


def _form(
    request: HttpRequest, token: str, shape: type[forms.Form], save: _Save, *, title: str, button: str
) -> HttpResponse:
    at = timezone.now()
    kiosk, refusal = _open(request, token, at)
    if kiosk is None:
        return refusal
    form, status, problem = shape(request.POST or None), 200, ""
    if request.method == "POST":
        status, problem, where = _take(request, kiosk, form, save, at)
        if where:
            return SeeOther(f"{reverse('governance:door', args=[token])}?{urlencode({'said': where})}")
    context = {
        "title": title,
        "button": button,
        "form": form,
        "problem": problem,
        "note": kiosks.sign_form(kiosk, at=at),
    }
    return _draw(request, "form", kiosk, token, status=status, back_after=_BACK_AFTER, **context)


def _take(
    request: HttpRequest, kiosk: Kiosk, form: forms.Form, save: _Save, at: datetime
) -> tuple[int, str, str]:
    """Status, error and signed receipt to redirect to."""
    note = request.POST.get("note", "")
    if not kiosks.is_fresh(note, kiosk, at=at):
        return 403, "The page has expired. Please try again.", ""
    if not form.is_valid():
        return 422, "", ""
    if (full := _is_full(kiosk, by_number=bool(form.cleaned_data.get("number")), at=at)) is not None:
        return 429, full, ""
    try:
        return 303, "", save(kiosk, note, form.cleaned_data, at)
    except kiosks.StaleFormError:
        return 403, "Please submit the form again.", ""
    except kiosks.WrongNumberError:
        knock("kiosk:wrong", str(kiosk.link_id), most=WRONG, per=AN_HOUR, at=at)
        form.add_error("number", "No one inside has this number.")
        return 422, "", ""


def _is_full(kiosk: Kiosk, *, by_number: bool, at: datetime) -> str | None:
    """The error of a rate limit. Without a counter, signing out by number, which could be guessed, is blocked."""
    kiosk_id = str(kiosk.link_id)
    if knock("kiosk:forms", kiosk_id, most=ENTRIES, per=AN_HOUR, at=at) is Verdict.FULL:
        return "Too many forms were sent from this page. Please ask an employee."
    if not by_number:
        return None
    wrong = knock("kiosk:wrong", kiosk_id, most=WRONG - 1, per=AN_HOUR, at=at, weight=0)
    if wrong is Verdict.OPEN:
        return None
    return "Signing out by number is not available right now. Please ask an employee."


def _open(request: HttpRequest, token: str, at: datetime) -> tuple[Kiosk | None, HttpResponse]:
    """The kiosk, or the refusal. :raises Http404: an invalid link."""
    address = client_address(request) or ""
    if knock("kiosk", address, most=LOOKS, per=AN_HOUR, at=at) is Verdict.FULL:
        text = "Too many requests from your network. Try again in an hour.\n"
        return None, HttpResponse(text, status=429, content_type="text/plain; charset=utf-8")
    try:
        return kiosks.kiosk_of(token, at=at), HttpResponse()
    except kiosks.UnknownKioskError:
        raise Http404 from None


def _draw(
    request: HttpRequest,
    name: str,
    kiosk: Kiosk,
    token: str,
    *,
    status: int = 200,
    back_after: int | None = None,
    **context: Any,
) -> HttpResponse:
    home = reverse("governance:door", args=[token])
    filled = {"kiosk": kiosk, "token": token, "home": home, **context}
    answer = render(request, f"governance/door/{name}.html", filled, status=status)
    if back_after is not None:
        answer["Refresh"] = f"{back_after}; url={home}"
    return answer
