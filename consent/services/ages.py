"""
Consents that become too old end: chosen by purpose, for an agency or one client, and carried out by a job.

What ends is written into the ledger as any other event, dated on the day it ended and never before the choice was
made. An earlier no holds again; whoever agrees again begins anew. Finding what is too old by its state, in bounded
batches of one transaction each, a worker that is killed has ended nothing or all of its batch.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from billiard.exceptions import SoftTimeLimitExceeded
from django.db import transaction

from callprivacy.accounts import access
from callprivacy.accounts.models import Membership
from callprivacy.audit import services as audit
from callprivacy.lib import figures
from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Agency, Client
from callprivacy.tenancy.scope import client_scope, job_scope
from consent.enums import Channel, EventKind, Purpose, Strength
from consent.models import AgencyAge, ConsentAge, ConsentState
from consent.selectors import ages as selectors
from consent.selectors.ages import Age
from consent.services import ledger
from consent.services.ledger import Said

log = logger(__name__)

BATCH: Final = 500
JOB: Final = Actor.job("consent.expire_consents")
AS_THE_AGENCY: Final = "agency"
NEVER: Final = "never"
type Choice = int | str
"""A number of months, `NEVER`, or at a client `AS_THE_AGENCY`."""


class NotYoursError(ValueError):
    """The person may not choose this: it would end consents at a client where none are granted to them."""


def months_of(choice: Choice) -> int | None:
    return choice if isinstance(choice, int) else None


@transaction.atomic
def choose_for_agency(
    *, agency: Agency, chosen: Mapping[Purpose, Choice], officer: Membership, at: datetime
) -> list[Purpose]:
    """
    Choose how old consents may become at clients that choose nothing themselves; returns what has changed.

    :raises NotYoursError: a client follows the agency whose consents the person may not count.
    """
    now = selectors.of_agency(agency.pk)
    changed = {
        purpose: choice
        for purpose, choice in chosen.items()
        if months_of(choice) != (now[purpose].months if purpose in now else None)
    }
    seen = access.client_ids_with(officer, Permission.MANAGE_CONSENT, at=at)
    if selectors.unseen(agency.pk, changed, seen):
        raise NotYoursError("This changes clients whose consent you do not have permission to manage.")
    by = Actor.staff(user_id=officer.user_id)
    AgencyAge.objects.bulk_create(
        (
            AgencyAge(
                agency_id=agency.pk,
                purpose=purpose,
                months=months_of(choice),
                chosen_by_id=by.user_id,
                chosen_at=at,
            )
            for purpose, choice in changed.items()
        ),
        update_conflicts=True,
        unique_fields=["agency", "purpose"],
        update_fields=["months", "chosen_by", "chosen_at"],
    )
    if changed:
        audit.record("consent_age.chosen", by=by, at=at, subject=agency, chosen=_said(changed))
    return list(changed)


@transaction.atomic
def choose_for_client(
    *, client: Client, chosen: Mapping[Purpose, Choice], by: Actor, at: datetime
) -> list[Purpose]:
    """Choose how old a client's consents may become, or have what its agency has; returns what has changed."""
    rows = ConsentAge.objects.for_client(client)
    now = {row.purpose: row.months or NEVER if row.is_own else AS_THE_AGENCY for row in rows}
    changed = {
        purpose: choice
        for purpose, choice in chosen.items()
        if choice != now.get(purpose.value, AS_THE_AGENCY)
    }
    ConsentAge.objects.bulk_create(
        (
            ConsentAge(
                agency_id=client.agency_id,
                client_id=client.pk,
                purpose=purpose,
                is_own=choice != AS_THE_AGENCY,
                months=months_of(choice),
                chosen_by_id=by.user_id,
                chosen_at=at,
            )
            for purpose, choice in changed.items()
        ),
        update_conflicts=True,
        unique_fields=["client", "purpose"],
        update_fields=["is_own", "months", "chosen_by", "chosen_at"],
    )
    if changed:
        audit.record("consent_age.chosen", by=by, at=at, subject=client, chosen=_said(changed))
    return list(changed)


def _said(changed: Mapping[Purpose, Choice]) -> str:
    return ", ".join(f"{purpose.value}: {choice}" for purpose, choice in changed.items())


def expire(*, agency_id: int, until: datetime, clock: Callable[[], datetime]) -> int:
    """
    End what is too old at an agency, client by client, until the clock says `until`; returns how many consents.

    Called outside any scope; safe to run twice. One client's fault is logged and keeps no other's; of a client that has
    left nothing ends any more.
    """
    with job_scope(agency_id=agency_id):
        here = Client.objects.filter(agency_id=agency_id, archived_at=None)
        clients = {client.pk: client for client in here.order_by("pk")}
        ages = selectors.of_clients(agency_id, clients)
    count = 0
    for client_id, client in clients.items():
        for purpose, age in ages[client_id].items():
            try:
                count += _expire(client, purpose, age, until, clock)
            except SoftTimeLimitExceeded:
                raise
            except Exception as error:  # noqa: BLE001  (the next run finds them again; the other clients' go on)
                figures.note_fault()
                log.error("ages.failed", client=client_id, error=type(error).__name__)  # noqa: TRY400  (a text may hold a value)
    return count


def _expire(
    client: Client, purpose: Purpose, age: Age, until: datetime, clock: Callable[[], datetime]
) -> int:
    count = 0
    while age.months is not None and (at := clock()) < until:
        with client_scope(agency_id=client.agency_id, client_id=client.pk):
            rows = list(selectors.ended(client.pk, purpose, age.months, at=at)[:BATCH])
            said = [_ending(row, age) for row in rows]
            count += (ended := len(ledger.record_events(client=client, said=said, by=JOB, at=at)))
        if ended < BATCH:
            break
    return count


def _ending(row: ConsentState, age: Age) -> Said:
    ends_at = age.ends_at(row.since)
    if ends_at is None:
        raise TypeError("A consent without an end does not end.")
    return Said(
        purpose=Purpose(row.purpose),
        kind=EventKind.EXPIRED,
        channel=Channel.OFFICER,
        strength=Strength(row.strength),
        happened_at=ends_at,
        source=f"age of {row.event_id}",
        caller_id=row.caller_id,
        evidence={
            "rule": f"Consent to this purpose expires after {age.months} months.",
            "months": age.months,
            "chosen_by": "the client" if age.is_own else "the agency",
            "in_force_since": age.since.isoformat(),
            "given_event": str(row.event_id),
            "given_at": row.since.isoformat(),
        },
    )
