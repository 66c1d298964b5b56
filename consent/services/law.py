"""
The rules of the law, as an agency imports and approves them.

A pack decides nothing before an officer has put it in force, having seen what it changes at every client: every
decision is made again by the new rules beside the present ones, by a job, and only then counted. What it changes is
then decided anew everywhere.
"""

import uuid
from collections.abc import Callable
from datetime import date, datetime
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor, ScopeKind
from callprivacy.tenancy.models import Agency, Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.work import services as work
from consent import kinds, law
from consent.decide import decide
from consent.enums import Purpose
from consent.law import Rules
from consent.models import Decision, PackEffect, RulePack, RuleSignOff
from consent.selectors import cases
from consent.selectors import law as selectors
from consent.services import rejudging

JOB: Final = Actor.job("consent.count_packs")
BATCH: Final = 500

type Clock = Callable[[], datetime]


class SameRulesError(ValueError):
    """The pack holds exactly the rules that decide now."""


class NotCountedError(ValueError):
    """What a pack changes is not counted yet."""


class CountsChangedError(ValueError):
    """What a pack changes is no longer what the person was shown."""


class NotYoursError(ValueError):
    """It changes decisions at clients that are not granted to the person."""


class NoPackError(ValueError):
    """There is no such pack, or it is not in force."""


class UnknownRuleError(ValueError):
    """No rule in force has this id, or it says something else by now."""


class SignedAlreadyError(ValueError):
    """Counsel's approval of this rule is written down."""


# --- Packs ---


@transaction.atomic
def import_pack(*, agency: Agency, raw: bytes, by: Actor, at: datetime) -> RulePack:
    """
    Read a pack and let a job count what it would change. It decides nothing yet.

    :raises PackError: it cannot decide; with everything that is wrong with it.
    :raises SameRulesError: nothing in it differs from the rules in force.
    """
    rules = law.parse_pack(raw)
    now = selectors.rules_of(agency.pk)
    if rules.digest == now.digest:
        raise SameRulesError("These rules are identical to the rules in force.")
    row = RulePack.objects.create(
        agency=agency,
        name=rules.version,
        text=law.dump_pack(rules),
        digest=rules.digest,
        imported_by_id=by.user_id,
        imported_at=at,
        due_at=at,
    )
    audit.record("rules.imported", subject=row, by=by, at=at, rules=len(rules), digest=rules.digest)
    return row


def work_packs(*, agency_id: int, until: datetime, clock: Clock) -> None:
    """
    Count what imported packs would change, and have everything decided anew for one that was put in force.

    What was counted against rules that do not decide any more, as after an upgrade of those that ship, is counted anew.
    Where a client has left since, or come back, what was counted is summed up anew.
    Called outside any scope; it may be run twice. What a run does not finish the next one goes on with.
    """
    with job_scope(agency_id=agency_id):
        now, at = selectors.rules_of(agency_id), clock()
        _count_anew(selectors.counted_against_others(agency_id, now), at)
        _sum_anew(agency_id, now, at)
        pack_ids = selectors.due_packs(agency_id)
    for pack_id in pack_ids:
        with job_scope(agency_id=agency_id):
            pack = RulePack.objects.defer("text").filter(pk=pack_id).first()
            if pack is None:
                continue
            if pack.counted_at is not None:
                _decide_anew(pack, clock())
                continue
            _begin(pack)
        while clock() < until:
            with job_scope(agency_id=agency_id):
                if not _count_more(pack_id, clock()):
                    break


def _decide_anew(pack: RulePack, at: datetime) -> None:
    """Rules were put in force or out of it: every client's recordings are decided by what counts now."""
    if not RulePack.objects.filter(pk=pack.pk, due_at__isnull=False).update(due_at=None):
        return
    for client in Client.objects.filter(agency_id=pack.agency_id).order_by("pk"):
        rejudging.of_client(client=client, cause="rules", at=at)


def _count_anew(packs: QuerySet[RulePack], at: datetime) -> None:
    """What these packs change is not known any more; the job begins again with them."""
    packs.update(counted_at=None, counted_against="", clients_changed=0, decisions_changed=0, due_at=at)


def _sum_anew(agency_id: int, now: Rules, at: datetime) -> None:
    """What was counted at a client that has left keeps nobody from a pack: an officer sees no such client any more."""
    for pack, clients, decisions in selectors.counted_otherwise(agency_id, now):
        # Whoever puts it in force meanwhile was first.
        counted = RulePack.objects.filter(
            pk=pack.pk, is_active=False, counted_at=pack.counted_at, due_at=None
        )
        if counted.update(clients_changed=clients, decisions_changed=decisions) and pack.activated_at is None:
            _tell(pack, decisions, at)


