"""
Premises: sites, badges and the entrance log. Flagged entries wait for a review.

Badge systems send a reference with each event, so that repeated events are ignored.
"""

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction

from callprivacy.accounts.models import Membership
from callprivacy.audit import services as audit
from callprivacy.lib import bounds, calendars
from callprivacy.lib.forms import FIRST_DAY, LAST_DAY
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Agency
from callprivacy.tenancy.scope import job_scope
from callprivacy.work import services as work
from governance import kinds, spans
from governance.enums import EntryFlag, EntrySource
from governance.models import Badge, DoorHours, Entry, Site

JOB: Final = Actor.job("governance.watch_premises")
LONGEST_STAY: Final = timedelta(hours=16)
LINES_AT_MOST: Final = 20_000
_READ: Final = (EntrySource.SYSTEM, EntrySource.FILE)
"""Sources that share a badge system's references."""
AHEAD: Final = timedelta(minutes=10)
"""How far a reader's clock may be ahead."""
_COLUMNS: Final = ("reference", "badge", "direction", "at")


class TakenError(ValueError):
    """The site name or badge code is taken."""


class NotOutError(LookupError):
    """The badge was returned, the visitor has left, or the entry was reviewed."""


class NoRoomError(ValueError):
    """The site has no such room or badge."""


