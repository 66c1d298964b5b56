"""A client goes live: from then on its expired calls leave. Two officers sign, unless the agency chose one."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from callprivacy.accounts import access, seconding
from callprivacy.accounts.models import Membership
from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.enums import RetentionState
from callprivacy.tenancy.models import Agency, Client
from callprivacy.work import services as work
from consent.selectors import decisions
from consent.services import rejudging
from retention import targets
from retention.enums import GO_LIVE, ChangeState, Then
from retention.models import GoLive, PolicyChange
from retention.selectors import changes as selectors
from retention.selectors import preview, runs
from retention.selectors.runs import Terms
from retention.services import policies


@dataclass(frozen=True, slots=True)
class Shown:
    """
    What a person saw before signing: what is due, recordings by what was decided of them, by what it leaves.

    :ivar besides: how much of what is no call record is past its date, of what the person may see, as a form carries
    it.
    """

    due: targets.Due
    allowed: int
    withheld: int
    leaving: int
    besides: str
    terms: Terms


class NeedsSecondError(ValueError):
    """Going live takes a second officer at this agency: one proposes it, another agrees."""


class AlreadyLiveError(ValueError):
    """The client's expired calls leave already, by another signature."""


@transaction.atomic
def propose(*, client: Client, shown: Shown, reason: str, proposer: Membership, at: datetime) -> PolicyChange:
    """
    Propose that a client goes live. It waits for a second officer, who is shown the counts of that moment.

    :raises OpenChangeError: it is proposed already.
    :raises AlreadyLiveError: it is live. :raises CountsChangedError: as `go_live`.
    """
    locked = _observed(client)
    if selectors.open_live(locked) is not None:
        raise policies.OpenChangeError("An officer has already proposed this.")
    _compare_live(locked, shown, proposer.user_id, at)
    leaving = shown.due.calls + shown.due.recordings + shown.leaving
    change = PolicyChange(
        agency=locked.agency,
        client=locked,
        category=GO_LIVE,
        state=ChangeState.WAITING,
        was_days=locked.keep_for_days,
        was_then=Then.ERASE,
        days=locked.keep_for_days,
        then=Then.ERASE,
        shortens=False,
        due_before=0,
        due_after=leaving,
        proposed_by_id=proposer.user_id,
        proposed_at=at,
    )
    change.event_id = audit.record(
        "policy.proposed",
        subject=locked,
        by=Actor.staff(user_id=proposer.user_id),
        at=at,
        reason=reason,
        change=str(change.pk),
        category=GO_LIVE,
        leaving=leaving,
    ).pk
    change.save(force_insert=True)
    seconding.proposed(user_id=proposer.user_id, at=at)
    second = selectors.second_for_live(locked, but=proposer.user_id, at=at)
    policies.let_wait(change, at, may_be_agreed=bool(second.may))
    return change


