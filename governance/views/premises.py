"""Premises as people keep them, and the page at the door."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from callprivacy.accounts.access import StaffRequest, confirms, needs_right
from callprivacy.accounts.enums import AgencyRight, Deed
from callprivacy.accounts.views.pages import page_of
from callprivacy.lib import calendars
from governance import spans
from governance.enums import EntryFlag, EntrySource
from governance.forms.premises import (
    BadgeForm,
    FileForm,
    HoursForm,
    LookForm,
    RoomsForm,
    SiteFactsForm,
    SiteForm,
)
from governance.models import Entry, Site
from governance.selectors import ends
from governance.selectors import premises as selectors
from governance.services import premises, sites
from governance.views.deeds import show_form

_PAGE: Final = 50
_OUTSIDE_FOR: Final = timedelta(days=30)
_VISITORS_FOR: Final = timedelta(days=30)
_MANAGE: Final = AgencyRight.MANAGE_CLIENTS


def site_or_404(site_id: UUID) -> Site:
    """A site of the agency."""
    found = selectors.find_site(site_id)
    if found is None:
        raise Http404
    return found


def open_site_or_404(site_id: UUID) -> Site:
    """A site of the agency where it works still."""
    found = site_or_404(site_id)
    if found.closed_on is not None:
        raise Http404
    return found


@require_GET
@needs_right(_MANAGE)
def list_entries(request: StaffRequest) -> HttpResponse:
    """Sites, and who came in."""
    show = request.GET.get("show", "")
    found = selectors.entries(flagged=show == "flagged", inside=show == "inside")
    page = page_of(request, found, size=_PAGE)
    context = {
        "section": "premises",
        "days": ends.entries_for(request.agency),
        "sites": selectors.sites(),
        "page": page,
        "rows": [_line(entry) for entry in page.object_list],
        "show": show,
        "views": [
            {"url": "?" if not name else f"?show={name}", "label": label, "active": show == name}
            for name, label in (("", "All"), ("inside", "Inside now"), ("flagged", "To look at"))
        ],
    }
    return render(request, "governance/premises.html", context)


@require_GET
def show_visitors(request: StaffRequest) -> HttpResponse:
    """Who came to visit whoever looks."""
    found = selectors.visitors_of(request.membership.user_id, since=request.at - _VISITORS_FOR)
    context = {"section": "home", "rows": list(found[:_PAGE]), "days": _VISITORS_FOR.days}
    return render(request, "governance/visitors.html", context)


def _line(entry: Entry) -> dict[str, Any]:
    return {"row": entry, "flags": [EntryFlag(one).label for one in entry.flags]}


@require_http_methods(["GET", "POST"])
@needs_right(_MANAGE)
def new_site(request: StaffRequest) -> HttpResponse:
    """Add a site."""
    form = SiteForm(request.POST or None, initial={"time_zone": request.agency.time_zone})
    if request.method == "POST" and form.is_valid():
        try:
            site = premises.add_site(
                agency=request.agency, **form.cleaned_data, by=request.actor, at=request.at
            )
        except premises.TakenError as error:
            form.add_error("name", str(error))
        else:
            return redirect("governance:site", site.pk)
    return _form(request, form, "Add a site", "Add it")


@require_GET
@needs_right(_MANAGE)
def show_site(request: StaffRequest, place_id: UUID) -> HttpResponse:
    """One site: badges, and who is inside."""
    site = site_or_404(place_id)
    inside = selectors.entries(site=site, inside=True)[:_PAGE]
    hours = selectors.hours(site)
    context = {
        "section": "premises",
        "site": site,
        "days": spans.days_of(site.weekdays),
        "badges": [
            {"row": badge, "doors": [] if badge.returned_on else selectors.doors(site, badge, hours)}
            for badge in selectors.badges(site)
        ],
        "hours": [{"row": row, "words": str(spans.Span.of(row))} for row in hours],
        "outside": selectors.outside_hours(site, since=request.at - _OUTSIDE_FOR),
        "inside": [_line(entry) for entry in inside],
        "keys": [
            {"key": key, "is_alive": key.revoked_at is None and key.ends_at > request.at}
            for key in selectors.site_keys(site)
        ],
        "kiosk": selectors.kiosk_of(site),
        "door": f"{settings.CALLPRIVACY_URL}{reverse('api:take_entries')}",
    }
    return render(request, "governance/site.html", context)


@require_http_methods(["GET", "POST"])
@needs_right(_MANAGE)
def change_site(request: StaffRequest, place_id: UUID) -> HttpResponse:
    """Change what is said of a site."""
    site = site_or_404(place_id)
    initial = {name: getattr(site, name) for name in SiteFactsForm.base_fields}
    form = SiteFactsForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            sites.change_site(site=site, **form.cleaned_data, by=request.actor, at=request.at)
        except premises.TakenError as error:
            form.add_error("name", str(error))
        else:
            messages.success(request, "Saved. Who comes from now on is judged by these hours.")
            return redirect("governance:site", site.pk)
    return _form(request, form, f"Change {site.name}", "Save", site)


@require_http_methods(["GET", "POST"])
@needs_right(_MANAGE)
@confirms(Deed.GRANTS)
def close_site(request: StaffRequest, place_id: UUID) -> HttpResponse:
    """Write down that the agency works at a site no more."""
    site = open_site_or_404(place_id)
    if request.method == "POST":
        try:
            sites.close_site(site=site, by=request.actor, at=request.at)
        except sites.ClosedError as error:
            messages.info(request, str(error))
        else:
            messages.success(request, "The site is closed. Take its badges back as they come.")
        return redirect("governance:site", site.pk)
    keys = selectors.site_keys(site).filter(revoked_at=None, ends_at__gt=request.at)
    context = {
        "section": "premises",
        "site": site,
        "extent": [
            {"label": "Keys of badge systems that open nothing any more", "value": keys.count()},
            {
                "label": "Page at the door, which ends",
                "value": "yes" if selectors.kiosk_of(site) else "there is none",
            },
            {
                "label": "Badges that are out: ask for them",
                "value": selectors.badges(site).filter(returned_on=None).count(),
            },
            {
                "label": "Inside, by what is written down",
                "value": selectors.entries(site=site, inside=True).count(),
            },
        ],
        "stays": [
            "Entries, for as long as Retention says; badges and who had them, without end.",
            "Its name: change it first, where the next site is to be called the same.",
        ],
    }
    return render(request, "governance/site_close.html", context)


@require_http_methods(["GET", "POST"])
@needs_right(_MANAGE)
def name_rooms(request: StaffRequest, place_id: UUID) -> HttpResponse:
    """Say which rooms have readers of their own."""
    site = open_site_or_404(place_id)
    form = RoomsForm(request.POST or None, initial={"rooms": "\n".join(site.rooms)})
    if request.method == "POST" and form.is_valid():
        premises.name_rooms(site=site, rooms=form.cleaned_data["rooms"], by=request.actor, at=request.at)
        messages.success(request, "Saved.")
        return redirect("governance:site", site.pk)
    return _form(request, form, f"Rooms of {site.name}", "Save", site)


@require_http_methods(["GET", "POST"])
@needs_right(_MANAGE)
def set_hours(request: StaffRequest, place_id: UUID) -> HttpResponse:
    """Say when a room may be entered."""
    site = open_site_or_404(place_id)
    out = {str(row.pk): row for row in selectors.badges(site) if row.returned_on is None}
    form = HoursForm(request.POST or None, rooms=site.rooms, badges=list(out.values()))
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data | {"badge": out.get(form.cleaned_data["badge"])}
        premises.set_hours(site=site, **said, by=request.actor, at=request.at)
        messages.success(request, "Saved. It counts for what the readers send from now on.")
        return redirect("governance:site", site.pk)
    return _form(request, form, f"Who may enter when: {site.name}", "Save", site)


@require_POST
@needs_right(_MANAGE)
def end_hours(request: StaffRequest, place_id: UUID, hours_id: UUID) -> HttpResponse:
    """Let the next wider hours count again."""
    site = site_or_404(place_id)
    hours = selectors.find_hours(site, hours_id)
    if hours is None:
        raise Http404
    premises.end_hours(hours=hours, by=request.actor, at=request.at)
    messages.success(request, "They are gone; the next wider hours count.")
    return redirect("governance:site", site.pk)


@require_http_methods(["GET", "POST"])
@needs_right(_MANAGE)
def give_badge(request: StaffRequest, place_id: UUID) -> HttpResponse:
    """Give a badge out."""
    site = open_site_or_404(place_id)
    form = BadgeForm(request.POST or None, people=list(selectors.hosts()), rooms=site.rooms)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data | {"user_id": int(form.cleaned_data["user_id"])}
        try:
            premises.give_badge(site=site, **said, by=request.actor, at=request.at)
        except premises.TakenError as error:
            form.add_error("code", str(error))
        else:
            messages.success(request, "The badge is out.")
            return redirect("governance:site", site.pk)
    return _form(request, form, f"A badge for {site.name}", "Give it out", site)


@require_POST
@needs_right(_MANAGE)
def return_badge(request: StaffRequest, place_id: UUID, badge_id: UUID) -> HttpResponse:
    """Take a badge back."""
    site = site_or_404(place_id)
    badge = selectors.find_badge(site, badge_id)
    if badge is None:
        raise Http404
    try:
        today = calendars.day_in(site.time_zone, request.at)
        premises.return_badge(badge=badge, on=today, by=request.actor, at=request.at)
    except premises.NotOutError as error:
        messages.info(request, str(error))
    else:
        messages.success(request, "The badge is back.")
    return redirect("governance:site", site.pk)


@require_http_methods(["GET", "POST"])
@needs_right(_MANAGE)
def take_file(request: StaffRequest, place_id: UUID) -> HttpResponse:
    """Take a badge system's file in."""
    site = open_site_or_404(place_id)
    form = FileForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            passings = premises.read_file(
                form.cleaned_data["file"], zone=ZoneInfo(site.time_zone), at=request.at
            )
        except premises.FileError as error:
            form.add_error("file", f"{error} Nothing was taken in.")
        else:
            came, flagged = premises.take_in(
                site=site, passings=passings, source=EntrySource.FILE, by=request.actor, at=request.at
            )
            messages.success(request, f"{came} entries came in, {flagged} of them to look at.")
            return redirect("governance:entries")
    return _form(request, form, f"A file for {site.name}", "Take it in", site)


