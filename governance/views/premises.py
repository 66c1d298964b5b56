"""Premises as people keep them, and the page at the door."""

from datetime import timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from callprivacy.accounts.access import StaffRequest, needs_right
from callprivacy.accounts.enums import AgencyRight, Deed
from callprivacy.accounts.views.form_pages import INFO, Confirmation, Done, action, form_page
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
from governance.models import Badge, DoorHours, Entry, Site
from governance.selectors import ends
from governance.selectors import premises as selectors
from governance.services import premises, sites

_PAGE: Final = 50
_OUTSIDE_FOR: Final = timedelta(days=30)
_VISITORS_FOR: Final = timedelta(days=30)
_MANAGE: Final = AgencyRight.MANAGE_CLIENTS


def site_or_404(site_id: UUID) -> Site:
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


def load_site(request: StaffRequest, place_id: UUID) -> Site:
    """A site of the agency, for a page with a form."""
    return site_or_404(place_id)


def load_open(request: StaffRequest, place_id: UUID) -> Site:
    """A site of the agency where it works still, for a page with a form."""
    return open_site_or_404(place_id)


def _load_hours(request: StaffRequest, place_id: UUID, hours_id: UUID) -> DoorHours:
    found = selectors.find_hours(site_or_404(place_id), hours_id)
    if found is None:
        raise Http404
    return found


def _load_badge(request: StaffRequest, place_id: UUID, badge_id: UUID) -> Badge:
    found = selectors.find_badge(site_or_404(place_id), badge_id)
    if found is None:
        raise Http404
    return found


def _load_entry(request: StaffRequest, entry_id: UUID) -> Entry:
    found = selectors.find_entry(entry_id)
    if found is None:
        raise Http404
    return found


def _address(subject: Site | DoorHours | Badge | Entry) -> str:
    return reverse("governance:site", args=[subject.pk if isinstance(subject, Site) else subject.site_id])


def above(subject: Site | Entry | None) -> list[tuple[str, str]]:
    """The pages above a form about a site, or about all of them."""
    crumbs = [("Premises", reverse("governance:entries"))]
    return [*crumbs, (subject.name, _address(subject))] if isinstance(subject, Site) else crumbs


site_page = partial(form_page, right=_MANAGE, load=load_open, crumbs=above)