class FileError(ValueError):
    """:ivar line: of the file, from 1."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"Line {line}: {why}")
        self.line = line


@dataclass(frozen=True, slots=True)
class Passing:
    """One badge read."""

    reference: str
    code: str
    is_in: bool
    at: datetime
    room: str = ""


def digest(code: str) -> bytes:
    return hashlib.sha256(code.strip().casefold().encode()).digest()


@transaction.atomic
def add_site(
    *,
    agency: Agency,
    name: str,
    address: str,
    time_zone: str,
    weekdays: Sequence[int],
    opens: time,
    closes: time,
    rooms: Sequence[str] = (),
    by: Actor,
    at: datetime,
) -> Site:
    """
    Add a site with its opening hours.

    :param weekdays: ISO numbers, 1 is Monday.
    :raises TakenError: the name is taken.
    """
    try:
        with transaction.atomic():
            site = Site.objects.create(
                agency=agency,
                name=name,
                address=address,
                time_zone=time_zone,
                weekdays=sorted(set(weekdays)),
                opens=opens,
                closes=closes,
                rooms=list(rooms),
                created_at=at,
            )
    except IntegrityError:
        raise TakenError(f"A site named {name} already exists.") from None
    audit.record("site.opened", subject=site, by=by, at=at)
    return site


@transaction.atomic
def name_rooms(*, site: Site, rooms: Sequence[str], by: Actor, at: datetime) -> None:
    """Replace the rooms of a site. Badges no longer open a removed room, and its access hours are deleted."""
    Site.objects.filter(pk=site.pk).update(rooms=list(rooms))
    DoorHours.objects.filter(site=site).exclude(room__in=["", *rooms]).delete()
    audit.record("site.rooms_named", subject=site, by=by, at=at, rooms=len(rooms))


@transaction.atomic
def set_hours(
    *,
    site: Site,
    room: str,
    badge: Badge | None,
    weekdays: Sequence[int],
    opens: time,
    closes: time,
    by: Actor,
    at: datetime,
) -> DoorHours:
    """
    Create or replace access hours.

    :param room: "" for the entrance and rooms without their own hours; this requires a badge.
    :param badge: None for all badges.
    :param closes: exclusive; midnight is the end of the day.
    :raises NoRoomError: the room or badge is not of this site, or both are missing.
    """
    if (room and room not in site.rooms) or (badge is None and not room):
        raise NoRoomError("Select a room of this site, a badge, or both.")
    if badge is not None and badge.site_id != site.pk:
        raise NoRoomError("This badge belongs to another site.")
    row, _ = DoorHours.objects.update_or_create(
        agency_id=site.agency_id,
        site=site,
        room=room,
        badge=badge,
        defaults={"weekdays": sorted(set(weekdays)), "opens": opens, "closes": closes},
    )
    audit.record(
        "door_hours.set",
        subject=site,
        by=by,
        at=at,
        badge=str(badge.pk) if badge else "",
        days=len(row.weekdays),
        opens=opens.isoformat("minutes"),
        closes=closes.isoformat("minutes"),
    )
    return row


@transaction.atomic
def end_hours(*, hours: DoorHours, by: Actor, at: datetime) -> None:
    deleted, _ = DoorHours.objects.filter(pk=hours.pk).delete()
    if deleted:
        badge = str(hours.badge_id) if hours.badge_id else ""
        audit.record("door_hours.ended", subject=hours.site, by=by, at=at, badge=badge)


@transaction.atomic
def give_badge(
    *,
    site: Site,
    user_id: int,
    label: str,
    code: str,
    any_hour: bool,
    until_on: date | None,
    rooms: Sequence[str] = (),
    by: Actor,
    at: datetime,
) -> Badge:
    """
    Issue a badge.

    :param code: only its digest is stored. :param rooms: empty for all rooms.
    :raises TakenError: the code is in use.
    """
    try:
        with transaction.atomic():
            badge = Badge.objects.create(
                agency_id=site.agency_id,
                site=site,
                user_id=user_id,
                label=label,
                digest=digest(code),
                any_hour=any_hour,
                rooms=list(rooms),
                given_on=calendars.day_in(site.time_zone, at),
                until_on=until_on,
            )
    except IntegrityError:
        raise TakenError("A badge with this code is in use.") from None
    audit.record("badge.given", subject=badge, by=by, at=at, person=user_id)
    return badge


@transaction.atomic
def return_badge(*, badge: Badge, on: date, by: Actor, at: datetime) -> None:
    """:raises NotOutError: it is already returned."""
    if not Badge.objects.filter(pk=badge.pk, returned_on=None).update(returned_on=on):
        raise NotOutError("This badge is already returned.")
    audit.record("badge.returned", subject=badge, by=by, at=at, person=badge.user_id)


@transaction.atomic
def come_by_kiosk(
    *,
    site: Site,
    reference: str,
    number_digest: bytes | None = None,
    visitor: str,
    user_id: int | None = None,
    company: str = "",
    host_id: int | None = None,
    host_said: str = "",
    purpose: str = "",
    has_badge: bool = True,
    by: Actor,
    at: datetime,
) -> bool:
    """
    Save an entry and notify the host. Returns False if the form was already used.

    :param reference: of the form.
    :param has_badge: False for an employee without a badge, which is flagged, like an unknown host.
    :raises IntegrityError: a person inside has this number.
    """
    # The lock serializes a form that is sent twice.
    Site.objects.select_for_update().get(pk=site.pk)
    if Entry.objects.filter(
        agency_id=site.agency_id, site=site, source=EntrySource.KIOSK, reference=reference
    ).exists():
        return False
    flags = _hours(site, None, "", at, [])
    if not has_badge:
        flags.append(EntryFlag.NO_BADGE.value)
    elif host_id is None:
        flags.append(EntryFlag.NO_HOST.value)
    entry = Entry.objects.create(
        agency_id=site.agency_id,
        site=site,
        visitor=visitor,
        user_id=user_id,
        company=company,
        host_id=host_id,
        host_said=host_said,
        purpose=purpose,
        entered_at=at,
        source=EntrySource.KIOSK,
        reference=reference,
        number_digest=number_digest,
        flags=flags,
    )
    audit.record("visitor.came", subject=entry, by=by, at=at, host=host_id, flagged=bool(flags))
    if host_id is not None:
        work.notify(kinds.VISITOR, agency_id=site.agency_id, user_ids=[host_id], at=at, key=str(entry.pk))
    _renew(site.agency_id, at, by)
    return True


@transaction.atomic
def sign_out(*, entry: Entry, by: Actor, at: datetime) -> None:
    """:raises NotOutError: the exit is already recorded."""
    if (
        not Entry.objects.inside()
        .filter(pk=entry.pk, entered_at__lte=at)
        .update(left_at=at, number_digest=None)
    ):
        raise NotOutError("The exit is already recorded.")
    audit.record("entry.left", subject=entry, by=by, at=at)


def read_file(text: str, *, zone: ZoneInfo, at: datetime) -> list[Passing]:
    """
    Read a CSV file with reference, badge, direction (in, out), at (ISO 8601; without an offset in the site's zone) and
    optionally room.

    :raises FileError: a line is invalid or in the future.
    """
    rows = csv.DictReader(text.lstrip("\ufeff").splitlines())
    try:
        missing = [name for name in _COLUMNS if name not in (rows.fieldnames or [])]
        if missing:
            raise FileError(1, f"the columns {', '.join(missing)} are missing.")
        taken = list(islice(rows, LINES_AT_MOST + 1))
    except csv.Error as error:
        raise FileError(rows.line_num, f"{bounds.csv_fault(error)}.") from None
    passings = []
    for number, row in enumerate(taken, 2):
        if number > LINES_AT_MOST + 1:
            raise FileError(number, f"a file can have up to {LINES_AT_MOST:,} lines.")
        passing = _passing(number, row, zone)
        if passing.at > at + AHEAD:
            raise FileError(number, "the time is in the future. Set the reader's clock.")
        passings.append(passing)
    return passings


def _passing(number: int, row: dict[str, str | None], zone: ZoneInfo) -> Passing:
    reference, code = (row["reference"] or "").strip(), (row["badge"] or "").strip()
    direction = (row["direction"] or "").strip().lower()
    if not reference or len(reference) > 80:
        raise FileError(number, "the reference must have 1 to 80 characters.")
    if not code:
        raise FileError(number, "the badge is missing.")
    if direction not in {"in", "out"}:
        raise FileError(number, "the direction must be in or out.")
    try:
        at = datetime.fromisoformat((row["at"] or "").strip())
    except ValueError:
        raise FileError(number, "the time is not ISO 8601, such as 2026-11-24T08:30.") from None
    if not FIRST_DAY <= at.date() <= LAST_DAY:
        raise FileError(number, f"the time is outside the years {FIRST_DAY.year} to {LAST_DAY.year}.")
    room = (row.get("room") or "").strip()
    if len(room) > 60:
        raise FileError(number, "the room can have up to 60 characters.")
    return Passing(reference, code, direction == "in", at if at.tzinfo else at.replace(tzinfo=zone), room)


@transaction.atomic
def take_in(
    *, site: Site, passings: Sequence[Passing], source: EntrySource, by: Actor, at: datetime
) -> tuple[int, int]:
    """
    Import badge reads. Returns the numbers of new and of flagged entries. Repeated references are ignored.

    An exit closes the latest open entry of its badge. An exit without an entry is ignored.
    """
    # The lock serializes concurrent messages of one system.
    Site.objects.select_for_update().get(pk=site.pk)
    badges: dict[bytes, list[Badge]] = {}
    for row in Badge.objects.filter(agency_id=site.agency_id, site=site).order_by("given_on", "pk"):
        badges.setdefault(bytes(row.digest), []).append(row)
    hours = list(DoorHours.objects.filter(agency_id=site.agency_id, site=site))
    zone = ZoneInfo(site.time_zone)
    members = Membership.objects.filter(agency_id=site.agency_id).active()
    active = set(members.values_list("user_id", flat=True))
    # API and file share references; forms of the sign-in page have their own.
    sources = _READ if source in _READ else (source,)
    ours = Entry.objects.filter(agency_id=site.agency_id, site=site, source__in=sources)
    sent = [one.reference for one in passings if one.is_in]
    known = set(ours.filter(reference__in=sent).values_list("reference", flat=True))
    came = flagged = 0
    for one in sorted(passings, key=lambda one: one.at):
        badge = _of_day(badges.get(digest(one.code), []), one.at.astimezone(zone).date())
        if not one.is_in:
            _leave(site, badge, one, sources)
            continue
        if one.reference in known:
            continue
        known.add(one.reference)
        flags = _flags(site, badge, one, active, hours)
        entry = Entry(
            agency_id=site.agency_id,
            site=site,
            badge=badge,
            user_id=badge.user_id if badge else None,
            entered_at=one.at,
            source=source,
            reference=one.reference,
            room=one.room,
            flags=flags,
        )
        entry.save(force_insert=True)
        came += 1
        flagged += bool(flags)
    audit.record("entries.taken", subject=site, by=by, at=at, came=came, flagged=flagged)
    _renew(site.agency_id, at, by)
    return came, flagged


def _of_day(badges: Sequence[Badge], day: date) -> Badge | None:
    """Of badges with the same code, the one in use on a day."""
    return next((one for one in reversed(badges) if one.given_on <= day), badges[0] if badges else None)


def _leave(site: Site, badge: Badge | None, one: Passing, sources: Sequence[EntrySource]) -> None:
    known = Entry.objects.filter(
        agency_id=site.agency_id, site=site, source__in=sources, left_reference=one.reference
    )
    if badge is None or known.exists():
        return
    inside = Entry.objects.inside().filter(site=site, badge=badge, room=one.room, entered_at__lte=one.at)
    newest = inside.order_by("-entered_at").first()
    if newest is not None:
        Entry.objects.inside().filter(pk=newest.pk).update(left_at=one.at, left_reference=one.reference)


def _hours(site: Site, badge: Badge | None, room: str, at: datetime, rows: Sequence[DoorHours]) -> list[str]:
    span = spans.span_of(site, badge, room, rows)
    is_open = span is None or span.holds(at.astimezone(ZoneInfo(site.time_zone)))
    return [] if is_open else [EntryFlag.OUTSIDE_HOURS.value]


def _flags(
    site: Site, badge: Badge | None, one: Passing, active: set[int], hours: Sequence[DoorHours]
) -> list[str]:
    if badge is None:
        return [EntryFlag.UNKNOWN.value]
    day = calendars.day_in(site.time_zone, one.at)
    flags = _hours(site, badge, one.room, one.at, hours)
    if badge.user_id not in active:
        flags.append(EntryFlag.LEFT.value)
    ended = (badge.until_on and day > badge.until_on) or (badge.returned_on and day > badge.returned_on)
    if ended or day < badge.given_on or not spans.opens(site, badge, one.room):
        flags.append(EntryFlag.NO_RIGHT.value)
    return flags


@transaction.atomic
def look_at(*, entry: Entry, reason: str, by: Actor, at: datetime) -> None:
    """:raises NotOutError: the entry is already reviewed."""
    flagged = Entry.objects.filter(pk=entry.pk, looked_at=None).exclude(flags=[])
    if not flagged.update(looked_at=at, looked_by_id=by.user_id):
        raise NotOutError("This entry is already reviewed.")
    audit.record("entry.looked_at", subject=entry, by=by, at=at, reason=reason)
    _renew(entry.agency_id, at, by)


def watch_premises(*, agency_id: int, at: datetime) -> None:
    """Flag entries without an exit, also reviewed ones. Called outside any scope, and idempotent."""
    with job_scope(agency_id=agency_id):
        stayed = Entry.objects.inside().filter(entered_at__lt=at - LONGEST_STAY)
        for entry in stayed.exclude(flags__contains=[EntryFlag.NO_EXIT.value])[:500]:
            Entry.objects.filter(pk=entry.pk, flags=entry.flags).update(
                flags=[*entry.flags, EntryFlag.NO_EXIT.value], looked_at=None, looked_by=None
            )
        _renew(agency_id, at, JOB)


def _renew(agency_id: int, at: datetime, by: Actor) -> None:
    flagged = Entry.objects.filter(agency_id=agency_id, looked_at=None).exclude(flags=[])
    count = flagged.count()
    if count:
        first = flagged.order_by("entered_at").values_list("entered_at", flat=True).first()
        work.open_item(kinds.PREMISES, agency_id=agency_id, key="all", at=at, due_at=first, count=count)
    else:
        work.close_item(kinds.PREMISES, agency_id=agency_id, key="all", at=at, by=by)
