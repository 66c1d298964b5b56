"""What a person does with a step at a vendor: see whom it is about, send the letter, note the answer, confirm."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.calls.enums import RevealReason
from callprivacy.calls.models import Connection
from callprivacy.calls.providers import TRACKERS
from callprivacy.calls.services import reveals
from callprivacy.calls.services.reveals import NoNumberError, ReasonTooShortError, Revealed, RevealLimitError
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Agency, Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import Key, Place, SealBrokenError
from callprivacy.work import services as work
from callprivacy.work.models import Item
from consent import kinds
from consent.channels import twilio
from consent.enums import VendorStep, WaitingState
from consent.models import VendorTask
from consent.selectors import decisions
from consent.selectors import withdrawals as selectors
from consent.selectors.vendors import call_in, recording_in
from consent.services import deadlines, tickets, withdrawals

__all__ = ["NoNumberError", "ReasonTooShortError", "RevealLimitError"]

CHASED_AFTER: Final = (timedelta(days=7), timedelta(days=14))
JOB: Final = Actor.job("consent.chase_vendors")


class NotOpenError(LookupError):
    """The task is done or was given up; it may have been done by somebody else a moment ago."""


class KeptBackError(LookupError):
    """Nothing is destroyed at a vendor while its client is observed or a hold keeps the call."""


class NotCheckedError(ValueError):
    """A letter's answer is taken for done only once somebody has looked at the vendor's pages."""


class NotInstructedError(Exception):
    """The client has not instructed us to have recordings deleted at vendors: nothing is asked of any."""


@dataclass(frozen=True, slots=True, repr=False)
class Copy:
    """
    A recording that a vendor has, and that is to be deleted there because ours is erased.

    :ivar recording_id: the recording's own id, or what stands for it. :ivar where: its address, or by what the vendor
    knows it; "" where nobody knows any more, so that it is found there by the time of the call.
    """

    recording_id: uuid.UUID
    provider: str
    connection: Connection | None
    where: str
    started_at: datetime | None


@transaction.atomic
def ask_for_deletion(*, client: Client, copies: Sequence[Copy], by: Actor, at: datetime) -> int:
    """
    Open a step for each of these copies that has none: by the vendor's interface, or by a letter.

    Returns how many are new. Nothing is sent here: Twilio is asked by the job once our own copy is gone, a letter by a
    person.

    :raises NotInstructedError: the client has not said so.
    """
    if not decisions.deletes_at_vendor(client):
        raise NotInstructedError(client.pk)
    rows = VendorTask.objects.for_client(client).filter(
        step=VendorStep.DELETE_RECORDING, recording_id__in=[copy.recording_id for copy in copies]
    )
    known = set(rows.exclude(state=WaitingState.CANCELLED).values_list("recording_id", flat=True))
    wanted = [copy for copy in copies if copy.recording_id not in known]
    if not wanted:
        return 0
    key = vault.purpose_key(client_id=client.pk, purpose=withdrawals.ERRAND, at=at)
    tasks = [_deletion(client, copy, key, at) for copy in wanted]
    VendorTask.objects.bulk_create(tasks, ignore_conflicts=True)
    letters = sum(task.by_ticket for task in tasks)
    audit.record("vendor.deletions_asked", subject=client, by=by, at=at, steps=len(tasks), letters=letters)
    withdrawals.renew_items(client=client, at=at)
    return len(tasks)


def _deletion(client: Client, copy: Copy, key: Key, at: datetime) -> VendorTask:
    task = VendorTask(
        agency_id=client.agency_id,
        client=client,
        step=VendorStep.DELETE_RECORDING,
        connection=copy.connection,
        recording_id=copy.recording_id,
        created_at=at,
        target_at=at + deadlines.TARGET,
        outer_at=at + deadlines.TARGET,
    )
    sid = ""
    if copy.connection is not None and copy.connection.provider == twilio.NAME:
        sid = recording_in(copy.where)
    if sid:
        task.due_at = at
        known = {"call": "", "recording": sid}
    else:
        task.by_ticket = True
        title = TRACKERS.get(copy.provider, "the vendor")
        task.ticket = tickets.draft_of_expired(
            task, provider=copy.provider, vendor=title, started_at=copy.started_at
        )
        # The address opens the recording for whoever has it: the vendor knows the call by its id.
        known = {"call": call_in(copy.where) if "://" in copy.where else copy.where}
    place = Place(client.pk, VendorTask._meta.db_table, "reference", task.pk)
    task.reference = key.seal(json.dumps(known).encode(), place)
    return task


@transaction.atomic
def show_reference(*, task: VendorTask, by: Actor, at: datetime) -> dict[str, str]:
    """
    By what the vendor knows a call: "call" or "recording", each an id. That it was shown is written down first.

    Never a number (`reveal_number` shows that), and never an address: it may open the recording.
    """
    audit.record("vendor.reference_shown", subject=task, by=by, at=at, step=task.step)
    found = _opened(task, at)
    shown = {name: found.get(name, "") for name in ("call", "recording")}
    if "://" in shown["recording"]:
        shown = {"call": shown["call"] or call_in(shown["recording"]), "recording": ""}
    return {name: value for name, value in shown.items() if value}


def reveal_number(
    *, task: VendorTask, agency: Agency, reason_kind: RevealReason, reason: str, by: Actor, at: datetime
) -> Revealed:
    """
    Record why and return the number that the vendor has to be told, as `reveals.reveal_number` does a call's.

    :raises NoNumberError: this step names nobody, or the number does not open any more.
    :raises ReasonTooShortError: the reason has fewer than 15 characters.
    :raises RevealLimitError: the person has reached the agency's limit.
    """
    if task.step not in withdrawals.NAMES_CALLER or task.caller_id is None:
        raise NoNumberError("The vendor does not need a number for this step.")

    def read() -> str:
        number = _opened(task, at).get("number", "")
        if not number:
            raise NoNumberError("The number has been deleted.")
        return number

    return reveals.reveal_number_for(
        subject=task,
        client_id=task.client_id,
        caller_id=task.caller_id,
        read=read,
        agency=agency,
        reason_kind=reason_kind,
        reason=reason,
        by=by,
        at=at,
    )


def _opened(task: VendorTask, at: datetime) -> dict[str, str]:
    """What was sealed for the vendor; nothing where its key is gone."""
    if task.reference is None:
        return {}
    key: Key | None
    if task.step in withdrawals.NAMES_CALLER and task.caller_id is not None:
        key = vault_selectors.evidence_keys(task.client_id, [task.caller_id]).get(task.caller_id)
    else:
        key = vault.purpose_key(client_id=task.client_id, purpose=withdrawals.ERRAND, at=at)
    if key is None:
        return {}
    try:
        return {name: str(value) for name, value in json.loads(task.reference.reveal(key)).items()}
    except SealBrokenError:
        return {}


@transaction.atomic
def mark_sent(*, task: VendorTask, words: str, by: Actor, at: datetime) -> None:
    """
    The letter went out, in these words.

    :raises KeptBackError: it asks for a deletion that waits until the client is live, or until a hold ends.
    :raises NotOpenError: nothing is open of it.
    """
    if VendorTask.objects.for_client(task.client_id).filter(selectors.kept_back(), pk=task.pk).exists():
        raise KeptBackError(
            "The vendor is not asked to delete until this client is live, or while the call is on legal hold."
        )
    _one(task, WaitingState.WAITING, WaitingState.FAILED).update(
        state=WaitingState.SENT, sent_at=at, sent_by=by.user_id, ticket=words, due_at=at + CHASED_AFTER[0]
    )
    audit.record("vendor.asked", subject=task, by=by, at=at, step=task.step)
    withdrawals.renew_items(client=task.client, at=at)


@transaction.atomic
def note_reply(*, task: VendorTask, words: str, by: Actor, at: datetime) -> None:
    """
    What the vendor answered. It is not done by that: somebody checks first.

    :raises NotOpenError: nothing is open of it.
    """
    _one(task, WaitingState.SENT).update(reply=words)
    audit.record("vendor.replied", subject=task, by=by, at=at, step=task.step)


@transaction.atomic
def confirm_done(*, task: VendorTask, receipt: str, was_checked: bool, by: Actor, at: datetime) -> None:
    """
    Somebody looked at the vendor's side and it is done; what the vendor needed for it leaves.

    :raises NotCheckedError: nobody looked.
    :raises NotOpenError: nothing is open of it.
    """
    if not was_checked:
        raise NotCheckedError("Check the vendor's own page first. An answer alone is not proof.")
    _one(task).update(
        state=WaitingState.DONE,
        checked_at=at,
        done_at=at,
        due_at=None,
        receipt=receipt,
        reference=None,
        last_error="",
    )
    audit.record("vendor.done", subject=task, by=by, at=at, step=task.step, task=str(task.pk))
    work.close_item(kinds.VENDOR_SILENT, agency_id=task.agency_id, key=str(task.pk), at=at, by=by)
    withdrawals.renew_items(client=task.client, at=at)


@transaction.atomic
def try_again(*, task: VendorTask, by: Actor, at: datetime) -> None:
    """
    Ask the vendor's interface once more, at once.

    :raises NotOpenError: it does not fail, or goes by letter.
    """
    if not VendorTask.objects.for_client(task.client_id).filter(selectors.failing(), pk=task.pk).exists():
        raise NotOpenError(task.pk)
    held = _one(task, WaitingState.FAILED, WaitingState.WAITING)
    held.update(state=WaitingState.WAITING, due_at=at, attempts=0)
    audit.record("vendor.tried_again", subject=task, by=by, at=at, step=task.step)
    withdrawals.renew_items(client=task.client, at=at)


class _Held:
    """One task that is open, and in one of the expected states where some are named."""

    def __init__(self, task: VendorTask, states: tuple[WaitingState, ...]) -> None:
        self.task = task
        mine = VendorTask.objects.for_client(task.client_id).open().filter(pk=task.pk)
        rows = mine.filter(state__in=states) if states else mine
        self.rows = rows.exclude(step=VendorStep.CHOOSE)

    def update(self, **values: object) -> None:
        """Change it; the number of rows says who won."""
        if not self.rows.update(**values):
            raise NotOpenError(self.task.pk)


def asked_by_interface(*, client: Client, at: datetime) -> int:
    """How many steps a vendor's interface may still do: not tried three times yet, and not older than a day."""
    rows = VendorTask.objects.for_client(client).filter(
        state=WaitingState.WAITING, by_ticket=False, due_at__isnull=False, attempts__lt=3
    )
    return rows.filter(created_at__gt=at - timedelta(days=1)).count()


