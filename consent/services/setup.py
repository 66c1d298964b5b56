"""
From a new client to one that is live: what a person settles on the way, and what is asked of trackers.

Nothing here destroys anything: a client observes until an officer signs go live, which is another deed.
"""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import transaction

from callprivacy.accounts.services import agencies
from callprivacy.audit import services as audit
from callprivacy.calls.models import Connection, TrackingNumber
from callprivacy.calls.services import numbers
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Answerer, AtEnd, PartyRole
from callprivacy.tenancy.models import Client, Engagement
from consent.enums import SetupStep, VendorStep
from consent.models import SetupMark, VendorTask
from consent.services import rejudging, withdrawals

FIXED_WITHIN: Final = timedelta(days=7)
OUTER: Final = timedelta(days=30)
LAW: Final = "Recordings without consent are quarantined until then"
_KINDS: Final = {
    "measure_as": PartyRole,
    "record_as": PartyRole,
    "contact_as": PartyRole,
    "answered_by": Answerer,
    "at_end": AtEnd,
}
_AGREED: Final = (
    "measure_as", "record_as", "contact_as", "contract_on", "dpa_on", "instructions", "delete_at_vendor",
    "answered_by", "breach_notice_hours", "at_end",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Said:
    """
    What a person says of one tracking number.

    :ivar records: whether the vendor records calls to it.
    :ivar announcement: what callers hear before the call connects; "" where they hear nothing.
    :ivar announced_from: since which day they hear it.
    :ivar on_recording: whether the recordings include it; `None` leaves what is known.
    """

    records: bool
    announcement: str
    announced_from: date | None
    on_recording: bool | None = None


@dataclass(frozen=True, slots=True)
class Fix:
    """One thing to be asked of a tracker for one number."""

    number_id: uuid.UUID
    step: VendorStep


@transaction.atomic
def mark(*, client: Client, step: SetupStep, note: str, by: Actor, at: datetime) -> None:
    """Write down that a person settled a step; settling it again renews who and when."""
    SetupMark.objects.bulk_create(
        [
            SetupMark(
                agency_id=client.agency_id,
                client_id=client.pk,
                step=step,
                note=note[:200],
                marked_by_id=by.user_id,
                marked_at=at,
            )
        ],
        update_conflicts=True,
        unique_fields=["client", "step"],
        update_fields=["note", "marked_by", "marked_at"],
    )
    audit.record("setup.settled", subject=client, by=by, at=at, step=str(step))


@transaction.atomic
def unmark(*, client: Client, step: SetupStep, by: Actor, at: datetime) -> bool:
    """Take back that a step is settled; returns whether it was."""
    gone = SetupMark.objects.for_client(client).filter(step=step).remove()
    if gone:
        audit.record("setup.reopened", subject=client, by=by, at=at, step=str(step))
    return gone > 0


@transaction.atomic
def agree(*, client: Client, facts: Mapping[str, Any], by: Actor, at: datetime) -> None:
    """
    Change some of what was agreed with a client and leave the rest.

    :param facts: some of the engagement's facts, by their names.
    """
    engagement = Engagement.objects.for_client(client).get()
    agreed = {name: facts.get(name, getattr(engagement, name)) for name in _AGREED}
    agreed |= {name: kind(agreed[name]) for name, kind in _KINDS.items()}
    agencies.update_engagement(client=client, by=by, at=at, **agreed)


@transaction.atomic
def confirm_numbers(*, client: Client, said: Mapping[uuid.UUID, Said], by: Actor, at: datetime) -> int:
    """
    Write down of each tracking number whether it is recorded and what callers hear; recordings are decided anew.

    :returns: how many numbers changed.
    :raises HeardSinceError: a day would rewrite what callers heard before, or has not come yet.
    """
    changed = 0
    rows = TrackingNumber.objects.for_client(client).filter(pk__in=list(said)).order_by("pk")
    for number in rows:
        facts = said[number.pk]
        described: dict[str, str | bool | date | datetime | None] = {
            "records": facts.records,
            "announcement": facts.announcement,
            "announced_from": facts.announced_from if facts.announcement else None,
        }
        if facts.on_recording is not None:
            described["announced_on_recording"] = facts.on_recording
        changed += numbers.describe_number(number=number, facts=described, by=by, at=at)
    if changed:
        rejudging.of_client(client=client, cause="announcements", at=at)
    mark(client=client, step=SetupStep.NUMBERS, note=f"{len(said)} numbers", by=by, at=at)
    return changed


@transaction.atomic
def accept_fixes(*, client: Client, fixes: Collection[Fix], by: Actor, at: datetime) -> list[VendorTask]:
    """
    Make of proposed fixes tasks at the tracker, each with a drafted ticket; those that are open already stay.

    :returns: the tasks that are new.
    """
    rows = {row.pk: row for row in TrackingNumber.objects.for_client(client)}
    open_ways = Connection.objects.for_client(client).filter(is_active=True)
    ways = {way.provider: way for way in open_ways.order_by("-created_at", "pk")}
    tasks = [_task(client, rows[fix.number_id], fix.step, ways, at) for fix in fixes if fix.number_id in rows]
    VendorTask.objects.bulk_create(tasks, ignore_conflicts=True)
    # A row of ours is there only where the same task was not there before.
    new = list(VendorTask.objects.for_client(client).filter(pk__in=[task.pk for task in tasks]))
    note = f"{len(new)} task{'' if len(new) == 1 else 's'}"
    for task in new:
        audit.record(
            "vendor.task_made",
            subject=task,
            by=by,
            at=at,
            step=task.step,
            number=str(task.tracking_number_id),
        )
    mark(client=client, step=SetupStep.FINDINGS, note=note, by=by, at=at)
    withdrawals.renew_items(client=client, at=at)
    return new


def _task(
    client: Client,
    number: TrackingNumber,
    step: VendorStep,
    ways: Mapping[str, Connection],
    at: datetime,
) -> VendorTask:
    way = ways.get(number.provider)
    is_ours = step == VendorStep.MOVE_TO_MENU
    return VendorTask(
        agency_id=client.agency_id,
        client=client,
        step=step,
        connection=way,
        tracking_number=number,
        by_ticket=not is_ours,
        ticket="" if is_ours else _letter(client, number, step),
        law=LAW,
        created_at=at,
        target_at=at + FIXED_WITHIN,
        outer_at=at + OUTER,
    )


def _letter(client: Client, number: TrackingNumber, step: VendorStep) -> str:
    """What is asked of the tracker's support, or done on its pages, in words; the number is the client's own."""
    named = f"{number.label} ({number.number})" if number.label else number.number
    asked = {
        VendorStep.ANNOUNCE: (
            "Please turn on the announcement before calls connect for this number, and tell us the date from which "
            "callers hear it. Please use the text of our notice."
        ),
        VendorStep.TURN_OFF_RECORDING: "Please turn call recording off for this number, and tell us from which date.",
    }[step]
    return f"{client.legal_name}\nNumber: {named}\n\n{asked}"
