"""
A client's rules, by which calls become confidential without an officer.

Minors and employees stand in the vault's list of numbers, under the cause's own name, so that a call is known as theirs
when it comes in. What becomes known later, and what holds keep, a job finds within a minute. Words of health are looked
for in each transcript that comes in while the rule is on, and in none of before: those are sealed.
"""

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from callprivacy.audit import services as audit
from callprivacy.calls.enums import ConfidentialCause
from callprivacy.calls.models import Call, ConfidentialCall, ConfidentialRule
from callprivacy.calls.services import confidential
from callprivacy.lib import phone
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault

JOB: Final = Actor.job("calls.apply_confidential_rules")
BATCH: Final = 500
_LISTED: Final = (ConfidentialCause.MINOR, ConfidentialCause.EMPLOYEE)


class NotANumberError(ValueError):
    """What was written is no phone number."""


@transaction.atomic
def switch_rules(*, client: Client, causes: Collection[str], by: Actor, at: datetime) -> None:
    """Let exactly these rules of a client be on; what a rule marked stays until an officer lifts it."""
    rows = ConfidentialRule.objects.for_client(client)
    on = set(rows.values_list("cause", flat=True))
    rows.filter(cause__in=on - set(causes)).remove()
    ConfidentialRule.objects.bulk_create(
        [
            ConfidentialRule(
                agency_id=client.agency_id,
                client=client,
                cause=cause,
                switched_by_id=by.user_id,
                switched_at=at,
            )
            for cause in sorted(set(causes) - on)
        ],
        ignore_conflicts=True,
    )
    for cause in sorted(on ^ set(causes)):
        audit.record(
            "confidential_rule.switched", subject=client, by=by, at=at, cause=cause, on=cause in causes
        )


@transaction.atomic
def add_employee_number(*, client: Client, number: str, by: Actor, at: datetime) -> None:
    """
    Keep that a number is an employee's own, as a keyed token alone.

    :raises NotANumberError: it is none.
    """
    audit.record("employee_number.added", subject=client, by=by, at=at)
    vault.suppress(
        client_id=client.pk,
        numbers=[_read(client, number)],
        purposes=[ConfidentialCause.EMPLOYEE.value],
        at=at,
    )


@transaction.atomic
def remove_employee_number(*, client: Client, number: str, by: Actor, at: datetime) -> bool:
    """
    Forget that a number is an employee's own; returns whether it was kept. Calls that it marked stay confidential.

    :raises NotANumberError: it is none.
    """
    purposes = [ConfidentialCause.EMPLOYEE.value]
    if not vault.lift_suppressions_of(client_id=client.pk, number=_read(client, number), purposes=purposes):
        return False
    audit.record("employee_number.removed", subject=client, by=by, at=at)
    return True


def _read(client: Client, number: str) -> str:
    read = phone.normalise(number, client.home_country)
    if read is None:
        raise NotANumberError("This is not a phone number. Write it with its country code, such as +1.")
    return read


def _is_on(client: Client, *causes: ConfidentialCause) -> list[ConfidentialCause]:
    rows = ConfidentialRule.objects.for_client(client).filter(cause__in=causes)
    return [ConfidentialCause(cause) for cause in rows.values_list("cause", flat=True)]


def mark_arrived(*, client: Client, caller_ids: Collection[uuid.UUID], at: datetime) -> None:
    """Mark calls of callers who are minors or employees, where rules say so. With the calls, in a job's scope."""
    causes = _is_on(client, *_LISTED) if caller_ids else []
    if not causes:
        return
    listed = vault_selectors.suppressed_callers(client.pk, caller_ids, on=at.date())
    for cause in causes:
        found = [caller_id for caller_id, marks in listed.items() if cause.value in marks]
        if found:
            calls = _unmarked(client, cause).filter(caller_id__in=found)
            _mark(client, cause, list(calls.values_list("pk", flat=True)), at)


def mark_spoken(*, client: Client, call_ids: Collection[uuid.UUID], at: datetime) -> None:
    """Mark calls whose words speak of health, where the rule is on. With the words, in a job's scope."""
    if call_ids and _is_on(client, ConfidentialCause.HEALTH):
        _mark(client, ConfidentialCause.HEALTH, call_ids, at)


def apply_rules(*, agency_id: int, at: datetime) -> int:
    """Mark what rules find of calls that are here, a batch a transaction; returns how many. Outside any scope."""
    with job_scope(agency_id=agency_id):
        rows = ConfidentialRule.objects.filter(client__archived_at=None).exclude(
            cause=ConfidentialCause.HEALTH
        )
        rules = [
            (row.client, ConfidentialCause(row.cause)) for row in rows.select_related("client").order_by("pk")
        ]
    count = 0
    for client, cause in rules:
        marked = BATCH
        while marked == BATCH:
            with job_scope(agency_id=agency_id):
                found = _found(client, cause, at).values_list("pk", flat=True)
                marked = _mark(client, cause, list(found[:BATCH]), at)
            count += marked
    return count


def _found(client: Client, cause: ConfidentialCause, at: datetime) -> QuerySet[Call]:
    calls = _unmarked(client, cause)
    if cause is ConfidentialCause.LITIGATION:
        return calls.filter(on_hold=True)
    return calls.filter(
        caller_id__in=vault_selectors.callers_who_refused(client.pk, cause.value, on=at.date())
    )


def _unmarked(client: Client, cause: ConfidentialCause) -> QuerySet[Call]:
    """Open calls that this rule has not marked before."""
    before = ConfidentialCall.objects.filter(client_id=client.pk, call_id=OuterRef("pk"), cause=cause)
    return Call.objects.for_client(client).filter(~Exists(before), confidential=False)


def _mark(client: Client, cause: ConfidentialCause, call_ids: Collection[uuid.UUID], at: datetime) -> int:
    if not call_ids:
        return 0
    return confidential.mark_by_rule(client=client, call_ids=call_ids, cause=cause, by=JOB, at=at)