def _tell(pack: RulePack, decisions: int, at: datetime) -> None:
    """Let a pack wait for an officer, or renew how many decisions it changes."""
    work.open_item(kinds.RULES_COUNTED, agency_id=pack.agency_id, key=str(pack.pk), at=at, count=decisions)


def _begin(pack: RulePack) -> None:
    """A row to count in for each client; one that comes meanwhile has nothing that was decided by other rules."""
    ids = Client.objects.filter(agency_id=pack.agency_id).values_list("pk", flat=True)
    missing = selectors.clients_without_effect(pack, list(ids))
    PackEffect.objects.bulk_create(
        [PackEffect(agency_id=pack.agency_id, client_id=client_id, pack=pack) for client_id in missing],
        ignore_conflicts=True,
    )


def _count_more(pack_id: uuid.UUID, at: datetime) -> bool:
    """Count one page of one client; returns whether anything is left."""
    pack = RulePack.objects.select_for_update().filter(pk=pack_id, due_at__isnull=False).first()
    if pack is None:
        return False
    now = selectors.rules_of(pack.agency_id)
    if pack.counted_against != now.digest:
        _begin_again(pack, now)
    effect = (
        PackEffect.objects.select_related("client__agency")
        .filter(pack=pack, finished_at=None)
        .order_by("client_id")
        .first()
    )
    if effect is None:
        _finish(pack, now, at)
        return False
    _count_page(effect, now, selectors.rules_in(pack), at)
    return True


def _begin_again(pack: RulePack, now: Rules) -> None:
    """Drop what was counted against other rules: half of each would be true of neither."""
    PackEffect.objects.filter(pack=pack).update(
        counted=0, newly_allowed=0, newly_withheld=0, cursor=None, finished_at=None
    )
    pack.counted_against = now.digest
    pack.save(update_fields=["counted_against"])


def _count_page(effect: PackEffect, now: Rules, then: Rules, at: datetime) -> None:
    client = effect.client
    rows = Decision.objects.for_client(client).filter(purpose=Purpose.RECORD)
    if effect.cursor is not None:
        rows = rows.filter(call_id__gt=effect.cursor)
    call_ids = list(rows.order_by("call_id").values_list("call_id", flat=True)[:BATCH])
    asked = cases.cases(client, cases.calls_for(client, call_ids), Purpose.RECORD, at=at)
    for case in asked:
        before, after = decide(case.question, now).allowed, decide(case.question, then).allowed
        effect.newly_allowed += after and not before
        effect.newly_withheld += before and not after
    effect.counted += len(call_ids)
    effect.cursor = call_ids[-1] if call_ids else effect.cursor
    effect.finished_at = at if len(call_ids) < BATCH else None
    effect.save(update_fields=["newly_allowed", "newly_withheld", "counted", "cursor", "finished_at"])


def _finish(pack: RulePack, now: Rules, at: datetime) -> None:
    count = selectors.count_of(pack, now)
    pack.due_at, pack.counted_at = None, at
    pack.clients_changed = len(selectors.effects_of(pack))
    pack.decisions_changed = count.changed
    pack.save(update_fields=["due_at", "counted_at", "clients_changed", "decisions_changed"])
    if pack.activated_at is not None:  # it was in force, and nobody waits for it
        return
    _tell(pack, count.changed, at)


@transaction.atomic
def activate_pack(*, pack: RulePack, seen: int, reason: str, by: Actor, at: datetime) -> None:
    """
    Let a pack decide from now on, in place of what decided before; everything is decided anew by a job.

    What the other packs would change is counted anew, since it was counted against what decided before.

    Whoever calls this has made sure that an officer does it.

    :param seen: how many decisions the person was told would change.
    :raises NotCountedError: what it changes is not known yet.
    :raises CountsChangedError: it is not what was shown.
    :raises NotYoursError: some of it was not shown, for it changes at clients that are not granted to the person.
    """
    locked = _held(pack.agency_id).get(pack.pk)
    if locked is None:
        raise NoPackError("This file was discarded.")
    if locked.is_active:
        return
    if not selectors.is_counted(locked, selectors.rules_of(locked.agency_id)):
        raise NotCountedError("The effect of this file is still being counted.")
    if locked.decisions_changed != seen:
        raise CountsChangedError("The count has changed since you saw it. Review it again.")
    if selectors.hidden_of(locked, selectors.effects_of(locked)):
        raise NotYoursError(
            "These rules change decisions at clients that you do not have access to. Ask an officer with access."
        )
    others = RulePack.objects.filter(agency_id=locked.agency_id).exclude(pk=locked.pk)
    others.filter(is_active=True).update(is_active=False)
    _count_anew(others, at)
    locked.is_active, locked.activated_at, locked.activated_by_id, locked.due_at = True, at, by.user_id, at
    locked.save(update_fields=["is_active", "activated_at", "activated_by", "due_at"])
    audit.record(
        "rules.activated",
        subject=locked,
        by=by,
        at=at,
        reason=reason,
        digest=locked.digest,
        clients=locked.clients_changed,
        decisions=locked.decisions_changed,
    )
    work.close_item(kinds.RULES_COUNTED, agency_id=locked.agency_id, key=str(locked.pk), at=at, by=by)


