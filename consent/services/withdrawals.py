"""
Carrying a withdrawal to whoever else holds the number.

Here it counts from the moment it is written. A job then plans what vendors have to do, by what each of them can:
our phone menu asks before it records; a recording can be deleted by its interface or by a letter; and where a tracker
can do neither an officer chooses. The withdrawal is closed when every step is.
"""

import json
import uuid
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from operator import attrgetter
from typing import Final

from django.db import connection as database
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from callprivacy.audit import services as audit
from callprivacy.calls.enums import RecordingState
from callprivacy.calls.models import Caller, Connection, Recording, TrackingNumber
from callprivacy.calls.providers import capabilities
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import Key, Place, SealBrokenError
from callprivacy.work import services as work
from callprivacy.work.models import Item
from consent.channels import twilio
from consent.enums import OnWithdrawal, Purpose, VendorStep, WaitingState
from consent.models import AdDestination, PhoneMenu, VendorTask, Withdrawal
from consent.selectors import law
from consent.selectors import withdrawals as selectors
from consent.selectors.vendors import call_in, recording_in
from consent.services import deadlines, tickets, webhooks

JOB: Final = Actor.job("consent.carry_out")
MAY_STAY: Final = "Not requested: later data shows that the recording can be kept."
ERRAND: Final = "errand"
"""The client's purpose key for what a vendor needs to find a thing by."""

NOBODY: Final = uuid.UUID(int=0)
ON_WITHDRAWAL: Final = "on_withdrawal"
BATCH: Final = 50
# Trackers on whose pages calls can be listened to while they run.
_LISTENED_LIVE: Final = frozenset({"callrail", "ctm", "invoca"})
# Trackers that send texts of their own, which our list of numbers does not reach.
_SEND_TEXTS: Final = frozenset({"callrail", "ctm"})
NAMES_CALLER: Final = frozenset(
    {
        VendorStep.REDACT_CALLER,
        VendorStep.TURN_OFF_MONITORING,
        VendorStep.STOP_TEXTS,
        VendorStep.REMOVE_FROM_ADS,
    }
)
"""The steps for which a vendor has to be told the number."""


class NotToChooseError(LookupError):
    """The task is none that waits for a choice, or somebody has chosen already."""


@dataclass(frozen=True, slots=True)
class _Step:
    step: VendorStep
    purpose: Purpose
    connection: Connection | None = None
    destination: AdDestination | None = None
    tracking_number: TrackingNumber | None = None
    by_ticket: bool = True


# --- The job ------------------------------------------------------------------------------------------------------


def carry_out(*, agency_id: int, at: datetime) -> int:
    """Plan what is due of an agency's withdrawals, and close what is done; returns how many were looked at."""
    with job_scope(agency_id=agency_id):
        rows = list(
            Withdrawal.objects.filter(agency_id=agency_id)
            .due(at)
            .select_related("client__agency")
            .select_for_update(skip_locked=True, of=("self",))
            .order_by("due_at", "pk")[:BATCH]
        )
        for row in rows:
            _plan(row, at)
        return len(rows) + _close_what_is_done(agency_id, at)