@seconding.seconds
@transaction.atomic
def go_live(*, client: Client, shown: Shown, signed_by: int, at: datetime) -> GoLive:
    """
    Let a client's expired calls, and what is withheld, leave from now on, signed for with the counts that were shown.
    Where an officer has proposed it, this is the second one's agreement.

    What is withheld already becomes due as long after this as anything that is withheld later.

    :param signed_by: user id of the officer.
    :raises NeedsSecondError: no officer has proposed it, and the agency wants two.
    :raises SamePersonError: the officer proposed it. :raises NotCountedError: their signature does not count.
    :raises ReasonUnreadError: the officer has not opened the reason of the proposal.
    :raises AlreadyLiveError: somebody else has signed meanwhile.
    :raises CountsChangedError: what is due is not what was shown, much more is withheld by now, or how long something
        is kept, the time in quarantine or what is deleted at the tracker has changed.
    """
    by = Actor.staff(user_id=signed_by)
    locked = _observed(client)
    change = selectors.open_live(locked)
    if change is None and locked.agency.needs_second_for_live:
        raise NeedsSecondError("Going live takes two officers here: one proposes it, and another agrees.")
    if change is not None:
        seconding.check(
            proposer=change.proposed_by_id,
            signer=signed_by,
            agency_id=change.agency_id,
            subject=change,
            at=at,
        )
        audit.require_reason_read(event=policies.proposal_of(change), by=by)
    _compare_live(locked, shown, signed_by, at)
    if change is not None:
        policies.mark_decided(change, ChangeState.IN_FORCE, by=by, at=at)
    due = shown.due
    locked.retention_state = RetentionState.LIVE
    locked.went_live_at = at
    locked.save(update_fields=["retention_state", "went_live_at"])
    signed = GoLive.objects.create(
        agency_id=locked.agency_id,
        client=locked,
        signed_by_id=signed_by,
        signed_at=at,
        keep_for_days=locked.keep_for_days,
        cutoff=tenancy.cutoff_of(locked, at),
        calls_due=due.calls,
        recordings_due=due.recordings,
        callers_due=due.callers,
        recordings_allowed=shown.allowed,
        recordings_withheld=shown.withheld,
        recordings_leaving=shown.leaving,
        quarantine_hours=locked.quarantine_hours,
    )
    audit.record(
        "client.went_live",
        subject=locked,
        by=by,
        at=at,
        calls=due.calls,
        recordings=due.recordings,
        callers=due.callers,
        days=locked.keep_for_days,
        withheld=shown.withheld,
        leaving=shown.leaving,
        besides=shown.besides,
        hours=locked.quarantine_hours,
        proposed_by=None if change is None else change.proposed_by_id,
    )
    work.close_item("go_live", agency_id=locked.agency_id, key=str(locked.pk), at=at, by=by)
    rejudging.of_client(client=locked, cause="went live", at=at)
    return signed


def _observed(client: Client) -> Client:
    """The client, held: its changes come one after the other."""
    Agency.objects.select_for_update(no_key=True).get(pk=client.agency_id)
    # No key of it changes: who adds something to the client is not waited for.
    locked = (
        Client.objects.select_for_update(no_key=True, of=("self",)).select_related("agency").get(pk=client.pk)
    )
    if locked.retention_state == RetentionState.LIVE:
        raise AlreadyLiveError(f"{locked.name} is already live.")
    return locked


def _compare_live(client: Client, shown: Shown, user_id: int, at: datetime) -> None:
    due = targets.count_due(client, tenancy.cutoff_of(client, at), tenancy.cutoff_of(client, at, out=True))
    most = shown.leaving + max(policies.MAY_GROW_BY, shown.leaving // 10)
    besides = besides_shown(client=client, user_id=user_id, at=at)
    if due != shown.due or besides != shown.besides or decisions.record_counts(client).would_leave > most:
        raise policies.CountsChangedError(
            "The counts have changed since you saw them. Check them again, then sign."
        )
    if runs.terms_of(client) != shown.terms:
        raise policies.CountsChangedError(
            "A retention period, or what is deleted at the tracker, has changed since you saw it. Check it again,"
            " then sign."
        )


def besides_shown(*, client: Client, user_id: int, at: datetime) -> str:
    """How much of what is no call record is past its date, of what one member may see, as `Shown` has it."""
    member = Membership.objects.get(agency_id=client.agency_id, user_id=user_id)
    return preview.of_client(client, access.permissions_on(member, client.pk, at=at), at).besides_shown


@transaction.atomic
def observe(*, client: Client, reason: str, by: Actor, at: datetime) -> None:
    """
    Stop erasing a client's expired calls and withheld recordings: runs only count from now on.

    Since when it was live stays.
    """
    Client.objects.filter(pk=client.pk).update(retention_state=RetentionState.OBSERVE)
    rejudging.of_client(client=client, cause="observed", at=at)
    audit.record("client.observed", subject=client, by=by, at=at, reason=reason)
