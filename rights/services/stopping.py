"""
What a person refuses takes effect when it comes in: no proof, nobody has to look first.

At a client the refusal enters the ledger of consent in the transaction that opens the case, and from there every place
that asks: contact, exports, releases, the phone menu, vendors, and the agency's own systems by webhook. Sent to the
agency itself it is carried to each of its clients by a job; where the number was known the person is not told, and who
is told there is listed for the staff of that client. Tracking no more (`TRACK`) is kept with the numbers that said no,
so that it outlives an erasure: from then on a call of that number has no caller, no recording and no word of a first
call or a conversion.

Of a client that has left nothing is recorded any more, and nobody is told that it took effect: the case says so.

An objection is looked at before what it is against stops, but for direct marketing: against that it always holds (GDPR
article 21(2), (3)), so contact and sharing stop when it comes in, for its numbers and for the callers that staff have
named to it. Where there is neither nothing can stop: the case waits for a number, which staff read there, and nobody is
told that marketing stopped. Its mail addresses are asked for no consent from then on.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Final
from uuid import UUID

from billiard.exceptions import SoftTimeLimitExceeded
from django.db import transaction

from callprivacy.calls.services import people
from callprivacy.calls.services.intake import TRACK
from callprivacy.lib import calendars
from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.models import Agency, Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import Key
from consent.enums import NOT_ASKED, Purpose, State, Strength
from consent.enums import Channel as Way
from consent.enums import EventKind as Told
from consent.models import ConsentState
from consent.services import ledger
from consent.services.ledger import Said
from retention.enums import EndState
from retention.models import Offboarding
from rights.deadlines import engine
from rights.enums import Ask, Channel, EventKind, IdentityKind, IdentityState, Kind, OnBehalf, StepKind
from rights.models import Case, CaseEvent, Identity, Step, Submission
from rights.selectors import words
from rights.services import deriving, steps, timeline

log = logger(__name__)

ASK_AGAIN_AFTER_MONTHS: Final = 12
"""Months for which nobody asks a person to opt in again (Cal. Civ. Code 1798.135(c)(4))."""

PURPOSES: Final[dict[Ask, frozenset[Purpose]]] = {
    Ask.DO_NOT_SELL: frozenset({Purpose.SHARE}),
    Ask.DO_NOT_CONTACT: frozenset({Purpose.CONTACT}),
    Ask.LIMIT: frozenset({Purpose.ANALYSE, Purpose.SHARE}),
    Ask.DO_NOT_TRACK: frozenset({Purpose.MEASURE, Purpose.SHARE}),
    Ask.WITHDRAW: frozenset(
        {Purpose.RECORD, Purpose.REVIEW, Purpose.ANALYSE, Purpose.CONTACT, Purpose.SHARE}
    ),
    Ask.OBJECT: frozenset(Purpose),
}
"""What is refused with each thing that may be asked for."""
MARKETING: Final = frozenset({Purpose.CONTACT, Purpose.SHARE})
"""What an objection stops when it comes in."""

_WAYS: Final = {
    Channel.PORTAL: Way.PORTAL,
    Channel.EMAIL: Way.EMAIL,
    Channel.PHONE: Way.AGENT,
    Channel.API: Way.API,
}


class NotEverywhereError(RuntimeError):
    """At some clients of an agency a no could not be written down."""


def stop_at_once(*, case: Case, key: Key, by: Actor, at: datetime) -> None:
    """
    Stop what a case refuses; in the transaction that opens it.

    :param key: the submission's.
    """
    if case.client is None:
        steps.plan(case=case, kind=StepKind.SUPPRESS, at=at)
        return
    if not tenancy.is_here(case.client.pk):
        _not_recorded(case, by, at)
        return
    numbers = _numbers(case, key)
    _leave_alone(case, case.client, key)
    if case.asks == Ask.OBJECT:
        _stop(case, case.client, numbers, MARKETING, by=by, at=at)
        _say_of_marketing(case, is_stopped=bool(numbers), by=by, at=at)
        return
    if not numbers:
        _ask_nobody_again(case)
        _say_it_waits(case, by, at)
        return
    _stop(case, case.client, numbers, PURPOSES[Ask(case.asks)], by=by, at=at)
    _took_effect(case, by, at)
    steps.plan(case=case, kind=StepKind.PASS_ON, at=at)


def said_at(case: Case) -> datetime:
    """
    When what a case refuses was said, as it is weighed against a yes: the latest that it can have been.

    A case that an appeal has opened again is newer than what was sent in. With the case's submission.
    """
    return max(case.said_at or case.received_at, case.submission.said_at or case.received_at)


def _say_of_marketing(case: Case, *, is_stopped: bool, by: Actor, at: datetime) -> None:
    """Say to the person, once, that marketing stopped; or to staff that it did not, for no number is known."""
    if not is_stopped:
        _say_it_waits(case, by, at)
    elif not _is_said(case, EventKind.MARKETING_STOPPED):
        kind = EventKind.MARKETING_STOPPED
        timeline.add_event("case.marketing_stopped", case=case, kind=kind, by=by, at=at, shown=True)


def _say_it_waits(case: Case, by: Actor, at: datetime) -> None:
    """Say to staff, once, that nothing stopped, for no number is known; who asked is not told that something did."""
    if not _is_said(case, EventKind.WAITS_FOR_NUMBER):
        timeline.add_event(
            "case.waits_for_number", case=case, kind=EventKind.WAITS_FOR_NUMBER, by=by, at=at, shown=False
        )


def _leave_alone(case: Case, client: Client, key: Key) -> None:
    """
    Ask nobody again who opted out, by number or address, or objected, by address, for twelve months; a day of the
    client's zone.

    It stands in the vault beside the no, for the no may end before, and of an address there is none.
    """
    kinds = {IdentityKind.EMAIL} if case.asks == Ask.OBJECT else {IdentityKind.PHONE, IdentityKind.EMAIL}
    if case.asks != Ask.OBJECT and not _is_opt_out(case):
        return
    rows = Identity.objects.filter(submission_id=case.submission_id, kind__in=kinds)
    values = {words.text(row.value, key) for row in rows.exclude(state=IdentityState.REFUSED)}
    if case.asks == Ask.OBJECT and case.submission.on_behalf == OnBehalf.SELF:
        # Who calls with no number, or writes to a page that asks for numbers alone, has no other address.
        values.add(str(words.record(case.submission.contact, key).get("mail", "")).lower())
    until = _after_twelve_months(case, client)
    vault.suppress(
        client_id=client.pk, numbers=values - {""}, purposes={NOT_ASKED}, at=said_at(case), ends_on=until
    )


def _is_opt_out(case: Case) -> bool:
    return case.kind in {Kind.OPT_OUT, Kind.LIMIT}


def _after_twelve_months(case: Case, of: Client | Agency) -> date:
    """
    The day from which somebody may ask the person again.

    Of a leap day it is the first of March, so that twelve months are whole.
    """
    day = case.received_at.astimezone(engine.zone_of(of.time_zone)).date()
    until = calendars.add_months(day, ASK_AGAIN_AFTER_MONTHS)
    return until if until.day == day.day else until + timedelta(days=1)


def _numbers(case: Case, key: Key) -> dict[str, Strength]:
    rows = Identity.objects.filter(submission_id=case.submission_id, kind=IdentityKind.PHONE)
    rows = rows.exclude(state=IdentityState.REFUSED)
    return {words.text(row.value, key): _strength(row) for row in rows}


def _named(case: Case) -> dict[UUID, Strength]:
    """The callers of the case's own client who have no number in it, but whom staff have named to an address."""
    if case.client_id is None:
        return {}
    rows = Identity.objects.filter(submission_id=case.submission_id, caller_id__isnull=False)
    rows = rows.exclude(kind=IdentityKind.PHONE).exclude(state=IdentityState.REFUSED)
    return {row.caller_id: _strength(row) for row in rows if row.caller_id is not None}