def _plan(row: Withdrawal, at: datetime) -> None:
    client = row.client
    caller = Caller.objects.for_client(client).filter(pk=row.caller_id).first()
    places = [(caller.country, caller.region)] if caller is not None and caller.country else []
    rules = law.rules_of(client.agency_id)
    limits = {
        purpose: deadlines.limit(
            rules, purpose=Purpose(purpose), places=places, zone=client.time_zone, at=row.stopped_at
        )
        for purpose in row.purposes
    }
    events = dict(zip(row.purposes, row.event_ids, strict=True))
    tasks = []
    for step in _steps(client, frozenset(row.purposes)):
        limit = limits[step.purpose]
        task = VendorTask(
            agency_id=client.agency_id,
            client=client,
            step=step.step,
            connection=step.connection,
            destination=step.destination,
            tracking_number=step.tracking_number,
            withdrawal=row,
            caller_id=row.caller_id,
            event_id=events[step.purpose],
            by_ticket=step.by_ticket,
            law=limit.law[:120],
            created_at=at,
            target_at=row.stopped_at + deadlines.TARGET,
            outer_at=limit.at,
        )
        task.ticket = tickets.draft(task) if step.by_ticket else ""
        task.reference = _who(client, task, caller, at)
        tasks.append(task)
    VendorTask.objects.bulk_create(tasks, ignore_conflicts=True)
    webhooks.announce(client=client, withdrawal=row, at=at)
    first = min(limits.values(), key=lambda limit: (not limit.law, limit.at))
    VendorTask.objects.for_client(client).filter(event_id__in=row.event_ids, withdrawal=None).update(
        withdrawal=row
    )
    row.planned_at, row.due_at, row.law = at, None, first.law[:200]
    row.target_at, row.outer_at = row.stopped_at + deadlines.TARGET, first.at
    row.save(update_fields=["planned_at", "due_at", "law", "target_at", "outer_at"])
    audit.record(
        "withdrawal.planned", by=JOB, at=at, subject=row, tasks=len(tasks), purposes=",".join(row.purposes)
    )
    renew_items(client=client, at=at)


def _steps(client: Client, purposes: frozenset[str]) -> Iterator[_Step]:
    connections = list(
        Connection.objects.for_client(client).filter(is_active=True).order_by("created_at", "pk")
    )
    for one in connections:
        if Purpose.RECORD in purposes:
            yield from _of_recording(client, one)
        if Purpose.REVIEW in purposes and one.provider in _LISTENED_LIVE:
            yield _Step(VendorStep.TURN_OFF_MONITORING, Purpose.REVIEW, one)
        if Purpose.ANALYSE in purposes and capabilities(one.provider).redacts:
            yield _Step(VendorStep.REDACT_CALLER, Purpose.ANALYSE, one)
        if Purpose.CONTACT in purposes and one.provider in _SEND_TEXTS:
            yield _Step(VendorStep.STOP_TEXTS, Purpose.CONTACT, one)
    if Purpose.SHARE in purposes:
        for destination in AdDestination.objects.for_client(client).filter(is_active=True).order_by("pk"):
            yield _Step(VendorStep.REMOVE_FROM_ADS, Purpose.SHARE, destination=destination)


def _of_recording(client: Client, one: Connection) -> Iterator[_Step]:
    """Nothing where our menu asks first; what was chosen for this tracker before; otherwise somebody chooses."""
    open_numbers = ungated(client, one)
    if not open_numbers:
        return
    chosen = one.mapping.get(ON_WITHDRAWAL)
    if chosen in OnWithdrawal.values:
        yield from _chosen(OnWithdrawal(chosen), one, open_numbers)
    else:
        yield _Step(VendorStep.CHOOSE, Purpose.RECORD, one, by_ticket=False)


def _chosen(choice: OnWithdrawal, one: Connection, numbers: Iterable[TrackingNumber]) -> Iterator[_Step]:
    """What a choice asks for now; deleting is asked for after each call."""
    if choice is OnWithdrawal.OFF:
        yield _Step(VendorStep.TURN_OFF_RECORDING, Purpose.RECORD, one)
    elif choice is OnWithdrawal.MENU:
        for number in numbers:
            yield _Step(VendorStep.MOVE_TO_MENU, Purpose.RECORD, one, tracking_number=number, by_ticket=False)


def ungated(client: Client, one: Connection) -> list[TrackingNumber]:
    """The tracker's numbers whose calls may be recorded without our menu asking first."""
    gated = PhoneMenu.objects.for_client(client).filter(is_active=True).values("tracking_number_id")
    rows = TrackingNumber.objects.for_client(client).filter(Q(provider=one.provider) | Q(provider=""))
    rows = rows.exclude(records=False).exclude(pk__in=gated)
    return list(rows.order_by("label", "pk"))


