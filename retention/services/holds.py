"""
Holds: placed, settled, widened, looked at again and lifted; while one is open, nothing that it covers leaves.

That a call is held stands on its row, so that every way out sees it. A hold and a batch that erases wait for each
other at the client's turn: the batch either sees the hold, and marks what it covers before it chooses what leaves, or
had begun before. Until the last such batch is over the hold is being placed.
"""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.db import OperationalError, transaction

from callprivacy.accounts import access
from callprivacy.audit import services as audit
from callprivacy.audit.models import Event
from callprivacy.calls.models import Call
from callprivacy.calls.services import turns
from callprivacy.lib import calendars, phone
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault
from callprivacy.work import services as work
from consent.services import rejudging
from retention.models import Hold, HoldCall, HoldCaller, HoldPerson
from retention.selectors import holds as selectors

JOB: Final = Actor.job("retention.settle_holds")
REVIEW_AFTER: Final = timedelta(days=90)
SHORTEST_REASON: Final = 15
NUMBERS_AT_MOST: Final = 50
CALLS_AT_MOST: Final = 500
CAUSE: Final = "hold"
BATCH: Final = 5_000

PLACED: Final = "hold_placed"
LIFTED: Final = "hold_lifted"
COMES_TO_REVIEW: Final = "hold_comes_to_review"
REVIEW: Final = "hold_review"
ENDS: Final = "hold_ends"


class BusyError(Exception):
    """The client's turn did not come in time; nothing was written, and it may be tried again at once."""


class TooLateError(Exception):
    """The client's keys are being destroyed, or are: nothing is left that a hold could keep."""


class NobodyError(LookupError):
    """A number is none, or nothing is kept of it at this client. `line`: which one of those typed, from 1."""

    def __init__(self, why: str, line: int) -> None:
        super().__init__(why)
        self.line = line


class NoSuchCallError(LookupError):
    """A call that is to be held is not here, or no longer."""


class NotAMemberError(LookupError):
    """A person who is to be told has no access to the client."""


class NotOpenError(LookupError):
    """The hold has been lifted."""


class NotToWidenError(ValueError):
    """The hold keeps everything of its time: a call that it named would be all that it keeps."""


class CountsChangedError(ValueError):
    """What would fall due is no longer what the person was shown; show it again."""


@dataclass(frozen=True, slots=True, repr=False)
class Wanted:
    """
    What a hold is to cover. Nothing named: the whole client.

    :ivar numbers: as they were typed; without country code they are read as the client's country has them.
    :ivar call_ids: single calls, whenever they were. :ivar from_at: since when, and :ivar until_at: before when; open
    where None. :ivar keeps_house: what the agency has of its staff as well.
    """

    numbers: tuple[str, ...] = ()
    call_ids: frozenset[uuid.UUID] = frozenset()
    from_at: datetime | None = None
    until_at: datetime | None = None
    keeps_house: bool = False


# --- The marks on calls -------------------------------------------------------------------------------------------


@transaction.atomic
def mark_held(*, client: Client, at: datetime) -> int:
    """
    Bring the marks on a client's calls in line with its open holds; returns how many changed.

    In the turn of the client, which it takes, and in the scope of a job. Whoever erases calls this in the transaction
    that chooses what leaves. What was decided of recordings is decided anew, for their dates follow the hold. A client
    that never had a hold is left as it is.
    """
    turns.lock_client(client.pk)
    if not Hold.objects.for_client(client).exists():
        return 0
    calls = Call.objects.for_client(client)
    holds = list(selectors.open_holds(client))
    if not holds:
        changed = calls.filter(on_hold=True).update(on_hold=False)
    else:
        kept = selectors.kept_by(holds)
        changed = calls.filter(on_hold=True).exclude(kept).update(on_hold=False)
        changed += calls.filter(kept, on_hold=False).update(on_hold=True)
    if changed:
        rejudging.of_client(client=client, cause=CAUSE, at=at)
    return changed


