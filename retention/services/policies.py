"""
How long things are kept, and whether they may leave at all.

No policy is shortened by one person alone: a second officer agrees, or, where the agency has no other, a day passes in
which everybody who manages the agency is told and may stop it. What is beyond the law is refused, or wants a written
reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction

from callprivacy.accounts import access, seconding
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.models import Membership
from callprivacy.audit import services as audit
from callprivacy.audit.models import Event
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Agency, Client
from callprivacy.work import services as work
from retention.enums import Category, ChangeState, Then
from retention.models import Policy, PolicyChange
from retention.selectors import changes as selectors
from retention.selectors.changes import Effect, Plan, Wish

JOB: Final = Actor.job("retention.apply_policies")
WAITING_ITEM: Final = "policy_change"
AGENCY_ITEM: Final = "agency_policy_change"
DELAYED_ITEM: Final = "policy_delayed"
LAPSED: Final = "policy_lapsed"
MAY_GROW_BY: Final = 10
"""How many more rows there may be than were shown, or a tenth; calls keep coming while people read and a day passes."""


class CountsChangedError(ValueError):
    """What would leave, or by what, is no longer what the person was shown; show it again."""


@dataclass(frozen=True, slots=True)
class ShownEffect:
    """
    What a person saw of a change.

    :ivar due_before: how much is due without it, and :ivar due_after: with it. :ivar leaving: how much of that leaves
    with the next run, at clients that are live. :ivar rules: those that want a reason.
    """

    due_before: int
    due_after: int
    leaving: int
    rules: frozenset[str]


class NothingChangesError(ValueError):
    """The policy says that already."""


class ClashError(ValueError):
    """Another category forbids it; the message says which, and what to do."""


class RefusedByLawError(ValueError):
    def __init__(self, plan: Plan) -> None:
        rules = {one.finding.rule.id: one.finding.rule for one in plan.refusals}
        super().__init__(" ".join(f"{rule.words} ({rule.citation}) {rule.remedy}" for rule in rules.values()))


class OpenChangeError(ValueError):
    """Another change of the same policy waits."""


class NotOpenError(ValueError):
    """The change is in force, refused or withdrawn already."""


class NotYoursError(ValueError):
    """The person may not decide this change: something that it changes is not granted."""


@transaction.atomic
def propose(
    *, wish: Wish, shown: ShownEffect, reason: str, proposer: Membership, at: datetime
) -> PolicyChange:
    """
    Propose a change with the effect that was shown. What lengthens is in force at once; what shortens waits for a
    second officer, or for a day where there is none.

    The reason is sealed in the trail; it also answers the rules of the law that want one.

    :raises NothingChangesError: it says so already.
    :raises ClashError: another category forbids it.
    :raises RefusedByLawError: the law does.
    :raises OpenChangeError: a change of the same policy waits.
    :raises NotYoursError: something would change that the person may not count.
    :raises CountsChangedError: the effect is not what was shown.
    """
    wish = _locked(wish)
    seen = selectors.proposal(wish, proposer_id=proposer.user_id, at=at)
    plan, effect = seen.plan, seen.effect
    if plan.is_nothing:
        raise NothingChangesError("That is the policy already.")
    _check(plan)
    if selectors.unseen(plan, proposer, at=at):
        raise NotYoursError("It changes what calls you may not see are kept for.")
    if selectors.open_changes().filter(client=wish.client, category=wish.category).exists():
        raise OpenChangeError("A change of this policy waits. Decide or withdraw that one first.")
    _compare(plan, effect, shown)
    by = Actor.staff(user_id=proposer.user_id)
    change = PolicyChange(
        agency=wish.agency,
        client=wish.client,
        category=wish.category,
        state=seen.state,
        was_days=plan.was.days,
        was_then=plan.was.then,
        days=wish.days,
        then=wish.then,
        shortens=plan.shortens,
        due_before=effect.due_before,
        due_after=effect.due_after,
        rules=plan.rule_ids,
        proposed_by_id=proposer.user_id,
        proposed_at=at,
        takes_effect_at=None if seen.state is ChangeState.WAITING else effect.at,
    )
    event = audit.record(
        "policy.proposed",
        subject=wish.client or wish.agency,
        by=by,
        at=at,
        reason=reason,
        change=str(change.pk),
        category=wish.category.value,
        was_days=plan.was.days,
        days=wish.days,
        shortens=plan.shortens,
        rules=" ".join(plan.rule_ids),
    )
    change.event_id = event.pk
    change.save(force_insert=True)
    seconding.proposed(user_id=proposer.user_id, at=at)
    if seen.state is ChangeState.IN_FORCE:
        _put_in_force(change, plan, by=by, at=at)
    else:
        let_wait(change, at, may_be_agreed=seen.second is not None and bool(seen.second.may))
    return change


@seconding.seconds
@transaction.atomic
def approve(*, change: PolicyChange, shown: ShownEffect, officer: Membership, at: datetime) -> None:
    """
    Agree to another person's change, which is in force from then on.

    :raises NotOpenError: it is decided already.
    :raises SamePersonError: the officer proposed it. :raises NotCountedError: their signature does not count.
    :raises NotYoursError: something that it changes is not granted to the officer.
    :raises ReasonUnreadError: the officer has not opened the reason.
    :raises ClashError: another category forbids it by now.
    :raises RefusedByLawError: the law does.
    :raises CountsChangedError: the effect, or a rule that wants a reason, is not what was shown.
    """
    change, wish = _held(change)
    seconding.check(
        proposer=change.proposed_by_id,
        signer=officer.user_id,
        agency_id=change.agency_id,
        subject=change,
        at=at,
    )
    plan = selectors.plan(wish)
    _check(plan)
    if officer.user_id not in selectors.deciders(plan, but=change.proposed_by_id, at=at):
        raise NotYoursError("It changes something at clients that are not granted to you.")
    by = Actor.staff(user_id=officer.user_id)
    audit.require_reason_read(event=proposal_of(change), by=by)
    effect = selectors.effect(plan, at)
    _compare(plan, effect, shown)
    if not set(plan.rule_ids) <= set(change.rules):
        raise CountsChangedError("Another rule of the law wants a reason since this was proposed.")
    change.due_before, change.due_after = effect.due_before, effect.due_after
    change.takes_effect_at = at
    change.save(update_fields=["due_before", "due_after", "takes_effect_at"])
    _put_in_force(change, plan, by=by, at=at)


@transaction.atomic
def refuse(*, change: PolicyChange, officer: Membership, reason: str, at: datetime) -> None:
    """
    Say no to another person's change.

    :raises NotOpenError: it is decided already.
    :raises SamePersonError: the officer proposed it, and withdraws it instead.
    """
    change = _fresh(change)
    seconding.check_other(
        proposer=change.proposed_by_id,
        signer=officer.user_id,
        words="You proposed this change. Withdraw it instead.",
    )
    _close(change, ChangeState.REFUSED, by=Actor.staff(user_id=officer.user_id), reason=reason, at=at)


@transaction.atomic
def withdraw(*, change: PolicyChange, member: Membership, reason: str, at: datetime) -> None:
    """
    Take a change back before it is in force: one's own, or anybody's for who manages the agency.

    :raises NotOpenError: it is decided already.
    :raises NotYoursError: the person neither proposed it nor manages the agency.
    """
    if not may_stop(change, member):
        raise NotYoursError("Its proposer, officers and admins can withdraw it.")
    change = _fresh(change)
    by = Actor.staff(user_id=member.user_id)
    _close(change, ChangeState.WITHDRAWN, by=by, reason=reason, at=at)


def may_stop(change: PolicyChange, member: Membership) -> bool:
    """Whether a person may withdraw a change that waits."""
    rights = (AgencyRight.SIGN_OFF, AgencyRight.MANAGE_CLIENTS)
    return change.proposed_by_id == member.user_id or any(access.has_right(member, one) for one in rights)


@transaction.atomic
def apply_due(*, change_id: UUID, at: datetime) -> bool:
    """
    Put a delayed change in force once its hour has come; run twice, it does nothing more.

    Where much more would leave than was shown, a client that it changes has gone live since, or the law or another
    category forbids it by now, it lapses, and who proposed it is told.

    :returns: whether it is in force now.
    """
    row = PolicyChange.objects.due(at).filter(pk=change_id).first()
    if row is None:
        return False
    try:
        change, wish = _held(row)
    except NotOpenError:
        return False
    plan = selectors.plan(wish)
    if _is_another(change, plan, at):
        _lapse(change, at)
        return False
    _put_in_force(change, plan, by=JOB, at=at)
    return True


def _is_another(change: PolicyChange, plan: Plan, at: datetime) -> bool:
    """Whether a change would do something else by now than what was shown when it was proposed."""
    if plan.refusals or plan.clash or not set(plan.rule_ids) <= set(change.rules):
        return True
    gone_live = (one.client.went_live_at for one in plan.touched if one.is_live)
    if any(since is not None and since > change.proposed_at for since in gone_live):
        return True
    due = selectors.effect(plan, change.takes_effect_at or at).due_after
    return due > change.due_after + max(MAY_GROW_BY, change.due_after // 10)


def read_reason(*, change: PolicyChange, by: Actor, at: datetime) -> str | None:
    """The words with which a change was proposed; that they were read is in the trail. None where they are erased."""
    event = proposal_of(change)
    return None if event is None else audit.open_reason(event=event, by=by, at=at)


def proposal_of(change: PolicyChange) -> Event | None:
    return Event.objects.filter(agency_id=change.agency_id, pk=change.event_id or 0).first()


def _locked(wish: Wish) -> Wish:
    """The same wish about rows that stand still: changes of an agency's policies come one after the other."""
    agency = Agency.objects.select_for_update(no_key=True).get(pk=wish.agency.pk)
    client = wish.client
    if client is not None:
        client = Client.objects.select_related("agency").get(pk=client.pk)
    return Wish(agency, client, wish.category, wish.days, wish.then)