def _entry_or_404(entry_id: UUID) -> Entry:
    entry = selectors.find_entry(entry_id)
    if entry is None:
        raise Http404
    return entry


@require_POST
@needs_right(_MANAGE)
def sign_out(request: StaffRequest, entry_id: UUID) -> HttpResponse:
    """Note that somebody left."""
    entry = _entry_or_404(entry_id)
    try:
        premises.sign_out(entry=entry, by=request.actor, at=request.at)
    except premises.NotOutError as error:
        messages.info(request, str(error))
    else:
        messages.success(request, "Signed out.")
    return redirect("governance:site", entry.site_id)


@require_http_methods(["GET", "POST"])
@needs_right(_MANAGE)
def look_at(request: StaffRequest, entry_id: UUID) -> HttpResponse:
    """Write down what a flagged entry was about."""
    entry = _entry_or_404(entry_id)
    form = LookForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            premises.look_at(entry=entry, reason=form.cleaned_data["reason"], by=request.actor, at=request.at)
        except premises.NotOutError as error:
            messages.info(request, str(error))
        else:
            messages.success(request, "Written down.")
        return redirect("governance:entries")
    return _form(request, form, "What was it", "Write it down")


def _form(
    request: StaffRequest, form: Any, title: str, button: str, site: Site | None = None
) -> HttpResponse:
    crumbs = [("Premises", reverse("governance:entries"))]
    if site is not None:
        crumbs.append((site.name, reverse("governance:site", args=[site.pk])))
    return show_form(request, form, section="premises", title=title, button=button, crumbs=crumbs)
