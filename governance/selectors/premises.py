"""Queries of premises."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, F, Max, Q, QuerySet

from callprivacy.accounts.models import Membership
from governance import spans
from governance.enums import EntryFlag
from governance.models import Badge, DoorHours, Entry, KioskLink, Site, SiteKey


def sites() -> QuerySet[Site]:
    """Sites by name, closed ones last, with the numbers of people inside and badges not returned."""
    return Site.objects.annotate(
        inside=Count("entries", filter=Q(entries__left_at=None), distinct=True),
        out=Count("badges", filter=Q(badges__returned_on=None), distinct=True),
    ).order_by(F("closed_on").desc(nulls_first=True), "name")


def find_site(site_id: UUID) -> Site | None:
    return Site.objects.select_related("agency").filter(pk=site_id).first()


def entries(*, site: Site | None = None, flagged: bool = False, inside: bool = False) -> QuerySet[Entry]:
    """Newest first."""
    rows = Entry.objects.select_related("site", "badge", "user", "host", "looked_by")
    if site is not None:
        rows = rows.filter(site=site)
    if flagged:
        rows = rows.filter(looked_at=None).exclude(flags=[])
    if inside:
        rows = rows.filter(left_at=None)
    return rows.order_by("-entered_at", "pk")


def visitors_of(user_id: int, *, since: datetime) -> QuerySet[Entry]:
    """Newest first."""
    rows = Entry.objects.filter(host_id=user_id, entered_at__gte=since).select_related("site")
    return rows.order_by("-entered_at", "pk")


def find_entry(entry_id: UUID) -> Entry | None:
    return Entry.objects.select_related("site").filter(pk=entry_id).first()


def badges(site: Site) -> QuerySet[Badge]:
    return Badge.objects.filter(site=site).select_related("user").order_by("returned_on", "user__name")


def find_badge(site: Site, badge_id: UUID) -> Badge | None:
    return Badge.objects.select_related("site").filter(site=site, pk=badge_id).first()


@dataclass(frozen=True, slots=True)
class Door:
    """:ivar words: "Mon to Fri, 08:00 to 18:00", "at any hour", or "" without access."""

    room: str
    words: str


def hours(site: Site) -> list[DoorHours]:
    """Those for all badges first, then by badge label."""
    rows = DoorHours.objects.filter(site=site).select_related("badge__user", "site")
    return sorted(
        rows, key=lambda row: (row.badge is not None, row.room, row.badge.label if row.badge else "")
    )


def find_hours(site: Site, hours_id: UUID) -> DoorHours | None:
    return DoorHours.objects.select_related("site").filter(site=site, pk=hours_id).first()


def doors(site: Site, badge: Badge, rows: Sequence[DoorHours]) -> list[Door]:
    """The entrance and each room. :param rows: as `hours` returns them."""
    result = []
    for room in ["", *site.rooms]:
        span = spans.span_of(site, badge, room, rows)
        words = "at any hour" if span is None else str(span)
        result.append(Door(room, words if spans.opens(site, badge, room) else ""))
    return result


@dataclass(frozen=True, slots=True)
class Outside:
    """:ivar badge: empty for visitors."""

    badge: str
    person: str
    room: str
    times: int
    newest: datetime


def outside_hours(site: Site, *, since: datetime) -> list[Outside]:
    """By badge and room, most entries first."""
    rows = (
        Entry.objects.filter(
            site=site, entered_at__gte=since, flags__contains=[EntryFlag.OUTSIDE_HOURS.value]
        )
        .values_list("badge__label", "user__name", "room")
        .annotate(times=Count("pk"), newest=Max("entered_at"))
        .order_by("-times", "-newest")
    )
    return [
        Outside(label or "", name or "", room, times, newest) for label, name, room, times, newest in rows
    ]


def site_keys(site: Site) -> QuerySet[SiteKey]:
    """Newest first, without digests."""
    rows = SiteKey.objects.filter(site=site).select_related("created_by").defer("digest")
    return rows.order_by("-created_at", "pk")


def find_site_key(site: Site, key_id: UUID) -> SiteKey | None:
    return SiteKey.objects.filter(site=site, pk=key_id).first()


def hosts() -> QuerySet[Membership]:
    return Membership.objects.active().select_related("user").order_by("user__name")


def person_called(text: str) -> int | None:
    """The id of the only active member with this name, part of a name, or initials."""
    wanted = _plain(text)
    if not wanted:
        return None
    people = [(row.user_id, _plain(row.user.name)) for row in hosts()]
    for fits in (
        lambda name: name == wanted,
        lambda name: wanted.replace(" ", "") == "".join(part[0] for part in name.split()),
        lambda name: wanted in name.split(),
    ):
        matches = [user_id for user_id, name in people if fits(name)]
        if matches:
            return matches[0] if len(matches) == 1 else None
    return None


def _plain(text: str) -> str:
    return " ".join(text.casefold().replace(".", " ").replace("-", " ").split())


def find_by_number(site_id: UUID, digest: bytes) -> Entry | None:
    return Entry.objects.inside().select_related("site").filter(site_id=site_id, number_digest=digest).first()


def kiosk_of(site: Site) -> KioskLink | None:
    """The current link, without its digest."""
    rows = KioskLink.objects.filter(site=site, ended_at=None).select_related("made_by").defer("digest")
    return rows.first()
