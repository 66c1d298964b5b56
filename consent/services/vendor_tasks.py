"""What a person does with a step at a vendor: see whom it is about, send the letter, note the answer, confirm."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import services as vault
from callprivacy.work import services as work
from consent import kinds
from consent.enums import VendorStep, WaitingState
from consent.models import VendorTask
from consent.services import withdrawals

CHASED_AFTER: Final = (timedelta(days=7), timedelta(days=14))
JOB: Final = Actor.job("consent.chase_vendors")


class NotOpenError(LookupError):
    """The task is done or was given up; it may have been done by somebody else a moment ago."""


class NotCheckedError(ValueError):
    """A letter's answer is taken for done only once somebody has looked at the vendor's pages."""


@transaction.atomic
def show_reference(*, task: VendorTask, by: Actor, at: datetime) -> dict[str, str]:
    """What the vendor needs to find it by: "number" or "recording". That it was shown is written down first."""
    audit.record("vendor.reference_shown", subject=task, by=by, at=at, step=task.step)
    if task.reference is None:
        return {}
    key = vault.purpose_key(client_id=task.client_id, purpose=withdrawals.ERRAND, at=at)
    found = json.loads(task.reference.reveal(key))
    return {name: str(value) for name, value in found.items() if value}


@transaction.atomic
def mark_sent(*, task: VendorTask, words: str, by: Actor, at: datetime) -> None:
    """
    The letter went out, in these words.

    :raises NotOpenError: nothing is open of it.
    """
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
        raise NotCheckedError("Look at the vendor's own page first: an answer alone is no proof.")
    _one(task, WaitingState.WAITING, WaitingState.SENT, WaitingState.FAILED).update(
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
    Ask the vendor's interface once more.

    :raises NotOpenError: it has not failed, or goes by letter.
    """
    if task.by_ticket:
        raise NotOpenError(task.pk)
    _one(task, WaitingState.FAILED).update(state=WaitingState.WAITING, due_at=at, attempts=0)
    audit.record("vendor.tried_again", subject=task, by=by, at=at, step=task.step)


class _Held:
    """One task that is in one of the expected states."""

    def __init__(self, task: VendorTask, states: tuple[WaitingState, ...]) -> None:
        self.task = task
        self.rows = (
            VendorTask.objects.for_client(task.client_id)
            .filter(pk=task.pk, state__in=states)
            .exclude(step=VendorStep.CHOOSE)
        )

    def update(self, **values: object) -> None:
        """Change it; the number of rows says who won."""
        if not self.rows.update(**values):
            raise NotOpenError(self.task.pk)


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