def _held(change: PolicyChange) -> tuple[PolicyChange, Wish]:
    fresh = _fresh(change)
    if fresh.goes_live:
        raise NotOpenError("Agree on the client's Go live page, which shows the current counts.")
    return fresh, selectors.wish_of(fresh)


def _fresh(change: PolicyChange) -> PolicyChange:
    Agency.objects.select_for_update(no_key=True).get(pk=change.agency_id)
    fresh = selectors.open_changes().filter(pk=change.pk).first()
    if fresh is None:
        raise NotOpenError("This change is decided already.")
    return fresh


def _check(plan: Plan) -> None:
    if plan.clash:
        raise ClashError(plan.clash)
    if plan.refusals:
        raise RefusedByLawError(plan)


def _compare(plan: Plan, effect: Effect, shown: ShownEffect) -> None:
    now = ShownEffect(effect.due_before, effect.due_after, effect.leaving, frozenset(plan.rule_ids))
    if now != shown:
        raise CountsChangedError("What becomes due has changed since it was shown.")


def _put_in_force(change: PolicyChange, plan: Plan, *, by: Actor, at: datetime) -> None:
    category = Category(change.category)
    version = selectors.next_version(change)
    _write(change, category, version, at)
    mark_decided(change, ChangeState.IN_FORCE, by=by, at=at)
    audit.record(
        "policy.changed",
        subject=change.client or change.agency,
        by=by,
        at=at,
        change=str(change.pk),
        category=category.value,
        was_days=plan.was.days,
        days=plan.becomes.days,
        then=plan.becomes.then.value,
        version=version,
        proposed_by=change.proposed_by_id,
    )