def settle_client(*, agency_id: int, client_id: int, at: datetime) -> int:
    """
    Mark what the open holds of a client cover, new calls among it, and settle those that nothing runs past any more.

    Called outside any scope, a bounded number of calls a transaction; running it twice does nothing more. Returns how
    many marks changed; none where the client never had a hold.
    """
    with job_scope(agency_id=agency_id):
        client = Client.objects.select_related("agency").filter(pk=client_id).first()
        if client is None or not Hold.objects.for_client(client).exists():
            return 0
    changed = 0
    while count := _mark_some(client):
        changed += count
    with job_scope(agency_id=agency_id):
        last = mark_held(client=client, at=at)
        if changed and not last:
            rejudging.of_client(client=client, cause=CAUSE, at=at)
        changed += last
        for hold in list(selectors.open_holds(client).filter(settled_at=None)):
            if selectors.is_passed_by(hold, at):
                continue
            if Hold.objects.open().filter(pk=hold.pk, settled_at=None).update(settled_at=at):
                kept = selectors.kept_calls(hold).count()
                audit.record("hold.settled", subject=hold, by=JOB, at=at, calls=kept)
    return changed


def _mark_some(client: Client) -> int:
    """Up to a batch of marks that are wrong; 0 where fewer are left than a whole batch: `mark_held` does those."""
    with job_scope(agency_id=client.agency_id):
        turns.lock_client(client.pk)
        calls = Call.objects.for_client(client)
        kept = selectors.kept_by(selectors.open_holds(client))
        for wrong, mark in (
            (calls.filter(kept, on_hold=False), True),
            (calls.filter(on_hold=True).exclude(kept), False),
        ):
            found = list(wrong.order_by("pk").values_list("pk", flat=True)[:BATCH])
            if len(found) == BATCH:
                return calls.filter(pk__in=found).update(on_hold=mark)
    return 0


def remind(*, agency_id: int, client_id: int, at: datetime) -> int:
    """
    Let holds wait for a person whose day of review, or planned end, has come in the client's zone; returns how many.

    Each day once: who closes the item without looking is not asked again for the same day. In no scope.
    """
    count = 0
    with job_scope(agency_id=agency_id):
        client = Client.objects.filter(pk=client_id).first()
        if client is None:
            return 0
        today = calendars.day_in(client.time_zone, at)
        for hold in selectors.open_holds(client):
            count += _remind(hold, REVIEW, hold.review_on, today, at)
            count += _remind(hold, ENDS, hold.ends_on, today, at)
    return count


def _remind(hold: Hold, kind: str, on: date | None, today: date, at: datetime) -> bool:
    if on is None or on > today:
        return False
    if not work.claim_period(agency_id=hold.agency_id, job=f"{kind} {hold.pk}", period=on.isoformat(), at=at):
        return False
    work.open_item(
        kind, agency_id=hold.agency_id, client_id=hold.client_id, key=str(hold.pk), at=at, due_at=at
    )
    _tell(hold, COMES_TO_REVIEW, at)
    return True


def _tell(hold: Hold, kind: str, at: datetime) -> None:
    """Tell the people of a hold, in the app and by mail; who lost access meanwhile gets no mail."""
    people = HoldPerson.objects.for_client(hold.client_id).filter(hold=hold)
    work.notify(
        kind,
        agency_id=hold.agency_id,
        client_id=hold.client_id,
        user_ids=list(people.values_list("user_id", flat=True)),
        at=at,
        key=str(hold.pk),
    )
    people.update(told_at=at)


# --- Placing ------------------------------------------------------------------------------------------------------


