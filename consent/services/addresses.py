"""Where a caller lives by an address that the client knows: the best evidence of which law holds on that side."""

from datetime import datetime

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.calls.models import Caller
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from consent.models import CallerPlace, Rejudgement


@transaction.atomic
def record_place(
    *, client: Client, caller: Caller, country: str, region: str, by: Actor, at: datetime
) -> CallerPlace:
    """
    Note the state or country of a caller's address; the caller's recordings are decided anew.

    :param country: ISO 3166-1. :param region: ISO 3166-2 without its country, or "".
    """
    row = CallerPlace(
        agency_id=client.agency_id,
        client_id=client.pk,
        caller_id=caller.pk,
        country=country,
        region=region,
        recorded_by_id=by.user_id,
        recorded_at=at,
    )
    CallerPlace.objects.bulk_create(
        [row],
        update_conflicts=True,
        unique_fields=["caller"],
        update_fields=["country", "region", "recorded_by", "recorded_at"],
    )
    audit.record("caller.placed", subject=caller, by=by, at=at)
    _decide_anew(client, caller, at)
    return row


@transaction.atomic
def forget_place(*, client: Client, caller: Caller, by: Actor, at: datetime) -> bool:
    """Take back where a caller lives; returns whether anything was noted."""
    gone = CallerPlace.objects.for_client(client).filter(caller_id=caller.pk).remove()
    if gone:
        audit.record("caller.place_removed", subject=caller, by=by, at=at)
        _decide_anew(client, caller, at)
    return bool(gone)


def _decide_anew(client: Client, caller: Caller, at: datetime) -> None:
    Rejudgement.objects.bulk_create(
        [
            Rejudgement(
                agency_id=client.agency_id,
                client_id=client.pk,
                caller_id=caller.pk,
                cause="place",
                due_at=at,
                created_at=at,
            )
        ]
    )
