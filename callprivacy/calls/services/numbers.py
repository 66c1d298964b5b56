"""
Tracking numbers, as people describe them: where they are shown, and what a caller hears there.

What callers heard is evidence. A change counts from now on and never rewrites what was heard before; what was written
down wrongly is struck out, with a reason.
"""

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.calls.models import Announcement, TrackingNumber
from callprivacy.lib import phone
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client

DESCRIBED: Final = (
    "label",
    "source",
    "campaign",
    "target_site",
    "region",
    "records",
    "announcement",
    "announced_from",
    "announced_on_recording",
    "tested_at",
)


type Facts = Mapping[str, str | bool | date | datetime | None]


class NumberKnownError(ValueError):
    """The client has that number already."""


class HeardSinceError(ValueError):
    """The day would rewrite what calls rest on already, or has not come yet."""


class StruckError(LookupError):
    """The entry is struck out already."""


@transaction.atomic
def add_number(
    *, client: Client, number: str, provider: str, facts: Facts, by: Actor, at: datetime
) -> TrackingNumber:
    """
    Write down a number before its first call has come.

    :param number: in E.164.
    :param provider: the tracker it is rented from; "" where nobody said.
    :param facts: some of `DESCRIBED`; an empty region becomes the one of the number's own plan.
    :raises NumberKnownError: the client has it already.
    """
    row = TrackingNumber(
        **_complete(number, {"region": ""} | dict(facts)),
        agency_id=client.agency_id,
        client=client,
        number=number,
        provider=provider,
        created_at=at,
    )
    # A call that brings the number at the same moment makes the row first, and then this one is not there.
    TrackingNumber.objects.bulk_create([row], ignore_conflicts=True)
    if not TrackingNumber.objects.filter(pk=row.pk).exists():
        raise NumberKnownError("This client has that number already.")
    if _keep_heard(row, ZoneInfo(client.time_zone), by, at):
        row.save(update_fields=["announced_from"])
    audit.record("number.added", subject=row, by=by, at=at, provider=provider)
    return row


def _complete(number: str, facts: Facts) -> dict[str, str | bool | date | datetime | None]:
    """What may be said of a number; where its region is left empty, the one of its own plan."""
    said = {name: facts[name] for name in DESCRIBED if name in facts}
    if said.get("region") == "":
        said["region"] = phone.place_of(number)[1]
    return said


@transaction.atomic
def describe_number(
    *,
    number: TrackingNumber,
    facts: Facts,
    by: Actor,
    at: datetime,
) -> bool:
    """
    Write down what is known of a number; the trail says which of it changed.

    :param facts: some of `DESCRIBED`, as for `add_number`.
    :returns: whether anything changed.
    :raises HeardSinceError: the words are said to be heard since later than was written down, or a day to come.
    """
    rows = TrackingNumber.objects.select_related("client").select_for_update(of=("self",))
    row = rows.get(pk=number.pk)
    said = _complete(row.number, facts)
    answer = said.get("announced_on_recording", row.announced_on_recording)
    is_new = said.get("announcement", row.announcement) != row.announcement
    if not said.get("announcement", row.announcement) or (is_new and answer == row.announced_on_recording):
        # Of other words, or of none, nobody has said it yet.
        said["announced_on_recording"] = None
    changed = [name for name in said if getattr(row, name) != said[name]]
    if not changed:
        return False
    for name in changed:
        setattr(row, name, said[name])
    if _HEARD & set(changed) and _keep_heard(row, ZoneInfo(row.client.time_zone), by, at):
        changed.append("announced_from")
    row.save(update_fields=list(dict.fromkeys(changed)))
    audit.record("number.described", subject=row, by=by, at=at, changed=", ".join(changed))
    return True


# --- What callers heard -------------------------------------------------------------------------------------------

_HEARD: Final = frozenset({"announcement", "announced_from", "announced_on_recording"})