def _who(client: Client, task: VendorTask, caller: Caller | None, at: datetime) -> bytes | None:
    """
    The number, for whoever has to name it to the vendor: under the caller's evidence key, as what the person said.

    So an erasure leaves it while the no has still to be carried out, and it leaves with the evidence at the latest. A
    number that does not open any more is none: everything else of the no is carried out, and nobody else's waits.
    """
    if task.step not in NAMES_CALLER or caller is None:
        return None
    try:
        content = vault_selectors.content_keys({client.pk: [caller.pk]}).get(caller.pk)
        evidence = vault_selectors.evidence_keys(client.pk, [caller.pk]).get(caller.pk)
        if content is None or evidence is None:
            return None
        plain = json.dumps({"number": caller.number.reveal(content)})
    except SealBrokenError:
        return None
    return seal_reference(client, task, plain, at, key=evidence)


def seal_reference(
    client: Client, task: VendorTask, plain: str, at: datetime, *, key: Key | None = None
) -> bytes:
    """Seal what a vendor needs, by default under the client's key for errands."""
    key = key or vault.purpose_key(client_id=client.pk, purpose=ERRAND, at=at)
    return key.seal(plain.encode(), Place(client.pk, VendorTask._meta.db_table, "reference", task.pk))


def _close_what_is_done(agency_id: int, at: datetime) -> int:
    """Close planned withdrawals of which no step is open any more."""
    still = VendorTask.objects.open().filter(withdrawal=OuterRef("pk"))
    rows = Withdrawal.objects.filter(agency_id=agency_id, planned_at__isnull=False).open()
    done = list(rows.exclude(Exists(still)).select_for_update(skip_locked=True).order_by("pk")[:BATCH])
    for row in done:
        row.closed_at = at
        row.save(update_fields=["closed_at"])
        audit.record("withdrawal.closed", by=JOB, at=at, subject=row)
    return len(done)


# --- What waits for a person --------------------------------------------------------------------------------------


def renew_items(*, client: Client, at: datetime) -> None:
    """
    Bring the queue's items of a client up to date: choices, letters, what Twilio does not do, and the law's dates.

    What is kept back waits for nobody.
    """
    _renew(client.agency_id, [client.pk], at)


def _renew(agency_id: int, client_ids: Collection[int], at: datetime) -> None:
    """Two statements for all of these clients, and those of each item that is not as it should be."""
    wanted = selectors.waiting_for_people(client_ids, at=at)
    items = Item.objects.open().filter(agency_id=agency_id, client_id__in=client_ids)
    there = {
        (client_id, kind): selectors.Waiting(count or 0, due_at)
        for client_id, kind, count, due_at in items.filter(kind__in=selectors.WAITING_FOR_PEOPLE).values_list(
            "client_id", "kind", "count", "due_at"
        )
    }
    for client_id, kind in product(client_ids, selectors.WAITING_FOR_PEOPLE):
        waiting = wanted.get((client_id, kind))
        if waiting != there.get((client_id, kind)):
            work.renew_item(
                kind,
                agency_id=agency_id,
                client_id=client_id,
                count=waiting.count if waiting is not None else 0,
                by=JOB,
                at=at,
                due_at=waiting.first_at if waiting is not None else None,
            )


def watch(*, agency_id: int, at: datetime) -> int:
    """
    Bring the queue up to date where only time has passed, a client has gone live, or a hold has ended.

    Returns how many clients were looked at. Enters the agency's scope itself.
    """
    with job_scope(agency_id=agency_id):
        tasks = VendorTask.objects.open().filter(agency_id=agency_id)
        items = Item.objects.open().filter(agency_id=agency_id, kind__in=selectors.WAITING_FOR_PEOPLE)
        found = set(tasks.values_list("client_id", flat=True).distinct())
        found |= set(items.values_list("client_id", flat=True))
        if found:
            _drop_what_may_stay(agency_id, at)
            _renew(agency_id, sorted(found), at)
    return len(found)