def _strength(row: Identity) -> Strength:
    return Strength.A if row.state == IdentityState.PROVEN else Strength.C


def _stop(
    case: Case,
    client: Client,
    numbers: Mapping[str, Strength],
    purposes: Collection[Purpose],
    *,
    by: Actor,
    at: datetime,
    named: Mapping[UUID, Strength] = MappingProxyType({}),
) -> None:
    """
    At one client that is here, in a scope that may write its consent.

    :param named: callers of the client who are known without a number.
    """
    if not numbers and not named:
        return
    ask = Ask(case.asks)
    if ask is Ask.DO_NOT_TRACK:
        vault.suppress(client_id=client.pk, numbers=numbers, purposes={TRACK}, at=at)
    found = people.add_callers(client=client, numbers=numbers, at=at)
    _name_callers(case, found)
    sure = dict(named) | {caller_id: numbers[number] for number, caller_id in found.items()}
    said = [
        Said(
            purpose=purpose,
            kind=Told.WITHDRAWN,
            channel=_WAYS.get(Channel(case.channel), Way.OFFICER),
            strength=strength,
            happened_at=said_at(case),
            source=f"request {case.pk}",
            caller_id=caller_id,
            evidence={"request": case.reference, "asked": ask.value, "said": "no", "by": case.channel},
        )
        for caller_id, strength in sure.items()
        for purpose in sorted(purposes)
    ]
    ledger.record_events(client=client, said=said, by=by, at=at)