def place_hold(
    *,
    client: Client,
    name: str,
    matter: str,
    reason: str,
    extent: Wanted,
    review_on: date,
    ends_on: date | None,
    people: Collection[int],
    placed_by: int,
    at: datetime,
) -> Hold:
    """
    Place a hold. From the commit on no batch that begins chooses anything that it covers; a job marks the calls.

    That numbers were looked up stays written down where the hold is not placed.

    :param people: user ids of who is told now, at the review and at the end.
    :param placed_by: user id of who places it.
    :raises BusyError: calls of the client are being written for longer than one waits.
    :raises NobodyError: a number is none, or nothing is kept of it.
    :raises NoSuchCallError: a call is not the client's, or has left.
    :raises NotAMemberError: a person has no access to the client.
    :raises TooLateError: the client has left, and its keys with it.
    """
    by = Actor.staff(user_id=placed_by)
    # Of numbers nothing can be found where the keys are gone: that would be said in place of why.
    _require_something(client)
    callers = _find_callers(client, extent.numbers, by, at)
    with transaction.atomic():
        _check_people(client, people, at)
        _take_turn(client)
        _require_something(client)
        _check_calls(client, extent.call_ids)
        hold = Hold.objects.create(
            agency_id=client.agency_id,
            client=client,
            name=name,
            matter=matter,
            from_at=extent.from_at,
            until_at=extent.until_at,
            review_on=review_on,
            ends_on=ends_on,
            keeps_house=extent.keeps_house,
            placed_by_id=placed_by,
            placed_at=at,
        )
        rows = {"agency_id": client.agency_id, "client_id": client.pk, "hold": hold}
        HoldCaller.objects.bulk_create(HoldCaller(**rows, caller_id=one) for one in callers)
        HoldCall.objects.bulk_create(HoldCall(**rows, call_id=one) for one in sorted(extent.call_ids))
        HoldPerson.objects.bulk_create(HoldPerson(**rows, user_id=one) for one in sorted(set(people)))
        event = audit.record(
            "hold.placed",
            subject=hold,
            by=by,
            at=at,
            reason=reason,
            numbers=len(callers),
            calls=len(extent.call_ids),
            people=len(set(people)),
            own=extent.keeps_house,
            review_on=review_on.isoformat(),
        )
        Hold.objects.filter(pk=hold.pk).update(event_id=event.pk)
        hold.event_id = event.pk
        _tell(hold, PLACED, at)
    return hold


def read_reason(*, hold: Hold, by: Actor, at: datetime) -> str | None:
    """The words with which a hold was placed; that they were read is in the trail. None where they are erased."""
    event = Event.objects.filter(agency_id=hold.agency_id, pk=hold.event_id or 0).first()
    return None if event is None else audit.open_reason(event=event, by=by, at=at)


def _find_callers(client: Client, numbers: Sequence[str], by: Actor, at: datetime) -> list[uuid.UUID]:
    """Whom these numbers are at a client, by their tokens."""
    if not numbers:
        return []
    with transaction.atomic():
        audit.record("number.searched", subject=client, by=by, at=at, clients=1, typed=len(numbers))
    found: list[uuid.UUID] = []
    for line, typed in enumerate(numbers, 1):
        read = phone.normalise(typed, client.home_country)
        if read is None:
            raise NobodyError("That is no phone number.", line)
        caller_id = vault.find_callers([client.pk], read).get(client.pk)
        if caller_id is None:
            raise NobodyError("Nothing is kept of this number at this client.", line)
        found.append(caller_id)
    return sorted(set(found))


def _take_turn(client: Client) -> None:
    try:
        with transaction.atomic():
            turns.lock_client(client.pk)
    except OperationalError:
        raise BusyError("Calls of this client are being written just now. Try again in a moment.") from None


def _require_something(client: Client) -> None:
    """A client that leaves has everything until the end of it, and a hold keeps it."""
    if selectors.is_too_late(client):
        raise TooLateError(f"{client.name} has left. Nothing is left that a hold could keep.")


def _check_people(client: Client, people: Collection[int], at: datetime) -> None:
    known = access.people_with(Permission.VIEW_CLIENT, client.pk, agency_id=client.agency_id, at=at)
    if not set(people) <= set(known):
        raise NotAMemberError("A person to notify has no access to this client.")


def _check_calls(client: Client, call_ids: Collection[uuid.UUID]) -> None:
    if Call.objects.for_client(client).filter(pk__in=list(call_ids)).count() != len(set(call_ids)):
        raise NoSuchCallError("One of these calls is not here any more.")


@transaction.atomic
def add_calls(*, hold: Hold, call_ids: Collection[uuid.UUID], by: Actor, at: datetime) -> int:
    """
    Let an open hold keep these calls, too; returns how many it did not name before.

    :raises BusyError: calls of the client are being written for longer than one waits.
    :raises NoSuchCallError: one of them is not the client's, or has left.
    :raises NotOpenError: it has been lifted.
    :raises NotToWidenError: it names neither numbers nor calls.
    :raises TooLateError: the client has left, and its keys with it.
    """
    _take_turn(hold.client)
    _require_something(hold.client)
    _lock_open(hold)
    if selectors.is_of_everything(hold):
        raise NotToWidenError("This hold keeps everything of its time. Place one of its own for this call.")
    _check_calls(hold.client, call_ids)
    rows = [
        HoldCall(agency_id=hold.agency_id, client_id=hold.client_id, hold=hold, call_id=call_id)
        for call_id in sorted(set(call_ids))
    ]
    named = HoldCall.objects.for_client(hold.client_id).filter(hold=hold)
    before = named.count()
    HoldCall.objects.bulk_create(rows, ignore_conflicts=True)
    count = named.count() - before
    if count:
        Hold.objects.filter(pk=hold.pk).update(settled_at=None)
        audit.record(selectors.WIDENED, subject=hold, by=by, at=at, calls=count)
    return count