def mark_decided(change: PolicyChange, state: ChangeState, *, by: Actor, at: datetime) -> None:
    change.state = state
    change.decided_by_id, change.decided_at = by.user_id, at
    change.save(update_fields=["state", "decided_by", "decided_at"])
    for kind in (WAITING_ITEM, AGENCY_ITEM, DELAYED_ITEM):
        work.close_item(kind, agency_id=change.agency_id, key=str(change.pk), at=at, by=by)


def _write(change: PolicyChange, category: Category, version: int, at: datetime) -> None:
    """Write the policy: a row, and for call records and releases the column that lower rooms read."""
    column = {
        Category.CALL: "keep_calls_for_days",
        Category.CALL_OUT: "keep_calls_out_for_days",
        Category.RELEASE: "keep_releases_for_days",
    }
    if category in column:
        holder = change.client or change.agency
        setattr(holder, column[category], change.days)
        holder.save(update_fields=[column[category]])
    rows = Policy.objects.filter(agency_id=change.agency_id, client=change.client_id, category=category)
    if change.days is None:
        rows.remove()
        return
    fields = {"keep_for_days": change.days, "then": Then(change.then), "version": version, "set_at": at}
    if not rows.update(**fields):
        Policy.objects.create(
            agency_id=change.agency_id, client_id=change.client_id, category=category, **fields
        )


def let_wait(change: PolicyChange, at: datetime, *, may_be_agreed: bool) -> None:
    """
    Put it into the queue of who may agree to it, or of every officer where none may yet; or tell everybody who manages
    the agency that it will come.
    """
    if change.state == ChangeState.DELAYED:
        kind, client_id = DELAYED_ITEM, None
    elif change.client_id is None or not may_be_agreed:
        kind, client_id = AGENCY_ITEM, None
    else:
        kind, client_id = WAITING_ITEM, change.client_id
    work.open_item(
        kind,
        agency_id=change.agency_id,
        client_id=client_id,
        key=str(change.pk),
        at=at,
        due_at=change.takes_effect_at,
        count=max(0, change.due_after - change.due_before),
    )


_DEEDS: Final = {ChangeState.REFUSED: "policy.refused", ChangeState.WITHDRAWN: "policy.withdrawn"}


def _close(change: PolicyChange, state: ChangeState, *, by: Actor, reason: str, at: datetime) -> None:
    mark_decided(change, state, by=by, at=at)
    audit.record(
        _DEEDS[state] if by.user_id is not None else "policy.lapsed",
        subject=change.client or change.agency,
        by=by,
        at=at,
        reason=reason,
        change=str(change.pk),
        category=change.category,
    )


def _lapse(change: PolicyChange, at: datetime) -> None:
    _close(change, ChangeState.WITHDRAWN, by=JOB, reason="", at=at)
    told: Sequence[int] = access.people_with_right(AgencyRight.SIGN_OFF, agency_id=change.agency_id)
    work.notify(
        LAPSED,
        agency_id=change.agency_id,
        user_ids={change.proposed_by_id, *told},
        at=at,
        key=str(change.pk),
    )
