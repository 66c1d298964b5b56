"""
That a caller is known to be a minor: noted by whoever hears it, taken back with a reason, both in the trail.

A recording, its use and a contact rest on express consent from then on, and below the age at which a person's own
consent counts, or where the age is not known, on a guardian's (`desk.record_said`). What was decided of the caller is
decided anew, calls of before among it.
"""

from datetime import date, datetime

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.calls.models import Caller
from callprivacy.calls.services.exports import MINOR
from callprivacy.calls.services.reveals import checked_reason
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.models import Client
from callprivacy.vault import services as vault
from consent.models import MinorMark, Rejudgement
from consent.services import ledger


@transaction.atomic
def mark(
    *,
    client: Client,
    caller: Caller,
    by: Actor,
    at: datetime,
    also_left: bool = False,
    majority_on: date | None = None,
) -> bool:
    """
    Note that a caller is a minor; returns whether that was new. Who noted it first stays.

    :param majority_on: the day on which the person comes of age, where it is known; what is said last counts.
    :param also_left: of a client that has left it is noted beside the calls alone, for its list was handed over.
    :raises ClientGoneError: the client has left.
    """
    ours = {"agency_id": client.agency_id, "client_id": client.pk}
    is_here = tenancy.is_here(client.pk)
    if not is_here and not also_left:
        raise ledger.ClientGoneError(f"Client {client.pk} is offboarded.")
    known = MinorMark.objects.for_client(client).filter(caller_id=caller.pk)
    if majority_on is not None and known.exclude(majority_on=majority_on).update(majority_on=majority_on):
        audit.record(
            "caller.majority_noted", subject=caller, by=by, at=at, majority_on=majority_on.isoformat()
        )
        _decide_anew(client, caller, at)
        return False
    if known.exists():
        return False
    # Of two at the same moment both write it into the trail, and one row stays.
    MinorMark.objects.bulk_create(
        [
            MinorMark(
                **ours, caller_id=caller.pk, majority_on=majority_on, marked_by_id=by.user_id, marked_at=at
            )
        ],
        ignore_conflicts=True,
    )
    # With the number, so that files of calls, which are written below us, leave them out.
    if is_here:
        vault.suppress_callers(client_id=client.pk, caller_ids=[caller.pk], purposes={MINOR}, at=at)
    audit.record("caller.marked_minor", subject=caller, by=by, at=at)
    _decide_anew(client, caller, at)
    return True


@transaction.atomic
def unmark(*, client: Client, caller: Caller, reason: str, by: Actor, at: datetime) -> bool:
    """
    Take back that a caller is a minor; returns whether it was noted.

    :raises ReasonTooShortError: the reason has fewer than 15 characters.
    """
    reason = checked_reason(reason)
    if not MinorMark.objects.for_client(client).filter(caller_id=caller.pk).remove():
        return False
    vault.lift_suppressions(client_id=client.pk, caller_id=caller.pk, purposes={MINOR})
    audit.record("caller.unmarked_minor", subject=caller, by=by, at=at, reason=reason)
    _decide_anew(client, caller, at)
    return True


def _decide_anew(client: Client, caller: Caller, at: datetime) -> None:
    ours = {"agency_id": client.agency_id, "client_id": client.pk}
    row = Rejudgement(**ours, caller_id=caller.pk, cause="minor", due_at=at, created_at=at)
    Rejudgement.objects.bulk_create([row])
