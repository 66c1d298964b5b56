"""
The page at a site's door: the link that its managers make, and the page behind it, which needs no sign-in.

It has no session, no cookie and no way to any other page. Forms bring back a note that we signed; answers are sent on
to, so that going back shows an empty form, and every page but the first returns to it by itself.
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
"""How often an hour one address may open pages of doors; an office's screens stand behind one."""
ENTRIES: Final = 300
"""How many forms an hour are taken at one door."""
WRONG: Final = 60
"""How many numbers that are nobody's are taken at one door in an hour; then signing out by number waits."""
_BACK_AFTER: Final = 180
"""Seconds after which a form that nobody sends gives way to the first page, with what was typed."""


# --- The link -------------------------------------------------------------------------------------------------------


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@needs_right(_MANAGE)
@confirms(Deed.GRANTS)
def make_link(request: StaffRequest, place_id: UUID) -> HttpResponse:
    """
    What the page at the door is, and by POST its link, which is shown once.

    The form says which link it is to take the place of, so that loading the answer again makes no other.
    """
    site = open_site_or_404(place_id)
    address = ""
    if request.method == "POST":
        try:
            token = kiosks.make_link(
                site=site, instead_of=_uuid(request.POST.get("was", "")), by=request.actor, at=request.at
            )
        except kiosks.LinkMadeError:
            messages.info(
                request, "The address was made and shown already. It counts; a new one would end it."
            )
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
    """Let the page at the door open nothing any more."""
    if kiosks.end_link(site=site, by=request.actor, at=request.at):
        return Done("The page at the door opens nothing any more.")
    return Done("It has ended already.", level=INFO)


# --- Behind it ------------------------------------------------------------------------------------------------------


@doors.readable
@require_safe
def show_door(request: HttpRequest, kiosk: str) -> HttpResponse:
    """The first page: what can be done; for a minute also what a form was answered."""
    at = timezone.now()
    found, refusal = _open(request, kiosk, at)
    if found is None:
        return refusal
    said = kiosks.read_answer(request.GET.get("said", ""), found, at=at)
    seconds = int(kiosks.SAID_FOR.total_seconds()) if said else None
    return _draw(request, "home", found, kiosk, back_after=seconds, said=said)


@doors.public
@sensitive_post_parameters("name", "company", "host", "purpose")
@require_http_methods(["GET", "HEAD", "POST"])
def visit(request: HttpRequest, kiosk: str) -> HttpResponse:
    """A visitor signs in."""

    def deed(found: Kiosk, note: str, said: dict[str, Any], at: datetime) -> str:
        return kiosks.visit(kiosk=found, form=note, **said, at=at)

    return _form(request, kiosk, VisitorForm, deed, title="I visit somebody", button="Sign in")


@doors.public
@sensitive_post_parameters("code", "name")
@require_http_methods(["GET", "HEAD", "POST"])
def come(request: HttpRequest, kiosk: str) -> HttpResponse:
    """Who works here signs in."""

    def deed(found: Kiosk, note: str, said: dict[str, Any], at: datetime) -> str:
        if said["code"]:
            return kiosks.pass_with_badge(kiosk=found, form=note, code=said["code"], is_in=True, at=at)
        return kiosks.come_without_badge(kiosk=found, form=note, name=said["name"], at=at)

    return _form(request, kiosk, ComeForm, deed, title="I work here", button="I come in")


@doors.public
@sensitive_post_parameters("code", "number")
@require_http_methods(["GET", "HEAD", "POST"])
def leave(request: HttpRequest, kiosk: str) -> HttpResponse:
    """Somebody signs out, by badge or by number."""

    def deed(found: Kiosk, note: str, said: dict[str, Any], at: datetime) -> str:
        if said["code"]:
            return kiosks.pass_with_badge(kiosk=found, form=note, code=said["code"], is_in=False, at=at)
        return kiosks.leave(kiosk=found, form=note, number=said["number"], at=at)

    return _form(request, kiosk, LeaveForm, deed, title="I leave", button="Sign out")


type _Deed = Callable[[Kiosk, str, dict[str, Any], datetime], str]


def _form(
    request: HttpRequest, token: str, shape: type[forms.Form], deed: _Deed, *, title: str, button: str
) -> HttpResponse:
    at = timezone.now()
    kiosk, refusal = _open(request, token, at)
    if kiosk is None:
        return refusal
    form, status, problem = shape(request.POST or None), 200, ""
    if request.method == "POST":
        status, problem, where = _take(request, kiosk, form, deed, at)
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
    request: HttpRequest, kiosk: Kiosk, form: forms.Form, deed: _Deed, at: datetime
) -> tuple[int, str, str]:
    """Status and words of a refusal, or what to send on to."""
    note = request.POST.get("note", "")
    if not kiosks.is_fresh(note, kiosk, at=at):
        return 403, "This page was open for too long. Please try again.", ""
    if not form.is_valid():
        return 422, "", ""
    if (full := _is_full(kiosk, by_number=bool(form.cleaned_data.get("number")), at=at)) is not None:
        return 429, full, ""
    try:
        return 303, "", deed(kiosk, note, form.cleaned_data, at)
    except kiosks.StaleFormError:
        return 403, "Please send it once more.", ""
    except kiosks.WrongNumberError:
        knock("kiosk:wrong", str(kiosk.link_id), most=WRONG, per=AN_HOUR, at=at)
        form.add_error("number", "This is nobody's number who is inside.")
        return 422, "", ""


def _is_full(kiosk: Kiosk, *, by_number: bool, at: datetime) -> str | None:
    """
    Why a form is not taken now, or None.

    While nobody can count, entries are taken, and numbers to sign out with, which could be guessed at, are not.
    """
    door = str(kiosk.link_id)
    if knock("kiosk:forms", door, most=ENTRIES, per=AN_HOUR, at=at) is Verdict.FULL:
        return "Too much was sent from this page. Please tell somebody who works here."
    if not by_number:
        return None
    wrong = knock("kiosk:wrong", door, most=WRONG - 1, per=AN_HOUR, at=at, weight=0)
    if wrong is Verdict.OPEN:
        return None
    return "Signing out by number waits for a while. Please tell somebody who works here."


def _open(request: HttpRequest, token: str, at: datetime) -> tuple[Kiosk | None, HttpResponse]:
    """Whose door it is, or why not. :raises Http404: a link that opens nothing."""
    address = client_address(request) or ""
    if knock("kiosk", address, most=LOOKS, per=AN_HOUR, at=at) is Verdict.FULL:
        words = "Too many pages were opened from here. Try again in an hour.\n"
        return None, HttpResponse(words, status=429, content_type="text/plain; charset=utf-8")
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