def _drop_what_may_stay(agency_id: int, at: datetime) -> None:
    """
    Deletions that were kept back are not asked for any more once evidence shows that the recordings may stay.

    What is asked for because our own copy leaves by its date names no caller, and is asked for all the same.
    """
    allowed = Recording.objects.filter(
        pk=OuterRef("recording_id"), client_id=OuterRef("client_id"), state=RecordingState.ALLOWED
    )
    rows = VendorTask.objects.filter(
        Exists(allowed),
        agency_id=agency_id,
        step=VendorStep.DELETE_RECORDING,
        state=WaitingState.WAITING,
        caller_id__isnull=False,
    )
    for task in list(rows.select_for_update(skip_locked=True, of=("self",)).order_by("pk")):
        task.state, task.due_at, task.reference, task.done_at = WaitingState.CANCELLED, None, None, at
        task.receipt = MAY_STAY
        task.save(update_fields=["state", "due_at", "reference", "done_at", "receipt"])
        audit.record("vendor.cancelled", by=JOB, at=at, subject=task, step=task.step)


@transaction.atomic
def choose(
    *, task: VendorTask, choice: OnWithdrawal, for_all: bool, by: Actor, at: datetime
) -> list[VendorTask]:
    """
    Settle how a tracker that cannot ask leaves this caller unrecorded; returns the tasks that follow.

    :param for_all: the same for every later withdrawal at this tracker, without asking again.
    :raises NotToChooseError: it waits for no choice.
    """
    one = task.connection
    settled = VendorTask.objects.for_client(task.client_id).filter(
        pk=task.pk, step=VendorStep.CHOOSE, state=WaitingState.WAITING
    )
    if one is None or not settled.update(
        state=WaitingState.DONE, done_at=at, receipt=choice.value, sent_by=by.user_id
    ):
        raise NotToChooseError(task.pk)
    if for_all:
        held = Connection.objects.select_for_update().get(pk=one.pk)
        held.mapping = held.mapping | {ON_WITHDRAWAL: choice.value}
        held.save(update_fields=["mapping"])
    audit.record("withdrawal.chosen", by=by, at=at, subject=task, choice=choice.value, for_all=for_all)
    client = task.client
    caller = Caller.objects.for_client(client).filter(pk=task.caller_id or NOBODY).first()
    follow = []
    for step in _chosen(choice, one, ungated(client, one)):
        row = VendorTask(
            agency_id=client.agency_id,
            client=client,
            step=step.step,
            connection=one,
            tracking_number=step.tracking_number,
            withdrawal_id=task.withdrawal_id,
            caller_id=task.caller_id,
            event_id=task.event_id,
            by_ticket=step.by_ticket,
            law=task.law,
            created_at=at,
            target_at=task.target_at,
            outer_at=task.outer_at,
        )
        row.ticket = tickets.draft(row) if step.by_ticket else ""
        row.reference = _who(client, row, caller, at)
        follow.append(row)
    VendorTask.objects.bulk_create(follow, ignore_conflicts=True)
    renew_items(client=client, at=at)
    return follow


# --- After each call ----------------------------------------------------------------------------------------------

