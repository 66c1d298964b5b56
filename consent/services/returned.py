"""
What an old copy of the database brought back of the ledger: evidence whose key is destroyed, a yes that was taken back
since, a person whose data were restricted and are in use again. The vault remembers every no and every restriction;
here they are said to the rows again.
"""

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from django.apps import apps

from callprivacy.audit import services as audit
from callprivacy.calls.models import Caller
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.models import Client, ClientOwned
from callprivacy.vault import selectors as vault
from consent.enums import NO_STATES, RESTRICTED, Channel, EventKind, Purpose, Strength
from consent.models import ConsentState, Rejudgement
from consent.services import ledger
from consent.services.ledger import Said

JOB: Final = Actor.job("after_restore")


def forget_evidence(*, client: Client, caller_ids: Collection[uuid.UUID], at: datetime) -> int:
    """
    Remove everything that consent keeps of callers whose evidence key is destroyed: it opens no more.

    Inside a scope; its own event says how many rows went, which is returned.
    """
    count = 0
    for model in apps.get_app_config("consent").get_models():
        names = {field.attname for field in model._meta.concrete_fields}
        if issubclass(model, ClientOwned) and "caller_id" in names:
            rows: Any = model._default_manager.filter(client_id=client.pk)
            count += rows.filter(caller_id__in=list(caller_ids)).remove()
    if count:
        audit.record(
            "evidence.erased",
            subject=client,
            by=JOB,
            at=at,
            rows=count,
            callers=len(caller_ids),
            after="restore",
        )
    return count


def say_no_again(*, client: Client, purpose: Purpose, at: datetime, limit: int) -> int:
    """
    Tell the ledger of noes that the vault remembers and an old copy of the ledger does not; returns of how many.

    Inside a scope. Call it again until it is 0. Where the person said yes again later, the vault's no was lifted then.
    The ledger of a client that has left is told nothing: it was handed over, and goes.
    """
    if not tenancy.is_here(client.pk):
        return 0
    refused = vault.callers_who_refused(client.pk, purpose, on=at.date())
    states = ConsentState.objects.for_client(client).filter(purpose=purpose).exclude(state__in=NO_STATES)
    here = Caller.objects.for_client(client).filter(pk__in=refused)
    unheard = sorted(
        states.filter(caller_id__in=here.values("pk")).values_list("caller_id", flat=True)[:limit]
    )
    since = vault.suppressed_callers(client.pk, unheard, on=at.date())
    said = [
        Said(
            purpose=purpose,
            kind=EventKind.WITHDRAWN,
            channel=Channel.IMPORT,
            # As sure as what the vault remembers: how it was said is lost with the rows that said it.
            strength=Strength.C,
            happened_at=max(since[caller_id][purpose], state_since),
            source=f"restored/{caller_id}/{purpose}/{since[caller_id][purpose].isoformat()}",
            caller_id=caller_id,
            evidence={
                "from": "the list of opt-outs in the vault, after a database restore",
                "since": since[caller_id][purpose].isoformat(),
            },
        )
        for caller_id, state_since in states.filter(caller_id__in=unheard).values_list("caller_id", "since")
        if purpose in since.get(caller_id, {})
    ]
    return len(ledger.record_events(client=client, said=said, by=JOB, at=at)) if said else 0


def restrict_again(*, client: Client, at: datetime, limit: int) -> int:
    """
    Restrict once more whose restriction an old copy does not know of; returns of how many callers.

    Inside a scope. Call it again until it is 0. Who was erased since and has called again is somebody new.
    """
    refused = vault.callers_who_refused(client.pk, RESTRICTED, on=at.date())
    rows = Caller.objects.for_client(client).filter(pk__in=refused, restricted_at__isnull=True).order_by("pk")
    since = vault.suppressed_callers(client.pk, refused, on=at.date()) if refused else {}
    found = [row for row in rows.only("pk", "created_at") if row.created_at <= since[row.pk][RESTRICTED]][
        :limit
    ]
    for row in found:
        Caller.objects.for_client(client).filter(pk=row.pk).update(restricted_at=since[row.pk][RESTRICTED])
        audit.record("caller.restricted", subject=row, by=JOB, at=at, after="restore")
    ours = {"agency_id": client.agency_id, "client_id": client.pk, "due_at": at, "created_at": at}
    Rejudgement.objects.bulk_create(
        [Rejudgement(**ours, caller_id=row.pk, cause="restriction") for row in found]
    )
    return len(found)