def _name_callers(case: Case, found: Mapping[str, UUID]) -> None:
    """Note which callers a client's own request is about, so that it is found when the person asks what is held."""
    key = words.key_of(case.submission)
    if case.client_id is None:
        return
    for row in Identity.objects.filter(
        submission_id=case.submission_id, kind=IdentityKind.PHONE, caller_id=None
    ):
        caller_id = found.get(words.text(row.value, key))
        if caller_id is not None:
            Identity.objects.filter(pk=row.pk).update(caller_id=caller_id)


def _took_effect(case: Case, by: Actor, at: datetime) -> None:
    case.took_effect_at = at
    case.save(update_fields=["took_effect_at"])
    _ask_nobody_again(case)
    timeline.add_event(
        "case.took_effect", case=case, kind=EventKind.TOOK_EFFECT, by=by, at=at, shown=True, asks=case.asks
    )


def _ask_nobody_again(case: Case) -> None:
    """Note with an opt-out from when on the person may be asked again, by number or by address."""
    if _is_opt_out(case):
        case.ask_again_from = _after_twelve_months(case, case.client or case.agency)
        case.save(update_fields=["ask_again_from"])


def _not_recorded(case: Case, by: Actor, at: datetime, *, left: int = 1) -> None:
    """
    Everything of a client that has left goes; what was asked for stays with the request, which says so, to the person
    once.
    """
    if case.client_id is not None and _is_said(case, EventKind.NOT_RECORDED):
        return
    timeline.add_event(
        "case.not_recorded",
        case=case,
        kind=EventKind.NOT_RECORDED,
        by=by,
        at=at,
        # Whose clients are many is not told which of them they were.
        shown=case.client_id is not None,
        clients=left,
    )


def _is_said(case: Case, kind: EventKind) -> bool:
    return CaseEvent.objects.filter(case=case, kind=kind).exists()