@require_GET
@needs_right(_MANAGE)
def list_entries(request: StaffRequest) -> HttpResponse:
    """Sites, and who came in."""
    show = request.GET.get("show", "")
    found = selectors.entries(flagged=show == "flagged", inside=show == "inside")
    page = page_of(request, found, size=_PAGE)
    context = {
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
    context = {"rows": list(found[:_PAGE]), "days": _VISITORS_FOR.days}
    return render(request, "governance/visitors.html", context)


def _line(entry: Entry) -> dict[str, Any]:
    return {"row": entry, "flags": [EntryFlag(one).label for one in entry.flags]}


@form_page(
    SiteForm,
    right=_MANAGE,
    title="Add a site",
    button="Add it",
    crumbs=above,
    fill=lambda request, _: {"initial": {"time_zone": request.agency.time_zone}},
    errors={premises.TakenError: "name"},
)
def new_site(request: StaffRequest, _: None, form: SiteForm) -> Done:
    site = premises.add_site(agency=request.agency, **form.cleaned_data, by=request.actor, at=request.at)
    return Done(to=_address(site))


@require_GET
@needs_right(_MANAGE)
def show_site(request: StaffRequest, place_id: UUID) -> HttpResponse:
    site = site_or_404(place_id)
    inside = selectors.entries(site=site, inside=True)[:_PAGE]
    hours = selectors.hours(site)
    context = {
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


@site_page(
    SiteFactsForm,
    load=load_site,
    title=lambda site: f"Change {site.name}",
    button="Save",
    fill=lambda _, site: {"initial": {name: getattr(site, name) for name in SiteFactsForm.base_fields}},
    errors={premises.TakenError: "name"},
)
def change_site(request: StaffRequest, site: Site, form: SiteFactsForm) -> str:
    sites.change_site(site=site, **form.cleaned_data, by=request.actor, at=request.at)
    return "Saved. Who comes from now on is judged by these hours."


def _before_closing(request: StaffRequest, site: Site) -> Confirmation:
    keys = selectors.site_keys(site).filter(revoked_at=None, ends_at__gt=request.at)
    badges = selectors.badges(site).filter(returned_on=None)
    return Confirmation(
        "The agency works there no more",
        "It counts at once and is not taken back: a site that opens again is added anew.",
        extent=[
            {"label": "Keys of badge systems that open nothing any more", "value": keys.count()},
            {
                "label": "Page at the door, which ends",
                "value": "yes" if selectors.kiosk_of(site) else "there is none",
            },
            {"label": "Badges that are out: ask for them", "value": badges.count()},
            {
                "label": "Inside, by what is written down",
                "value": selectors.entries(site=site, inside=True).count(),
            },
        ],
        stays=[
            "Entries, for as long as Retention says; badges and who had them, without end.",
            "Its name: change it first, where the next site is to be called the same.",
        ],
    )


@site_page(
    title=lambda site: f"Close {site.name}",
    button="Close the site",
    confirm=_before_closing,
    confirms=Deed.GRANTS,
    errors={sites.ClosedError: INFO},
)
def close_site(request: StaffRequest, site: Site, _: Any) -> str:
    """Write down that the agency works at a site no more."""
    sites.close_site(site=site, by=request.actor, at=request.at)
    return "The site is closed. Take its badges back as they come."


@site_page(
    RoomsForm,
    title=lambda site: f"Rooms of {site.name}",
    button="Save",
    fill=lambda _, site: {"initial": {"rooms": "\n".join(site.rooms)}},
)
def name_rooms(request: StaffRequest, site: Site, form: RoomsForm) -> str:
    """Say which rooms have readers of their own."""
    premises.name_rooms(site=site, **form.cleaned_data, by=request.actor, at=request.at)
    return "Saved."


def _badges_out(site: Site) -> list[Badge]:
    return [row for row in selectors.badges(site) if row.returned_on is None]


@site_page(
    HoursForm,
    title=lambda site: f"Who may enter when: {site.name}",
    button="Save",
    fill=lambda _, site: {"rooms": site.rooms, "badges": _badges_out(site)},
)
def set_hours(request: StaffRequest, site: Site, form: HoursForm) -> str:
    """Say when a room may be entered."""
    out = {str(row.pk): row for row in _badges_out(site)}
    said = form.cleaned_data | {"badge": out.get(form.cleaned_data["badge"])}
    premises.set_hours(site=site, **said, by=request.actor, at=request.at)
    return "Saved. It counts for what the readers send from now on."


@action(right=_MANAGE, load=_load_hours, back=_address)
def end_hours(request: StaffRequest, hours: DoorHours, _: Any) -> str:
    """Let the next wider hours count again."""
    premises.end_hours(hours=hours, by=request.actor, at=request.at)
    return "They are gone; the next wider hours count."


@site_page(
    BadgeForm,
    title=lambda site: f"A badge for {site.name}",
    button="Give it out",
    fill=lambda _, site: {"people": list(selectors.hosts()), "rooms": site.rooms},
    errors={premises.TakenError: "code"},
)
def give_badge(request: StaffRequest, site: Site, form: BadgeForm) -> str:
    said = form.cleaned_data | {"user_id": int(form.cleaned_data["user_id"])}
    premises.give_badge(site=site, **said, by=request.actor, at=request.at)
    return "The badge is out."


@action(right=_MANAGE, load=_load_badge, back=_address, errors={premises.NotOutError: INFO})
def return_badge(request: StaffRequest, badge: Badge, _: Any) -> str:
    today = calendars.day_in(badge.site.time_zone, request.at)
    premises.return_badge(badge=badge, on=today, by=request.actor, at=request.at)
    return "The badge is back."


@site_page(
    FileForm,
    title=lambda site: f"A file for {site.name}",
    button="Take it in",
)
def take_file(request: StaffRequest, site: Site, form: FileForm) -> Done | None:
    """Take a badge system's file in."""
    try:
        passings = premises.read_file(form.cleaned_data["file"], zone=ZoneInfo(site.time_zone), at=request.at)
    except premises.FileError as error:
        form.add_error("file", f"{error} Nothing was taken in.")
        return None
    came, flagged = premises.take_in(
        site=site, passings=passings, source=EntrySource.FILE, by=request.actor, at=request.at
    )
    text = f"{came} entries came in, {flagged} of them to look at."
    return Done(text, reverse("governance:entries"))


@action(right=_MANAGE, load=_load_entry, back=_address, errors={premises.NotOutError: INFO})
def sign_out(request: StaffRequest, entry: Entry, _: Any) -> str:
    """Note that somebody left."""
    premises.sign_out(entry=entry, by=request.actor, at=request.at)
    return "Signed out."


@site_page(
    LookForm,
    load=_load_entry,
    title="What was it",
    button="Write it down",
    errors={premises.NotOutError: INFO},
)
def look_at(request: StaffRequest, entry: Entry, form: LookForm) -> str:
    """Write down what a flagged entry was about."""
    premises.look_at(entry=entry, **form.cleaned_data, by=request.actor, at=request.at)
    return "Written down."