def _lock_open(hold: Hold) -> Hold:
    found = Hold.objects.open().select_for_update(of=("self",)).filter(pk=hold.pk).first()
    if found is None:
        raise NotOpenError("This hold has been lifted.")
    return found


@transaction.atomic
def review_hold(
    *,
    hold: Hold,
    review_on: date,
    ends_on: date | None,
    people: Collection[int],
    reason: str,
    by: Actor,
    at: datetime,
) -> None:
    """
    Write down why a hold goes on, when it is looked at again, and who is told.

    :raises NotAMemberError: a person has no access to the client.
    :raises NotOpenError: it has been lifted.
    """
    found = _lock_open(hold)
    _check_people(hold.client, people, at)
    Hold.objects.filter(pk=found.pk).update(review_on=review_on, ends_on=ends_on)
    rows = HoldPerson.objects.for_client(hold.client_id).filter(hold=hold)
    rows.exclude(user_id__in=list(people)).remove()
    HoldPerson.objects.bulk_create(
        [
            HoldPerson(agency_id=hold.agency_id, client_id=hold.client_id, hold=hold, user_id=user_id)
            for user_id in sorted(set(people))
        ],
        ignore_conflicts=True,
    )
    audit.record(
        "hold.reviewed",
        subject=hold,
        by=by,
        at=at,
        reason=reason,
        was_review_on=found.review_on.isoformat(),
        review_on=review_on.isoformat(),
        ends_on=None if ends_on is None else ends_on.isoformat(),
        people=len(set(people)),
    )
    _close_items(hold, by, at)


def _close_items(hold: Hold, by: Actor, at: datetime) -> None:
    for kind in (REVIEW, ENDS):
        work.close_item(kind, agency_id=hold.agency_id, key=str(hold.pk), at=at, by=by)


# --- Lifting ------------------------------------------------------------------------------------------------------


@transaction.atomic
def lift_hold(*, hold: Hold, shown: selectors.FallsDue, reason: str, lifted_by: int, at: datetime) -> None:
    """
    Lift a hold, with what was shown to fall due at once; the numbers and calls that it named are forgotten.

    What another hold keeps stays. The marks go with the next minute, or with the batch that looks first.

    :param lifted_by: user id of the officer.
    :raises BusyError: calls of the client are being written for longer than one waits.
    :raises CountsChangedError: other calls fall due by now than was shown.
    :raises NotOpenError: it has been lifted already.
    """
    by = Actor.staff(user_id=lifted_by)
    _take_turn(hold.client)
    _lock_open(hold)
    falls = selectors.falls_due(hold, at)
    if falls != shown:
        raise CountsChangedError("What falls due has changed since you saw it. Look again, then lift it.")
    _tell(hold, LIFTED, at)
    callers = HoldCaller.objects.for_client(hold.client_id).filter(hold=hold).remove()
    calls = HoldCall.objects.for_client(hold.client_id).filter(hold=hold).remove()
    event = audit.record(
        "hold.lifted",
        subject=hold,
        by=by,
        at=at,
        reason=reason,
        numbers=callers,
        named=calls,
        due=falls.calls,
        recordings=falls.recordings,
        redactions=falls.redactions,
        identities=falls.numbers,
        evidence=falls.evidence,
        requests=falls.requests,
        reasons=falls.reasons,
        own=falls.own,
        asked=falls.asked,
        people=falls.people,
    )
    Hold.objects.filter(pk=hold.pk).update(
        lifted_at=at, lifted_by_id=lifted_by, lifted_event_id=event.pk, settled_at=None
    )
    _close_items(hold, by, at)
