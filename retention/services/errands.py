"""
Errands of before steps at vendors took their place: shown to who deletes the recordings there, and closed on that
person's word. A job moves them; none is opened any more.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.vault import services as vault
from callprivacy.vault.fields import Sealed
from callprivacy.work import services as work
from retention.models import Errand


@transaction.atomic
def show_reference(*, errand: Errand, by: Actor, at: datetime) -> str | None:
    """
    Return where the vendor holds the recording; that it was shown is written down first.

    None where our own record of it did not open when the call left: it is found there by the call's time.
    """
    audit.record("errand.shown", subject=errand, by=by, at=at, provider=errand.provider)
    key = vault.purpose_key(client_id=errand.client_id, purpose="errand", at=at)
    sealed: Sealed | None = errand.reference
    return None if sealed is None else sealed.reveal(key)


@transaction.atomic
def confirm_deleted(*, client: Client, errand_ids: Collection[UUID], by: Actor, at: datetime) -> int:
    """Close errands whose recordings a person has deleted at the vendor; returns how many were open."""
    rows = list(Errand.objects.for_client(client).filter(pk__in=list(errand_ids)).select_for_update())
    for errand in rows:
        audit.record(
            "errand.done",
            subject=errand,
            by=by,
            at=at,
            provider=errand.provider,
            recording=str(errand.recording_id),
        )
    Errand.objects.for_client(client).filter(pk__in=[row.pk for row in rows]).remove()
    renew_item(client=client, by=by, at=at)
    return len(rows)


@transaction.atomic
def renew_item(*, client: Client, by: Actor, at: datetime) -> None:
    """Let the open errands of a client wait in the queue, or close the item when none is left."""
    work.renew_item(
        "vendor_deletion",
        agency_id=client.agency_id,
        client_id=client.pk,
        count=Errand.objects.for_client(client).count(),
        by=by,
        at=at,
    )
