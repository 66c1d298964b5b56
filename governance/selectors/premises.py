"""What the pages show of premises."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Count, Q, QuerySet

from callprivacy.accounts.enums import MembershipState
from callprivacy.accounts.models import Membership
from governance.models import Badge, Entry, Site, SiteKey


def sites() -> QuerySet[Site]:
    """Sites with how many are inside and how many badges are out, by name."""
    return Site.objects.annotate(
        inside=Count("entries", filter=Q(entries__left_at=None), distinct=True),
        out=Count("badges", filter=Q(badges__returned_on=None), distinct=True),
    ).order_by("name")


def find_site(site_id: UUID) -> Site | None:
    """One site of the scope's agency."""
    return Site.objects.select_related("agency").filter(pk=site_id).first()


def entries(*, site: Site | None = None, flagged: bool = False, inside: bool = False) -> QuerySet[Entry]:
    """Who came in, newest first."""
    found = Entry.objects.select_related("site", "badge", "user", "host", "looked_by")
    if site is not None:
        found = found.filter(site=site)
    if flagged:
        found = found.filter(looked_at=None).exclude(flags=[])
    if inside:
        found = found.filter(left_at=None)
    return found.order_by("-entered_at", "pk")


def find_entry(entry_id: UUID) -> Entry | None:
    """One entry."""
    return Entry.objects.select_related("site").filter(pk=entry_id).first()


def badges(site: Site) -> QuerySet[Badge]:
    """A site's badges, those that are out first."""
    return Badge.objects.filter(site=site).select_related("user").order_by("returned_on", "user__name")


def find_badge(site: Site, badge_id: UUID) -> Badge | None:
    """One badge of a site."""
    return Badge.objects.select_related("site").filter(site=site, pk=badge_id).first()


def site_keys(site: Site) -> QuerySet[SiteKey]:
    """Keys of a site's badge systems, the newest first; what opens is not read."""
    rows = SiteKey.objects.filter(site=site).select_related("created_by").defer("digest")
    return rows.order_by("-created_at", "pk")


def find_site_key(site: Site, key_id: UUID) -> SiteKey | None:
    """One key of a site."""
    return SiteKey.objects.filter(site=site, pk=key_id).first()


def hosts() -> QuerySet[Membership]:
    """Who may be host, by name: the active people."""
    return (
        Membership.objects.filter(state=MembershipState.ACTIVE, user__is_active=True)
        .select_related("user")
        .order_by("user__name")
    )