def _held(agency_id: int) -> dict[uuid.UUID, RulePack]:
    """The agency's packs, which nobody else writes or counts meanwhile; in one order, so that no two wait crosswise."""
    rows = RulePack.objects.select_for_update().filter(agency_id=agency_id)
    return {pack.pk: pack for pack in rows.defer("text").order_by("pk")}


@transaction.atomic
def return_to_shipped(*, agency: Agency, reason: str, by: Actor, at: datetime) -> None:
    """
    Let the shipped rules decide again; everything is decided anew by a job, and then what any pack would change is
    counted anew.

    :raises NoPackError: they decide already.
    :raises NotYoursError: a client is not granted to the person. What changes is not counted, and may be anywhere.
    """
    if by.kind is ScopeKind.STAFF and by.user_id is not None:
        hidden = selectors.unseen_clients(agency.pk, by.user_id, at=at)
        if hidden:
            names = ", ".join(client.name for client in hidden)
            raise NotYoursError(
                f"This may change decisions at clients that you do not have access to: {names}. Ask an officer"
                " with access."
            )
    pack = next((one for one in _held(agency.pk).values() if one.is_active), None)
    if pack is None:
        raise NoPackError("The shipped rules are already in force.")
    _count_anew(RulePack.objects.filter(agency=agency).exclude(pk=pack.pk), at)
    # It stays due as one that is counted, so that everything is decided anew first; then the job counts it, too.
    pack.is_active, pack.due_at, pack.counted_against = False, at, ""
    pack.save(update_fields=["is_active", "due_at", "counted_against"])
    audit.record("rules.returned", subject=pack, by=by, at=at, reason=reason, digest=pack.digest)


@transaction.atomic
def discard_pack(*, pack: RulePack, by: Actor, at: datetime) -> None:
    """
    Delete a pack that was never in force.

    :raises NoPackError: it was in force, so it stays as evidence; the text names the next step.
    """
    locked = RulePack.objects.select_for_update().filter(pk=pack.pk, activated_at=None).first()
    if locked is None:
        raise NoPackError(
            "This file was not discarded. Its rules were in force, so it is kept as evidence of past decisions."
            " To stop using them, return to the shipped rules or put another file in force."
        )
    audit.record("rules.discarded", subject=locked, by=by, at=at, digest=locked.digest)
    work.close_item(kinds.RULES_COUNTED, agency_id=locked.agency_id, key=str(locked.pk), at=at, by=by)
    locked.delete()


# --- Counsel ---


@transaction.atomic
def sign_off(
    *, agency: Agency, rule_id: str, seen: str, counsel: str, signed_on: date, by: Actor, at: datetime
) -> RuleSignOff:
    """
    Write down that counsel approved a rule as it stands.

    :param seen: the fingerprint of the rule that the person was shown.
    :raises UnknownRuleError: no such rule decides, or it says something else.
    :raises SignedAlreadyError: it is written down.
    """
    rule = selectors.rules_of(agency.pk).get(rule_id)
    if rule is None or selectors.fingerprint(rule) != seen:
        raise UnknownRuleError("This rule has changed since you saw it. Review it again.")
    try:
        with transaction.atomic():
            row = RuleSignOff.objects.create(
                agency=agency,
                rule_id=rule.id,
                rule_digest=seen,
                counsel=counsel,
                signed_on=signed_on,
                recorded_by_id=by.user_id,
                recorded_at=at,
            )
    except IntegrityError:
        raise SignedAlreadyError("Counsel's approval of this rule is already saved.") from None
    audit.record(
        "rule.signed_off", subject=row, by=by, at=at, rule=rule.id, digest=seen, on=signed_on.isoformat()
    )
    return row
