"""Sites, badges and the entrance log."""

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
    site = selectors.find_site(site_id)
    if site is None:
        raise Http404
    return site


def open_site_or_404(site_id: UUID) -> Site:
    site = site_or_404(site_id)
    if site.closed_on is not None:
        raise Http404
    return site


def load_site(request: StaffRequest, place_id: UUID) -> Site:
    return site_or_404(place_id)


def load_open(request: StaffRequest, place_id: UUID) -> Site:
    return open_site_or_404(place_id)


def _load_hours(request: StaffRequest, place_id: UUID, hours_id: UUID) -> DoorHours:
    hours = selectors.find_hours(site_or_404(place_id), hours_id)
    if hours is None:
        raise Http404
    return hours


def _load_badge(request: StaffRequest, place_id: UUID, badge_id: UUID) -> Badge:
    badge = selectors.find_badge(site_or_404(place_id), badge_id)
    if badge is None:
        raise Http404
    return badge


def _load_entry(request: StaffRequest, entry_id: UUID) -> Entry:
    entry = selectors.find_entry(entry_id)
    if entry is None:
        raise Http404
    return entry


def _address(subject: Site | DoorHours | Badge | Entry) -> str:
    return reverse("governance:site", args=[subject.pk if isinstance(subject, Site) else subject.site_id])


def above(subject: Site | Entry | None) -> list[tuple[str, str]]:
    crumbs = [("Premises", reverse("governance:entries"))]
    return [*crumbs, (subject.name, _address(subject))] if isinstance(subject, Site) else crumbs


site_page = partial(form_page, right=_MANAGE, load=load_open, crumbs=above)


@require_GET
@needs_right(_MANAGE)
def list_entries(request: StaffRequest) -> HttpResponse:
    show = request.GET.get("show", "")
    entries = selectors.entries(flagged=show == "flagged", inside=show == "inside")
    page = page_of(request, entries, size=_PAGE)
    context = {
        "days": ends.entries_for(request.agency),
        "sites": selectors.sites(),
        "page": page,
        "rows": [_line(entry) for entry in page.object_list],
        "show": show,
        "views": [
            {"url": "?" if not name else f"?show={name}", "label": label, "active": show == name}
            for name, label in (("", "All"), ("inside", "Inside now"), ("flagged", "Flagged"))
        ],
    }
    return render(request, "governance/premises.html", context)


@require_GET
def show_visitors(request: StaffRequest) -> HttpResponse:
    visits = selectors.visitors_of(request.membership.user_id, since=request.at - _VISITORS_FOR)
    context = {"rows": list(visits[:_PAGE]), "days": _VISITORS_FOR.days}
    return render(request, "governance/visitors.html", context)


def _line(entry: Entry) -> dict[str, Any]:
    return {"row": entry, "flags": [EntryFlag(one).label for one in entry.flags]}


@form_page(
    SiteForm,
    right=_MANAGE,
    title="Add a site",
    button="Add site",
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
    title=lambda site: f"Edit {site.name}",
    button="Save",
    fill=lambda _, site: {"initial": {name: getattr(site, name) for name in SiteFactsForm.base_fields}},
    errors={premises.TakenError: "name"},
)
def change_site(request: StaffRequest, site: Site, form: SiteFactsForm) -> str:
    sites.change_site(site=site, **form.cleaned_data, by=request.actor, at=request.at)
    return "Saved. New entries are checked against these hours."


def _before_closing(request: StaffRequest, site: Site) -> Confirmation:
    keys = selectors.site_keys(site).filter(revoked_at=None, ends_at__gt=request.at)
    badges = selectors.badges(site).filter(returned_on=None)
    return Confirmation(
        "Close the site",
        "You cannot undo this.",
        extent=[
            {"label": "Badge system keys to be revoked", "value": keys.count()},
            {
                "label": "Sign-in page to be revoked",
                "value": "yes" if selectors.kiosk_of(site) else "none",
            },
            {"label": "Badges not returned", "value": badges.count()},
            {"label": "People inside", "value": selectors.entries(site=site, inside=True).count()},
        ],
        stays=[
            "Entries, for their retention period. Badges and their holders.",
            "The site's name, which no other site can use.",
        ],
    )