@transaction.atomic
def stop_for_named(*, submission: Submission, by: Actor, at: datetime) -> None:
    """
    Stop for the caller whom staff have named since a refusal came in what it stops when it comes in; in a scope that
    may write the client's consent. What is decided already has stopped what it says.

    Tracking no more is kept with numbers, so that it outlives an erasure: for that a number has to be named.
    """
    asks = [ask for ask in Ask if ask.stops_at_once and ask is not Ask.DO_NOT_TRACK]
    cases = Case.objects.filter(submission=submission, asks__in=asks, decided_at=None).open()
    for case in cases.select_related("submission", "client").order_by("pk"):
        if case.client is None or not tenancy.is_here(case.client.pk):
            continue
        purposes = MARKETING if case.asks == Ask.OBJECT else PURPOSES[Ask(case.asks)]
        _stop(case, case.client, {}, purposes, by=by, at=at, named=_named(case))
        if case.asks == Ask.OBJECT:
            _say_of_marketing(case, is_stopped=True, by=by, at=at)
        elif case.took_effect_at is None:
            _took_effect(case, by, at)
            steps.plan(case=case, kind=StepKind.PASS_ON, at=at)


@transaction.atomic
def stop_decided(*, case: Case, going_on: Collection[Purpose], by: Actor, at: datetime) -> None:
    """
    Stop what a decided objection is against; in a scope that may write the client's consent.

    :param going_on: what there are grounds for going on with.
    """
    key = words.key_of(case.submission)
    if case.client is None or key is None:
        wanted = {"going_on": sorted(going_on)}
        steps.plan(case=case, kind=StepKind.OBJECT, at=at, wanted=wanted)
        return
    if not tenancy.is_here(case.client.pk):
        _not_recorded(case, by, at)
        return
    numbers, named = _proven(_numbers(case, key)), _proven(_named(case))
    _stop(case, case.client, numbers, PURPOSES[Ask.OBJECT] - set(going_on), by=by, at=at, named=named)
    _took_effect(case, by, at)


def _proven[T](known: Mapping[T, Strength]) -> dict[T, Strength]:
    return {one: strength for one, strength in known.items() if strength is Strength.A}


# --- At every client of an agency ---------------------------------------------------------------------------------


def carry_out(*, step: Step, at: datetime) -> None:
    """
    Stop at every client of the agency what was refused to the agency itself. Called outside any scope. How many leave
    and still have something, where nothing is recorded any more, the case says to its staff.

    What was sent to one client is stopped there alone.
    The only thing that is read is whether the number is a caller's there, so that recipients can be told: the step
    keeps which, and the next one tells them. Each client is a transaction of its own, and repeating it changes nothing.

    :raises NotEverywhereError: at some clients it could not be done, at all others it was; the step says at how many.
    """
    case = step.case
    with job_scope(agency_id=case.agency_id):
        rows = Client.objects.filter(agency_id=case.agency_id, archived_at=None).order_by("pk")
        clients = [case.client] if case.client is not None else list(rows)
        key = words.key_of(case.submission)
        numbers, named = _numbers(case, key) if key is not None else {}, _named(case)
        leaving = Offboarding.objects.filter(agency_id=case.agency_id, client__archived_at__isnull=False)
        left = (
            leaving.exclude(state__in=(EndState.STOPPED, EndState.DONE)).count() if case.client is None else 0
        )
    purposes = _purposes(step)
    if step.kind == StepKind.OBJECT:
        numbers, named = _proven(numbers), _proven(named)
    known: dict[str, list[str]] = {}
    failed = 0
    for tried, client in enumerate(clients, 1):
        try:
            with job_scope(agency_id=case.agency_id):
                if tenancy.is_here(client.pk):
                    there = _stop_there(case, client, numbers, purposes, named=named, at=at)
                    if there:
                        known[str(client.pk)] = [str(one) for one in there]
                    if key is not None:
                        _leave_alone(case, client, key)
                else:
                    left += 1
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:  # noqa: BLE001  (the no reaches the others, and the step comes back to this one)
            failed += 1
            log.error("request.not_stopped", client=client.pk, error=type(error).__name__)  # noqa: TRY400  (no values)
        if tried % 20 == 0 or (failed and tried == len(clients)):
            with job_scope(agency_id=case.agency_id):
                steps.hold(step=step, at=at, done=tried - failed, total=len(clients))
    if failed:
        raise NotEverywhereError(f"At {failed} of {len(clients)} clients it could not be stopped.")
    with job_scope(agency_id=case.agency_id):
        _finish(step, known, clients=len(clients), left=left, is_known=bool(numbers or named), at=at)