def _keep_heard(number: TrackingNumber, zone: ZoneInfo, by: Actor, at: datetime) -> bool:
    """
    Go on with the history of a number from what is said of it now; returns whether its day was set by that.

    Words without a day are no evidence: nobody knows since when. The number is held.
    """
    words, day = number.announcement.strip(), number.announced_from
    if day is None:
        words = ""
    since = at if day is None else datetime.combine(day, time.min, tzinfo=zone)
    if since > at:
        raise HeardSinceError("That day has not come yet: write down what callers hear once they hear it.")
    rows = Announcement.objects.for_client(number.client_id).filter(tracking_number=number, struck_at=None)
    found = list(rows.order_by("-from_at"))
    going = found[0] if found and found[0].until_at is None else None
    if going is not None and going.words == words:
        if going.on_recording is None and number.announced_on_recording is not None:
            _say_on_recording(found, on_recording=number.announced_on_recording)
        if going.on_recording == number.announced_on_recording:
            _begin_earlier(number, found, since, zone, by=by, at=at)
            return False
    if going is not None:
        going.until_at = max(at, going.from_at)
        going.save(update_fields=["until_at"])
    if not words:
        return False
    begins = max([since, *(row.until_at for row in found if row.until_at is not None)])
    _write_heard(number, words, begins, None, on_recording=number.announced_on_recording, by=by, at=at)
    number.announced_from = begins.astimezone(zone).date()
    return number.announced_from != day


def _say_on_recording(found: list[Announcement], *, on_recording: bool) -> None:
    """
    What nobody had said is said: of the words that go on, as far back as the same were heard without a gap.

    Evidence that comes late, as an earlier day is. What was said once stays; another answer counts from now on.
    """
    later = found[0]
    for row in found:
        is_same = row.words == later.words and (row is later or row.until_at == later.from_at)
        if not is_same or row.on_recording is not None:
            return
        row.on_recording = on_recording
        row.save(update_fields=["on_recording"])
        later = row


def _begin_earlier(
    number: TrackingNumber,
    found: list[Announcement],
    since: datetime,
    zone: ZoneInfo,
    *,
    by: Actor,
    at: datetime,
) -> None:
    """The same words were heard since an earlier day: evidence that comes late, and adds to what there is."""
    first = found[0]
    older = found[1:]
    while older and older[0].until_at == first.from_at and older[0].words == first.words:
        first = older.pop(0)
    known = first.from_at.astimezone(zone).date()
    if since.astimezone(zone).date() > known:
        raise HeardSinceError(
            f"It is written down as heard since {known:%B %-d, %Y}, and calls since then count as announced. "
            "If that was wrong, strike the entry out."
        )
    begins = max([since, *(row.until_at for row in older if row.until_at is not None)])
    if begins < first.from_at and since.astimezone(zone).date() < known:
        _write_heard(
            number, first.words, begins, first.from_at, on_recording=first.on_recording, by=by, at=at
        )


def _write_heard(
    number: TrackingNumber,
    words: str,
    begins: datetime,
    ends: datetime | None,
    *,
    on_recording: bool | None,
    by: Actor,
    at: datetime,
) -> None:
    Announcement.objects.create(
        agency_id=number.agency_id,
        client_id=number.client_id,
        tracking_number=number,
        words=words,
        on_recording=on_recording,
        from_at=begins,
        until_at=ends,
        written_by_id=by.user_id,
        written_at=at,
    )


@transaction.atomic
def strike_announcement(*, announcement: Announcement, reason: str, by: Actor, at: datetime) -> None:
    """
    Strike out what was written down wrongly: callers never heard it, or not then. Calls are decided without it.

    :raises StruckError: it is struck out already.
    """
    number = TrackingNumber.objects.select_for_update().get(pk=announcement.tracking_number_id)
    rows = Announcement.objects.for_client(announcement.client_id).filter(pk=announcement.pk)
    goes_on = rows.filter(until_at=None).exists()
    if not rows.filter(struck_at=None).update(struck_at=at):
        raise StruckError("The entry is struck out already.")
    if goes_on:
        number.announcement, number.announced_from = "", None
        number.save(update_fields=["announcement", "announced_from"])
    audit.record("announcement.struck", subject=announcement, by=by, at=at, reason=reason)