# A caller who said no to recording, a tracker where each recording is deleted afterwards, a recording of a call that
# began since, and nobody has been asked to delete it yet.
_LATE: Final = """
SELECT r.id FROM consent_consentstate s
JOIN calls_call c ON c.client_id = s.client_id AND c.caller_id = s.caller_id
JOIN calls_recording r ON r.call_id = c.id
WHERE s.agency_id = %s AND s.purpose = 'record' AND s.state IN ('withdrawn', 'refused')
  AND r.state = 'withheld' AND r.decided_at IS NOT NULL AND r.came_late = FALSE
  AND to_timestamp(('x' || left(replace(c.id::text, '-', ''), 12))::bit(48)::bigint / 1000.0) >= s.since
  AND NOT EXISTS (SELECT 1 FROM consent_vendortask t WHERE t.client_id = s.client_id
                  AND t.recording_id = r.id AND t.step = 'delete_recording')
  AND EXISTS (SELECT 1 FROM calls_connection n WHERE n.id = c.connection_id AND
              (n.mapping ->> 'on_withdrawal' = 'delete' OR EXISTS (
                  SELECT 1 FROM consent_vendortask k WHERE k.client_id = s.client_id AND k.connection_id = n.id
                  AND k.caller_id = s.caller_id AND k.step = 'choose' AND k.receipt = 'delete')))
LIMIT %s
"""


def ask_deletions(*, agency_id: int, at: datetime) -> int:
    """
    Ask for the deletion of what a tracker recorded of a caller after the withdrawal; returns how many recordings.

    By the vendor's interface where it has one, by a letter otherwise. At an observed client, and of a call on hold,
    the step stands on the board and waits (`selectors.kept_back`).
    """
    with job_scope(agency_id=agency_id):
        with database.cursor() as cursor:
            cursor.execute(_LATE, [agency_id, BATCH])
            found = [row[0] for row in cursor.fetchall()]
        rows = Recording.objects.filter(pk__in=found, state=RecordingState.WITHHELD)
        recordings = list(rows.select_related("call__connection", "call__caller", "client__agency"))
        for recording in recordings:
            _ask_deletion(recording, at)
        for client in sorted({recording.client for recording in recordings}, key=attrgetter("pk")):
            renew_items(client=client, at=at)
    return len(recordings)


def _ask_deletion(recording: Recording, at: datetime) -> None:
    client, one = recording.client, recording.call.connection
    latest = (
        Withdrawal.objects.for_client(client)
        .filter(caller_id=recording.call.caller_id or NOBODY, purposes__contains=[Purpose.RECORD])
        .order_by("-stopped_at")
        .first()
    )
    task = VendorTask(
        agency_id=client.agency_id,
        client=client,
        step=VendorStep.DELETE_RECORDING,
        connection=one,
        withdrawal=latest,
        caller_id=recording.call.caller_id,
        recording_id=recording.pk,
        event_id=latest.event_ids[latest.purposes.index(Purpose.RECORD)] if latest is not None else None,
        law=latest.law[:120] if latest is not None else "",
        created_at=at,
        target_at=at + deadlines.TARGET,
        outer_at=max(at + deadlines.TARGET, latest.outer_at)
        if latest is not None and latest.outer_at is not None
        else at + deadlines.TARGET,
    )
    where = _address(recording)
    sid = recording_in(where or "") if one is not None and one.provider == twilio.NAME else ""
    if sid:
        task.due_at = at
        task.reference = seal_reference(client, task, json.dumps({"call": "", "recording": sid}), at)
    else:
        task.by_ticket = True
        task.ticket = tickets.draft(task, recording=recording)
        # The address opens the recording for whoever has it: the vendor knows the call by its id.
        task.reference = seal_reference(client, task, json.dumps({"call": call_in(where or "")}), at)
    VendorTask.objects.bulk_create([task], ignore_conflicts=True)
    if latest is not None:
        Withdrawal.objects.filter(pk=latest.pk).update(closed_at=None)
    audit.record("recording.deletion_asked", by=JOB, at=at, subject=task, by_ticket=task.by_ticket)


def _address(recording: Recording) -> str | None:
    key = vault_selectors.recording_keys(recording.client_id, [recording.pk]).get(recording.pk)
    if key is None or recording.reference is None:
        return None
    try:
        return str(recording.reference.reveal(key))
    except SealBrokenError:
        return None