@transaction.atomic
def give_up(*, client: Client, by: Actor, at: datetime) -> int:
    """
    Give up every step at vendors that is not done, because what finds the thing there is about to be destroyed.

    Returns how many. In a job's scope.
    """
    rows = VendorTask.objects.for_client(client).open()
    count = rows.update(state=WaitingState.CANCELLED, due_at=None, reference=None)
    if count:
        audit.record("vendor.given_up", subject=client, by=by, at=at, steps=count)
        withdrawals.renew_items(client=client, at=at)
    for item in Item.objects.open().filter(client=client, kind=kinds.VENDOR_SILENT):
        work.close_item(item.kind, agency_id=client.agency_id, key=item.key, at=at, by=by)
    return count


def _one(task: VendorTask, *states: WaitingState) -> _Held:
    return _Held(task, states)


def chase(*, agency_id: int, at: datetime) -> int:
    """Remind people of letters that nobody has answered, after 7 days and again after 14; returns how many."""
    with job_scope(agency_id=agency_id):
        rows = list(
            VendorTask.objects.filter(agency_id=agency_id, state=WaitingState.SENT, due_at__lte=at)
            .select_for_update(skip_locked=True)
            .order_by("due_at")[:100]
        )
        for task in rows:
            task.chased += 1
            later = CHASED_AFTER[task.chased :]
            task.due_at = task.sent_at + later[0] if later and task.sent_at is not None else None
            task.save(update_fields=["chased", "due_at"])
            work.open_item(
                kinds.VENDOR_SILENT,
                agency_id=agency_id,
                client_id=task.client_id,
                key=str(task.pk),
                at=at,
                due_at=task.outer_at,
            )
            audit.record("vendor.chased", subject=task, by=JOB, at=at, times=task.chased)
    return len(rows)