@site_page(
    title=lambda site: f"Close {site.name}",
    button="Close site",
    confirm=_before_closing,
    confirms=Deed.GRANTS,
    errors={sites.ClosedError: INFO},
)
def close_site(request: StaffRequest, site: Site, _: Any) -> str:
    sites.close_site(site=site, by=request.actor, at=request.at)
    return "The site is closed. You can still return its badges."


@site_page(
    RoomsForm,
    title=lambda site: f"Rooms of {site.name}",
    button="Save",
    fill=lambda _, site: {"initial": {"rooms": "\n".join(site.rooms)}},
)
def name_rooms(request: StaffRequest, site: Site, form: RoomsForm) -> str:
    premises.name_rooms(site=site, **form.cleaned_data, by=request.actor, at=request.at)
    return "Saved."


def _badges_out(site: Site) -> list[Badge]:
    return [row for row in selectors.badges(site) if row.returned_on is None]


@site_page(
    HoursForm,
    title=lambda site: f"Access hours of {site.name}",
    button="Save",
    fill=lambda _, site: {"rooms": site.rooms, "badges": _badges_out(site)},
)
def set_hours(request: StaffRequest, site: Site, form: HoursForm) -> str:
    out = {str(row.pk): row for row in _badges_out(site)}
    data = form.cleaned_data | {"badge": out.get(form.cleaned_data["badge"])}
    premises.set_hours(site=site, **data, by=request.actor, at=request.at)
    return "Saved. New entries are checked against these hours."


@action(right=_MANAGE, load=_load_hours, back=_address)
def end_hours(request: StaffRequest, hours: DoorHours, _: Any) -> str:
    premises.end_hours(hours=hours, by=request.actor, at=request.at)
    return "Access hours deleted."


@site_page(
    BadgeForm,
    title=lambda site: f"Issue a badge for {site.name}",
    button="Issue badge",
    fill=lambda _, site: {"people": list(selectors.hosts()), "rooms": site.rooms},
    errors={premises.TakenError: "code"},
)
def give_badge(request: StaffRequest, site: Site, form: BadgeForm) -> str:
    data = form.cleaned_data | {"user_id": int(form.cleaned_data["user_id"])}
    premises.give_badge(site=site, **data, by=request.actor, at=request.at)
    return "Badge issued."


@action(right=_MANAGE, load=_load_badge, back=_address, errors={premises.NotOutError: INFO})
def return_badge(request: StaffRequest, badge: Badge, _: Any) -> str:
    today = calendars.day_in(badge.site.time_zone, request.at)
    premises.return_badge(badge=badge, on=today, by=request.actor, at=request.at)
    return "Badge returned."


@site_page(
    FileForm,
    title=lambda site: f"Import entries for {site.name}",
    button="Import",
)
def take_file(request: StaffRequest, site: Site, form: FileForm) -> Done | None:
    try:
        passings = premises.read_file(form.cleaned_data["file"], zone=ZoneInfo(site.time_zone), at=request.at)
    except premises.FileError as error:
        form.add_error("file", f"{error} Nothing was imported.")
        return None
    came, flagged = premises.take_in(
        site=site, passings=passings, source=EntrySource.FILE, by=request.actor, at=request.at
    )
    text = f"{came} entries imported, {flagged} flagged."
    return Done(text, reverse("governance:entries"))


@action(right=_MANAGE, load=_load_entry, back=_address, errors={premises.NotOutError: INFO})
def sign_out(request: StaffRequest, entry: Entry, _: Any) -> str:
    premises.sign_out(entry=entry, by=request.actor, at=request.at)
    return "Signed out."


@site_page(
    LookForm,
    load=_load_entry,
    title="Review the entry",
    button="Save",
    errors={premises.NotOutError: INFO},
)
def look_at(request: StaffRequest, entry: Entry, form: LookForm) -> str:
    premises.look_at(entry=entry, **form.cleaned_data, by=request.actor, at=request.at)
    return "Saved."