def _finish(
    step: Step, known: Mapping[str, list[str]], *, clients: int, left: int, is_known: bool, at: datetime
) -> None:
    """:param is_known: there was a number or a caller for which something could stop."""
    case = step.case
    is_marketing = case.asks == Ask.OBJECT and step.kind == StepKind.SUPPRESS
    is_waiting = not is_known
    # The one client that it was sent to has left meanwhile.
    is_nowhere = case.client is not None and left > 0
    action, event = "case.carried", EventKind.CARRIED
    if is_nowhere:
        action, event = "case.not_recorded", EventKind.NOT_RECORDED
    elif is_waiting:
        action, event = "case.waits_for_number", EventKind.WAITS_FOR_NUMBER
    elif is_marketing:
        action, event = "case.marketing_stopped", EventKind.MARKETING_STOPPED
    is_new = steps.finish(
        step=step,
        action=action,
        event=event,
        at=at,
        outcome={"clients": clients, "callers": dict(known)},
        shown=not _is_said(case, EventKind.NOT_RECORDED) if is_nowhere else not is_waiting,
        clients=clients,
    )
    if not is_new or is_nowhere:
        return
    if left:
        _not_recorded(case, steps.JOB, at, left=left)
    if is_waiting:
        _ask_nobody_again(case)
    elif not is_marketing:
        _took_effect(case, steps.JOB, at)
        steps.plan(case=case, kind=StepKind.PASS_ON, at=at)


def _purposes(step: Step) -> frozenset[Purpose]:
    """What a step stops: of an objection marketing at first, and the rest once it is decided."""
    ask = Ask(step.case.asks)
    if ask is not Ask.OBJECT:
        return PURPOSES[ask]
    if step.kind == StepKind.SUPPRESS:
        return MARKETING
    return PURPOSES[ask] - {Purpose(name) for name in step.wanted.get("going_on", ())}


def _stop_there(
    case: Case,
    client: Client,
    numbers: Mapping[str, Strength],
    purposes: Collection[Purpose],
    *,
    named: Mapping[UUID, Strength],
    at: datetime,
) -> list[UUID]:
    ask = Ask(case.asks)
    noes: set[str] = {purpose.value for purpose in purposes}
    noes |= {TRACK} if ask is Ask.DO_NOT_TRACK else set()
    found: dict[str, UUID] = {}
    for number in numbers:
        callers = deriving.callers(clients=[client], number=number, use="stop", at=at, case=str(case.pk))
        if client.pk in callers:
            found[number] = callers[client.pk]
    unknown = numbers.keys() - found.keys()
    vault.suppress(client_id=client.pk, numbers=unknown, purposes=noes, at=said_at(case))
    there = {number: numbers[number] for number in found}
    _stop(case, client, there, purposes, by=steps.JOB, at=at, named=named)
    agreed = _agreed_since(case, client, list(found.values()))
    for number, caller_id in found.items():
        left = noes - agreed[caller_id]
        vault.suppress(client_id=client.pk, numbers=[number], purposes=left, at=said_at(case))
    return [*found.values(), *named]


def _agreed_since(case: Case, client: Client, caller_ids: Collection[UUID]) -> dict[UUID, set[str]]:
    """What callers have said yes to since a request was said: its no is older, and undoes none of that."""
    rows = ConsentState.objects.for_client(client).filter(
        caller_id__in=list(caller_ids), state=State.GIVEN, since__gt=said_at(case)
    )
    found: dict[UUID, set[str]] = defaultdict(set)
    for caller_id, purpose in rows.values_list("caller_id", "purpose"):
        found[caller_id].add(purpose)
    return found
