"""Changes and closing of sites."""

from collections.abc import Sequence
from datetime import datetime, time

from django.db import IntegrityError, transaction

from callprivacy.audit import services as audit
from callprivacy.lib import calendars
from callprivacy.lib.scope import Actor
from governance.models import Site, SiteKey
from governance.services import badge_systems, kiosks
from governance.services.premises import TakenError


class ClosedError(LookupError):
    """The site is closed."""


@transaction.atomic
def change_site(
    *,
    site: Site,
    name: str,
    address: str,
    time_zone: str,
    weekdays: Sequence[int],
    opens: time,
    closes: time,
    by: Actor,
    at: datetime,
) -> None:
    """
    Update a site, also a closed one.

    :param weekdays: ISO numbers, 1 is Monday.
    :raises TakenError: the name is taken.
    """
    was = Site.objects.select_for_update().get(pk=site.pk)
    facts = {
        "name": name,
        "address": address,
        "time_zone": time_zone,
        "weekdays": sorted(set(weekdays)),
        "opens": opens,
        "closes": closes,
    }
    changed = [field for field, value in facts.items() if getattr(was, field) != value]
    if not changed:
        return
    try:
        with transaction.atomic():
            Site.objects.filter(pk=site.pk).update(**facts)
    except IntegrityError:
        raise TakenError(f"A site named {name} already exists.") from None
    audit.record(
        "site.changed",
        subject=site,
        by=by,
        at=at,
        changed=" ".join(changed),
        was=_hours(was.weekdays, was.opens, was.closes, was.time_zone),
        hours=_hours(weekdays, opens, closes, time_zone),
    )


def _hours(weekdays: Sequence[int], opens: time, closes: time, zone: str) -> str:
    days = "".join(str(day) for day in sorted(set(weekdays)))
    return f"{days} {opens.isoformat('minutes')}-{closes.isoformat('minutes')} {zone}"


@transaction.atomic
def close_site(*, site: Site, by: Actor, at: datetime) -> None:
    """
    Close a site and revoke its keys and sign-in page. Badges and open entries stay.

    :raises ClosedError: it is closed.
    """
    today = calendars.day_in(site.time_zone, at)
    if not Site.objects.filter(pk=site.pk, closed_on=None).update(closed_on=today):
        raise ClosedError("This site is already closed.")
    ended = 0
    for key in SiteKey.objects.filter(site=site, revoked_at=None):
        ended += badge_systems.revoke_key(key=key, by=by, at=at)
    kiosks.end_link(site=site, by=by, at=at)
    audit.record("site.closed", subject=site, by=by, at=at, keys=ended)
